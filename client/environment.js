/** What the client uses of the browser, in one place; tests pass their own. Nothing is used at import. */
import { have } from "./facility.js";

export const browser = () => {
  const { WebSocket, document, location } = globalThis;
  return {
    WebSocket,
    BroadcastChannel: have(() => globalThis.BroadcastChannel),
    locks: have(() => navigator.locks),
    page: document && globalThis,
    document,
    here: location?.href,
    fetch: (...args) => globalThis.fetch(...args),
    setTimeout: (...args) => globalThis.setTimeout(...args),
    clearTimeout: (timer) => globalThis.clearTimeout(timer),
    now: () => Date.now(),
    random: () => Math.random(),
    report: (text) => globalThis.console?.error(text),
    device,
  };
};

/** This browser's own id, the same for all its tabs and visits; without storage a new one each time. */
function device() {
  const key = "notifier.device";
  const made = have(() => crypto.randomUUID()) ?? `${Math.random()}`; // randomUUID is for secure contexts only
  return have(() => (localStorage[key] ??= made)) ?? made;
}

/** `/`, `/ws`, `https://host/base` or `wss://host/ws`: all name the notifier whose socket is at `ws` below its base. */
export function endpoints(url = "/", here = undefined) {
  const base = new URL(url, here);
  base.protocol = base.protocol.replace("ws", "http");
  base.pathname = base.pathname.replace(/(\/ws)?\/?$/, "/");
  base.search = base.hash = "";
  const socket = new URL("ws", base);
  socket.protocol = socket.protocol.replace("http", "ws");
  return { base: base.href, socket: socket.href };
}
