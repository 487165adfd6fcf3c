// One socket: from where it starts it gets every seq once, in order, whatever Redis lost, doubled or turned round.
import { run } from "./database.js";

const MOST = 1_000; // events to replay; further behind, the client starts from the window

export class Reader {
  #catching = true; // reading SQL: frames that come meanwhile are there as well
  #again = false;

  constructor(socket, userId) {
    this.socket = socket;
    this.userId = userId;
    this.sent = 0;
    this.acked = 0;
  }

  // Say where the user is, replay what was missed, and go live.
  async start(after) {
    const [moment] = await run(after === null ? "window" : "events", after === null ? [this.userId] : [this.userId, after]);
    const { seq, unread, events } = moment ?? { seq: 0, unread: 0, events: [] };
    if (after !== null && (after > seq || events.length > MOST)) {
      this.socket.emit("reset", { reason: after > seq ? "ahead" : "behind", seq, unread });
      return this.start(null);
    }
    this.socket.emit("welcome", { user_id: this.userId, seq, unread });
    this.acked = after ?? (events[0]?.seq ?? seq + 1) - 1;
    for (const event of events) this.socket.emit(after === null ? "item" : "notification", event);
    this.sent = seq;
    this.socket.emit("live", { seq });
    await this.#finish();
  }

  // A frame came through Redis.
  offer(event) {
    if (this.#catching) this.#again = true;
    else if (event.seq === this.sent + 1) this.#send(event);
    else if (event.seq > this.sent) this.catchUp();
  }

  // Send what SQL has and this socket has not.
  async catchUp() {
    this.#again = true;
    if (this.#catching) return;
    this.#catching = true;
    await this.#finish();
  }

  async #finish() {
    try {
      while (this.#again && this.socket.connected) {
        this.#again = false;
        const [moment] = await run("events", [this.userId, this.sent]);
        for (const event of moment?.events ?? []) this.#send(event);
        if (moment && this.sent < moment.seq) this.#again = true; // more than one page
      }
      this.#catching = false;
    } catch (error) {
      console.error("a socket could not be brought up to date:", error.message);
      this.socket.disconnect(true); // it comes back with its last seq
    }
  }

  #send(event) {
    this.socket.emit("notification", event);
    this.sent = event.seq;
  }
}
