/** Asks the page's own server for a user token: `{"token": "…"}` as JSON, or the bare token as text. */
import { ConfigurationError } from "./configuration.js";
import { within } from "./facility.js";

/** Statuses below 500 after which trying again can help. */
const LATER = new Set([408, 425, 429]);

/**
 * @returns {Promise<string | null>} null: signed out, trying again does not help
 * @throws ConfigurationError when the address gives no tokens; other errors when asking again can help
 */
export async function fetchToken(url) {
  const answer = await within(15_000, fetch(url, { credentials: "same-origin", cache: "no-store" }));
  const { status, redirected } = answer;
  if (status === 401 || status === 403) return null;
  if (status >= 500 || LATER.has(status)) throw new Error(`${url} answered ${status}`);
  const token = status < 300 ? read((await answer.text()).trim()) : undefined;
  if (token !== undefined) return token;
  if (redirected && status < 300) return null; // to a sign-in page
  throw new ConfigurationError(answer.url, status);
}

/** Returns the token in a body; null when the body says there is none; undefined for anything else. */
function read(text) {
  if (text === "") return null;
  if (/^[\w.~+/=-]+$/.test(text) && text !== "null") return text;
  try {
    const { token } = Object(JSON.parse(text) ?? { token: null });
    return typeof token === "string" || token === null ? token : undefined;
  } catch {
    return undefined;
  }
}
