// Sentences with a number or names in them; the words come from the server's catalogue.

/** @typedef {string | Record<string, string>} Word text, or its plural forms as Intl.PluralRules names them */

/** @param {string} lang @param {Word} word @param {Record<string, string | number>} values `n` chooses the plural form */
export function say(lang, word, values) {
  const text = typeof word === "string" ? word : word[new Intl.PluralRules(lang).select(Number(values.n))] ?? word.other;
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** "Ada is typing…" for one, two or many. @param {string} lang @param {Record<string, Word>} words @param {string[]} names */
export function typing(lang, words, names) {
  const [a, b] = names;
  if (!a) return "";
  if (names.length === 1) return say(lang, words.one, { a });
  if (names.length === 2) return say(lang, words.two, { a, b });
  return say(lang, words.many, { a, n: names.length - 1 });
}
