// The web process: the API and the sockets. See README.md.
import { createServer } from "node:http";
import { flush } from "./acks.js";
import { api } from "./api.js";
import { gateway } from "./gateway.js";
import { web } from "./settings.js";

const { port, apiKey, secret } = web();
const server = createServer(api(apiKey));
gateway(server, secret);
server.listen(port, "127.0.0.1");

process.once("SIGTERM", async () => {
  await flush();
  process.exit(0);
});
