import type { Notifier } from "./notifier.js";

export interface PushOptions {
  /** The notifier, as for the client; `/` by default. */
  url?: string;
  /** A URL that answers with a user token, or a function that returns one. */
  token: string | (() => string | Promise<string>);
  /** The service worker's address, on the page's own origin. */
  worker?: string;
  /** Shown while push is off and can be switched on; its click does so. */
  button?: HTMLElement | null;
  /** What is read elsewhere closes its notification here. */
  client?: Notifier;
}

export class Push {
  /** Whether this browser is subscribed. */
  subscribed(): Promise<boolean>;
  /** Ask for permission and subscribe; call it from a click. */
  on(): Promise<boolean>;
  /** Unsubscribe this browser. */
  off(): Promise<void>;
  /** Close the notifications of these entries. */
  close(ids: readonly string[]): Promise<void>;
}

/** Whether this browser can get push messages on this page. */
export function supported(): boolean;
/** Set push up for this page. */
export function push(options: PushOptions): Promise<Push>;
