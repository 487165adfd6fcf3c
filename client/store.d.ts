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
}

export interface Page {
  readonly items: readonly Entry[];
  readonly next?: number | null;
  /** The seq at which the page was read. */
  readonly seq: number;
}

export type Target = { ids: readonly string[]; through?: undefined } | { through: number; ids?: undefined };
export type ChangeKind = "read" | "unread" | "archived";

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
  /** The entries held that are not archived, newest first; unchanged ones keep their identity. */
  readonly items: readonly InboxEntry[];
  readonly badges: Readonly<Record<string, number>>;
  /** How many of the entries held are archived. */
  readonly archived: number;
  readonly cursor: number | null;
  /** True when the oldest entry is held. */
  readonly complete: boolean;
  get(id: string): InboxEntry | undefined;
  apply(frame: { readonly op: string; readonly [field: string]: unknown }): "applied" | "window" | "ignored" | "gap";
  merge(page: Page, options?: { older?: boolean }): boolean;
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
