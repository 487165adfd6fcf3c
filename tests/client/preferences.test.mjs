/** Preferences through the client: read, changed, refused; and who is told to read them again, and when. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import test from "node:test";
import { NotifierClient, RequestError } from "../../client/notifier.js";
import { PreferenceChanges, patched } from "../../client/preference-changes.js";
import { Browser, Clock, Server, token } from "./fakes/world.mjs";

async function tabs(n) {
  const clock = new Clock();
  const server = new Server();
  const browser = new Browser(server, clock);
  const clients = Array.from({ length: n }, () => new NotifierClient({ url: "/", token: token("user-1") }, browser.tab().env));
  const told = clients.map(() => 0);
  for (const [i, client] of clients.entries()) {
    client.connect();
    await clock.pass(10);
    client.addEventListener("preferences", () => { told[i] += 1; });
  }
  assert.deepEqual(clients.map(({ state }) => state), clients.map(() => "live"));
  const asked = (method = "GET") => server.requests.filter((request) => request.method === method && request.path === "/api/preferences").length;
  return { clock, server, clients, told, asked };
}

test("they are read and changed over HTTP, and the answer of a change is what holds then", async () => {
  const { server, clients: [client], asked } = await tabs(1);
  assert.deepEqual(await client.preferences(), { channels: {} });
  assert.deepEqual(await client.setPreferences({ channels: { email: "off" } }), { channels: { email: "off" } });
  assert.deepEqual(server.requests.at(-1).body, { channels: { email: "off" } });
  assert.deepEqual([asked("GET"), asked("PATCH")], [1, 1]);
});

test("a change is told to every tab, and nobody asks by itself", async () => {
  const { clock, server, clients, told, asked } = await tabs(3);
  assert.equal(clients.filter(({ leading }) => leading).length, 1);
  server.prefer({ channels: { push: "off" } });
  await clock.pass(50);
  assert.deepEqual(told, [1, 1, 1]);
  assert.deepEqual(clients.map(({ store }) => store.seq), [1, 1, 1]);
  assert.equal(asked(), 0);
});

test("after an interruption every tab is told once, whatever happened meanwhile", async () => {
  const { clock, server, told } = await tabs(2);
  for (const changes of [3, 0]) {
    told.fill(0);
    server.open.at(-1).end(1006);
    for (let i = 0; i < changes; i++) server.prefer({ channels: { push: i % 2 ? "on" : "off" } });
    await clock.pass(2000);
    assert.deepEqual(told, [1, 1]);
  }
});

test("so it is when everything held was replaced in the middle of a connection", async () => {
  const { clock, server, told } = await tabs(2);
  const socket = server.open.at(-1);
  const { seq } = server.inbox;
  for (const frame of [{ op: "reset", reason: "restored", seq, unread: 0, badges: {} }, { op: "live", seq }]) socket.deliver(frame);
  await clock.pass(50);
  assert.deepEqual(told, [1, 1]);
});

test("a refused change rejects with the server's words", async () => {
  const { server, clients: [client] } = await tabs(1);
  const errors = [{ loc: ["timezone"], msg: "no such time zone" }];
  server.refuse = () => ({ status: 422, body: { title: "Invalid input", errors } });
  await assert.rejects(client.setPreferences({ timezone: "Mars" }), (error) => error.status === 422 && !error.transient && error.errors === errors);
  server.refuse = () => ({ status: 503 });
  await assert.rejects(client.preferences(), ({ status, transient, errors: none }) => status === 503 && transient && none.length === 0);
});

test("a quiet alert is told as such in every tab, live and in a replay", async () => {
  const { clock, server, clients } = await tabs(2);
  const heard = clients.map(() => []);
  clients.forEach((client, i) => client.addEventListener("alert", ({ detail }) => heard[i].push(detail.quiet)));
  const quiet = (inbox) => { inbox.alert("Hush"); inbox.log.at(-1).quiet = true; };
  server.happen(quiet);
  await clock.pass(50);
  server.open.at(-1).end(1006);
  server.inbox.alert("Loud");
  quiet(server.inbox);
  await clock.pass(2000);
  assert.deepEqual(heard, [[true, undefined, true], [true, undefined, true]]);
  assert.deepEqual(clients.map(({ store }) => store.unread), [3, 3]);
});

const told = (value, from) => ({ value, from });
const held = () => ({
  categories: [
    { name: "orders", channels: { inbox: told("on", "default"), email: told("instant", "default"), push: told("off", "user") } },
    { name: "news", channels: { inbox: told("on", "default"), email: told("weekly", "category") } },
    { name: "security", channels: { inbox: told("on", "required"), email: told("instant", "required") } },
  ],
  channels: { inbox: null, email: null, push: null },
  quiet_hours: null, paused_until: null, timezone: null,
});
const of = (shown, name) => shown.categories.find((category) => category.name === name).channels;

test("a change shows as the server will decide it: required, own, channel, and then what was there", () => {
  const before = held();
  const after = patched(before, { channels: { email: "off", push: "on" }, categories: { orders: { inbox: "off", push: null } } });
  assert.deepEqual(of(after, "orders"), { inbox: told("off", "user"), email: told("off", "channel"), push: told("on", "channel") });
  assert.deepEqual(of(after, "news").email, told("off", "channel"));
  assert.deepEqual(of(after, "security"), of(before, "security"));
  assert.deepEqual(after.channels, { inbox: null, email: "off", push: "on" });
  assert.deepEqual(of(patched(after, { channels: { push: null } }), "orders").push.from, "default");
  assert.deepEqual(patched(before, { timezone: "UTC", paused_until: 7 }), { ...before, timezone: "UTC", paused_until: 7 });
  assert.deepEqual(before, held(), "what was there is not touched");
});

test("changes go one after the other, show at once, and a refused one alone is taken back", async () => {
  const calls = [];
  const client = {
    base: held(),
    preferences: async () => client.base,
    setPreferences: (patch) => new Promise((done, fail) => {
      calls.push({ patch, done: () => done((client.base = patched(client.base, patch))), fail });
    }),
  };
  const changes = new PreferenceChanges(client, () => {});
  assert.equal(changes.shown, null);
  await changes.read();
  const first = changes.change({ categories: { orders: { inbox: "off" } } });
  const second = changes.change({ channels: { email: "daily" } });
  await null;
  assert.equal(calls.length, 1, "the second waits for the answer to the first");
  assert.deepEqual([of(changes.shown, "orders").inbox.value, of(changes.shown, "orders").email.value], ["off", "daily"]);
  const refused = assert.rejects(first, { status: 422 });
  calls[0].fail(new RequestError(422, "Invalid input"));
  await refused;
  assert.deepEqual([of(changes.shown, "orders").inbox.value, of(changes.shown, "orders").email.value], ["on", "daily"]);
  calls[1].done();
  await second;
  assert.deepEqual(changes.shown, client.base);
});

test("several calls to read are one while it waits for its turn", async () => {
  let calls = 0;
  const changes = new PreferenceChanges({ preferences: async () => { calls += 1; return held(); } }, () => {});
  await Promise.all([changes.read(), changes.read(), changes.read()]);
  assert.equal(calls, 1);
  await changes.read();
  assert.equal(calls, 2);
});

test("every language has the words of the preferences", async () => {
  await import("../../client/bell-preferences-words.js");
  const { dictionaries } = await import("../../client/bell-dictionary.js");
  const english = Object.keys(dictionaries.en);
  const files = readdirSync(new URL("../../client/", import.meta.url)).filter((name) => /^bell-words-\w\w\.js$/.test(name));
  for (const file of files) {
    await import(`../../client/${file}`);
    const words = dictionaries[file.slice(11, 13)];
    assert.deepEqual(english.filter((key) => !(key in words)), [], file);
    for (const key of english) if (/\{time\}/.test(dictionaries.en[key])) assert.match(words[key], /\{time\}/, `${file}: ${key}`);
  }
});
