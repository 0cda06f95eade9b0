// What a person put into a field, and what its markup says should be there.

/** Compares with `===` once it is text. @param {any} field @param {boolean} [initial] what the markup says @returns {any} */
export function readField(field, initial = false) {
  if (field.options) {
    const options = [...field.options];
    // Without a `selected` option in the markup the browser chooses the first one itself.
    const chosen = field.multiple || options.some((option) => option.defaultSelected);
    return options.map(({ value, selected, defaultSelected }, index) =>
      ({ value, selected: !initial ? selected : chosen ? defaultSelected : !index }));
  }
  if (field.type === "file") return initial ? {} : field.files;
  if (/^(checkbox|radio)$/.test(field.type)) return initial ? field.defaultChecked : field.checked;
  return initial ? field.defaultValue : field.value;
}

/** Did a person change this field? @param {any} field */
export const isDirty = (field) => JSON.stringify(readField(field)) !== JSON.stringify(readField(field, true));

/** @param {any} field @param {any} held what `readField` gave */
export function writeField(field, held) {
  if (field.options) {
    for (const { value, selected } of held) {
      for (const option of field.options) if (option.value === value) option.selected = selected;
    }
  } else if (field.type === "file") {
    if (held.length) field.files = held;
  } else if (typeof held === "boolean") field.checked = held;
  else if (field.value !== held) field.value = held; // writing moves the caret
}
