// The HTTP API: POST /api/notifications.
import { createHash, timingSafeEqual } from "node:crypto";
import express from "express";
import { accept } from "./accept.js";
import { call } from "./validate.js";
import { wake } from "./wake.js";

const digest = (text) => createHash("sha256").update(text).digest();

function problem(response, status, title, more = {}) {
  response.status(status).type("application/problem+json").json({ type: "about:blank", title, status, ...more });
}

// Digests have one length, so that the comparison takes the same time whatever was sent.
function authenticated(apiKey) {
  const expected = digest(`Bearer ${apiKey}`);
  return (request, response, next) => {
    if (timingSafeEqual(digest(request.get("authorization") ?? ""), expected)) return next();
    response.set("WWW-Authenticate", "Bearer");
    problem(response, 401, "Unauthorized");
  };
}

async function notifications(request, response) {
  const parsed = call.safeParse(request.body);
  if (!parsed.success) {
    const errors = parsed.error.issues.slice(0, 20).map(({ path, message }) => ({ loc: path, msg: message }));
    return problem(response, 422, "Unprocessable Content", { errors });
  }
  const key = request.get("idempotency-key");
  if (key !== undefined && (key.length < 1 || key.length > 255)) {
    return problem(response, 422, "Unprocessable Content", { errors: [{ loc: ["Idempotency-Key"], msg: "1 to 255 characters" }] });
  }
  const accepted = await accept(parsed.data, key);
  if (accepted === null) {
    return problem(response, 422, "Unprocessable Content", { errors: [{ loc: ["Idempotency-Key"], msg: "used for another body" }] });
  }
  if (accepted.replayed) response.set("Idempotency-Replayed", "true");
  else wake();
  const { id, recipients } = accepted;
  response.status(202).location(`/api/notifications/${id}`).json({ id, status: "accepted", recipients });
}

// Express calls it with four arguments.
function failed(error, _request, response, _next) {
  if (error.status >= 400 && error.status < 500) return problem(response, error.status, error.type ?? "Bad Request");
  console.error(error);
  response.set("Retry-After", "1");
  problem(response, 503, "Service Unavailable");
}

export function api(apiKey) {
  const app = express();
  app.disable("x-powered-by");
  app.set("etag", false);
  app.post("/api/notifications", authenticated(apiKey), express.json({ limit: "1mb" }), notifications);
  app.use(failed);
  return app;
}
