/** Preferences through the client: read, changed, refused; and who is told to read them again, and when. */
import assert from "node:assert/strict";
import test from "node:test";
import { NotifierClient } from "../../client/notifier.js";
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
