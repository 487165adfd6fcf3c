/** Push: nothing without a click, again at each page load, and a worker that always shows something. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { push } from "../../client/push.js";

const KEY = "BAAA";

function browser({ permission = "default", grants = "granted", known = null, kept = undefined } = {}) {
  const env = { calls: [], asked: 0, subscription: known, notifications: [], localStorage: {} };
  if (kept) env.localStorage["notifier.push"] = kept;
  const subscribed = (key) => ({
    endpoint: "https://push.example/1",
    options: { applicationServerKey: Uint8Array.from(atob(key), (one) => one.charCodeAt(0)).buffer },
    toJSON: () => ({ endpoint: "https://push.example/1", keys: {} }),
    unsubscribe: async () => { env.subscription = null; },
  });
  if (known) env.subscription = subscribed(known);
  const registration = {
    pushManager: {
      getSubscription: async () => env.subscription,
      subscribe: async ({ userVisibleOnly, applicationServerKey }) => {
        assert.equal(userVisibleOnly, true);
        return (env.subscription = subscribed(applicationServerKey));
      },
    },
    getNotifications: async () => env.notifications,
  };
  return Object.assign(env, {
    location: { href: "https://shop.example/orders" },
    navigator: { serviceWorker: { register: async (script) => { env.script = script; return registration; } } },
    PushManager: {},
    Notification: { permission, requestPermission: async () => { env.asked += 1; return grants; } },
    fetch: async (url, { method, body, headers }) => {
      env.calls.push([method, new URL(url).pathname, body && JSON.parse(body), headers.Authorization]);
      return { ok: true, status: 200, json: async () => ({ key: KEY }) };
    },
  });
}

const button = () => Object.assign(new EventTarget(), { hidden: true });
const made = (env) => env.calls.map(([method, path]) => `${method} ${path}`);

test("nothing is asked without a click; the button is shown", async () => {
  const env = browser(), one = button();
  const found = await push({ token: async () => "t", button: one }, env);
  assert.deepEqual([env.asked, env.calls.length, one.hidden, await found.subscribed()], [0, 0, false, false]);
});

test("a click asks, subscribes and tells the service", async () => {
  const env = browser(), one = button();
  const found = await push({ token: async () => "t", button: one }, env);
  assert.equal(await found.on(), true);
  assert.deepEqual(made(env), ["GET /api/push/key", "POST /api/push/subscriptions"]);
  assert.equal(env.calls[1][3], "Bearer t");
  assert.deepEqual([env.asked, one.hidden], [1, true]);
});

test("who refuses is not subscribed", async () => {
  const env = browser({ grants: "denied" });
  assert.equal(await (await push({ token: async () => "t" }, env)).on(), false);
  assert.equal(env.calls.length, 0);
});

test("every page load tells the service again, and replaces what belongs to another key", async () => {
  const env = browser({ permission: "granted", kept: "on", known: "BBBB" });
  await push({ token: async () => "t" }, env);
  assert.deepEqual(made(env), ["GET /api/push/key", "POST /api/push/subscriptions"]);
  assert.equal(new Uint8Array(env.subscription.options.applicationServerKey).length, 3);
  assert.equal(env.subscription.options.applicationServerKey && atob(KEY).length, 3);
});

test("off is off, also at the next page load", async () => {
  const env = browser({ permission: "granted", kept: "on", known: KEY });
  const found = await push({ token: async () => "t" }, env);
  await found.off();
  assert.equal(made(env).at(-1), "DELETE /api/push/subscriptions");
  env.calls.length = 0;
  await push({ token: async () => "t" }, env);
  assert.equal(env.calls.length, 0);
});

test("what is read elsewhere closes its notification", async () => {
  const env = browser();
  const client = Object.assign(new EventTarget(), { items: [{ id: "b", seq: 2 }, { id: "c", seq: 3 }] });
  await push({ token: async () => "t", client }, env);
  const closed = [];
  env.notifications = ["a", "b", "c"].map((tag) => ({ tag, close: () => closed.push(tag) }));
  for (const data of [{ ids: ["a"] }, { through: 2 }]) {
    client.dispatchEvent(Object.assign(new Event("event"), { detail: { event: "inbox.read", data } }));
  }
  await new Promise(setImmediate);
  assert.deepEqual(closed, ["a", "b"]);
});

test("a browser without push is left alone", async () => {
  const one = button();
  await push({ token: async () => "t", button: one }, { location: { href: "https://shop.example/" } });
  assert.equal(one.hidden, true);
});

// ------------------------------------------------------------------ the worker

function worker(windows = []) {
  const heard = {}, shown = [], calls = [], opened = [];
  const self = {
    location: Object.assign(new URL("https://shop.example/client/push-worker.js"), {}),
    addEventListener: (type, hear) => { heard[type] = hear; },
    skipWaiting: () => {},
    registration: { showNotification: async (title, options) => { shown.push({ title, ...options }); } },
    clients: { claim: async () => {}, matchAll: async () => windows, openWindow: async (url) => { opened.push(url); } },
  };
  const fetch = async (url, { body }) => { calls.push([url, JSON.parse(body)]); return { ok: true }; };
  const code = readFileSync(new URL("../../client/push-worker.js", import.meta.url), "utf8");
  runInNewContext(code, { self, fetch, URL, JSON, Promise });
  const happen = async (type, event) => {
    let done;
    heard[type]({ ...event, waitUntil: (promise) => { done = promise; } });
    await done;
  };
  return { happen, shown, calls, opened };
}

test("a message is always shown, whatever it is", async () => {
  const { happen, shown } = worker();
  await happen("push", { data: { json: () => ({ id: "1", title: "Shipped", body: "On its way", url: "/7", token: "t" }) } });
  await happen("push", { data: null });
  await happen("push", { data: { json: () => { throw new Error("not JSON"); } } });
  assert.equal(shown.length, 3);
  assert.deepEqual([shown[0].title, shown[0].tag, shown[0].data.token], ["Shipped", "1", "t"]);
});

test("a click opens the page, or focuses it, and marks the entry read", async () => {
  const data = { url: "https://shop.example/orders/7", token: "t" };
  const notification = { data, close: () => {} };
  const fresh = worker();
  await fresh.happen("notificationclick", { notification });
  assert.deepEqual(fresh.opened, ["https://shop.example/orders/7"]);
  assert.deepEqual(fresh.calls, [["https://shop.example/api/push/read", { token: "t" }]]);
  let focused = 0;
  const there = worker([{ url: data.url, focus: async () => { focused += 1; } }]);
  await there.happen("notificationclick", { notification });
  assert.deepEqual([focused, there.opened.length], [1, 0]);
});

test("only pages are opened", async () => {
  const { happen, opened } = worker();
  await happen("notificationclick", { notification: { data: { url: "javascript:alert(1)" }, close: () => {} } });
  assert.deepEqual(opened, ["https://shop.example/"]);
});
