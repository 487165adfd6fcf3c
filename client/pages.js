/**
 * What is loaded over HTTP and not by the socket: older entries, and entries that became unread again.
 *
 * owner: { store, api, untilWindow() -> Promise, changed() }
 */
const PAGE = 50;

export class Pages {
  #owner;
  #loading = null;

  constructor(owner) { this.#owner = owner; }

  /** Loads the next older page into the store, one at a time. @returns {Promise<boolean>} whether there are more */
  older() {
    return (this.#loading ??= this.#older().finally(() => { this.#loading = null; }));
  }

  async #older() {
    const { store, api, untilWindow, changed } = this.#owner;
    await untilWindow();
    while (!store.complete) {
      const before = store.cursor;
      const page = await api.page({ status: "all", limit: PAGE, ...(before !== null && { before }) });
      // The page is dropped when the inbox was reset or has changed too much meanwhile: ask again.
      if (store.cursor !== before || !store.merge(page, { older: true })) continue;
      changed();
      break;
    }
    return !store.complete;
  }

  /** Entries older than those held have become unread again, so they must be shown. */
  async missing() {
    const { store, api, changed } = this.#owner;
    if (!store.missing) return;
    store.missing = false;
    try {
      if (store.merge(await api.page({ status: "unread", limit: PAGE }))) changed();
    } catch {
      store.missing = true; // the next event tries again
    }
  }
}
