import { InboxEntry, NotifierClient } from "./notifier.js";

export { NotifierClient };

type Plural = { readonly other: string } & Readonly<Partial<Record<"zero" | "one" | "two" | "few" | "many", string>>>;

/** What the bell says. `{n}`, `{title}`, `{action}`, `{address}`, `{status}` and `{time}` are filled in. */
export interface Dictionary {
  title: string; unread: string | Plural; new: string | Plural; types: Record<"info" | "success" | "warning" | "error", string>;
  now: string; isUnread: string; markRead: string; markUnread: string; markAll: string; about: string;
  archive: string; archived: string; undo: string; restore: string; tabAll: string; tabUnread: string; tabArchived: string;
  snooze: string; inAnHour: string; tomorrow: string; monday: string; aDate: string; updated: string; collapsed: string | Plural;
  more: string; less: string; close: string; dismiss: string; settings: string; preferences: string; sound: string; desktop: string; blocked: string;
  loading: string; empty: string; emptyHint: string; allArchived: string; allArchivedHint: string;
  allRead: string; allReadHint: string; noneArchived: string; noneArchivedHint: string; end: string; connecting: string; offline: string; unauthorized: string;
  refused: string; misconfigured: string; failed: string; notSaved: string; retry: string;
  back: string; categories: string; category: string; on: string; off: string; instant: string; hourly: string; daily: string; weekly: string;
  required: string; standard: string; asChannel: string; toStandard: string; all: string; allHint: string; unset: string; inboxOff: string;
  pause: string; pauseHint: string; forAnHour: string; untilTomorrow: string; untilMonday: string; pausedUntil: string; resume: string;
  quietHours: string; quietFrom: string; quietTo: string; quietDays: string; oneDay: string; zone: string; zoneHint: string;
  /** The names of channels; one without a word is shown by its name. */
  [channel: `channel.${string}`]: string;
}

/** Adds a language, or replaces words of one; what is left out stays English. */
export function addWords(lang: string, words: Partial<Dictionary>): void;

/** An action was clicked. Cancel the event, and the page stays: a router goes to `url` itself. */
export type BellSelectEvent = CustomEvent<{ readonly item: InboxEntry; readonly url: string }>;

export interface NotificationBellEventMap {
  "bell-select": BellSelectEvent;
  /** The bell has a client now, or none. */
  client: CustomEvent<NotifierClient | null>;
}

/**
 * `<notification-bell url token token-url lang theme count no-toasts no-title no-preferences>`
 * Events: `open`, `close`, `client`, `bell-select`. Slots: `header`, `empty`, `empty-unread`, `empty-archived`.
 */
export class NotificationBell extends HTMLElement {
  /** The client it shows: made from the attributes, or set by you (then you connect and close it). */
  get client(): NotifierClient | null;
  set client(client: NotifierClient | null);
  /** Words of this bell alone, over those of the language. */
  set words(words: Partial<Dictionary>);
  /** Gives a node to show for an entry; anything else leaves the bell's own. Called again when the entry changes. */
  renderItem: ((item: InboxEntry) => Node | null | undefined) | null;
  open: boolean;
  show(): void;
  close(back?: boolean): void;

  addEventListener<K extends keyof NotificationBellEventMap>(
    type: K, listener: (this: NotificationBell, event: NotificationBellEventMap[K]) => unknown, options?: boolean | AddEventListenerOptions): void;
  addEventListener<K extends keyof HTMLElementEventMap>(
    type: K, listener: (this: NotificationBell, event: HTMLElementEventMap[K]) => unknown, options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
}

declare global {
  interface HTMLElementTagNameMap { "notification-bell": NotificationBell }
}
