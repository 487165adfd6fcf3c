/**
 * Web Push for one page: a click on a button asks for permission and subscribes; every later page load makes sure
 * that the service still knows this browser. Nothing is asked of the user without a click.
 */
import { endpoints } from "./environment.js";
import { have } from "./facility.js";
import { fetchToken } from "./token-url.js";

const KEPT = "notifier.push";

/** Whether this browser can get push messages on this page. */
export const supported = (env = globalThis) =>
  Boolean(have(() => env.navigator.serviceWorker) && have(() => env.PushManager) && have(() => env.Notification));

/**
 * Set push up for this page.
 *
 * @param options.url the notifier, as for the client; `/` by default
 * @param options.token a URL that answers with a user token, or a function that returns one
 * @param options.worker the service worker's address, on this page's own origin; `client/push-worker.js` of the notifier by default
 * @param options.button shown while push is off and can be switched on; its click does so
 * @param options.client a client of `notifier.js`: what is read elsewhere closes its notification here
 * @returns {Promise<Push>}
 */
export async function push({ url = "/", token, worker, button, client } = {}, env = globalThis) {
  const found = new Push({ url, token, worker, button }, env);
  client?.addEventListener("event", ({ detail: { event, data } }) => {
    if (event !== "inbox.read" && event !== "inbox.archived") return;
    const ids = data.ids ?? client.items.filter(({ seq }) => seq <= data.through).map(({ id }) => id);
    found.close(ids).catch(() => {});
  });
  await found.start();
  return found;
}

export class Push {
  #env; #base; #token; #worker; #button; #registration;

  constructor({ url, token, worker, button }, env) {
    this.#env = env;
    this.#base = endpoints(url, env.location.href).base;
    this.#token = token;
    const script = new URL(worker ?? `${this.#base}client/push-worker.js`, env.location.href);
    script.searchParams.set("api", this.#base);
    if (typeof token === "string") script.searchParams.set("token", new URL(token, env.location.href).href);
    this.#worker = script.href;
    this.#button = button;
    button?.addEventListener("click", () => this.on().catch((error) => env.console?.error(`push: ${error.message}`)));
  }

  /** Register the worker; subscribe again where the user has opted in before. */
  async start() {
    if (!supported(this.#env)) return;
    this.#registration = await this.#env.navigator.serviceWorker.register(this.#worker);
    if (this.#kept() && this.#env.Notification.permission === "granted") await this.#subscribe();
    await this.#show();
  }

  /** Whether this browser is subscribed. */
  async subscribed() {
    return Boolean(await this.#registration?.pushManager.getSubscription());
  }

  /** Ask for permission and subscribe; call it from a click. Returns whether it is on now. */
  async on() {
    if (!this.#registration) return false;
    if ((await this.#env.Notification.requestPermission()) !== "granted") return false;
    await this.#subscribe();
    this.#keep(true);
    await this.#show();
    return true;
  }

  /** Unsubscribe this browser. */
  async off() {
    this.#keep(false);
    const subscription = await this.#registration?.pushManager.getSubscription();
    if (subscription) {
      await this.#call("DELETE", { endpoint: subscription.endpoint });
      await subscription.unsubscribe();
    }
    await this.#show();
  }

  /** Close the notifications of these entries. */
  async close(ids) {
    const shown = (await this.#registration?.getNotifications()) ?? [];
    for (const one of shown) if (ids.includes(one.tag)) one.close();
  }

  async #subscribe() {
    const { key } = await this.#call("GET", undefined, "key");
    const manager = this.#registration.pushManager;
    let subscription = await manager.getSubscription();
    if (subscription && encoded(subscription.options.applicationServerKey) !== key) {
      await subscription.unsubscribe(); // it belongs to another key of the service
      subscription = null;
    }
    subscription ??= await manager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    await this.#call("POST", subscription.toJSON());
  }

  async #call(method, body, path = "subscriptions") {
    const token = typeof this.#token === "function" ? await this.#token() : await fetchToken(this.#token);
    const answer = await this.#env.fetch(`${this.#base}api/push/${path}`, {
      method,
      headers: { Authorization: `Bearer ${token}`, ...(body && { "Content-Type": "application/json" }) },
      body: body && JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}`);
    return method === "GET" ? answer.json() : null;
  }

  async #show() {
    if (this.#button) this.#button.hidden = await this.subscribed();
  }

  #kept() {
    return have(() => this.#env.localStorage[KEPT]) === "on";
  }

  #keep(on) {
    have(() => { this.#env.localStorage[KEPT] = on ? "on" : "off"; });
  }
}

/** Bytes as base64url, as the service writes its key. */
function encoded(buffer) {
  if (!buffer) return "";
  return btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
