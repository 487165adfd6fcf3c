/**
 * The store's rules: the shared vectors (format: tests/vectors/README.md), then long runs by chance
 * in which snapshot plus events must equal a fresh read, whatever was cut, doubled or shuffled.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { Store } from "../../client/store.js";
import { ModelInbox, seeded } from "./fakes/model.mjs";
import { FILE, text } from "./write-vectors.mjs";

const { scenarios } = JSON.parse(readFileSync(FILE, "utf8"));
const takeMissing = (store) => { const { missing } = store; store.missing = false; return missing; };
const shown = (store) => store.items.map(({ id, read_at }) => [id, read_at === null ? "unread" : "read"]);

for (const scenario of scenarios) {
  test(`vector: ${scenario.name}`, () => {
    const store = new Store({ after: scenario.sockets[0].after });
    for (const socket of scenario.sockets) {
      assert.equal(store.seq, socket.after, "resumes from its seq");
      for (const index of socket.arrives) {
        const frame = socket.frames[index];
        const whole = typeof frame === "number" ? { op: "event", ...scenario.log[frame - 1] } : frame;
        if (store.apply(structuredClone(whole)) === "gap") break;
      }
    }
    const { seq, unread, badges, items } = scenario.final;
    assert.deepEqual({ seq: store.seq, unread: store.unread, badges: store.badges, items: shown(store) }, { seq, unread, badges, items });
  });
}

test("the vectors are what the model says today", () => {
  assert.equal(readFileSync(FILE, "utf8"), text(), "run node tests/client/write-vectors.mjs");
});

/** Any session: each held entry is in the server's state, the counts are exact, the newest unread are held. */
function assertSame(store, inbox) {
  assert.equal(store.seq, inbox.seq);
  assert.equal(store.unread, inbox.unread);
  assert.deepEqual(store.badges, inbox.badges);
  for (const [id, state] of shown(store)) assert.equal(state, inbox.state(id));
  const unread = [...inbox.entries.values()].filter((entry) => entry.read_at === null).slice(-50);
  if (!store.missing) for (const { id } of unread) assert.ok(store.get(id), `holds ${id}`);
}

for (let seed = 1; seed <= 60; seed++) {
  test(`snapshot plus events equals a fresh read, seed ${seed}`, () => {
    const random = seeded(seed);
    const inbox = new ModelInbox();
    const store = new Store();
    const pages = [];
    const pick = (list) => list[Math.floor(random() * list.length)];
    const change = () => {
      const known = [...inbox.entries.keys()];
      const what = known.length ? Math.floor(random() * 8) : 0;
      if (what <= 2) inbox.alert(`Alert ${inbox.seq}`);
      else if (what === 3) inbox.read({ through: Math.ceil(random() * inbox.seq) });
      else if (what === 4) inbox.read({ ids: [pick(known)] });
      else if (what === 5) inbox.unreadAgain([pick(known)]);
      else if (what === 6) inbox.archive([pick(known)]);
      else inbox.badge("tasks", Math.floor(random() * 9));
    };
    const changes = (n) => { for (let i = Math.floor(random() * n); i > 0; i--) change(); };
    changes(200);
    for (let round = 0; round < 30; round++) {
      if (random() < 0.1) inbox.purged = Math.max(0, inbox.seq - 5);
      const frames = inbox.hello(store.seq);
      const head = inbox.seq;
      for (let i = 0; i < 10; i++) {
        changes(3);
        // A page is read at this moment and arrives at some later one.
        if (random() < 0.4) pages.push([store.cursor, inbox.page({ limit: 20, before: store.cursor })]);
      }
      for (let seq = head + 1; seq <= inbox.seq; seq++) frames.push(inbox.frame(seq));
      if (random() < 0.3) frames.splice(Math.floor(random() * frames.length), 0, pick(frames));
      if (random() < 0.5) frames.length = Math.ceil(random() * frames.length);
      for (const frame of frames) {
        if (store.apply(frame) === "gap") break;
        if (pages.length && random() < 0.3) {
          const [cursor, page] = pages.shift();
          if (cursor === store.cursor) store.merge(page, { status: "all" });
        }
        // The client fetches what became unread below its horizon; here at once.
        if (takeMissing(store) && !store.merge(inbox.page({ status: "unread" }))) store.missing = true;
      }
    }
    const frames = inbox.hello(store.seq);
    for (const frame of frames) assert.notEqual(store.apply(frame), "gap");
    if (takeMissing(store)) store.merge(inbox.page({ status: "unread" }));
    assertSame(store, inbox);
    while (!store.complete) assert.ok(store.merge(inbox.page({ before: store.cursor, limit: 20 }), { status: "all" }));
    const visible = [...inbox.entries.values()].reverse().filter((entry) => entry.archived_at === null).map(({ id }) => id);
    assert.deepEqual(store.items.map(({ id }) => id), visible, "scrolled to the end, all are there once, in order");
    assertSame(store, inbox);
  });
}

const connected = (inbox, options) => {
  const store = new Store(options);
  for (const frame of inbox.hello(null)) store.apply(frame);
  return store;
};
const event = (store, inbox) => store.apply(inbox.frame(store.seq + 1));

test("an optimistic change shows at once and stays when the log confirms it", () => {
  const inbox = new ModelInbox();
  const [a, b] = [inbox.alert("A"), inbox.alert("B")];
  const store = connected(inbox);
  const op = store.begin("read", { ids: [a] });
  assert.deepEqual([store.unread, shown(store)], [1, [[b, "unread"], [a, "read"]]]);
  const { seq } = inbox.read({ ids: [a] });
  store.settle(op, seq);
  assert.equal(store.unread, 1, "answered, not yet in the log");
  event(store, inbox);
  assert.deepEqual([store.unread, shown(store)], [1, [[b, "unread"], [a, "read"]]]);
  inbox.unreadAgain([a]);
  event(store, inbox);
  assert.equal(store.unread, 2, "nothing of the confirmed change is left over");
});

test("a refused change rolls back, and what came meanwhile stays", () => {
  const inbox = new ModelInbox();
  const [a, b] = [inbox.alert("A"), inbox.alert("B")];
  const store = connected(inbox);
  const op = store.begin("archived", { ids: [a] });
  assert.deepEqual([store.unread, shown(store)], [1, [[b, "unread"]]]);
  inbox.read({ ids: [b] });
  const c = inbox.alert("C");
  event(store, inbox);
  event(store, inbox);
  assert.deepEqual([store.unread, shown(store)], [1, [[c, "unread"], [b, "read"]]]);
  store.drop(op);
  assert.deepEqual([store.unread, shown(store)], [2, [[c, "unread"], [b, "read"], [a, "unread"]]]);
});

for (const why of ["retracted", "expired", "collapsed"]) {
  test(`what is ${why} is gone, also from a page that was read before`, () => {
    const inbox = new ModelInbox();
    const [a, b] = [inbox.alert("A"), inbox.alert("B")];
    const store = connected(inbox);
    const page = inbox.page();
    inbox.withdraw(a, why, b);
    event(store, inbox);
    assert.deepEqual([store.unread, shown(store), store.get(a)], [1, [[b, "unread"]], undefined]);
    assert.ok(store.merge(page));
    assert.deepEqual(shown(store), [[b, "unread"]]);
  });
}

test("a snooze shows at once, is taken back when refused, and passes a read-all over", () => {
  const inbox = new ModelInbox();
  const [a, b] = [inbox.alert("A"), inbox.alert("B")];
  const store = connected(inbox);
  const op = store.begin("snoozed", { ids: [a], until: 7 });
  assert.deepEqual([store.unread, shown(store), store.get(a).snoozed_until], [1, [[b, "unread"]], 7]);
  const all = store.begin("read", { through: store.seq });
  assert.deepEqual([store.unread, store.get(a).read_at], [0, null]);
  store.drop(all);
  store.drop(op);
  assert.deepEqual([store.unread, shown(store)], [2, [[b, "unread"], [a, "unread"]]]);
});

test("a snoozed entry comes back unread, at its new place, whatever an older page says", () => {
  const inbox = new ModelInbox();
  const [a, b] = [inbox.alert("A"), inbox.alert("B")];
  const store = connected(inbox);
  const page = inbox.page();
  inbox.read({ ids: [a] });
  inbox.snooze([a]);
  inbox.back(a, "A");
  for (let i = 0; i < 3; i++) event(store, inbox);
  assert.deepEqual([store.unread, shown(store)], [2, [[a, "unread"], [b, "unread"]]]);
  assert.ok(store.merge(page));
  assert.deepEqual([store.get(a).seq, store.get(a).returned, shown(store)], [5, true, [[a, "unread"], [b, "unread"]]]);
});

test("an update changes what an entry says, and an older one never what a newer one said", () => {
  const inbox = new ModelInbox();
  const a = inbox.alert("A");
  const store = connected(inbox);
  inbox.update(a, { title: "newer" }, 3);
  event(store, inbox);
  inbox.update(a, { title: "older" }, 2);
  event(store, inbox);
  assert.deepEqual([store.get(a).data, store.get(a).version, store.unread], [{ title: "newer" }, 3, 1]);
});

test("unseen are the unread ones beyond what was on the screen", () => {
  const inbox = new ModelInbox();
  inbox.alert("A");
  inbox.alert("B");
  const store = connected(inbox);
  assert.deepEqual([store.seen, store.unseen], [0, 2]);
  const op = store.begin("seen", { through: 2 });
  assert.deepEqual([store.seen, store.unseen, store.unread], [2, 0, 2]);
  inbox.seen({ through: 2 });
  store.settle(op, inbox.seq);
  event(store, inbox);
  inbox.alert("C");
  event(store, inbox);
  assert.deepEqual([store.seen, store.unseen, store.unread], [2, 1, 3]);
});

test("an optimistic read-all counts to zero though only fifty of a thousand are held", () => {
  const inbox = new ModelInbox();
  for (let i = 0; i < 1000; i++) inbox.alert(`Alert ${i}`);
  const store = connected(inbox);
  store.begin("read", { through: store.seq });
  assert.equal(store.unread, 0);
  inbox.alert("after it");
  event(store, inbox);
  assert.equal(store.unread, 1, "what came after the mark is unread");
});

test("optimistic changes of one entry apply in their order", () => {
  const inbox = new ModelInbox();
  const a = inbox.alert("A");
  const store = connected(inbox);
  store.begin("read", { ids: [a] });
  const again = store.begin("unread", { ids: [a] });
  assert.equal(store.unread, 1);
  store.drop(again);
  assert.equal(store.unread, 0);
});

test("ten thousand live alerts: the store keeps the newest and the exact count", () => {
  const inbox = new ModelInbox();
  const store = connected(inbox, { keep: 100 });
  for (let i = 0; i < 10_000; i++) {
    const seq = i + 1;
    store.apply({ op: "event", seq, event: "alert", id: `id-${i}`, data: {}, from: "system", timestamp: seq, unread: seq });
  }
  assert.equal(store.unread, 10_000);
  assert.ok(store.items.length <= 200);
  assert.equal(store.items[0].id, "id-9999");
});

test("after trimming, older pages begin where the held entries end", () => {
  const inbox = new ModelInbox();
  for (let i = 0; i < 30; i++) inbox.alert(`Alert ${i}`);
  const store = connected(inbox, { keep: 10 });
  store.merge(inbox.page({ limit: 50 }), { status: "all" });
  assert.ok(store.complete);
  for (let i = 0; i < 300; i++) { inbox.alert(`More ${i}`); event(store, inbox); }
  assert.ok(!store.complete, "the oldest were let go");
  while (!store.complete) store.merge(inbox.page({ before: store.cursor }), { status: "all" });
  assert.equal(store.items.length, 330);
});

test("a page read before a change arrives after it: the change wins", () => {
  const inbox = new ModelInbox();
  const a = inbox.alert("A");
  inbox.read({ ids: [a] });
  const store = connected(inbox);
  const page = inbox.page();
  inbox.unreadAgain([a]);
  event(store, inbox);
  assert.ok(takeMissing(store), "an entry that is not held became unread");
  store.merge(page, { status: "all" });
  assert.deepEqual(shown(store), [[a, "unread"]]);
});

test("a page read after a change arrives before it: the page wins until the log is there", () => {
  const inbox = new ModelInbox();
  const a = inbox.alert("A");
  const store = connected(inbox);
  inbox.read({ ids: [a] });
  inbox.unreadAgain([a]);
  inbox.archive([a]);
  store.merge(inbox.page(), { status: "all" });
  assert.deepEqual(shown(store), []);
  event(store, inbox);
  event(store, inbox);
  assert.deepEqual(shown(store), [], "older changes do not turn it back");
  event(store, inbox);
  assert.deepEqual(shown(store), []);
});

test("a snapshot goes on in another tab", () => {
  const inbox = new ModelInbox();
  for (let i = 0; i < 5; i++) inbox.alert(`Alert ${i}`);
  inbox.badge("messages", 4);
  const leader = connected(inbox);
  leader.merge(inbox.page({ limit: 2 }), { status: "all" });
  const follower = new Store();
  follower.restore(structuredClone(leader.snapshot()));
  inbox.read({ through: 3 });
  for (const store of [leader, follower]) event(store, inbox);
  assert.deepEqual(shown(follower), shown(leader));
  assert.deepEqual([follower.seq, follower.unread, follower.badges, follower.cursor], [leader.seq, leader.unread, leader.badges, leader.cursor]);
});

test("entries that did not change keep their identity, so a list can skip them", () => {
  const inbox = new ModelInbox();
  const [a, b] = [inbox.alert("A"), inbox.alert("B")];
  const store = connected(inbox);
  const before = store.items;
  assert.equal(store.items, before, "nothing changed, nothing is made again");
  inbox.read({ ids: [a] });
  event(store, inbox);
  assert.equal(store.items.find(({ id }) => id === b), before.find(({ id }) => id === b));
  assert.notEqual(store.items.find(({ id }) => id === a), before.find(({ id }) => id === a));
});

test("what a newer server says more is passed over, and what comes next is understood", () => {
  const store = new Store();
  const more = { colour: "red", nested: { deep: [1] } };
  const frame = (op, fields) => store.apply({ op, ...fields, ...more });
  const entry = { room: "user:ada", from: "system", timestamp: 1, data: { title: "Hello" } };
  assert.equal(frame("welcome", { user_id: "ada", seq: 4, unread: 0, badges: {}, ping_interval: 25 }), "applied");
  assert.equal(frame("weather", { seq: 9 }), "ignored");
  assert.equal(frame("live", { seq: 4 }), "window");
  assert.equal(frame("event", { ...entry, seq: 5, event: "inbox.pinned", data: { ids: ["a"] }, unread: 0 }), "applied");
  assert.equal(frame("event", { ...entry, seq: 6, event: "alert", id: "a", unread: 1 }), "applied");
  assert.deepEqual({ seq: store.seq, unread: store.unread }, { seq: 6, unread: 1 });
  assert.deepEqual(shown(store), [["a", "unread"]]);
});
