/**
 * A user's preferences as they show: what the server said last, and on top of it the changes of this page
 * that it has not answered yet. A refused change is dropped, which takes it back.
 */
const without = ({ value, from }, whole) => (whole ? { value: whole, from: "channel" } : { value, from: from === "category" ? from : "default" });

/** What a category's channel has after a change; what the server decides by itself is known with its answer. */
function cell(before, channel, own, whole, channels) {
  if (before.from === "required") return before;
  if (own !== undefined) return own === null ? without(before, channels[channel]) : { value: own, from: "user" };
  if (whole === undefined || before.from === "user") return before;
  return without(before, whole);
}

/** The preferences after a patch of them; unchanged parts stay. */
export function patched(before, { categories = {}, channels = {}, ...single }) {
  const wholes = { ...before.channels, ...channels };
  const moved = ({ name, ...kind }) => ({
    name,
    ...kind,
    channels: Object.fromEntries(Object.entries(kind.channels).map(([channel, value]) =>
      [channel, cell(value, channel, categories[name]?.[channel], channels[channel], wholes)])),
  });
  return { ...before, ...single, channels: wholes, categories: before.categories.map(moved) };
}

export class PreferenceChanges {
  #client;
  #changed;
  #base = null;
  #pending = [];
  #last = Promise.resolve(); // one call after the other: an answer is never older than the one before it
  #wanted = null;

  /** @param changed called whenever `shown` is another one */
  constructor(client, changed) {
    this.#client = client;
    this.#changed = changed;
  }

  /** As GET /api/preferences answers; null before the first answer. */
  get shown() { return this.#base && this.#pending.reduce(patched, this.#base); }

  /** Asks the server. Calls while one waits for its turn are the same one. */
  read() {
    return (this.#wanted ??= this.#turn(() => {
      this.#wanted = null;
      return this.#client.preferences();
    }).catch((error) => { this.#wanted = null; throw error; }));
  }

  /** Shows a change at once. Rejects with a RequestError when it was refused, and is taken back then. */
  async change(patch) {
    this.#pending.push(patch);
    this.#changed();
    try {
      await this.#turn(() => this.#client.setPreferences(patch), patch);
    } finally {
      this.#drop(patch);
      this.#changed();
    }
  }

  #drop(patch) { this.#pending = this.#pending.filter((other) => other !== patch); }

  #turn(call, patch) {
    const answered = this.#last.then(call).then((answer) => {
      this.#base = answer;
      this.#drop(patch);
      this.#changed();
    });
    this.#last = answered.catch(() => {});
    return answered;
  }
}
