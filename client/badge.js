/**
 * <notification-badge type="messages" for="my-bell">: one badge's count, live, from the client of a bell.
 * It shows nothing at zero. Its words come before it in the page, as in `<a>Messages <notification-badge …></a>`.
 */
import { Element, define, say } from "./bell-dom.js";

export class NotificationBadge extends Element {
  static observedAttributes = ["type", "for"];
  #client = null;
  #bell = null;
  #show = () => {
    const count = this.#client?.badges[this.getAttribute("type")] ?? 0;
    say(this, count ? new Intl.NumberFormat(this.closest("[lang]")?.lang || undefined).format(count) : "");
    this.hidden = count === 0;
  };
  #follow = () => { this.client = this.#bell.client; };

  get client() { return this.#client; }
  set client(client) {
    this.#client?.removeEventListener("change", this.#show);
    this.#client = client ?? null;
    this.#client?.addEventListener("change", this.#show);
    this.#show();
  }

  connectedCallback() { this.#find(); }
  attributeChangedCallback() { if (this.isConnected) this.#find(); }
  disconnectedCallback() {
    this.#bell?.removeEventListener("client", this.#follow);
    this.#bell = null;
    this.client = null;
  }

  async #find() {
    const id = this.getAttribute("for");
    if (id) {
      await customElements.whenDefined("notification-bell");
      this.#bell?.removeEventListener("client", this.#follow);
      this.#bell = this.isConnected ? document.getElementById(id) : null;
      this.#bell?.addEventListener("client", this.#follow);
      if (this.#bell) this.#follow();
    }
    this.#show();
  }
}

define("notification-badge", NotificationBadge);
