// Sentences with a number or names in them; the words come from the server's catalogue.

/** @typedef {string | Record<string, string>} Word text, or its plural forms as Intl.PluralRules names them */

let source = "";
/** @type {Record<string, Word>} */
let known = {};

/** The words of a page, as its macros wrote them. @param {Document} doc @returns {Record<string, Word>} */
export function spoken(doc) {
  // Guarded forms, regions, lists and others bring words of their own.
  const text = doc.querySelector("[data-words]:is([rt-view],[rt-typing-line],[rt-cursors])")?.getAttribute("data-words") ?? source;
  if (text !== source) known = JSON.parse((source = text));
  return known;
}

/** @param {string} lang @param {Word | undefined} word @param {Record<string, string | number>} values `n` chooses the plural form */
export function say(lang, word, values) {
  if (!word) return "";
  const text = typeof word === "string" ? word : word[new Intl.PluralRules(lang).select(Number(values.n))] ?? word.other;
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** The first name, as chips show it. @param {string} name @param {Word} [visitor] of who has none */
export const firstName = (name, visitor = "?") => name.trim().split(/\s+/)[0] || String(visitor);

/** Names in a sentence of another direction must not turn it round. @param {string} name */
export const apart = (name) => (/[\u0590-\u08ff\ufb1d-\ufefc]/.test(name) ? `\u2068${name}\u2069` : name);

/**
 * "Ada is typing…" for one, two or many; by first names while those tell people apart.
 * @param {string} lang @param {Record<string, Word>} words @param {string[]} names full ones, empty for visitors
 */
export function typing(lang, words, names) {
  if (!names.length) return "";
  const first = names.map((name) => firstName(name, words["here.visitor"]));
  const [a, b] = (first[0] === first[1] ? names.map((name, index) => name || first[index]) : first).map(apart);
  if (names.length === 1) return say(lang, words["typing.one"], { a });
  if (names.length === 2 && a !== b) return say(lang, words["typing.two"], { a, b });
  return say(lang, words["typing.many"], { a, n: names.length - 1 });
}
