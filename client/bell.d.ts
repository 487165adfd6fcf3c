import { NotifierClient } from "./notifier.js";

export { NotifierClient };

type Plural = { readonly other: string } & Readonly<Partial<Record<"zero" | "one" | "two" | "few" | "many", string>>>;

/** What the bell says. `{n}`, `{title}`, `{action}`, `{address}`, `{status}` and `{time}` are filled in. */
export interface Dictionary {
  title: string; unread: string | Plural; new: string | Plural; types: Record<"info" | "success" | "warning" | "error", string>;
  now: string; isUnread: string; markRead: string; markUnread: string; markAll: string; archive: string; about: string;
  snooze: string; inAnHour: string; tomorrow: string; monday: string; aDate: string; updated: string; collapsed: string | Plural;
  more: string; less: string; close: string; dismiss: string; settings: string; preferences: string; sound: string; desktop: string; blocked: string;
  loading: string; empty: string; emptyHint: string; allArchived: string; allArchivedHint: string; end: string; connecting: string; offline: string; unauthorized: string;
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

/** `<notification-bell url token token-url lang theme no-toasts no-title no-preferences>` */
export class NotificationBell extends HTMLElement {
  /** The client it shows: made from the attributes, or set by you (then you connect and close it). */
  get client(): NotifierClient | null;
  set client(client: NotifierClient | null);
  /** Words of this bell alone, over those of the language. */
  set words(words: Partial<Dictionary>);
  open: boolean;
  show(): void;
  close(back?: boolean): void;
}

declare global {
  interface HTMLElementTagNameMap { "notification-bell": NotificationBell }
}
