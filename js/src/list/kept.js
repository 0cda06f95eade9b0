// Back: the pages that were loaded are there again, and what was read stands where it stood. The browser's own cache of
// pages needs nothing of this; here is what to do where it has not kept the page.
import { firstRead, putBack, scrollerOf } from "./scroll.js";

const KEY = "rt-list";
const ENTRIES = 20; // of the history
const MOST = 50; // pages that are loaded again
const WAIT = 200; // ms after the last scrolling

/** @typedef {{rows: number, row: string, top: number}} Place  how many there were, which one was read first, and how far below the edge */
/** @typedef {[string, Record<string, Place>][]} Entries  by entry of the history and by `rt.more()`, the newest last */

/**
 * @param {import("../index.js").Runtime} rt
 * @param {{all: () => any[], more: (el: Element) => Promise<boolean>}} lists  those of which pages were loaded
 */
export function createKept({ doc, win, env }, { all, more }) {
  /** An entry by its own name where the browser has one, else by its address. */
  const entry = () => /** @type {any} */ (win).navigation?.currentEntry?.key ?? win.location.pathname + win.location.search;
  /** @type {WeakMap<Element, string>} the entry in which pages were added */
  const keys = new WeakMap();
  let arriving = true; // by loading the page or going back, and nobody has done anything yet
  let cancel = () => {};

  /** @returns {Entries} */
  function read() {
    try {
      return JSON.parse(env.session()?.getItem(KEY) || "[]");
    } catch {
      return [];
    }
  }

  /** @param {string} key @param {(places: Record<string, Place>) => void} [change] none: forget it */
  function write(key, change) {
    const entries = read();
    const places = entries.find(([name]) => name === key)?.[1] ?? {};
    const others = entries.filter(([name]) => name !== key).slice(1 - ENTRIES);
    change?.(places);
    try {
      env.session()?.setItem(KEY, JSON.stringify(change ? [...others, [key, places]] : others));
    } catch {
      // The storage is full: going back begins at the first page.
    }
  }

  function note() {
    cancel();
    for (const [el, list] of all()) {
      const read = list && firstRead(list, scrollerOf(list));
      if (!read) continue;
      if (!keys.has(el)) keys.set(el, entry());
      const [row, top] = read;
      write(/** @type {string} */ (keys.get(el)), (places) => void (places[el.id] = { rows: list.children.length, row: row.id, top: Math.round(top) }));
    }
  }

  const later = () => {
    cancel();
    cancel = env.after(note, WAIT);
  };
  const acted = () => void (arriving = false);

  const [page] = /** @type {PerformanceNavigationTiming[]} */ (win.performance.getEntriesByType("navigation"));
  if (page?.type === "navigate") write(entry());
  const acts = ["wheel", "touchmove", "pointerdown", "keydown"];
  for (const type of acts) doc.addEventListener(type, acted, { capture: true, passive: true });
  doc.addEventListener("scroll", later, { capture: true, passive: true });
  doc.addEventListener("click", note, true); // which may lead elsewhere
  const offs = [
    env.on("pagehide", note),
    env.on("visibilitychange", note),
    env.on("popstate", () => void (arriving = true)),
  ];

  return {
    note,

    /** @param {Element} el @returns {Place | undefined} */
    find: (el) => (arriving ? read().find(([name]) => name === entry())?.[1][el.id] : undefined),

    /** @param {Element} el @param {Element} list @param {Place} place */
    async restore(el, list, { rows, row, top }) {
      const there = () => [...list.children].find(({ id }) => id === row);
      // What has come since stands above: the row may be a page further on.
      for (let n = 0, extra = 0; n < MOST && el.isConnected; n += 1) {
        if (list.children.length >= rows && (there() || (extra += 1) > 2)) break;
        if (!(await more(el))) break;
      }
      const found = there();
      if (arriving && found) putBack(list, found, top);
      arriving = false;
    },

    stop() {
      note();
      for (const type of acts) doc.removeEventListener(type, acted, { capture: true });
      doc.removeEventListener("scroll", later, { capture: true });
      doc.removeEventListener("click", note, true);
      for (const off of offs) off();
    },
  };
}
