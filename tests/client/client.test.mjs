/** The client over a fake browser and a model server: coming back, acks, tokens, changes. */
import assert from "node:assert/strict";
import test from "node:test";
import { NotifierClient, RequestError } from "../../client/notifier.js";
import { Browser, Clock, Server, settle, token } from "./fakes/world.mjs";

function world(options = {}, prepare = () => {}) {
  const clock = new Clock();
  const server = new Server();
  prepare(server.inbox);
  const browser = new Browser(server, clock);
  const tab = browser.tab();
  const client = new NotifierClient({ url: "/", token: token("user-1"), share: false, ...options }, tab.env);
  const heard = [];
  for (const type of ["alert", "badge", "unread", "state", "problem", "event"]) {
    client.addEventListener(type, ({ detail }) => heard.push([type, detail]));
  }
  return { clock, server, tab, client, heard, all: (type) => heard.filter(([name]) => name === type).map(([, detail]) => detail) };
}

const states = (all) => all("state").map(({ state }) => state);

async function live(options, prepare) {
  const here = world(options, prepare);
  here.client.connect();
  await here.clock.pass(1);
  assert.equal(here.client.state, "live");
  return here;
}

const alerts = (n) => (inbox) => { for (let i = 0; i < n; i++) inbox.alert(`Alert ${i}`); };

test("it says hello in notifier.v1, takes the window and goes live", async () => {
  const { client, server, all } = await live({ device: "phone" }, alerts(3));
  assert.equal(server.last.url, "wss://shop.example/ws");
  assert.deepEqual(server.last.protocols, ["notifier.v1"]);
  assert.deepEqual(server.last.sent[0], { op: "hello", token: token("user-1"), after: null, device: "phone" });
  assert.equal(client.items.length, 3);
  assert.deepEqual(all("unread"), [3]);
  assert.deepEqual(states(all), ["connecting", "live"]);
});

test("events arrive as typed events, with the entry and whether it is live", async () => {
  const { clock, server, all, client } = await live();
  server.happen((inbox) => { inbox.alert("Hello"); inbox.badge("messages", 3); inbox.alert("Odd", { event: "state" }); });
  await clock.pass(1);
  assert.equal(all("alert")[0].data.title, "Hello");
  assert.equal(all("alert")[0].live, true);
  assert.deepEqual(all("badge")[0].data, { type: "messages", count: 3 });
  assert.deepEqual(client.badges, { messages: 3 });
  assert.equal(all("event").length, 3, "an event named like one of the client's own is heard as `event`");
  assert.equal(states(all).length, 2);
});

test("after a cut it resumes at its seq, with nothing lost and nothing doubled", async () => {
  const { clock, server, all, client } = await live({}, alerts(2));
  server.last.end(1006);
  server.happen(alerts(3));
  await clock.pass(600);
  assert.equal(client.state, "live");
  assert.equal(server.last.sent[0].after, 2);
  assert.equal(all("alert").length, 3);
  assert.equal(client.store.unread, 5);
  assert.deepEqual(states(all), ["connecting", "live", "offline", "connecting", "live"]);
});

test("a missing event makes it come back for it", async () => {
  const { clock, server, client } = await live();
  server.happen((inbox) => inbox.alert("one"));
  await clock.pass(1);
  server.inbox.alert("lost");
  server.happen((inbox) => inbox.alert("three"));
  await clock.pass(600);
  assert.equal(server.sockets.length, 2);
  assert.deepEqual(client.items.map(({ data }) => data.title), ["three", "lost", "one"]);
});

test("the backoff is full jitter: doubling from half a second to thirty, and starts again after a stable link", async () => {
  const { clock, server, all, client } = await live();
  server.up = false;
  server.last.end(1006);
  await clock.pass(600_000);
  const waits = all("state").filter(({ state }) => state === "offline").map(({ retryIn }) => retryIn);
  waits.forEach((wait, i) => assert.ok(wait >= 0 && wait <= Math.min(30_000, 500 * 2 ** i), `${i}: ${wait}`));
  assert.ok(waits.length > 15 && Math.max(...waits) > 15_000);
  server.up = true;
  await clock.pass(31_000);
  assert.equal(client.state, "live");
  await clock.pass(6_000);
  server.last.end(1006);
  await clock.pass(501);
  assert.equal(client.state, "live", "half a second at most again");
});

test("1012 spreads the return over the seconds named in the reason", async () => {
  const { clock, server, all } = await live();
  server.last.end(1012, "8.5");
  await clock.pass(1);
  const { retryIn } = all("state").at(-1);
  assert.ok(retryIn > 500 && retryIn <= 8_500, `${retryIn}`);
});

test("4401 is answered with one fresh token, and then it stops", async () => {
  let asked = 0;
  const { clock, server, client, all } = world({ token: async () => token("user-1", { mark: "bad", exp: (asked += 1) + 2e9 }) });
  client.connect();
  await clock.pass(100_000);
  assert.deepEqual([asked, server.sockets.length, client.state], [2, 2, "unauthorized"]);
  assert.equal(states(all).filter((state) => state === "offline").length, 0);
  client.connect();
  await clock.pass(1);
  assert.equal(server.sockets.length > 2, true, "connect() tries again");
});

test("4401 with a fresh token that is good goes on", async () => {
  let asked = 0;
  const { clock, server, client } = world({ token: async () => token("user-1", { mark: (asked += 1) === 1 ? "bad" : "" }) });
  client.connect();
  await clock.pass(1);
  assert.equal(client.state, "live");
  server.last.end(4401, "token ended");
  await clock.pass(1);
  assert.deepEqual([client.state, asked], ["live", 3], "and again, later");
});

test("a string that is refused stops at once", async () => {
  const { clock, server, client } = world({ token: "bad" });
  client.connect();
  await clock.pass(100_000);
  assert.deepEqual([server.sockets.length, client.state], [1, "unauthorized"]);
});

test("4403 stops: asking again would change nothing", async () => {
  const { clock, server, client } = await live();
  server.last.end(4403);
  await clock.pass(100_000);
  assert.deepEqual([server.sockets.length, client.state], [1, "refused"]);
});

test("a token function that fails is asked again later; one that has none means signed out", async () => {
  let answer = () => { throw new Error("offline"); };
  const { clock, client } = world({ token: async () => answer() });
  client.connect();
  await clock.pass(1);
  assert.equal(client.state, "offline");
  answer = () => token("user-1");
  await clock.pass(2_000);
  assert.equal(client.state, "live");
  const other = world({ token: async () => null });
  other.client.connect();
  await other.clock.pass(1);
  assert.equal(other.client.state, "unauthorized");
});

test("a fresh token goes out as auth before the old one ends, on the same socket", async () => {
  const here = world({ token: async () => token("user-1", { iat: here.clock.now / 1000, exp: here.clock.now / 1000 + 300 }) });
  const { clock, client, server } = here;
  client.connect();
  await clock.pass(235_000);
  assert.equal(server.last.ops("auth").length, 0);
  await clock.pass(10_000);
  assert.equal(server.last.ops("auth").length, 1);
  await clock.pass(240_000);
  assert.equal(server.last.ops("auth").length, 2);
  assert.equal(server.sockets.length, 1);
});

test("a dead link is noticed by ping within 35 seconds", async () => {
  const { clock, server, client } = await live();
  await clock.pass(120_000);
  assert.equal(client.state, "live", "a quiet link is not a dead one");
  assert.ok(server.last.ops("ping").length >= 4);
  server.mute = true;
  await clock.pass(35_000);
  assert.notEqual(client.state, "live");
  server.mute = false;
  await clock.pass(15_000);
  assert.equal(client.state, "live");
});

test("online and wake look at once", async () => {
  const { clock, server, client, tab } = await live();
  server.mute = true;
  tab.page.dispatchEvent(new Event("online"));
  await clock.pass(4_001);
  assert.notEqual(client.state, "live", "a dead link is found in seconds, not in half a minute");
  server.up = server.mute = false;
  await clock.pass(120_000);
  assert.equal(client.state, "offline");
  server.up = true;
  tab.page.dispatchEvent(new Event("online"));
  await clock.pass(1);
  assert.equal(client.state, "live", "no waiting for the backoff");
  const pings = server.last.ops("ping").length;
  clock.sleep(3_600_000);
  await clock.pass(5_000);
  assert.equal(server.last.ops("ping").length, pings + 1, "a clock that jumped means sleep");
});

test("acks are cumulative and in groups, and none is sent before the window is whole", async () => {
  const { clock, server } = await live({}, alerts(3));
  await clock.pass(300);
  assert.deepEqual(server.last.ops("ack"), [{ op: "ack", seq: 3 }]);
  server.happen(alerts(40));
  await clock.pass(300);
  assert.deepEqual(server.last.ops("ack").slice(1), [{ op: "ack", seq: 43 }]);
  server.happen(alerts(250));
  await clock.pass(1);
  assert.deepEqual(server.last.ops("ack").slice(2).map(({ seq }) => seq), [143, 243], "every hundred at the latest");
  await clock.pass(300);
  assert.equal(server.last.ops("ack").at(-1).seq, 293);
});

test("close sends the last ack and stays closed", async () => {
  const { clock, server, client, all } = await live();
  server.happen(alerts(1));
  await clock.pass(1);
  client.close();
  await clock.pass(100_000);
  assert.deepEqual(server.last.ops("ack"), [{ op: "ack", seq: 1 }]);
  assert.deepEqual([server.sockets.length, client.state, states(all).at(-1)], [1, "closed", "closed"]);
});

test("a read shows at once and is confirmed by the log", async () => {
  const { clock, server, client } = await live({}, alerts(2));
  const { id } = client.items[0];
  const read = client.read(id);
  assert.equal(client.store.unread, 1);
  await clock.pass(1);
  await read;
  assert.deepEqual(server.requests.at(-1).body, { ids: [id] });
  assert.equal(server.requests.at(-1).path, "/api/inbox/read");
  assert.equal(client.store.unread, 1);
  assert.equal(server.inbox.unread, 1);
});

test("a refused read rolls back and rejects", async () => {
  const { clock, server, client, all } = await live({}, alerts(2));
  server.refuse = () => ({ status: 422 });
  const read = client.readAll();
  assert.equal(client.store.unread, 0);
  const refused = assert.rejects(read, (error) => error instanceof RequestError && error.status === 422);
  await clock.pass(1);
  await refused;
  assert.equal(client.store.unread, 2);
  assert.deepEqual(all("unread"), [2, 0, 2]);
});

test("a server in trouble is asked again; in the end it is taken back", async () => {
  const { clock, server, client } = await live({}, alerts(1));
  let times = 0;
  server.refuse = () => ((times += 1) < 3 ? { status: 503, headers: { "Retry-After": "2" } } : null);
  const read = client.readAll();
  await clock.pass(3_900);
  assert.equal(times, 2);
  await clock.pass(200);
  await read;
  assert.equal(server.inbox.unread, 0);
  server.refuse = () => ({ status: 500 });
  const again = client.unread(client.items[0].id);
  const refused = assert.rejects(again, { status: 500 });
  await clock.pass(60_000);
  await refused;
  assert.equal(client.store.unread, 0);
});

test("changes made offline wait for the link and keep their order", async () => {
  const { clock, server, client } = await live({}, alerts(1));
  const { id } = client.items[0];
  server.up = false;
  server.last.end(1006);
  await clock.pass(1);
  const changes = [client.read(id), client.unread(id), client.archive(id)];
  assert.deepEqual([client.store.unread, client.items.length], [0, 0]);
  await clock.pass(60_000);
  server.up = true;
  await clock.pass(31_000);
  await Promise.all(changes);
  assert.equal(server.inbox.state(id), "archived");
  assert.deepEqual(server.requests.filter(({ method }) => method === "POST").slice(-3).map(({ path }) => path.split("/").at(-1)), ["read", "unread", "archive"]);
});

test("a client asks only for ops that the server names", async () => {
  const { client, server } = await live({}, alerts(1));
  const { id } = client.items[0];
  assert.equal(client.can("snooze"), false);
  await assert.rejects(client.snooze(id, 7), { status: 501 });
  await client.seen();
  assert.deepEqual(server.requests.filter(({ method }) => method === "POST"), []);
  assert.deepEqual([client.store.unread, client.items.length], [1, 1]);
});

test("snooze and seen go to a server that knows them", async () => {
  const { client, clock, server } = await live({}, (inbox) => { inbox.ops = ["snooze", "seen"]; inbox.alert("A"); inbox.alert("B"); });
  const [{ id }] = client.items;
  const until = new Date(1_900_000_000_000);
  const asked = Promise.all([client.snooze(id, until), client.seen()]);
  assert.deepEqual([client.store.unread, client.items.length, client.store.unseen], [1, 1, 0]);
  await clock.pass(10);
  await asked;
  const posts = server.requests.filter(({ method }) => method === "POST").map(({ path, body }) => [path.split("/").at(-1), body]);
  assert.deepEqual(posts, [["snooze", { ids: [id], until: until.getTime() }], ["seen", { through: 2 }]]);
});

test("readAll marks what was seen here, not what arrives in the same moment", async () => {
  const { clock, server, client } = await live({}, alerts(2));
  server.inbox.alert("on its way");
  await Promise.all([client.readAll(), clock.pass(1)]);
  assert.deepEqual(server.requests.at(-1).body, { through: 2 });
  assert.equal(server.inbox.unread, 1);
});

test("older pages come until the end, each entry once", async () => {
  const { clock, client, server } = await live({}, (inbox) => { alerts(120)(inbox); inbox.read({ through: 60 }); });
  assert.equal(client.items.length, 50);
  const pages = [];
  for (let more = true; more; ) {
    const page = client.older();
    assert.equal(client.older(), page, "one page at a time");
    await clock.pass(1);
    more = await page;
    pages.push(client.items.length);
  }
  assert.deepEqual(pages, [50, 100, 120]);
  assert.equal(client.items.length, 120);
  assert.equal(new Set(client.items.map(({ id }) => id)).size, 120);
  assert.equal(await client.older(), false);
  assert.ok(server.requests.every(({ query }) => query.status === "all"));
});

test("an old entry that becomes unread again comes into view", async () => {
  const { clock, client, server } = await live({}, (inbox) => { alerts(3)(inbox); inbox.read({ through: 2 }); });
  assert.equal(client.items.length, 1);
  const [first] = [...server.inbox.entries.keys()];
  server.happen((inbox) => inbox.unreadAgain([first]));
  await clock.pass(1);
  assert.deepEqual(client.items.map(({ id }) => id).at(-1), first);
  assert.equal(client.store.unread, 2);
});

test("an HTTP 401 is answered with a fresh token once", async () => {
  let asked = 0;
  const { clock, client, server } = await live({ token: async () => token("user-1", { mark: `${(asked += 1)} ` }) }, alerts(1));
  server.accepts = (given) => given.startsWith("2 ");
  await Promise.all([client.readAll(), clock.pass(1)]);
  assert.equal(server.inbox.unread, 0);
  server.accepts = () => false;
  const refused = assert.rejects(client.unread(client.items[0].id), { status: 401 });
  await clock.pass(1);
  await refused;
  assert.equal(asked, 3);
});

test("a page that freezes lets go of its socket and takes it up again", async () => {
  const { clock, server, client, tab } = await live();
  tab.document.dispatchEvent(new Event("freeze"));
  await clock.pass(60_000);
  assert.equal(server.open.length, 0);
  server.happen(alerts(2));
  tab.document.dispatchEvent(new Event("resume"));
  await clock.pass(1);
  assert.deepEqual([client.state, client.store.unread, server.last.sent[0].after], ["live", 2, 0]);
});

test("an error frame is a problem, not an end", async () => {
  const { clock, server, client, all } = await live();
  server.last.deliver({ op: "error", code: "ack_ahead", message: "…" });
  await clock.pass(1);
  assert.deepEqual([all("problem"), client.state], [[{ code: "ack_ahead", message: "…" }], "live"]);
});

test("close while connecting leaves nothing behind", async () => {
  const { clock, server, client } = world({ token: async () => { await settle(); return token("user-1"); } });
  client.connect();
  client.close();
  await clock.pass(20_000);
  assert.equal(server.open.length, 0);
  assert.equal(client.state, "closed");
});
