/** Every facility of a browser absent, throwing, rejecting or hanging: the client goes on, and asks ever more seldom. */
import assert from "node:assert/strict";
import test from "node:test";
import { pause, within } from "../../client/facility.js";
import { browser as realBrowser } from "../../client/environment.js";
import { NotifierClient } from "../../client/notifier.js";
import { Browser, Clock, Server, settle, token } from "./fakes/world.mjs";

const refused = () => { throw new DOMException("blocked", "SecurityError"); };
const rejected = () => Promise.reject(new DOMException("blocked", "SecurityError"));
const never = () => new Promise(() => {});

/** @param {(tabs) => object} replace what a tab's environment has instead, given what it has */
function world(replace) {
  const clock = new Clock();
  const server = new Server();
  const browser = new Browser(server, clock, 3);
  const open = async (options = {}) => {
    const tab = browser.tab();
    Object.assign(tab.env, replace(tab.env));
    tab.client = new NotifierClient({ url: "/", token: token("user-1"), ...options }, tab.env);
    tab.client.connect();
    await clock.pass(5);
    return tab;
  };
  return { clock, server, open };
}

const alert = (title) => (inbox) => inbox.alert(title);

/** A `locks` whose request is counted. */
const locks = (request) => {
  const counted = { calls: 0, request: (...args) => { counted.calls += 1; return request(...args); } };
  return counted;
};
const LOCKS = {
  "are absent": () => undefined,
  throw: () => locks(refused),
  reject: () => locks(rejected),
  hang: () => locks(never),
  "answer nothing": () => locks(() => undefined),
  "are granted and taken away at once": () => locks(async (name, options, action) => { action({ name }); throw new DOMException("stolen", "AbortError"); }),
  "are granted, and the next moment stolen": () => locks((name, options, action) => new Promise((done, fail) => {
    void action({ name });
    setImmediate(() => fail(new DOMException("stolen", "AbortError")));
  })),
};

for (const [how, make] of Object.entries(LOCKS)) {
  // Tabs that lead for a moment are followed for that moment, and some seconds longer.
  const sockets = how.includes("granted") ? 30 : 2;
  test(`when Web Locks ${how}, each tab is live with a socket of its own, and they are asked ever more seldom`, async () => {
    const broken = make();
    const { clock, server, open } = world(() => ({ locks: broken }));
    const tabs = [await open(), await open()];
    await clock.pass(3_100);
    if (sockets === 2) for (const { client } of tabs) assert.equal(client.state, "live");
    server.happen(alert("one"));
    await clock.pass(600_000);
    server.happen(alert("two"));
    await clock.pass(5);
    for (const { client } of tabs) {
      assert.equal(client.state, "live");
      assert.deepEqual(client.items.map(({ data }) => data.title), ["two", "one"]);
    }
    assert.ok(server.sockets.length <= sockets, `${server.sockets.length} sockets in ten minutes`);
    assert.ok((broken?.calls ?? 0) <= 2 * 16, `${broken?.calls} requests of two tabs in ten minutes`);
  });
}

const CHANNELS = {
  "is absent": () => undefined,
  "throws when it is made": () => class { constructor() { refused(); } },
  "throws when it is used": (real) => class extends real { postMessage() { refused(); } },
  "throws in everything": () => class { set onmessage(hear) { refused(); } postMessage() { refused(); } close() { refused(); } },
  "carries nothing": (real) => class extends real { postMessage() { return undefined; } },
};

for (const [how, make] of Object.entries(CHANNELS)) {
  test(`when BroadcastChannel ${how}, each tab is live with a socket of its own`, async () => {
    let made = 0;
    const { clock, server, open } = world((env) => {
      const broken = make(env.BroadcastChannel);
      return { BroadcastChannel: broken && class extends broken { constructor(name) { made += 1; super(name); } } };
    });
    const tabs = [await open(), await open()];
    await clock.pass(3_100);
    for (const { client } of tabs) assert.equal(client.state, "live");
    server.happen(alert("one"));
    await clock.pass(600_000);
    server.happen(alert("two"));
    await clock.pass(5);
    for (const { client } of tabs) {
      assert.equal(client.state, "live");
      assert.deepEqual(client.items.map(({ data }) => data.title), ["two", "one"]);
    }
    assert.equal(server.sockets.length, 2, "no socket was ever given up");
    assert.ok(made <= 2 * 14, `${made} channels of two tabs in ten minutes`);
  });
}

test("a tab whose locks fail follows one whose locks work", async () => {
  let failing = false;
  const { clock, server, open } = world(() => (failing ? { locks: locks(rejected) } : {}));
  const first = await open();
  failing = true;
  const second = await open();
  await clock.pass(120_000);
  assert.deepEqual([first.client.leading, second.client.leading], [true, false]);
  assert.equal(server.open.length, 1);
  server.happen(alert("heard"));
  await clock.pass(5);
  assert.equal(second.client.store.unread, 1);
});

test("locks that work again are used again", async () => {
  let broken = true;
  const { clock, server, open } = world(({ locks: real }) => ({ locks: { request: (...args) => (broken ? rejected() : real.request(...args)) } }));
  const tabs = [await open(), await open()];
  await clock.pass(5_000);
  assert.equal(server.open.length, 2);
  broken = false;
  await clock.pass(300_000);
  assert.equal(server.open.length, 1);
  assert.deepEqual(tabs.map(({ client }) => client.state), ["live", "live"]);
});

test("a tab that closes while its lock hangs leaves nothing behind", async () => {
  const { clock, server, open } = world(() => ({ locks: locks(never) }));
  const tab = await open();
  await clock.pass(4_000);
  tab.client.close();
  await clock.pass(600_000);
  assert.deepEqual([tab.client.state, server.open.length], ["closed", 0]);
});

test("a socket that cannot be made is tried again with the backoff", async () => {
  let made = 0;
  const { clock, open } = world(() => ({ WebSocket: class { constructor() { made += 1; refused(); } } }));
  const { client } = await open({ share: false });
  assert.equal(client.state, "offline");
  await clock.pass(600_000);
  assert.ok(made > 10 && made < 100, `${made} attempts in ten minutes`);
});

test("a token function that hangs is asked again", async () => {
  let answer = never;
  const { clock, open } = world(() => ({}));
  const { client } = await open({ token: () => answer() });
  assert.equal(client.state, "connecting");
  answer = async () => token("user-1");
  await clock.pass(25_000);
  assert.equal(client.state, "live");
});

test("an HTTP call that hangs fails, and the changes behind it go on", async () => {
  const { clock, server, open } = world(({ fetch }) => ({ fetch: (...args) => (server.hang ? never() : fetch(...args)) }));
  const { client } = await open();
  server.happen(alert("one"));
  await clock.pass(5);
  server.hang = true;
  const read = client.readAll();
  await clock.pass(29_000);
  server.hang = false;
  await clock.pass(5_000);
  await read;
  assert.equal(server.inbox.unread, 0);
});

const PLACES = {
  absent: { get: () => undefined },
  "null, as in some web views": { get: () => null },
  throwing: { get: refused },
  full: { get: () => new Proxy({}, { set: refused }) },
};

/** Runs `action` with globals of a browser replaced by property descriptors. */
async function having(globals, action) {
  const before = Object.keys(globals).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]);
  for (const [name, way] of Object.entries(globals)) Object.defineProperty(globalThis, name, { configurable: true, ...way });
  try {
    return await action();
  } finally {
    for (const [name, way] of before) {
      delete globalThis[name];
      if (way) Object.defineProperty(globalThis, name, way);
    }
  }
}

for (const [how, way] of Object.entries(PLACES)) {
  test(`with a storage that is ${how} there is a device id for this visit`, () =>
    having({ localStorage: way, location: { value: { href: "https://shop.example/" } } }, () => {
      const id = realBrowser().device();
      assert.ok(typeof id === "string" && id.length >= 10 && id.length <= 64, id);
    }));
}

for (const how of ["absent", "throwing"]) {
  test(`the environment is whole with locks, channel and crypto ${how}`, () => {
    const way = how === "absent" ? { get: () => undefined } : { get: refused };
    return having({ navigator: way, BroadcastChannel: way, crypto: way, localStorage: way }, () => {
      const { locks: found, BroadcastChannel: channel, device } = realBrowser();
      assert.deepEqual([found, channel], [undefined, undefined]);
      assert.ok(device().length <= 64);
    });
  });
}

// -- desktop notifications and sight ----------------------------------------------------------------

let fresh = 0;
/** bell-alerts.js as a new page has it: what it remembers is of the module. */
const alerts = () => import(`../../client/bell-alerts.js?${(fresh += 1)}`);
const page = (visibilityState) => ({ value: { visibilityState } });
const value = (given) => ({ value: given });
const entry = { id: "1", event: "alert", data: { title: "t", message: "m", type: "info" } };
const on = { getItem: () => "on", setItem() {} };

const NOTIFICATIONS = {
  absent: [{ get: () => undefined }, false],
  throwing: [{ get: refused }, false],
  "without an answer to the question": [value({ permission: "default", requestPermission: rejected }), true],
  "throwing when it is asked": [value({ permission: "denied", requestPermission: refused }), true],
  "throwing when it is made": [value(Object.assign(class { constructor() { refused(); } }, { permission: "granted", requestPermission: async () => "granted" })), true],
};

for (const [how, [way, possible]] of Object.entries(NOTIFICATIONS)) {
  test(`with Notification ${how} the settings and the alerts go on`, () =>
    having({ Notification: way, document: page("hidden"), localStorage: value(on), navigator: value({}) }, async () => {
      const module = await alerts();
      assert.equal(module.possible.desktop(), possible);
      assert.equal(module.blocked(), how === "throwing when it is asked");
      assert.equal(await module.want("desktop", true), how === "throwing when it is made");
      await module.alertUser(entry, { leading: true, words: { lang: "en" }, open() {} });
    }));
}

test("a sound that cannot be played is not a fault", () =>
  having({ AudioContext: value(class { constructor() { refused(); } }), document: page("visible"), localStorage: value(on) }, async () => {
    const module = await alerts();
    assert.equal(await module.want("sound", true), true);
  }));

const QUERIES = { absent: undefined, throwing: { query: refused }, rejecting: { query: rejected }, hanging: { query: never }, empty: { query: async () => ({}) } };
for (const [how, given] of Object.entries(QUERIES)) {
  test(`with locks.query ${how} the hidden leader shows the desktop notification`, () => {
    const shown = [];
    const Notification = Object.assign(class { constructor(title) { shown.push(title); } }, { permission: "granted" });
    return having({ Notification: value(Notification), document: page("hidden"), localStorage: value(on), navigator: value({ locks: given }) }, async () => {
      const module = await alerts();
      await module.alertUser(entry, { leading: true, words: { lang: "en" }, open() {} });
      assert.deepEqual(shown, ["t"]);
    });
  });
}

for (const [how, request] of Object.entries({
  throwing: refused,
  rejecting: rejected,
  hanging: never,
  "answering nothing": async () => undefined,
  "granted and taken away at once": async (name, options, action) => { void action(); throw new DOMException("stolen", "AbortError"); },
})) {
  test(`with the lock of those in sight ${how}, it is asked ever more seldom`, (t) => {
    let asked = 0;
    const given = { request: (...args) => { asked += 1; return request(...args); } };
    return having({ document: page("visible"), navigator: value({ locks: given }) }, async () => {
      t.mock.timers.enable({ apis: ["setTimeout"] });
      const module = await alerts();
      void module.watchSight();
      for (let second = 0; second < 600; second++) {
        await settle();
        t.mock.timers.tick(1000);
      }
      assert.ok(asked >= 1 && asked <= 14, `${asked} requests in ten minutes`);
    });
  });
}

test("a tab without Web Locks does not ask for what is not there", (t) =>
  having({ document: page("visible"), navigator: value({}) }, async () => {
    const module = await alerts();
    t.mock.timers.enable({ apis: ["setTimeout"] });
    void module.watchSight();
    await settle();
  }));

test("pauses grow from half a second to five minutes", () => {
  const longest = Array.from({ length: 20 }, (_, failures) => pause(failures, () => 1));
  assert.deepEqual(longest.slice(0, 4), [1000, 2000, 4000, 8000]);
  assert.equal(longest.at(-1), 300_000);
  assert.equal(pause(0, () => 0), 500);
});

test("what hangs is given up after its time", async () => {
  const clock = new Clock();
  const waiting = assert.rejects(within(1000, never(), clock), /1000 ms/);
  await clock.pass(1000);
  await waiting;
  assert.equal(await within(1000, Promise.resolve(7), clock), 7);
});
