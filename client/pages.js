/**
 * What is loaded over HTTP and not by the socket: older entries, and entries that became unread again.
 *
 * owner: { store, api, untilWindow() -> Promise, changed() }
 */
const PAGE = 50;

export class Pages {
  #owner;
  #loading = {};

  constructor(owner) { this.#owner = owner; }

  /** Loads the next older page of a status into the store, one at a time. @returns {Promise<boolean>} whether there are more */
  older(status) {
    return (this.#loading[status] ??= this.#older(status).finally(() => { delete this.#loading[status]; }));
  }

  async #older(status) {
    const { store, api, untilWindow, changed } = this.#owner;
    await untilWindow();
    while (store.pages[status] !== null) {
      const { pages } = store;
      const before = pages[status];
      const page = await api.page({ status, limit: PAGE, ...(before && { before }) });
      // The page is dropped when the inbox was reset or has changed too much meanwhile: ask again.
      if (store.pages !== pages || pages[status] !== before || !store.merge(page, { status })) continue;
      changed();
      break;
    }
    return store.pages[status] !== null;
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
