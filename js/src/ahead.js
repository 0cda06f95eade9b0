// An answer may be ahead of the stream: what it brought holds all operations up to its own position already.

import { byId, within } from "./dom.js";

/** @typedef {ReturnType<typeof createAhead>} Ahead */

export function createAhead() {
  /** @type {WeakMap<Element, {at: number, self: boolean}>} `self`: the element too, not only its children */
  const known = new WeakMap();

  return {
    /** Is the operation in what is shown already? The nearest answer decides. @param {Element | null} el @param {number} o @param {boolean} [children] is it about the children of `el` only? */
    covers(el, o, children = false) {
      for (let up = el; up; up = up.parentElement) {
        const entry = known.get(up);
        if (entry && (entry.self || children || up !== el)) return entry.at >= o;
      }
      return false;
    },

    /** @param {Element} el @param {number} at @param {boolean} self */
    note(el, at, self) {
      for (const part of el.querySelectorAll("*")) known.delete(part);
      known.set(el, { at, self });
    },

    /** In HTML that is older, keep the parts that are newer on the page. @param {DocumentFragment} fragment @param {number} o @param {Document} doc */
    keep(fragment, o, doc) {
      for (const el of fragment.querySelectorAll("[id]")) {
        const now = fragment.contains(el) && doc.getElementById(el.id);
        const entry = now && known.get(now);
        if (!entry || entry.at < o) continue;
        const copy = /** @type {Element} */ (now.cloneNode(true));
        el.replaceWith(copy);
        for (const { id } of within(copy, "[id]")) {
          for (const twin of byId(fragment, id)) if (!copy.contains(twin)) twin.remove();
        }
      }
    },
  };
}
