/** The languages that the bell brings, each a file that is loaded when a page uses it. English is built in. */
import { dictionaries } from "./bell-dictionary.js";
import { have } from "./facility.js";

const LANGUAGES = {
  ar: () => import("./bell-words-ar.js"),
  de: () => import("./bell-words-de.js"),
  es: () => import("./bell-words-es.js"),
  fr: () => import("./bell-words-fr.js"),
  he: () => import("./bell-words-he.js"),
  ja: () => import("./bell-words-ja.js"),
  pt: () => import("./bell-words-pt.js"),
};
const loads = {};

/**
 * Loads the words of a language that is not there yet. One that cannot be loaded stays English, until it is asked for again.
 * @param {string | undefined} lang a tag, as of the attribute; without one the browser's language
 * @param loaded called when they are there
 */
export function speak(lang, loaded) {
  const tag = lang || have(() => navigator.language) || "en";
  const base = tag.split("-")[0].toLowerCase();
  if (dictionaries[tag] || dictionaries[base] || !Object.hasOwn(LANGUAGES, base)) return;
  (loads[base] ??= LANGUAGES[base]()).then(loaded, () => { delete loads[base]; });
}
