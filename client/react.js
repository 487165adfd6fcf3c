/**
 * For React 18 and 19: `useInbox()` and `<NotificationBell>`. Written without JSX, so that no compiler is needed.
 * On a server nothing connects and no element is defined: the hook returns an empty inbox, the bell renders its tag.
 * In StrictMode effects run twice; a client is made by the effect and closed by its cleanup, so one remains.
 */
import { createElement, forwardRef, useCallback, useEffect, useImperativeHandle, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { NotifierClient } from "./notifier.js";

const EMPTY = Object.freeze({ items: Object.freeze([]), unread: 0, badges: Object.freeze({}), state: "connecting", misconfigured: null });
const SIGNED_OUT = Object.freeze({ ...EMPTY, state: "closed" });
const empty = () => EMPTY;

const look = ({ items, store, badges, state, misconfigured }) => ({ items, unread: store.unread, badges, state, misconfigured });

/**
 * The inbox of one user, live: { client, items, unread, badges, state, misconfigured, read, markUnread, archive, snooze, unsnooze, readAll, older }.
 *
 * @param from the options of a NotifierClient, and `user`: another value (another user signed in) makes a new client;
 *   or a client of your own, which you connect and close; or null for none yet
 */
export function useInbox(from) {
  const given = typeof from?.connect === "function" ? from : null;
  const made = useClient(given ? null : from);
  const client = given ?? made;
  const shown = useShown(client);
  return useActions(client, from ? shown : SIGNED_OUT);
}

/** The client for these options, from the first effect until the component unmounts. */
function useClient(options) {
  const [client, set] = useState(null);
  const latest = useRef(options); // a token function made in each render does not make it connect again
  useEffect(() => { latest.current = options; });
  const { url, user, share, device, keep, token } = options ?? {};
  const fixed = typeof token === "string" ? token : undefined;
  const wanted = Boolean(options);
  useEffect(() => {
    if (!wanted) return undefined;
    const made = new NotifierClient({ ...latest.current, token: fixed ?? (() => latest.current.token()) });
    set(made);
    made.connect();
    return () => { made.close(); set(null); };
  }, [wanted, url, user, share, device, keep, fixed]);
  return client;
}

/** A snapshot of a client; the same object while nothing changes. */
function useShown(client) {
  const held = useRef([null, EMPTY]);
  const subscribe = useCallback((changed) => {
    const hear = () => { held.current = [null, EMPTY]; changed(); };
    for (const type of ["change", "state"]) client?.addEventListener(type, hear);
    return () => { for (const type of ["change", "state"]) client?.removeEventListener(type, hear); };
  }, [client]);
  const snapshot = useCallback(() => {
    if (!client) return EMPTY;
    if (held.current[0] !== client) held.current = [client, look(client)];
    return held.current[1];
  }, [client]);
  return useSyncExternalStore(subscribe, snapshot, empty);
}

function useActions(client, shown) {
  return useMemo(() => {
    const ask = (name) => (...args) => (client ? client[name](...args) : Promise.reject(new Error("there is no client yet")));
    const older = (status) => ask("older")(typeof status === "string" ? status : "all"); // `onClick={inbox.older}` passes an event
    return { ...shown, client, read: ask("read"), markUnread: ask("unread"), archive: ask("archive"), snooze: ask("snooze"), unsnooze: ask("unsnooze"), readAll: ask("readAll"), older };
  }, [client, shown]);
}

/** Attributes by their names in React. */
const ATTRIBUTES = { url: "url", token: "token", tokenUrl: "token-url", lang: "lang", theme: "theme", noToasts: "no-toasts", noTitle: "no-title", noPreferences: "no-preferences", count: "count" };

/**
 * The bell. Props: url, token or tokenUrl, lang, theme, noToasts, noTitle, noPreferences, count, as the element's attributes; `client` and
 * `words`, as its properties; anything else that an element takes (id, style, className …). `ref` is the element.
 */
export const NotificationBell = forwardRef(function NotificationBell({ client, words, className, ...props }, ref) {
  const element = useRef(null);
  const [defined, setDefined] = useState(false);
  useImperativeHandle(ref, () => element.current);
  useEffect(() => {
    let here = true;
    // Not earlier: the module defines an element, which a server does not have.
    import("./bell.js").then(() => { if (here) setDefined(true); }, () => {});
    return () => { here = false; };
  }, []);
  useEffect(() => {
    if (!defined) return undefined;
    const bell = element.current;
    if (client !== undefined) bell.client = client;
    return () => { if (client) bell.client = null; };
  }, [defined, client]);
  useEffect(() => { if (defined && words) element.current.words = words; }, [defined, words]);
  const attributes = {};
  for (const [name, value] of Object.entries(props)) {
    const attribute = ATTRIBUTES[name] ?? name;
    // React 18 writes `false` into the attributes of a custom element as text.
    if (value === true && attribute.startsWith("no-")) attributes[attribute] = "";
    else if (value !== false && value !== undefined && value !== null) attributes[attribute] = value;
  }
  return createElement("notification-bell", { ...attributes, ...(className && { class: className }), ref: element });
});
