// A kept action back into the form that made it, or as text.
import { isDirty } from "../fields.js";
import { isToken } from "./send.js";

/** @typedef {import("./queue.js").Entry} Entry */

/** The form that made it: by its id, or the only one that sends to the same place. @param {Document} doc @param {Entry} entry @returns {HTMLFormElement | null} */
export function formOf(doc, { page, source, url }) {
  const { location } = doc;
  if (page !== location.pathname + location.search) return null;
  const known = source && doc.getElementById(source);
  if (known) return known.closest("form");
  const same = (/** @type {string | null} */ to) => to !== null && new URL(to, doc.baseURI).href === new URL(url, doc.baseURI).href;
  const found = [...doc.querySelectorAll("[rt-queue]")].filter((el) =>
    ["hx-post", "hx-put", "hx-patch", "hx-delete", "data-hx-post", "action"].some((name) => same(el.getAttribute(name))));
  return found.length === 1 ? found[0].closest("form") : null;
}

/** Never over what was typed since. @param {HTMLFormElement} form @param {Entry} entry */
export function fill(form, { pairs }) {
  const fields = /** @type {any[]} */ ([...form.elements].filter((el) => /** @type {any} */ (el).name && !isToken(/** @type {any} */ (el).name)));
  const of = (/** @type {string} */ name) => pairs.filter(([one]) => one === name).map(([, value]) => value);
  const mine = (/** @type {any} */ field) => /^(checkbox|radio)$/.test(field.type) || field.options || !field.value || of(field.name).includes(field.value);
  if (fields.some((field) => isDirty(field) && !mine(field))) return false;
  /** @type {Record<string, number>} */
  const at = {};
  for (const field of fields) {
    const values = of(field.name);
    if (/^(checkbox|radio)$/.test(field.type)) field.checked = values.includes(field.value);
    else if (field.options) for (const option of field.options) option.selected = values.includes(option.value);
    else if (!/^(submit|button|file|fieldset)$/.test(field.type)) field.value = values[(at[field.name] = (at[field.name] ?? -1) + 1)] ?? "";
    else continue;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  return true;
}

/** @param {Entry} entry */
export const textOf = ({ pairs }) => pairs.filter(([name, value]) => value && !isToken(name)).map(([name, value]) => `${name}: ${value}`).join("\n");
