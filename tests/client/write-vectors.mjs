/** Writes tests/vectors/session.json; `scenarios()` is also what the test compares the file with. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ModelInbox, seeded } from "./fakes/model.mjs";

export const FILE = new URL("../vectors/session.json", import.meta.url);

class Scenario {
  sockets = [];
  constructor(name, prepare = () => {}) {
    this.name = name;
    this.inbox = new ModelInbox();
    prepare(this.inbox);
  }

  /** A socket says hello, `during` happens while it lives, and `arrive` says what of it gets through. */
  socket(after, { during = () => {}, arrive = (n) => [...Array(n).keys()] } = {}) {
    const head = this.inbox.seq;
    const frames = this.inbox.hello(after).map((frame) => (frame.op === "event" ? frame.seq : frame));
    during(this.inbox);
    for (let seq = head + 1; seq <= this.inbox.seq; seq++) frames.push(seq);
    this.sockets.push({ after, head, frames, arrives: arrive(frames.length) });
    return this;
  }

  /** Changes that nobody is connected for. */
  meanwhile(change) { change(this.inbox); return this; }

  /** `held`: the ids the store holds in the end; by default every entry that is not archived. */
  end(held = [...this.inbox.entries.keys()]) {
    const { inbox } = this;
    const items = [...inbox.entries.values()].reverse()
      .filter(({ id, archived_at }) => held.includes(id) && archived_at === null)
      .map(({ id }) => [id, inbox.state(id)]);
    return {
      name: this.name,
      user: inbox.user,
      log: inbox.log,
      entries: [...inbox.entries.values()],
      purged: inbox.purged,
      limit: inbox.limit,
      sockets: this.sockets,
      final: { seq: inbox.seq, unread: inbox.unread, badges: inbox.badges, items },
    };
  }
}

const ids = (inbox) => [...inbox.entries.keys()];
const alerts = (n, from = 1) => (inbox) => { for (let i = from; i < from + n; i++) inbox.alert(`Alert ${i}`); };
const some = (n) => (inbox) => ids(inbox).slice(0, n);
const held = (inbox, n) => [...inbox.entries.values()].filter((entry) => entry.read_at === null).slice(-n).map(({ id }) => id);

export function scenarios() {
  const all = [];
  const add = (scenario, ...rest) => all.push(scenario.end(...rest));

  add(new Scenario("an empty inbox").socket(null));
  add(new Scenario("the window, then live", alerts(3)).socket(null, { during: alerts(2, 4) }));
  add(new Scenario("resume after a cut in the middle of the events", alerts(2))
    .socket(null, { during: alerts(5, 3), arrive: () => [0, 1, 2, 3, 4, 5] })
    .socket(4));
  add(new Scenario("resume with nothing missed", alerts(2)).socket(null).socket(2));
  {
    const scenario = new Scenario("a window cut before live counts for nothing", alerts(3))
      .socket(null, { arrive: () => [0, 1, 2] })
      .meanwhile((inbox) => inbox.read({ ids: some(1)(inbox) }))
      .socket(null);
    add(scenario, held(scenario.inbox, 50));
  }
  add(new Scenario("doubled events change nothing", alerts(1))
    .socket(null, { during: alerts(3, 2), arrive: () => [0, 1, 2, 3, 3, 4, 3, 4, 5, 5] }));
  add(new Scenario("doubled welcome, item and live change nothing", alerts(2))
    .socket(null, { during: alerts(2, 3), arrive: () => [0, 0, 1, 1, 0, 2, 3, 3, 4, 0, 5, 3] }));
  add(new Scenario("shuffled window entries find their order", alerts(4))
    .socket(null, { arrive: () => [0, 3, 1, 4, 2, 5] }));
  add(new Scenario("an item that comes after live still counts", alerts(3)).socket(null, { arrive: () => [0, 1, 4, 2, 3] }));
  add(new Scenario("shuffled events are a gap, and a resume repairs it", alerts(1))
    .socket(null, { during: alerts(4, 2), arrive: () => [0, 1, 2, 3, 5, 4, 6] })
    .socket(2));
  add(new Scenario("a missing event before live is a gap", alerts(1))
    .socket(null)
    .meanwhile(alerts(3, 2))
    .socket(1, { arrive: () => [0, 1, 2, 4] })
    .socket(3));
  {
    const scenario = new Scenario("read, unread and archive from another device", alerts(4)).socket(null, {
      during: (inbox) => {
        const [a, b, c] = ids(inbox);
        inbox.read({ ids: [a, b] });
        inbox.unreadAgain([a]);
        inbox.archive([c]);
        inbox.alert("Alert 5");
        inbox.archive([b]);
        inbox.unreadAgain([b]);
      },
    });
    add(scenario);
  }
  add(new Scenario("read through a seq; one marked unread after it stays unread", alerts(4)).socket(null, {
    during: (inbox) => {
      inbox.alert("Alert 5");
      inbox.read({ through: 4 });
      inbox.unreadAgain(ids(inbox).slice(1, 2));
    },
  }));
  add(new Scenario("the same, missed and replayed", alerts(4)).socket(null).meanwhile((inbox) => {
    inbox.alert("Alert 5");
    inbox.read({ through: 4 });
    inbox.unreadAgain(ids(inbox).slice(1, 2));
    inbox.archive(ids(inbox).slice(3, 4));
  }).socket(4));
  add(new Scenario("badges take a seq and do not count", (inbox) => { alerts(1)(inbox); inbox.badge("messages", 3); })
    .socket(null, { during: (inbox) => { inbox.badge("tasks", 1); inbox.alert("Alert 2"); inbox.badge("messages", 0); } }));
  add(new Scenario("badges changed while away", (inbox) => inbox.badge("messages", 3)).socket(null)
    .meanwhile((inbox) => { inbox.badge("messages", 5); alerts(1)(inbox); inbox.badge("messages", 7); }).socket(1));
  add(new Scenario("an event that is not an inbox entry", alerts(1))
    .socket(null, { during: (inbox) => inbox.alert("Typing", { event: "typing", inbox: false }) }));
  add(new Scenario("an event of the application's own in the inbox", alerts(1))
    .socket(null, { during: (inbox) => inbox.alert("Invoice", { event: "invoice" }) }));
  {
    const scenario = new Scenario("a window holds the newest fifty unread", (inbox) => {
      alerts(60)(inbox);
      inbox.read({ ids: ids(inbox).slice(20, 25) });
    });
    const window = held(scenario.inbox, 50);
    add(scenario.socket(null), window);
  }
  const badges = (n) => (inbox) => { for (let i = 0; i < n; i++) inbox.badge("tasks", i); };
  {
    const scenario = new Scenario("further behind than the limit: reset, and a fresh window", alerts(2)).socket(null);
    scenario.inbox.limit = 10;
    scenario.meanwhile((inbox) => { badges(10)(inbox); inbox.read({ ids: ids(inbox).slice(0, 1) }); });
    add(scenario.socket(2), held(scenario.inbox, 50));
  }
  {
    const scenario = new Scenario("behind by the limit exactly: replayed", alerts(1)).socket(null).meanwhile(badges(10));
    scenario.inbox.limit = 10;
    add(scenario.socket(1));
  }
  {
    const scenario = new Scenario("older than what is kept: reset", alerts(6)).socket(null)
      .meanwhile((inbox) => { inbox.read({ through: 3 }); alerts(2, 7)(inbox); inbox.purged = 8; });
    add(scenario.socket(6), held(scenario.inbox, 50));
  }
  {
    const scenario = new Scenario("after beyond the head: reset", alerts(2));
    add(scenario.socket(99));
  }
  {
    const scenario = new Scenario("a reset that is cut before live leaves what was there", alerts(3)).socket(null)
      .meanwhile((inbox) => { inbox.read({ through: 1 }); inbox.purged = 4; alerts(1, 4)(inbox); })
      .socket(3, { arrive: () => [0, 1, 2] })
      .socket(3);
    add(scenario, held(scenario.inbox, 50));
  }
  all.push(...[11, 12, 13].map(chance));
  return all;
}

/** A long session by chance: changes of every kind, sockets that are cut, doubled and shuffled. */
function chance(seed) {
  const random = seeded(seed);
  const pick = (list) => list[Math.floor(random() * list.length)];
  const scenario = new Scenario(`a long session by chance, seed ${seed}`);
  const { inbox } = scenario;
  const change = () => {
    const known = ids(inbox);
    const what = known.length ? Math.floor(random() * 7) : 0;
    if (what <= 2) inbox.alert(`Alert ${inbox.seq}`);
    else if (what === 3) inbox.read(random() < 0.3 ? { through: Math.ceil(random() * inbox.seq) } : { ids: [pick(known)] });
    else if (what === 4) inbox.unreadAgain([pick(known)]);
    else if (what === 5) inbox.archive([pick(known)]);
    else inbox.badge(pick(["messages", "notifications", "tasks"]), Math.floor(random() * 9));
  };
  const some = () => { for (let i = Math.floor(random() * 6); i > 0; i--) change(); };
  let after = null;
  scenario.socket(null);
  after = 0;
  for (let i = 0; i < 8; i++) {
    scenario.meanwhile(some);
    scenario.socket(after, {
      during: some,
      arrive: (n) => {
        const order = [...Array(n).keys()];
        for (let k = 0; k < 2; k++) if (random() < 0.4) order.splice(Math.floor(random() * n), 0, pick(order)); // doubled
        if (random() < 0.5) order.length = Math.ceil(random() * order.length); // cut
        return order;
      },
    });
    const { frames, arrives } = scenario.sockets.at(-1);
    for (const index of arrives) {
      const frame = frames[index];
      const { op, seq } = typeof frame === "number" ? { op: "event", seq: frame } : frame;
      if (op === "event" && seq > after + 1) break;
      if (op === "live" && seq > after) break;
      if (op === "event" && seq === after + 1) after = seq;
    }
  }
  return scenario.socket(after).end();
}

export const text = () => {
  const lines = scenarios().map((scenario) => JSON.stringify(scenario));
  return `{"format": 1, "scenarios": [\n${lines.join(",\n")}\n]}\n`;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(FILE, text());
