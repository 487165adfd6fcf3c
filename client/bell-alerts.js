/** Sound and desktop notifications: off until the user switches them on, remembered in this browser. */
import { content } from "./bell-list.js";

const QUIET = 2000; // ms between two sounds
let sounded = 0;

const recall = (name) => { try { return localStorage.getItem(`notifier.${name}`) === "on"; } catch { return false; } };
const keep = (name, on) => { try { localStorage.setItem(`notifier.${name}`, on ? "on" : "off"); } catch { /* not kept, then */ } };

export const possible = {
  sound: () => "AudioContext" in globalThis,
  desktop: () => "Notification" in globalThis,
};

export const wanted = (name) => recall(name) && (name === "sound" || globalThis.Notification?.permission === "granted");

/** @returns {Promise<boolean>} whether it is on now: the browser may not allow the desktop */
export async function want(name, on) {
  const allowed = !on || name === "sound" || (await Notification.requestPermission()) === "granted";
  keep(name, on && allowed);
  if (on && allowed && name === "sound") chime();
  return on && allowed;
}

// Every tab in sight holds this lock with the others, so that a hidden one can tell whether the user looks at one of them.
const SIGHT = "notifier.in-sight";
const inSight = () => document.visibilityState === "visible";
let holding = false;
let letGo;

export function watchSight() {
  if (!inSight()) letGo?.();
  else if (!holding) {
    holding = true;
    navigator.locks?.request(SIGHT, { mode: "shared" }, () => inSight() && new Promise((done) => { letGo = done; }))
      .finally(() => { holding = false; if (inSight()) watchSight(); });
  }
}

/** @param {boolean} leading one tab speaks for all while the user looks at none of them */
export async function alertUser(entry, { leading, words, open }) {
  if (!inSight()) {
    const locks = leading && (await navigator.locks?.query())?.held;
    if (!leading || locks?.some(({ name }) => name === SIGHT)) return;
    if (wanted("desktop")) show(entry, words, open);
  }
  if (wanted("sound")) chime();
}

function show(entry, words, open) {
  const { title, message } = content(entry);
  try {
    const shown = new Notification(title, { body: message, tag: entry.id, lang: words.lang });
    shown.onclick = () => { window.focus(); shown.close(); open(); };
  } catch { /* some phones show them from service workers only */ }
}

function chime() {
  if (Date.now() - sounded < QUIET) return;
  sounded = Date.now();
  const audio = new AudioContext();
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
    tone.onended = () => { if (start) audio.close(); };
  }
}
