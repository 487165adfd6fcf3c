import { InboxEntry } from "./notifier.js";

/** One entry of the inbox. Times are milliseconds since 1970. */
export interface Entry<Name extends string = string, Data = unknown> {
  readonly id: string;
  readonly seq: number;
  readonly event: Name;
  readonly data: Data;
  readonly from: string;
  /** When it was accepted. */
  readonly timestamp: number;
  readonly read_at: number | null;
  readonly archived_at: number | null;
  /** Until when it is snoozed; 0: another device knows. */
  readonly snoozed_until: number | null;
  /** Its category, if it has one. */
  readonly category?: string;
  /** How often its sender has written it, from 1. */
  readonly version: number;
  /** How many unread entries in a row it stands for, itself included. */
  readonly collapsed: number;
  /** True when it was snoozed and is back. */
  readonly returned: boolean;
}

export interface Page {
  readonly items: readonly Entry[];
  readonly next?: number | null;
  /** The seq at which the page was read. */
  readonly seq: number;
}

/** Which entries a page has. */
export type InboxStatus = "all" | "unread" | "archived";

export type Target = { ids: readonly string[]; through?: undefined } | { through: number; ids?: undefined };
export type ChangeKind = "read" | "unread" | "archived" | "snoozed" | "unsnoozed" | "seen";

/** A change of this device that the server has not confirmed yet. */
export interface Pending { readonly kind: ChangeKind }

/** A store's whole state as plain data, for another tab. */
export interface Snapshot { readonly seq: number | null; readonly [part: string]: unknown }

/** The state of one user's inbox, built from frames alone. */
export class Store {
  constructor(options?: { after?: number | null; keep?: number });
  readonly seq: number | null;
  /** The exact number of unread entries, including those that are not held here. */
  readonly unread: number;
  /** Which ops the server knows. */
  readonly ops: readonly string[];
  /** Everything up to this seq was on the screen. */
  readonly seen: number;
  /** How many unread entries are beyond that, 100 at most. */
  readonly unseen: number;
  /** The entries held that are neither archived nor snoozed, newest first; unchanged ones keep their identity. */
  readonly items: readonly InboxEntry[];
  readonly badges: Readonly<Record<string, number>>;
  /** How many of the entries held are archived. */
  readonly archived: number;
  /** The archived entries held, newest first. */
  readonly archivedItems: readonly InboxEntry[];
  /** Where the next older page of each status starts; null at its end. Another object after a reset. */
  readonly pages: Readonly<Partial<Record<InboxStatus, number | null>>>;
  readonly cursor: number | null;
  /** True when the oldest entry is held. */
  readonly complete: boolean;
  get(id: string): InboxEntry | undefined;
  apply(frame: { readonly op: string; readonly [field: string]: unknown }): "applied" | "window" | "ignored" | "gap";
  merge(page: Page, options?: { status?: InboxStatus | undefined }): boolean;
  begin(kind: ChangeKind, target: Target): Pending;
  settle(change: Pending, seq: number): void;
  drop(change: Pending): void;
  /** Set when a change named entries that should show now and are not held; the code that fetches them clears it. */
  missing: boolean;
  snapshot(): Snapshot;
  restore(snapshot: Snapshot): void;
}

/** True when a frame is an entry of the inbox, unlike badges and changes of state. */
export function isEntry(frame: { readonly id?: string; readonly event?: string; readonly inbox?: boolean }): boolean;
