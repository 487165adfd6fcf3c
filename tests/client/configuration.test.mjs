/** Wrong addresses and wrong clocks: told apart from outages, and not believed. */
import assert from "node:assert/strict";
import test from "node:test";
import { ServerClock } from "../../client/clock.js";
import { ConfigurationError, NotifierClient } from "../../client/notifier.js";
import { fetchToken } from "../../client/token-url.js";
import { Browser, Clock, Server, token } from "./fakes/world.mjs";

const HOUR = 3_600_000;

function world(options = {}, more = () => ({})) {
  const clock = new Clock();
  const server = new Server();
  const reports = [];
  const browser = new Browser(server, clock);
  const open = async (own = {}) => {
    const tab = browser.tab({ report: (text) => reports.push(text), ...more(clock) });
    tab.client = new NotifierClient({ url: "/", token: token("user-1"), ...options, ...own }, tab.env);
    tab.states = [];
    tab.client.addEventListener("state", ({ detail }) => tab.states.push(detail));
    tab.client.connect();
    await clock.pass(5);
    return tab;
  };
  return { clock, server, reports, open };
}

// -- token-url --------------------------------------------------------------------------------------

const answer = (status, body, more = {}) => async () => ({ status, ok: status < 300, redirected: false, url: "https://shop.example/my/token", text: async () => body, ...more });
const asked = async (t, fake) => {
  t.mock.method(globalThis, "fetch", fake);
  return fetchToken("/my/token");
};

for (const [what, fake, wanted] of [
  ["plain text", answer(200, " aaa.bbb.ccc\n"), "aaa.bbb.ccc"],
  ["JSON", answer(200, '{"token": "aaa.bbb.ccc"}'), "aaa.bbb.ccc"],
  ["JSON without anybody", answer(200, '{"token": null}'), null],
  ["null", answer(200, "null"), null],
  ["nothing", answer(204, ""), null],
  ["401", answer(401, "{}"), null],
  ["403", answer(403, "<html>"), null],
  ["a redirect to the page where one signs in", answer(200, "<!doctype html>", { redirected: true }), null],
]) {
  test(`a token-url that answers ${what} gives ${wanted}`, async (t) => assert.equal(await asked(t, fake), wanted));
}

for (const [what, fake, status] of [
  ["404", answer(404, "Not found"), 404],
  ["405", answer(405, ""), 405],
  ["410", answer(410, ""), 410],
  ["a redirect to a page that is not there", answer(404, "", { redirected: true }), 404],
  ["a page instead of a token", answer(200, "<!doctype html><title>Shop</title>"), 200],
  ["JSON of something else", answer(200, '{"user": 7}'), 200],
  ["a token that is not a text", answer(200, '{"token": 7}'), 200],
]) {
  test(`a token-url that answers ${what} is set up wrong`, (t) =>
    assert.rejects(asked(t, fake), (error) => error instanceof ConfigurationError && error.status === status && error.address === "https://shop.example/my/token"));
}

for (const status of [408, 425, 429, 500, 502, 503]) {
  test(`a token-url that answers ${status} can work later`, (t) =>
    assert.rejects(asked(t, answer(status, "")), (error) => !(error instanceof ConfigurationError)));
}

// -- the state `misconfigured` ----------------------------------------------------------------------

test("a wrong token address is said once, stays the state, and goes when it works", async () => {
  let fail = () => { throw new ConfigurationError("https://shop.example/my/token", 404); };
  const { clock, reports, open } = world({ token: async () => fail() });
  const { client, states } = await open();
  await clock.pass(60_000);
  assert.deepEqual(states.map(({ state, address, status }) => [state, address, status]), [
    ["connecting", undefined, undefined],
    ["misconfigured", "https://shop.example/my/token", 404],
  ]);
  assert.deepEqual(client.misconfigured, { address: "https://shop.example/my/token", status: 404 });
  assert.equal(reports.length, 1);
  assert.match(reports[0], /https:\/\/shop\.example\/my\/token answered 404/);
  fail = () => token("user-1");
  await clock.pass(31_000);
  assert.deepEqual([client.state, client.misconfigured], ["live", null]);
});

test("a token address that breaks while the page is open is said when the session ends", async () => {
  let fail = false;
  const { clock, server, open } = world({ token: async () => { if (fail) throw new ConfigurationError("/t", 404); return token("user-1"); } });
  const { client } = await open();
  assert.equal(client.state, "live");
  fail = true;
  server.last.end(4401);
  await clock.pass(5);
  assert.equal(client.state, "misconfigured");
  fail = false;
  await clock.pass(31_000);
  assert.equal(client.state, "live");
});

test("an address without a notifier is found by an HTTP call, and recovers", async () => {
  const { clock, server, reports, open } = world({ url: "/wrong" });
  server.up = false;
  let status = 404;
  const real = server.fetch;
  server.fetch = (...args) => (status ? { status, ok: false, json: async () => null, headers: new Map() } : real(...args));
  const { client, states } = await open({ share: false });
  assert.equal(client.state, "offline");
  await clock.pass(60_000);
  assert.deepEqual(client.misconfigured, { address: "https://shop.example/wrong/api/inbox", status: 404 });
  assert.deepEqual(states.map(({ state }) => state).filter((state, i, all) => state !== all[i - 1]).at(-1), "misconfigured");
  assert.equal(reports.length, 1);
  server.up = true;
  status = 0;
  await clock.pass(31_000);
  assert.deepEqual([client.state, client.misconfigured], ["live", null]);
});

test("an outage is not a misconfiguration", async () => {
  const { clock, server, reports, open } = world();
  const { client } = await open();
  server.up = false;
  server.last.end(1006);
  await clock.pass(600_000);
  assert.deepEqual([client.state === "offline" || client.state === "connecting", client.misconfigured, reports], [true, null, []]);
});

test("close forgets what was wrong", async () => {
  const { clock, open } = world({ token: async () => { throw new ConfigurationError("/t", 404); } });
  const { client } = await open();
  client.close();
  await clock.pass(60_000);
  assert.deepEqual([client.state, client.misconfigured], ["closed", null]);
});

test("the tabs that follow say it too", async () => {
  let fail = false;
  const { clock, server, open } = world({ token: async () => { if (fail) throw new ConfigurationError("/t", 404); return token("user-1"); } });
  const tabs = [await open(), await open()];
  fail = true;
  server.last.end(4401);
  await clock.pass(5);
  assert.deepEqual(tabs.map(({ client }) => [client.state, client.misconfigured?.status]), [["misconfigured", 404], ["misconfigured", 404]]);
  fail = false;
  await clock.pass(31_000);
  assert.deepEqual(tabs.map(({ client }) => [client.state, client.misconfigured]), [["live", null], ["live", null]]);
});

// -- clocks -----------------------------------------------------------------------------------------

test("the time that the server says is believed over this device's", () => {
  const clock = new ServerClock(() => 10 * HOUR);
  assert.equal(clock.now(), 10 * HOUR, "without a better word, one's own");
  clock.dated("Thu, 01 Jan 1970 08:00:00 GMT");
  assert.equal(clock.now(), 8 * HOUR + 500);
  clock.happened(8 * HOUR + 700);
  assert.equal(clock.now(), 8 * HOUR + 700);
  clock.said(9 * HOUR);
  assert.equal(clock.now(), 9 * HOUR);
  clock.dated("Thu, 01 Jan 1970 08:00:00 GMT");
  clock.happened(8 * HOUR);
  assert.equal(clock.now(), 9 * HOUR, "what is less exact changes nothing more");
  clock.happened(9 * HOUR + 5);
  assert.equal(clock.now(), 9 * HOUR + 5, "but nothing happens in the future");
});

test("nonsense is not a time", () => {
  const clock = new ServerClock(() => HOUR);
  clock.said(undefined);
  clock.dated(null);
  clock.dated("yesterday");
  clock.happened("now");
  clock.ahead = NaN;
  assert.equal(clock.now(), HOUR);
});

for (const off of [-2 * HOUR, 2 * HOUR]) {
  for (const [how, named] of [["`now` in welcome", true], ["what just happened", false]]) {
    test(`a device whose clock is ${off / HOUR} h off shows the server's time by ${how}, in every tab`, async () => {
      const { clock, server, open } = world({}, (clock) => ({ now: () => clock.now + off }));
      const hello = server.inbox.hello.bind(server.inbox);
      server.inbox.hello = (after) => hello(after).map((frame) => (named && frame.op === "welcome" ? { ...frame, now: clock.now } : frame));
      const tabs = [await open(), await open()];
      server.happen((inbox) => inbox.alert("now"));
      await clock.pass(5);
      for (const { client } of tabs) assert.ok(Math.abs(client.now() - clock.now) < 100, `${client.now() - clock.now} ms`);
    });
  }
}
