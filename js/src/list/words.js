// What a list says: from its `rt.more()`, from `data-words` of its own, or built in.

/** @type {Record<string, string[]>} */
const NEW = { en: ["{n} new"], de: ["{n} neu"], es: ["{n} nuevo", "{n} nuevos"] };

/** @param {Element | null | undefined} el @param {string} name @param {string} lang @param {number} [n] */
export function say(el, name, lang, n = 0) {
  const form = new Intl.PluralRules(lang).select(n);
  const own = NEW[lang.split("-")[0]] ?? NEW.en;
  const word = JSON.parse(el?.getAttribute("data-words") || "{}")[`more.${name}`] ?? { one: own[0], other: own.at(-1) };
  return String(word[form] ?? word.other ?? word).replace("{n}", String(n));
}
