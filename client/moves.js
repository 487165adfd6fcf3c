/** What an entry is, and what each change of state makes of it. Pure: the rules that the store applies. */

export const toItem = ({ id, seq, event, data, from, timestamp, read_at = null, archived_at = null, ...more }) => ({
  id, seq, event, data, from, timestamp, read_at, archived_at,
  category: more.category, snoozed_until: more.snoozed_until ?? null, version: more.version ?? 1, collapsed: more.collapsed ?? 1, returned: more.returned ?? false,
});

export const awake = (item) => item.snoozed_until === null;
export const counts = (item) => item.read_at === null && awake(item);

/** How each change affects an entry; null: it is gone. An entry that does not change stays the same object. */
export const MOVES = {
  read: (item, { at }) => (counts(item) ? { ...item, read_at: at } : item),
  unread: (item) => (awake(item) && (item.read_at !== null || item.archived_at !== null) ? { ...item, read_at: null, archived_at: null } : item),
  // An archived entry counts as read: it is not visible, so it must not be counted.
  archived: (item, { at }) => (item.archived_at === null ? { ...item, archived_at: at, read_at: item.read_at ?? at, snoozed_until: null } : item),
  // 0: only the device that snoozed it knows until when.
  snoozed: (item, { until = 0 }) => ({ ...item, snoozed_until: until, archived_at: null }),
  unsnoozed: (item) => (awake(item) ? item : { ...item, snoozed_until: null, read_at: null }),
  // No data: it was withdrawn since then.
  updated: (item, { version, data }) => (!data || item.version >= version ? item : { ...item, version, data }),
  gone: () => null,
  seen: (item) => item,
};

/** Why an entry has left the inbox -> the change; the user's own archive keeps it. */
const LEFT = { snoozed: "snoozed", retracted: "gone", expired: "gone", collapsed: "gone" };

export const toChange = (kind, { ids, through, ...more }, at) => ({ ...more, kind, ids: ids && new Set(ids), through, at });
export const covers = ({ ids, through }, item) => (ids ? ids.has(item.id) : item.seq <= through);

/** The change that an event of the log describes; null: none. */
export function toldBy({ event, data, timestamp }) {
  const [prefix, kind] = event.split(".");
  if (prefix !== "inbox" || !MOVES[kind]) return null;
  return toChange(kind === "archived" ? LEFT[data.why] ?? kind : kind, data, timestamp);
}
