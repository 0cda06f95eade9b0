// What a person typed, where they are in it, and what they asked us to leave alone, over any swap by htmx.

import { within } from "./dom.js";
import { isDirty, readField, writeField } from "./fields.js";

const FIELDS = "input,textarea,select";

/** @typedef {{el: any, key: string, held: any, focused: boolean}} Held */
/** @typedef {{fields: Held[], islands: Element[], scrolled: {id: string, top: number, left: number}[], before?: Map<Element, string>}} Captured */
/** @typedef {ReturnType<typeof createKeep>} Keep */

/** The same field before and after: by id, else by name (and value) inside the nearest element with an id. @param {any} field */
function keyOf(field) {
  if (field.id) return `#${field.id}`;
  const name = field.getAttribute("name");
  if (!name) return "";
  const choice = field.type === "checkbox" || field.type === "radio" ? field.value : "";
  return [field.closest("[id]")?.id ?? "", field.tagName, name, choice].join("|");
}

/** @param {{doc?: Document}} [options] */
export function createKeep({ doc = document } = {}) {
  /** @type {Element | null} */
  let composing = null;
  /** @type {WeakMap<object, Map<Element, string>>} values as they were sent, by request */
  const sent = new WeakMap();
  const onStart = (/** @type {Event} */ event) => {
    composing = /** @type {Element} */ (event.target);
  };
  const onEnd = () => {
    composing = null;
  };
  doc.addEventListener("compositionstart", onStart, true);
  doc.addEventListener("compositionend", onEnd, true);

  return {
    /** The element in which an input method is composing, if any. */
    get composing() {
      return composing?.isConnected ? composing : null;
    },

    /** Remember what a request carried: its own answer may replace exactly that. @param {object} request @param {any} elt */
    submitted(request, elt) {
      const form = elt.form ?? elt.closest("form");
      const fields = form ? [...form.elements].filter((field) => field.matches(FIELDS)) : within(elt, FIELDS);
      sent.set(request, new Map(fields.map((field) => [field, JSON.stringify(readField(field))])));
    },

    /**
     * Before a swap into `roots`. Elements are remembered, not only values: what is typed while a swap is delayed
     * is read from the old element when the new one stands.
     * @param {Element[]} roots @param {object} [request] @returns {Captured}
     */
    capture(roots, request) {
      const before = request && sent.get(request);
      const active = doc.activeElement;
      /** @type {Held[]} */
      const fields = [];
      /** @type {Element[]} */
      const islands = [];
      for (const root of roots) {
        for (const el of within(root, FIELDS)) {
          const key = keyOf(el);
          if (key) fields.push({ el, key, held: isDirty(el) ? readField(el) : null, focused: el === active });
        }
        islands.push(...within(root, "[rt-keep][id]"));
      }
      const scrolled = roots.flatMap((root) => within(root, "[id]").filter((el) => el.scrollTop || el.scrollLeft))
        .map((el) => ({ id: el.id, top: el.scrollTop, left: el.scrollLeft }));
      return { fields, islands, scrolled, before };
    },

    /** After the swap, in the same task. @param {Captured} captured @param {any[]} roots */
    restore({ fields, islands, scrolled, before }, roots) {
      for (const island of islands) {
        const copy = doc.getElementById(island.id);
        if (copy && copy !== island && !island.isConnected) copy.replaceWith(island);
      }
      /** @type {Map<string, any> | undefined} */
      let fresh;
      for (const { el, key, held, focused } of fields) {
        const gone = !el.isConnected;
        const value = gone ? (isDirty(el) ? readField(el) : null) : held;
        const answered = value && before?.get(el) === JSON.stringify(value); // the server has seen exactly this
        if (!gone) {
          if (value && !answered) writeField(el, value);
          continue;
        }
        if (!value && !focused) continue;
        fresh ??= new Map(roots.flatMap((root) => within(root, FIELDS)).map((field) => [keyOf(field), field]));
        const field = fresh.get(key);
        if (!field || field.type !== el.type) continue;
        if (value && !answered) writeField(field, value);
        if (focused) refocus(doc, el, field);
      }
      for (const { id, top, left } of scrolled) {
        const el = doc.getElementById(id);
        if (el && !el.scrollTop && !el.scrollLeft) el.scrollTo({ top, left, behavior: "instant" });
      }
    },

    stop() {
      doc.removeEventListener("compositionstart", onStart, true);
      doc.removeEventListener("compositionend", onEnd, true);
    },
  };
}

/** A removed field still knows its caret. @param {Document} doc @param {any} old @param {any} field */
function refocus(doc, old, field) {
  const active = doc.activeElement;
  if (active && active !== doc.body && active !== field) return;
  field.focus({ preventScroll: true });
  if (old.selectionStart != null) field.setSelectionRange(old.selectionStart, old.selectionEnd, old.selectionDirection);
}
