// Which forms are kept, and by which name each is found again after a reload or a swap.
import { attr } from "./fields.js";

export const UNSAFE = /^(post|put|patch|delete)$/i;
const HX = ["hx-post", "hx-put", "hx-patch", "hx-delete"];
const SEARCH = '[role="search"],search';

/** @param {Document} doc */
export function createForms(doc) {
  /** @param {HTMLFormElement} form */
  function keyOf(form) {
    const own = attr(form, "id") ?? attr(form, "name");
    if (own) return own;
    const action = actionOf(form);
    return `${action}#${[...doc.forms].filter((one) => actionOf(one) === action && !attr(one, "id") && !attr(one, "name")).indexOf(form)}`;
  }

  const actionOf = (/** @type {Element} */ form) => ["action", ...HX].map((name) => attr(form, name)).find(Boolean) ?? "";

  /** @param {string} key @returns {HTMLFormElement | undefined} */
  const formOf = (key) => [...doc.forms].find((form) => keyOf(form) === key);

  /** @param {Element} form */
  const changes = (form) =>
    UNSAFE.test(form.getAttribute("method") ?? "") || HX.some((name) => attr(form, name) !== null) ||
    !!form.querySelector(`${HX.flatMap((name) => [`[${name}]`, `[data-${name}]`]).join()},[formmethod=post i]`);

  /** @param {HTMLFormElement} form */
  const recovers = (form) =>
    attr(form, "rt-recover") !== "ignore" && !form.closest("[rt-no-draft],[rt-private],.rt-toasts") &&
    (changes(form) || form.hasAttribute("rt-recover") || !(attr(form, "hx-get") || /^get$/i.test(form.getAttribute("method") ?? "") || form.closest(SEARCH) || form.querySelector("[type=search]")));

  return { keyOf, formOf, changes, recovers };
}
