// Fields that may be read and not changed. Never `disabled`: focus, selection and what was typed stay.
const MARK = "rt-read-only";
const CHOICE = /^(checkbox|radio|range|color|file|button|submit|select-.*)$/; // what `readOnly` does not reach
const TYPES = ["click", "mousedown", "keydown", "beforeinput", "change", "submit"];
const ALWAYS = /^(hidden|button|reset|image|fieldset|output)$/; // changes nothing

/** @param {import("../index.js").Runtime} rt @param {(form: Element) => boolean} refuse is nothing to be sent from it? It says why */
export function createFields({ win }, refuse) {
  /** @type {WeakSet<HTMLFormElement>} */
  const closed = new WeakSet();

  /** @param {any} field @param {boolean} on */
  function mark(field, on) {
    if (field.classList.contains(MARK) === on) return;
    if (!CHOICE.test(field.type)) {
      if (on && field.readOnly) return; // by the page itself
      field.readOnly = on;
    } else {
      if (on && field.hasAttribute("aria-disabled")) return;
      if (on) field.setAttribute("aria-disabled", "true");
      else field.removeAttribute("aria-disabled");
    }
    field.classList.toggle(MARK, on);
  }

  /** @param {Event} event */
  function filter(event) {
    const { target, type } = event;
    if (!(target instanceof win.Element)) return;
    const form = /** @type {any} */ (target).form ?? target.closest("form");
    if (!closed.has(form)) return;
    if (type === "submit") {
      if (!refuse(form)) return;
    } else {
      const field = target.closest(`.${MARK}[aria-disabled]`);
      if (!field || /** @type {any} */ (field).type === "submit") return; // its submit is refused, in words
      // A list opens on a press or a key; everything else may be focused and left by keyboard.
      if (type === "mousedown" && !field.matches("select")) return;
      if (type === "keydown" && /** @type {KeyboardEvent} */ (event).key === "Tab") return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  // On the window, so that nobody hears the event before.
  for (const type of TYPES) win.addEventListener(type, filter, true);

  return {
    /** @param {HTMLFormElement} form @param {boolean} on @param {boolean} [late] what was typed here may be sent all the same */
    close(form, on, late) {
      if (on) closed.add(form);
      else closed.delete(form);
      for (const field of /** @type {Iterable<any>} */ (form.elements)) {
        if (!ALWAYS.test(field.type) || field.matches("[rt-release]")) mark(field, on && !(late && field.type === "submit"));
      }
    },

    stop() {
      for (const type of TYPES) win.removeEventListener(type, filter, true);
    },
  };
}
