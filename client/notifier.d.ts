import { Entry, InboxStatus, Store } from "./store.js";

export { Entry, InboxStatus, Store };

export type AlertType = "info" | "warning" | "error" | "success";
export interface AlertAction { readonly label: string; readonly url: string }
export interface AlertData {
  readonly title: string;
  readonly message: string;
  readonly type: AlertType;
  readonly action?: AlertAction | null;
  /** Two at most, instead of `action`; the first is the primary one. */
  readonly actions?: readonly AlertAction[] | null;
  /** An `https` url, or a path on the same site. */
  readonly image?: string | null;
}
/**
 * What the entries of each event carry. Add your own defined events by declaration merging:
 * `declare module "live-notifications-client" { interface NotifierEntries { invoice: { total: number } } }`
 */
export interface NotifierEntries { alert: AlertData }

/** An entry of the inbox: `if (entry.event === "alert") entry.data.title`. */
export type InboxEntry = { [Name in keyof NotifierEntries]: Entry<Name & string, NotifierEntries[Name]> }[keyof NotifierEntries];

export type BadgeType = "messages" | "notifications" | "tasks";
export interface BadgeData { readonly type: BadgeType; readonly count: number }

/**
 * closed: not connected, on purpose · connecting · live · offline: reconnects by itself ·
 * misconfigured: an address gives no token or no notifier, tried again by itself ·
 * unauthorized: a token is needed, call connect() again · refused: this origin may not connect
 */
export type State = "closed" | "connecting" | "live" | "offline" | "misconfigured" | "unauthorized" | "refused";

/** Which address of the configuration gives the wrong answer. */
export interface Misconfiguration { readonly address: string; readonly status: number }

/** An event, as it arrived. */
export interface Happening<Name extends string = string, Data = unknown> {
  /** Missing on changes of state (`inbox.read` and the like). */
  readonly id?: string;
  readonly seq: number;
  readonly event: Name;
  readonly data: Data;
  readonly from: string;
  readonly timestamp: number;
  /** The exact count as of this event. */
  readonly unread: number;
  readonly inbox?: boolean;
  readonly category?: string;
  readonly version?: number;
  readonly collapsed?: number;
  readonly returned?: boolean;
  /** True when it came in the user's quiet hours or pause: no toast, no sound. */
  readonly quiet?: boolean;
  /** False for an event that was fetched after an interruption. */
  readonly live: boolean;
}

/** The values of a channel: `inbox`, `push` and channels of your own: `on`, `off`; `email`: the others. */
export type PreferenceValue = "on" | "off" | "instant" | "hourly" | "daily" | "weekly";
export interface Preference {
  readonly value: PreferenceValue;
  /** Which rule decided: the category is required · the user, for it · the user, for the channel · the category · built in. */
  readonly from: "required" | "user" | "channel" | "category" | "default";
}
export type Weekday = "mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun";
export interface QuietHours {
  /** `22:00`; the span may cross midnight. */
  readonly from: string;
  readonly to: string;
  /** On which it begins; every day without. */
  readonly days?: readonly Weekday[];
  /** An IANA zone; without one the user's. */
  readonly timezone?: string;
}
export interface Preferences {
  readonly categories: readonly {
    readonly name: string; readonly title: string; readonly description: string; readonly required: boolean;
    readonly channels: Readonly<Record<string, Preference>>;
  }[];
  /** What the user wants of a channel as a whole. */
  readonly channels: Readonly<Record<string, PreferenceValue | null>>;
  readonly quiet_hours: QuietHours | null;
  /** Milliseconds since 1970. */
  readonly paused_until: number | null;
  readonly timezone: string | null;
}
/** Any part of the preferences; null takes a value away. */
export interface PreferencesPatch {
  readonly categories?: Readonly<Record<string, Readonly<Record<string, PreferenceValue | null>>>>;
  readonly channels?: Readonly<Record<string, PreferenceValue | null>>;
  readonly quiet_hours?: QuietHours | null;
  readonly paused_until?: number | null;
  readonly timezone?: string | null;
}

/** The events of a client. Add your own defined events by declaration merging. */
export interface NotifierEventMap {
  alert: CustomEvent<Happening<"alert", AlertData>>;
  badge: CustomEvent<Happening<"badge", BadgeData>>;
  /** Any event, including those with a type of their own. */
  event: CustomEvent<Happening>;
  /** Something in the store changed. */
  change: CustomEvent<undefined>;
  /** The unread count changed. */
  unread: CustomEvent<number>;
  state: CustomEvent<{ readonly state: State; readonly retryIn?: number } & Partial<Misconfiguration>>;
  /** Preferences may have changed, here or elsewhere: read them again. Also once after each connection. */
  preferences: CustomEvent<null>;
  /** The server did not understand something; the connection stays. */
  problem: CustomEvent<{ readonly code: string; readonly message: string }>;
}

export interface NotifierOptions {
  /** Where the notifier is: `/`, `/ws`, `https://host/base` …; the page's own origin by default. */
  url?: string;
  /** A user token, or a function that returns one: called again before the old one expires. Null means signed out. */
  token: string | (() => string | null | Promise<string | null>);
  /** The last seq this page has seen; null (the default) starts with the newest unread entries. */
  after?: number | null;
  /** A stable id of this device, 64 characters at most; kept in localStorage by default. */
  device?: string;
  /** How many entries are held when nobody scrolls (500). */
  keep?: number;
  /** False gives each tab its own socket. */
  share?: boolean;
}

export class NotifierClient extends EventTarget {
  constructor(options: NotifierOptions);
  readonly store: Store;
  readonly state: State;
  readonly items: readonly InboxEntry[];
  readonly badges: Readonly<Record<string, number>>;
  /** What is configured wrong; null when nothing is known. */
  readonly misconfigured: Misconfiguration | null;
  /** Milliseconds since 1970 by the server's clock, as an estimate. */
  now(): number;
  /** True when this tab holds the socket of all tabs. */
  readonly leading: boolean;
  connect(): void;
  close(): void;
  /** Changes show at once; a refused one is taken back and rejects with a RequestError. Offline, they wait. */
  read(ids: string | readonly string[]): Promise<void>;
  unread(ids: string | readonly string[]): Promise<void>;
  archive(ids: string | readonly string[]): Promise<void>;
  /** Out of the inbox until a time (a Date, or ms since 1970); then they come back unread. */
  snooze(ids: string | readonly string[], until: Date | number): Promise<void>;
  unsnooze(ids: string | readonly string[]): Promise<void>;
  /** Everything up to the seq `through` was on the screen; by default what has arrived here. */
  seen(through?: number): Promise<void>;
  /** Whether the server knows an op, as "snooze"; calling what it does not know rejects with status 501. */
  can(op: string): boolean;
  readAll(): Promise<void>;
  /** What the user wants of each category and channel, and when; asked of the server each time. */
  preferences(): Promise<Preferences>;
  /** Resolves to what holds then. Refused (a RequestError with `errors`), nothing has changed. */
  setPreferences(patch: PreferencesPatch): Promise<Preferences>;
  /** Loads the next older page of "all" (the default), "unread" or "archived" into the store; resolves to whether there are more. */
  older(status?: InboxStatus): Promise<boolean>;

  addEventListener<K extends keyof NotifierEventMap>(
    type: K, listener: ((this: NotifierClient, event: NotifierEventMap[K]) => unknown) | { handleEvent(event: NotifierEventMap[K]): unknown } | null,
    options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof NotifierEventMap>(
    type: K, listener: ((this: NotifierClient, event: NotifierEventMap[K]) => unknown) | { handleEvent(event: NotifierEventMap[K]): unknown } | null,
    options?: boolean | EventListenerOptions): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions): void;
}

/** Thrown by a token function: this address will not give a token, however often it is asked. */
export class ConfigurationError extends Error {
  constructor(address: string, status: number);
  readonly address: string;
  readonly status: number;
}

/** The server refused a call, or could not be reached (`status` 0). */
export class RequestError extends Error {
  constructor(status: number, message: string, retryAfter?: number | null, errors?: readonly { readonly loc: readonly (string | number)[]; readonly msg: string }[]);
  readonly status: number;
  /** Milliseconds that the server asked to wait. */
  readonly retryAfter: number | null;
  /** What is wrong with the body, for a status of 422. */
  readonly errors: readonly { readonly loc: readonly (string | number)[]; readonly msg: string }[];
  /** The same call may work later. */
  readonly transient: boolean;
}
