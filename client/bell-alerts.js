/** Sound and desktop notifications: off until the user switches them on, remembered in this browser. */
import { content } from "./bell-content.js";
import { have, pause, within } from "./facility.js";

const QUIET = 2000; // ms between two sounds
let sounded = 0;

const recall = (name) => have(() => localStorage.getItem(`notifier.${name}`)) === "on";
const keep = (name, on) => have(() => localStorage.setItem(`notifier.${name}`, on ? "on" : "off"));
/** Those on the desktop, by the ids of their entries. */
const onDesktop = new Map();

const permission = () => have(() => Notification.permission);

export const possible = {
  sound: () => Boolean(have(() => AudioContext)),
  desktop: () => Boolean(permission()),
};

/** True when the user or the browser has forbidden desktop notifications for this site. */
export const blocked = () => permission() === "denied";

export const wanted = (name) => recall(name) && (name === "sound" || permission() === "granted");

/** @returns {Promise<boolean>} whether it is on now: the browser may not allow the desktop */
export async function want(name, on) {
  const allowed = !on || name === "sound" || (await asked()) === "granted";
  keep(name, on && allowed);
  if (on && allowed && name === "sound") chime();
  return on && allowed;
}

/** It may take as long as the user takes to answer. */
async function asked() {
  try {
    return await Notification.requestPermission();
  } catch {
    return permission();
  }
}

// Every tab in sight holds this lock with the others, so that a hidden one can tell whether the user looks at one of them.
const SIGHT = "notifier.in-sight";
const inSight = () => document.visibilityState === "visible";
let holding = false;
let letGo;
let failures = 0;

export async function watchSight() {
  if (!inSight()) return letGo?.();
  if (holding) return undefined;
  holding = true;
  let released = false;
  try {
    await navigator.locks.request(SIGHT, { mode: "shared" }, () => new Promise((done) => {
      letGo = () => { released = true; done(); };
      if (!inSight()) letGo();
    }));
  } catch { /* absent, refused or taken away */ }
  failures = released ? 0 : failures + 1;
  if (!released) await new Promise((done) => { setTimeout(done, pause(failures)); });
  holding = false;
  return inSight() ? watchSight() : undefined;
}

/** Whether another tab of this site is in sight; false where the browser cannot tell. */
async function seenElsewhere() {
  try {
    const { held } = await within(1000, navigator.locks.query());
    return held.some(({ name }) => name === SIGHT);
  } catch {
    return false;
  }
}

/** @param {boolean} leading one tab speaks for all while the user looks at none of them */
export async function alertUser(entry, { leading, words, open }) {
  if (!inSight()) {
    if (!leading || (await seenElsewhere())) return;
    if (wanted("desktop")) show(entry, words, open);
  }
  if (wanted("sound")) chime();
}

function show(entry, words, open) {
  const { title, message } = content(entry);
  try {
    const shown = new Notification(title, { body: message, tag: entry.id, lang: words.lang });
    onDesktop.set(entry.id, shown);
    shown.onclose = () => onDesktop.delete(entry.id);
    shown.onclick = () => { window.focus(); shown.close(); open(); };
  } catch { /* some phones show them from service workers only */ }
}

/** Entries have left the inbox: so do their notifications on the desktop. */
export function withdraw(ids) {
  for (const id of ids) onDesktop.get(id)?.close();
}

function chime() {
  if (Date.now() - sounded < QUIET) return;
  sounded = Date.now();
  try {
    play(new AudioContext());
  } catch { /* silent, then */ }
}

function play(audio) {
  const gain = audio.createGain();
  gain.gain.setValueAtTime(0.06, audio.currentTime);
  gain.gain.exponentialRampToValueAtTime(0.0001, audio.currentTime + 0.5);
  gain.connect(audio.destination);
  for (const [pitch, start] of [[660, 0], [880, 0.12]]) {
    const tone = audio.createOscillator();
    tone.frequency.value = pitch;
    tone.connect(gain);
    tone.start(audio.currentTime + start);
    tone.stop(audio.currentTime + 0.5);
    tone.onended = () => { if (start) audio.close().catch(() => {}); };
  }
}
