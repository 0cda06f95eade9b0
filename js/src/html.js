// Text to nodes, without innerHTML: inert, and right for rows and options.

/** @type {{createHTML(text: string): any} | undefined} */
let policy;

/** Trusted Types want a named policy; a page that does not allow ours may still have a default one. */
const trusted = (/** @type {string} */ text) => {
  const types = /** @type {any} */ (globalThis).trustedTypes;
  if (!types) return text;
  try {
    policy ??= types.createPolicy("htmx-rt", { createHTML: (/** @type {string} */ html) => html });
  } catch {
    policy = { createHTML: (html) => html };
  }
  return /** @type {NonNullable<typeof policy>} */ (policy).createHTML(text);
};

/**
 * Parse a fragment or a whole document. A fragment goes through a template, so `<tr>` and `<option>` keep
 * their tags; its scripts never run. Returns the fragment, or the document's children for a whole document.
 * @param {string} html
 * @returns {DocumentFragment}
 */
export function parse(html) {
  const whole = /^\s*(<!--[\s\S]*?-->\s*)*<(!doctype|html|head|body)\b/i.test(html);
  const parsed = new DOMParser().parseFromString(trusted(whole ? html : `<template>${html}</template>`), "text/html");
  if (!whole) return /** @type {HTMLTemplateElement} */ (parsed.querySelector("template")).content;
  const fragment = parsed.createDocumentFragment();
  fragment.append(parsed.documentElement);
  return fragment;
}

/**
 * Many fragments at once: a document for each would be most of a frame's cost. Text that closes its own template
 * makes the count wrong, and then each is parsed by itself.
 * @param {string[]} texts @returns {DocumentFragment[]}
 */
export function parseAll(texts) {
  const all = [...parse(texts.map((text) => `<template>${text}</template>`).join("")).children];
  return all.length === texts.length && all.every((el) => el.tagName === "TEMPLATE")
    ? all.map((el) => /** @type {HTMLTemplateElement} */ (el).content) : texts.map(parse);
}
