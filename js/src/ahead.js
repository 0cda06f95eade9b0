// An answer may be ahead of the stream: what it brought holds all operations up to its own position already.

import { within } from "./versions.js";

/** @typedef {ReturnType<typeof createAhead>} Ahead */

/** @param {{head: () => number}} options `head`: offset of the newest message received */
export function createAhead({ head }) {
  /** @type {WeakMap<Element, {at: number, self: boolean}>} `self`: the element too, not only its children */
  const known = new WeakMap();

  /** @param {Element | null} el @param {number} o @param {boolean} [children] is it about the children of `el` only? */
  const covers = (el, o, children = false) => {
    for (let up = el; up; up = up.parentElement) {
      const entry = known.get(up);
      if (entry && entry.at >= o && (entry.self || children || up !== el)) return true;
    }
    return false;
  };

  /** What lies around `el` is, from now on, in part no newer than this. @param {Element} el @param {number} at */
  const lower = (el, at) => {
    for (let up = el.parentElement; up; up = up.parentElement) {
      const entry = known.get(up);
      if (entry) entry.at = Math.min(entry.at, at);
    }
  };

  return {
    covers,
    lower,

    /** @param {Element} el @param {number} at @param {boolean} self */
    note(el, at, self) {
      for (const part of el.querySelectorAll("*")) known.delete(part);
      lower(el, at);
      if (at > head()) known.set(el, { at, self });
      else known.delete(el);
    },

    /** In HTML that is older, keep the parts that are newer on the page. @param {DocumentFragment} fragment @param {number} o @param {Document} doc */
    keep(fragment, o, doc) {
      for (const el of fragment.querySelectorAll("[id]")) {
        const now = fragment.contains(el) && doc.getElementById(el.id);
        const entry = now && known.get(now);
        if (!entry || entry.at < o) continue;
        const copy = /** @type {Element} */ (now.cloneNode(true));
        el.replaceWith(copy);
        for (const part of within(copy, "[id]")) {
          for (const twin of within(fragment, `[id="${CSS.escape(part.id)}"]`)) if (!copy.contains(twin)) twin.remove();
        }
      }
    },
  };
}
