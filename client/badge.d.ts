import { NotifierClient } from "./notifier.js";

/** `<notification-badge type="messages" for="id-of-a-bell">`: one badge's count, live; nothing at zero. */
export class NotificationBadge extends HTMLElement {
  /** The client it shows; `for` takes it from a bell. */
  get client(): NotifierClient | null;
  set client(client: NotifierClient | null);
}

declare global {
  interface HTMLElementTagNameMap { "notification-badge": NotificationBadge }
}
