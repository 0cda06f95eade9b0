// The newest version of each item that was ever on this screen, so that no older one comes back.

import { within } from "./dom.js";

const MARK = "[rt-version][id]";
const LIMIT = 2000; // items off the screen that are remembered
const NEW_LIFE_MS = 10_000;

/** @param {Element} el */
export function versionOf(el) {
  const text = el.getAttribute("rt-version");
  return text ? Number(text) : NaN;
}

/** @typedef {{el: Element, v: number, at: number, gone?: boolean}} Shown */
/** @typedef {ReturnType<typeof createVersions>} Versions */

/** @param {{clock?: () => number}} [options] `clock` in milliseconds */
export function createVersions({ clock = () => performance.now() } = {}) {
  /** @type {Map<string, Shown>} */
  const shown = new Map();
  let sweepAt = LIMIT;

  const note = (/** @type {Node} */ root) => {
    for (const el of within(root, MARK)) {
      const v = versionOf(el);
      const known = shown.get(el.id);
      if (known?.el === el && known.v > v) continue; // something wrote an older number onto it
      shown.delete(el.id); // to the end: the order of the map is the order of use
      shown.set(el.id, { el, v, at: clock() });
    }
    if (shown.size < sweepAt) return;
    for (const [id, { el }] of shown) {
      if (shown.size < LIMIT / 2) break;
      if (!el.isConnected) shown.delete(id);
    }
    sweepAt = shown.size + LIMIT;
  };

  /** What beats `el`: a newer one that is, or was last, on the screen. @param {Element} el */
  const newer = (el) => {
    const known = shown.get(el.id);
    const v = versionOf(el);
    if (!known || known.el === el || !(known.v > v)) return null;
    // Databases use a deleted row's number again: a first version after a removal is another item.
    const reborn = v <= 1 && !known.el.isConnected && (known.gone || clock() - known.at > NEW_LIFE_MS);
    return reborn ? null : known.el;
  };

  return {
    note,
    newer,

    /**
     * Put what is newer in the place of what is older, nested items too. With `copy`, an element that stands
     * on the screen is copied into the fragment instead of torn from its place.
     * @param {any} root @param {{copy?: boolean, put?: (back: Element, old: Element) => void}} [options]
     */
    raise(root, { copy, put } = {}) {
      for (const el of within(root, MARK)) {
        if (el !== root && !root.contains(el)) continue; // went out together with its parent
        const known = newer(el);
        if (!known || (!copy && known.contains(el))) continue;
        const back = /** @type {Element} */ (copy && known.isConnected ? known.cloneNode(true) : known);
        el.replaceWith(back);
        put?.(back, el);
      }
    },

    /** Was it ever on the screen? @param {string} id */
    known: (id) => shown.has(id),

    /** A removal was published: a first version may come again. @param {string} id */
    gone(id) {
      const known = shown.get(id);
      if (known) known.gone = true;
    },

    /** What comes now is the truth, whatever its number. @param {any} root */
    forget(root) {
      for (const el of within(root, MARK)) shown.delete(el.id);
    },

    clear: () => shown.clear(),
  };
}
