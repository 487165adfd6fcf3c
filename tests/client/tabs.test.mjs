/** The tabs of one browser: one socket for all, and the hand-over when the leader closes, freezes or hangs. */
import assert from "node:assert/strict";
import test from "node:test";
import { NotifierClient } from "../../client/notifier.js";
import { Browser, Clock, Server, token } from "./fakes/world.mjs";

function world(prepare = () => {}) {
  const clock = new Clock();
  const server = new Server();
  prepare(server.inbox);
  const browser = new Browser(server, clock, 7);
  const open = async (more, options = {}) => {
    const tab = browser.tab(more);
    tab.client = new NotifierClient({ url: "/", token: token("user-1"), ...options }, tab.env);
    tab.heard = [];
    tab.client.addEventListener("alert", ({ detail }) => tab.heard.push(detail.data.title));
    tab.client.connect();
    await clock.pass(5);
    return tab;
  };
  const leaders = (tabs) => tabs.map(({ client }) => client.leading);
  const same = (tabs) => {
    for (const { client } of tabs) {
      assert.equal(client.state, "live");
      assert.deepEqual([client.store.seq, client.store.unread, client.badges], [server.inbox.seq, server.inbox.unread, server.inbox.badges]);
      for (const item of client.items) assert.equal(item.read_at === null ? "unread" : "read", server.inbox.state(item.id));
    }
  };
  return { clock, server, browser, open, leaders, same };
}
const alerts = (n, mark = "Alert") => (inbox) => { for (let i = 1; i <= n; i++) inbox.alert(`${mark} ${i}`); };

test("three tabs share one socket and show the same", async () => {
  const { clock, server, open, leaders, same } = world(alerts(3));
  const tabs = [await open(), await open(), await open()];
  assert.deepEqual(leaders(tabs), [true, false, false]);
  same(tabs);
  server.happen((inbox) => { alerts(2, "Live")(inbox); inbox.badge("tasks", 4); });
  await clock.pass(5);
  same(tabs);
  for (const { heard } of tabs) assert.deepEqual(heard, ["Live 1", "Live 2"]);
  await clock.pass(120_000);
  assert.equal(server.sockets.length, 1, "and stays so");
});

test("a change in a follower shows there at once and reaches the others", async () => {
  const { clock, server, open, same } = world(alerts(2));
  const tabs = [await open(), await open()];
  const read = tabs[1].client.readAll();
  assert.equal(tabs[1].client.store.unread, 0);
  await clock.pass(5);
  await read;
  same(tabs);
  assert.equal(server.inbox.unread, 0);
});

test("when the leader closes, the next one goes on from its seq", async () => {
  const { clock, server, open, leaders, same } = world(alerts(1));
  const [first, second, third] = [await open(), await open(), await open()];
  first.page.dispatchEvent(new Event("pagehide"));
  server.inbox.alert("in between");
  await clock.pass(10);
  assert.deepEqual(leaders([second, third]), [true, false]);
  assert.equal(server.last.sent[0].after, 1);
  same([second, third]);
  assert.deepEqual([second.heard, third.heard], [["in between"], ["in between"]]);
  assert.equal(server.open.length, 1);
});

test("when the leader's tab is frozen by the browser, it hands over, and joins again as a follower", async () => {
  const { clock, server, open, leaders, same } = world(alerts(1));
  const tabs = [await open(), await open()];
  tabs[0].document.dispatchEvent(new Event("freeze"));
  tabs[0].frozen = true;
  await clock.pass(10);
  assert.deepEqual(leaders(tabs), [false, true]);
  assert.equal(server.open.length, 1);
  server.happen(alerts(2));
  tabs[0].thaw();
  tabs[0].document.dispatchEvent(new Event("resume"));
  await clock.pass(10);
  same(tabs);
  assert.deepEqual(leaders(tabs), [false, true]);
  assert.equal(server.open.length, 1);
});

test("a leader that hangs without a word loses the lock to one follower, and steps down when it is back", async () => {
  const { clock, server, open, leaders, same } = world(alerts(1));
  const tabs = [await open(), await open(), await open()];
  tabs[0].frozen = true;
  server.inbox.alert("unheard");
  await clock.pass(20_000);
  assert.equal(leaders(tabs.slice(1)).filter(Boolean).length, 1);
  same(tabs.slice(1));
  tabs[0].thaw();
  await clock.pass(20_000);
  assert.equal(leaders(tabs).filter(Boolean).length, 1);
  assert.equal(leaders(tabs)[0], false);
  server.happen(alerts(1, "after"));
  await clock.pass(10);
  same(tabs);
  assert.equal(server.open.length, 1);
});

test("the leader's outage is everybody's state, and so is its return", async () => {
  const { clock, server, open, same } = world(alerts(1));
  const tabs = [await open(), await open()];
  server.up = false;
  server.last.end(1006);
  await clock.pass(2_000);
  assert.equal(tabs[1].client.state === "live", false);
  server.up = true;
  await clock.pass(31_000);
  same(tabs);
  assert.equal(server.open.length, 1);
});

test("a follower that was frozen catches up", async () => {
  const { clock, server, open, same } = world(alerts(1));
  const tabs = [await open(), await open()];
  tabs[1].document.dispatchEvent(new Event("freeze"));
  tabs[1].frozen = true;
  server.happen(alerts(30));
  await clock.pass(60_000);
  assert.equal(server.open.length, 1, "a frozen follower is not handed the lock");
  tabs[1].thaw();
  tabs[1].document.dispatchEvent(new Event("resume"));
  await clock.pass(10);
  same(tabs);
});

test("a reset reaches the followers as a fresh window", async () => {
  const { clock, server, open, same } = world(alerts(3));
  const tabs = [await open(), await open()];
  server.last.end(1006);
  server.inbox.read({ through: 2 });
  server.inbox.alert("new");
  server.inbox.purged = 5;
  await clock.pass(600);
  same(tabs);
  assert.deepEqual(tabs[1].client.items.map(({ data }) => data.title), ["new", "Alert 3"]);
});

test("two users of one browser have a socket each and never hear each other", async () => {
  const { clock, server, open } = world();
  const one = await open();
  const other = await open({}, { token: token("user-2") });
  assert.deepEqual([one.client.leading, other.client.leading], [true, true]);
  assert.equal(server.open.length, 2);
  await clock.pass(1);
});

test("another tab takes over with a token of its own when the leader's has ended", async () => {
  const { clock, server, open, same } = world(alerts(1));
  const tabs = [await open({}, { token: token("user-1", { mark: "old" }) }), await open()];
  server.accepts = (given) => !given.startsWith("old");
  server.last.end(4401);
  await clock.pass(10);
  assert.equal(tabs[0].client.state, "unauthorized");
  same([tabs[1]]);
});

for (const [name, missing] of [["Web Locks", { locks: undefined }], ["BroadcastChannel", { BroadcastChannel: undefined }]]) {
  test(`without ${name} each tab has its own socket`, async () => {
    const { clock, server, open, same } = world(alerts(1));
    const tabs = [await open(missing), await open(missing)];
    assert.equal(server.open.length, 2);
    server.happen(alerts(1));
    await clock.pass(5);
    same(tabs);
  });
}

test("without a user in the token nothing is shared", async () => {
  const { server, open } = world();
  await open({}, { token: "opaque" });
  await open({}, { token: "opaque" });
  assert.equal(server.open.length, 2);
});

test("tabs that come and go by chance: one socket, and nobody misses anything", async () => {
  const { clock, server, browser, open, same } = world(alerts(2));
  let here = [await open()];
  for (let round = 0; round < 60; round++) {
    const what = Math.floor(browser.random() * 5);
    if (what === 0 && here.length < 5) here.push(await open());
    else if (what === 1 && here.length > 1) here.splice(Math.floor(browser.random() * here.length), 1)[0].client.close();
    else if (what === 2) server.last.end(1006);
    else server.happen(alerts(1 + Math.floor(browser.random() * 3)));
    if (browser.random() < 0.5) server.happen((inbox) => inbox.read({ through: Math.ceil(browser.random() * inbox.seq) }));
    await clock.pass(browser.random() * 50);
  }
  await clock.pass(40_000);
  same(here);
  assert.equal(server.open.length, 1);
});
