/** The words of each language, one dictionary for all copies of the bell in a page: a language is a file of its own, beside the bundle too. */
export const dictionaries = (globalThis[Symbol.for("live-notifications words")] ??= {});

/** Adds or replaces a language: any keys, the others stay English. */
export function addWords(lang, words) {
  dictionaries[lang] = { ...dictionaries[lang], ...words };
}
