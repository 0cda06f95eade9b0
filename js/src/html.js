// Text to nodes, without innerHTML: inert, and right for rows and options.

let policy = { createHTML: (/** @type {string} */ html) => html };
try {
  policy = /** @type {any} */ (globalThis).trustedTypes.createPolicy("htmx-rt", policy);
} catch {
  // A browser without Trusted Types; or a page that does not allow ours, but may have a default one.
}

/** @param {string} html */
export const parseDocument = (html) => new DOMParser().parseFromString(policy.createHTML(html), "text/html");

/** In a template, `<tr>` and `<option>` keep their tags and scripts never run. @param {string} html */
export const parse = (html) =>
  /** @type {HTMLTemplateElement} */ (parseDocument(`<template>${html}</template>`).querySelector("template")).content;

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
