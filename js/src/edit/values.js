// What the fields of one name say, as a form would send it: text, or a list where several values may be chosen.

/** @typedef {string | string[]} Value */

const FALSE = /^(0|false|off|no|)$/i;

/** What people see of a name: beside a checkbox, a hidden field may say that it is off. @param {Iterable<any>} elements @param {string} name @returns {any[]} */
export function named(elements, name) {
  const all = [...elements].filter((field) => field.name === name);
  const seen = all.filter(({ type }) => type !== "hidden");
  return seen.length ? seen : all;
}

const box = (/** @type {any} */ { type }) => type === "checkbox";
const lone = (/** @type {any[]} */ fields) => fields.length === 1 && box(fields[0]);
const optionsOf = (/** @type {any} */ field) => /** @type {any[]} */ ([...field.options]);

/** @param {any[]} fields @param {boolean} [initial] what the markup says @returns {Value} */
export function read(fields, initial = false) {
  const [first] = fields;
  if (!first) return "";
  const on = (/** @type {any} */ field) => (initial ? field.defaultChecked : field.checked);
  if (lone(fields)) return on(first) ? "on" : "";
  if (first.options) {
    const all = optionsOf(first);
    // Without a `selected` option in the markup the browser chooses the first one itself.
    const marked = first.multiple || all.some((option) => option.defaultSelected);
    const chosen = all.filter((option, index) => (!initial ? option.selected : marked ? option.defaultSelected : !index)).map(({ value }) => value);
    return first.multiple ? chosen : (chosen.pop() ?? "");
  }
  if (box(first)) return fields.filter(on).map(({ value }) => value);
  if (first.type === "radio") return fields.find(on)?.value ?? "";
  const texts = fields.map((field) => lines(initial ? field.defaultValue : field.value));
  return texts.length > 1 ? texts : texts[0];
}

const lines = (/** @type {any} */ text) => String(text ?? "").replace(/\r\n?/g, "\n");

/** A value from elsewhere as these fields would say it. @param {any[]} fields @param {any} value @returns {Value} */
export function normal(fields, value) {
  const [first] = fields;
  const list = [value ?? []].flat().map(lines);
  if (lone(fields)) return (Array.isArray(value) ? list.includes(first.value) : !FALSE.test(list[0] ?? "")) ? "on" : "";
  if (first?.multiple || (first && box(first))) {
    const known = first.options ? optionsOf(first) : fields;
    const order = known.map((one) => one.value);
    return list.sort((a, b) => order.indexOf(a) - order.indexOf(b));
  }
  return fields.length > 1 && first.type !== "radio" ? list : list.join(", ");
}

/** @param {any[]} fields @param {Value} value @param {boolean} [initial] it is what the markup says, too */
export function write(fields, value, initial = true) {
  const list = [value].flat();
  fields.forEach((field, index) => {
    if (field.options) {
      for (const one of list) {
        // A choice that this page was not told of.
        if (one && !optionsOf(field).some((option) => option.value === one)) field.append(new Option(one, one));
      }
      for (const option of field.options) {
        const on = list.includes(option.value);
        if (option.selected !== on) option.selected = on;
        if (initial) option.defaultSelected = on;
      }
      // Writing what the markup says chooses it as well.
      if (!field.multiple) field.value = list[0];
    } else if (/^(checkbox|radio)$/.test(field.type)) {
      field.checked = lone(fields) ? value === "on" : list.includes(field.value);
      if (initial) field.defaultChecked = field.checked;
    } else {
      const text = list[index] ?? "";
      if (lines(field.value) !== text) put(field, text);
      if (initial && lines(field.defaultValue) !== text) field.defaultValue = text;
    }
  });
}

/** The markup says `base`, and the person `value`. @param {any[]} fields @param {Value} base @param {Value} value */
export function rebase(fields, base, value) {
  const list = [base].flat();
  fields.forEach((field, index) => {
    if (field.options) for (const option of field.options) option.defaultSelected = list.includes(option.value);
    else if (/^(checkbox|radio)$/.test(field.type)) field.defaultChecked = lone(fields) ? base === "on" : list.includes(field.value);
    else if (lines(field.defaultValue) !== (list[index] ?? "")) field.defaultValue = list[index] ?? "";
  });
  write(fields, value, false); // of a field that nobody had written into, it has followed
}

/** Only what differs is written, so that the caret and what is selected stay where they are. @param {any} field @param {string} text */
function put(field, text) {
  const old = field.value;
  const { scrollTop, selectionStart } = field;
  if (selectionStart == null || field.ownerDocument.activeElement !== field) {
    field.value = text;
    return;
  }
  let start = 0;
  while (start < old.length && old[start] === text[start]) start += 1;
  let end = 0;
  while (end < Math.min(old.length, text.length) - start && old[old.length - 1 - end] === text[text.length - 1 - end]) end += 1;
  field.setRangeText(text.slice(start, text.length - end), start, old.length - end, "preserve");
  field.scrollTop = scrollTop;
}

/** Nobody would see a difference. @param {any[]} fields @param {Value | undefined} a @param {Value | undefined} b */
export function same(fields, a, b) {
  if (a === undefined || b === undefined) return false;
  const [one, other] = [a, b].map((value) => JSON.stringify(value));
  if (one === other) return true;
  const number = /^(number|range)$/.test(fields[0]?.type) || /^(decimal|numeric)$/.test(fields[0]?.inputMode);
  return number && !!a && !!b && Number(a) === Number(b);
}

/** As people read it. @param {any[]} fields @param {Value} value @param {(name: string) => string} word @returns {string} */
export function spell(fields, value, word) {
  const [first] = fields;
  if (lone(fields)) return word(value ? "on" : "off");
  const known = first?.options ? optionsOf(first) : /^(checkbox|radio)$/.test(first?.type) ? fields : [];
  const label = (/** @type {string} */ one) => {
    const found = known.find((each) => each.value === one);
    return (found?.text ?? found?.labels?.[0]?.textContent ?? one).trim();
  };
  return [value].flat().filter(Boolean).map(label).join(", ");
}
