// What a form says, field by field, as lists of values; and which fields are never kept anywhere.

const SKIPPED = /^(password|file|hidden|submit|button|image|reset)$/;
const SECRET = /passw|pwd|csrf|(?<![a-z])(otp|cvc|cvv)(?![a-z])|one.?time|card.?number/i;
const COMPLETED = /one-time-code|-password|\bcc-/i;
const BOX = /^(checkbox|radio)$/;
const UNSAFE = "script,style,iframe,object,embed,link,meta,base,form";
const EDITABLE = "[contenteditable][rt-recover]";

/** @typedef {string[]} Values */

/** What contenteditable elements said when they were first seen. @type {WeakMap<Element, string>} */
const originals = new WeakMap();

/** Names that a form's own fields cannot hide, as `form.id` and `form.action` can be. @param {Element} el @param {string} name */
export const attr = (el, name) => el.getAttribute(name) ?? el.getAttribute(`data-${name}`);

/** What a field is called; a field without a name goes by its id. @param {any} field @returns {string} */
export const nameOf = (field) => field.getAttribute("name") || (field.id && `#${field.id}`) || "";

/** May it be written down? @param {any} field */
export const keepable = (field) =>
  field.matches(`input,select,textarea,${EDITABLE}`) && !SKIPPED.test(field.type) && !!nameOf(field) &&
  !SECRET.test(nameOf(field)) && !COMPLETED.test(field.getAttribute("autocomplete") ?? "") &&
  !field.closest('[rt-no-draft],[rt-private],[rt-recover="ignore"]');

/** The fields of a form that are kept, by name. @param {HTMLFormElement} form @returns {Map<string, any[]>} */
export function fieldsOf(form) {
  /** @type {Map<string, any[]>} */
  const found = new Map();
  for (const field of [...form.elements, ...form.querySelectorAll(EDITABLE)]) {
    if (!keepable(field)) continue;
    const name = nameOf(field);
    found.set(name, [...(found.get(name) ?? []), field]);
    if (field.matches(EDITABLE) && !originals.has(field)) originals.set(field, field.innerHTML);
  }
  return found;
}

/** @param {any} field @param {boolean} initial */
function text(field, initial) {
  if (field.matches(EDITABLE)) return (initial && originals.get(field)) || field.innerHTML;
  if (!initial) return field.value;
  if (!/^(range|color)$/.test(field.type)) return field.defaultValue;
  const fresh = field.ownerDocument.createElement("input"); // these have a value where the markup has none
  for (const name of ["type", "min", "max", "step", "value"]) if (field.hasAttribute(name)) fresh.setAttribute(name, field.getAttribute(name));
  return fresh.value;
}

/** @param {any[]} fields of one name @param {boolean} [initial] what the markup says @returns {Values} */
export function read(fields, initial = false) {
  return fields.flatMap((field) => {
    if (field.options) {
      const all = /** @type {any[]} */ ([...field.options]);
      // Without a `selected` option in the markup the browser chooses the first one itself.
      const marked = field.multiple || all.some((option) => option.defaultSelected);
      const chosen = all.filter((option, index) => (!initial ? option.selected : marked ? option.defaultSelected : !index));
      return chosen.map(({ value }) => value);
    }
    if (BOX.test(field.type)) return (initial ? field.defaultChecked : field.checked) ? [field.value] : [];
    return [text(field, initial)];
  });
}

/** Is anything in it? */
export const some = (/** @type {object} */ of) => Object.keys(of).length > 0;
export const same = (/** @type {Values | undefined} */ a, /** @type {Values | undefined} */ b) => JSON.stringify(a) === JSON.stringify(b);

/** @param {any[]} fields of one name @param {Values} values @param {(html: string) => DocumentFragment} parse @returns {boolean} false where they have no place for it */
export function write(fields, values, parse) {
  if (same(read(fields), values)) return true;
  const [first] = fields;
  const known = first.options ? [...first.options] : BOX.test(first.type) ? fields : null;
  if (known ? !values.every((value) => known.some((one) => one.value === value)) : values.length !== fields.length) return false;
  fields.forEach((field, index) => {
    if (field.options) for (const option of field.options) option.selected = values.includes(option.value);
    else if (BOX.test(field.type)) field.checked = values.includes(field.value);
    else if (field.matches(EDITABLE)) field.replaceChildren(harmless(parse(values[index])));
    else field.value = values[index];
  });
  return same(read(fields), values);
}

/** It was kept where scripts of the page can write: nothing in it may run. @param {DocumentFragment} fragment */
function harmless(fragment) {
  for (const el of fragment.querySelectorAll(UNSAFE)) el.remove();
  for (const el of fragment.querySelectorAll("*")) {
    for (const { name, value } of [...el.attributes]) {
      if (/^(on|hx-|data-hx-|rt-|style$|srcdoc$)/i.test(name) || /^[\s\0-\x1f]*(javascript|data|vbscript):/i.test(value)) el.removeAttribute(name);
    }
  }
  return fragment;
}
