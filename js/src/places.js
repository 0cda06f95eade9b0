// Where an inserted item stands: by the offset of its insertion, so that coming late changes nothing.

import { move } from "./dom.js";

/**
 * `kind` says which way an item was put in: at the end, at the start, or beside an anchor. An item that a response
 * brought before its echo floats until offset `until` was seen: inserts go in front of it.
 * @typedef {{kind: string, o: number, until?: number}} Place
 */
/** @typedef {ReturnType<typeof createPlaces>} Places */

const backwards = (/** @type {string} */ kind) => kind === "append" || kind.startsWith("before");

/** @param {{head: () => number}} options `head`: offset of the newest message received */
export function createPlaces({ head }) {
  /** @type {WeakMap<Element, Place>} */
  const places = new WeakMap();
  /** @type {Set<Element>} */
  const dirty = new Set();

  const floating = (/** @type {Place | undefined} */ place) => place?.until !== undefined && head() < place.until;

  /** Must `el` stay further out than something inserted at `o`? @param {Element | null} el @param {string} kind @param {number} o */
  const outer = (el, kind, o) => {
    const place = el && places.get(el);
    return !!place && place.kind === kind && (floating(place) || (place.until === undefined && place.o > o));
  };

  /** The node to insert before. @param {Element} parent @param {string} kind @param {number} o @param {Element | null} anchor @param {Element} el */
  const slot = (parent, kind, o, anchor, el) => {
    const back = backwards(kind);
    let next = back ? (anchor ? anchor.previousElementSibling : parent.lastElementChild)
      : (anchor ? anchor.nextElementSibling : parent.firstElementChild);
    /** @type {ChildNode | null} */
    let ref = back ? anchor : anchor ? anchor.nextSibling : parent.firstChild;
    while (next && (next === el || outer(next, kind, o))) {
      if (back) {
        if (next !== el) ref = next;
        next = next.previousElementSibling;
      } else {
        ref = next.nextSibling;
        next = next.nextElementSibling;
      }
    }
    return ref === el ? el.nextSibling : ref;
  };

  const put = (/** @type {Element} */ parent, /** @type {Element} */ el, /** @type {string} */ kind,
    /** @type {number} */ o, /** @type {Element | null} */ anchor = null) => {
    move(parent, el, slot(parent, kind, o, anchor, el));
    places.set(el, { kind, o });
    if (parent.hasAttribute("rt-sort")) dirty.add(parent);
  };

  return {
    put,

    /** `el` is to be sorted in at the end of this pass. @param {Element | null} parent */
    touch(parent) {
      if (parent?.hasAttribute("rt-sort")) dirty.add(parent);
    },

    /**
     * An item that stands in its list already is inserted again. What a response brought gets its real place from
     * its echo; what a render brought stays, unless (in a repair) an older insertion stands behind it.
     * @param {Element} parent @param {Element} el @param {string} kind @param {number} o @param {boolean} repairing
     */
    reseat(parent, el, kind, o, repairing) {
      const place = places.get(el);
      if (place?.until !== undefined) return put(parent, el, kind, o);
      if (place) return;
      const step = kind === "append" ? "nextElementSibling" : "previousElementSibling";
      places.set(el, { kind, o });
      if (!repairing) return;
      for (let next = el[step]; next; next = next[step]) {
        const other = places.get(next);
        if (other?.kind === kind && other.o < o) return put(parent, el, kind, o);
      }
    },

    /** @param {Element} el @param {string} kind @param {number} until */
    float(el, kind, until) {
      if (head() < until) places.set(el, { kind, o: Infinity, until });
    },

    /** Is its place more than a response's word? @param {Element} el */
    settled: (el) => places.get(el)?.until === undefined,

    forget: (/** @type {Element} */ el) => void places.delete(el),

    /** @param {Element} from @param {Element} to */
    inherit(from, to) {
      const place = places.get(from);
      if (place) places.set(to, place);
    },

    /** Order the children of the lists touched since the last call by their key. */
    sort() {
      for (const parent of dirty) sortChildren(parent, /** @type {string} */ (parent.getAttribute("rt-sort")));
      dirty.clear();
    },
  };
}

/** Numbers by value, all else by code unit, as databases with a binary collation do. @param {string} a @param {string} b */
const compare = (a, b) => {
  const difference = a.trim() && b.trim() ? Number(a) - Number(b) : NaN;
  return Number.isNaN(difference) ? (a < b ? -1 : a > b ? 1 : 0) : difference;
};

/** Children without the key keep their places. @param {Element} parent @param {string} key */
function sortChildren(parent, key) {
  const keyed = [...parent.children].filter((child) => child.hasAttribute(key));
  const of = (/** @type {Element} */ el) => /** @type {string} */ (el.getAttribute(key));
  const sorted = keyed.slice().sort((a, b) => compare(of(a), of(b)));
  if (sorted.every((el, index) => el === keyed[index])) return;
  const rest = new Set(sorted);
  let cursor = keyed[0];
  for (const el of sorted) {
    rest.delete(el);
    if (el !== cursor) move(parent, el, cursor);
    while (cursor && !rest.has(cursor)) cursor = /** @type {Element} */ (cursor.nextElementSibling);
  }
}
