import type { ForwardRefExoticComponent, HTMLAttributes, RefAttributes } from "react";
import type { Dictionary, NotificationBell as BellElement } from "./bell.js";
import type {} from "./elements.js";
import type { InboxEntry, InboxStatus, Misconfiguration, NotifierClient, NotifierOptions, State } from "./notifier.js";

export interface InboxOptions extends NotifierOptions {
  /** The user who is signed in: another value makes a new client. */
  user?: string | number | null;
}

export interface Inbox {
  /** Null on a server and before the first effect. */
  readonly client: NotifierClient | null;
  /** The entries that are not archived, newest first; an unchanged one stays the same object. */
  readonly items: readonly InboxEntry[];
  readonly unread: number;
  readonly badges: Readonly<Record<string, number>>;
  readonly state: State;
  readonly misconfigured: Misconfiguration | null;
  read(ids: string | readonly string[]): Promise<void>;
  markUnread(ids: string | readonly string[]): Promise<void>;
  archive(ids: string | readonly string[]): Promise<void>;
  snooze(ids: string | readonly string[], until: Date | number): Promise<void>;
  unsnooze(ids: string | readonly string[]): Promise<void>;
  readAll(): Promise<void>;
  /** Loads the next older page; resolves to whether there are more. */
  older(status?: InboxStatus): Promise<boolean>;
}

/** The inbox of one user, live. Give it options (and it connects and closes), a client of your own, or null for none yet. */
export function useInbox(from: InboxOptions | NotifierClient | null): Inbox;

export interface NotificationBellProps extends Omit<HTMLAttributes<BellElement>, "children"> {
  url?: string | undefined;
  token?: string | undefined;
  tokenUrl?: string | undefined;
  theme?: "light" | "dark" | undefined;
  noToasts?: boolean | undefined;
  noTitle?: boolean | undefined;
  noPreferences?: boolean | undefined;
  count?: "unread" | "unseen" | undefined;
  /** A client of yours, as with `useInbox`; then no token is needed here. */
  client?: NotifierClient | null | undefined;
  words?: Partial<Dictionary> | undefined;
}

/** `<notification-bell>` as a component; its module is loaded in the browser only. */
export const NotificationBell: ForwardRefExoticComponent<NotificationBellProps & RefAttributes<BellElement>>;
