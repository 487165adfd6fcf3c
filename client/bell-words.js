/** What the bell says. English is built in; each other language is a file, loaded when it is used. */
import { dictionaries } from "./bell-dictionary.js";
import { have } from "./facility.js";

export { addWords } from "./bell-dictionary.js";

dictionaries.en = {
  title: "Notifications",
  unread: { one: "{n} unread", other: "{n} unread" },
  new: { one: "{n} new notification", other: "{n} new notifications" },
  types: { info: "Info", success: "Success", warning: "Warning", error: "Error" },
  now: "just now",
  isUnread: "Unread",
  markRead: "Mark as read",
  markUnread: "Mark as unread",
  markAll: "Mark all as read",
  archive: "Archive",
  archived: "Archived",
  undo: "Undo",
  restore: "Move to the inbox",
  tabAll: "All",
  tabUnread: "Unread",
  tabArchived: "Archived",
  snooze: "Snooze",
  inAnHour: "In an hour",
  tomorrow: "Tomorrow morning",
  monday: "Monday morning",
  aDate: "On a date…",
  updated: "Updated",
  collapsed: { one: "{n} in a row", other: "{n} in a row" },
  about: "{action}: {title}",
  more: "Show more",
  less: "Show less",
  close: "Close",
  dismiss: "Dismiss",
  settings: "Settings",
  preferences: "Preferences",
  sound: "Play a sound",
  desktop: "Show on the desktop",
  blocked: "The browser does not allow desktop notifications for this site.",
  loading: "Loading…",
  empty: "Nothing here yet",
  emptyHint: "What happens shows up here, live.",
  allArchived: "Nothing left",
  allArchivedHint: "Everything is archived. What happens next shows up here.",
  allRead: "All read",
  allReadHint: "What you have not read yet shows up here.",
  noneArchived: "Nothing archived",
  noneArchivedHint: "What you archive is kept here.",
  end: "That is all",
  connecting: "Connecting…",
  offline: "Offline. Reconnecting…",
  unauthorized: "You are signed out. Sign in again to see what is new.",
  refused: "This page may not connect.",
  misconfigured: "This page is set up wrong: {address} answered {status}.",
  failed: "Could not be loaded.",
  notSaved: "The change could not be saved.",
  retry: "Try again",
  ...dictionaries.en,
};

/** The words of one language: `say("unread", { n: 3 })`. */
export class Words {
  #own;
  #plural;
  #number;
  #relative;
  #date;
  #full;

  constructor(lang, own = {}) {
    const wanted = lang || have(() => navigator.language) || "en";
    const known = [wanted, wanted.split("-")[0]].find((tag) => dictionaries[tag]) ?? "en";
    // Numbers and times follow the words, or a sentence would be in two languages.
    this.lang = (known === wanted.split("-")[0] && have(() => Intl.getCanonicalLocales(wanted)[0])) || known;
    this.#own = { ...dictionaries.en, ...dictionaries[known], ...own };
    this.#plural = new Intl.PluralRules(this.lang);
    this.#number = new Intl.NumberFormat(this.lang);
    this.#relative = new Intl.RelativeTimeFormat(this.lang, { numeric: "auto" });
    this.#date = new Intl.DateTimeFormat(this.lang, { day: "numeric", month: "short", year: "numeric" });
    this.#full = new Intl.DateTimeFormat(this.lang, { dateStyle: "full", timeStyle: "short" });
  }

  say(key, values = {}) {
    const word = this.#own[key] ?? dictionaries.en[key] ?? key; // what is loaded later adds its words then
    const text = typeof word === "object" ? (word[this.#plural.select(values.n)] ?? word.other) : word;
    return text.replace(/\{(\w+)\}/g, (_, name) => (name === "n" ? this.number(values.n) : values[name]));
  }

  type(name) { return this.#own.types[name] ?? name; }
  number(n) { return this.#number.format(n); }
  count(n) { return n > 99 ? `${this.number(99)}+` : this.number(n); }

  /** "5 minutes ago"; a date when it is more than a week. A clock that is ahead makes it "just now". */
  ago(timestamp, now) {
    const seconds = (now - timestamp) / 1000;
    if (seconds < 45) return this.say("now");
    const steps = [["minute", 60, 60], ["hour", 3600, 24], ["day", 86_400, 7]];
    for (const [unit, size, most] of steps) {
      const n = Math.round(seconds / size);
      if (n < most) return this.#relative.format(-Math.max(1, n), unit);
    }
    return this.#date.format(timestamp);
  }

  /** "Today", "Yesterday", else the date. @param day the first moment of a day */
  day(day, now) {
    const days = Math.round((new Date(now).setHours(0, 0, 0, 0) - day) / 86_400_000); // a day of 23 or 25 hours is one
    const text = days === 0 || days === 1 ? this.#relative.format(-days, "day") : this.#date.format(day);
    return text.charAt(0).toLocaleUpperCase(this.lang) + text.slice(1);
  }

  moment(timestamp) { return this.#full.format(timestamp); }
}
