// `htmx-rt-news.mjs`: `rt-new="top"` or `rt-new="bottom"` on a list: what is pushed in at that edge while somebody reads elsewhere moves
// nothing of what they read, and a button says how much it is; whoever is at the edge follows it.
import { beginAtEnd, beyond, focusOn, hold, scrollBy, scrollerOf } from "./scroll.js";
import { say } from "./words.js";

const SLACK = 32; // pixels from the edge that are still at it
const MOST = 256; // own messages that are remembered
const SPARE = 2_000; // rows that are gone and still known

/**
 * @typedef {object} List
 * @property {Set<string>} known  ids of rows
 * @property {boolean} edge  is the reader there?
 * @property {Set<Element>} fresh  rows beyond it
 * @property {Element | null} place  of the button
 * @property {() => void} stop
 * @property {(() => void) | null} back
 */

/** @type {import("../index.js").Feature} */
export const news = {
  name: "news",
  mount({ doc, win, env, events, config, tab }) {
    /** @type {Map<Element, List>} */
    const lists = new Map();
    /** @type {Set<string>} what this page has said itself: topic and offset */
    const mine = new Set();
    /** @type {WeakSet<Element>} rows that came of it */
    const own = new WeakSet();

    const isBottom = (/** @type {Element} */ list) => list.getAttribute("rt-new") === "bottom";
    const away = (/** @type {Element} */ list) => beyond(list, scrollerOf(list), isBottom(list));

    /** @param {Element} list @param {ScrollBehavior} [behavior] */
    function go(list, behavior) {
      const by = away(list);
      if (by > 0) scrollBy(list, scrollerOf(list), isBottom(list) ? by + SLACK : -by, behavior);
    }

    /** @param {Element} list @param {List} known */
    function show(list, known) {
      const n = known.fresh.size;
      if (!n) {
        if (known.place?.contains(doc.activeElement)) focusOn(isBottom(list) ? list.lastElementChild : list.firstElementChild);
        known.place?.remove();
        return void (known.place = null);
      }
      const first = !known.place;
      const words = [...doc.querySelectorAll("[rt-more]")].find((el) => list.matches(el.getAttribute("rt-more") || "_")) ?? list;
      const text = say(words, "new", config.lang || "en", n);
      if (!known.place?.isConnected) {
        const place = (known.place = doc.createElement("div"));
        place.className = "rt-new-place";
        place.setAttribute("data-at", isBottom(list) ? "bottom" : "top");
        const button = doc.createElement("button");
        button.type = "button";
        button.className = "rt-button rt-new";
        button.addEventListener("click", () => {
          go(list, win.matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth");
          focusOn(isBottom(list) ? list.lastElementChild : list.firstElementChild, false);
        });
        place.append(button);
        // Beside a row of a table nothing else may stand.
        const beside = list.closest("table") ?? list;
        if (isBottom(list)) beside.after(place);
        else beside.before(place);
        const { rowGap } = win.getComputedStyle(/** @type {Element} */ (place.parentElement));
        // Not by a style attribute, which htmx copies and a policy may refuse.
        if (parseFloat(rowGap)) place.animate({ [isBottom(list) ? "marginBlockStart" : "marginBlockEnd"]: [`-${rowGap}`, `-${rowGap}`] }, { duration: 1, fill: "forwards" });
      }
      const button = /** @type {Element} */ (known.place.firstElementChild);
      button.textContent = `${text} ${isBottom(list) ? "↓" : "↑"}`;
      if (first) events.emit("announce", { text });
    }

    /** @param {Element} list @param {List} known */
    function moved(list, known) {
      known.edge = away(list) <= SLACK;
      if (known.edge) known.fresh.clear();
      if (known.place) show(list, known);
    }

    /** @param {Element} list @param {List} known */
    function changed(list, known) {
      const rows = [...list.children];
      if (isBottom(list)) rows.reverse();
      const end = rows.findIndex(({ id }) => known.known.has(id));
      const fresh = rows.slice(0, end < 0 ? rows.length : end).filter(({ id }) => id);
      if (known.known.size > rows.length + SPARE) known.known.clear();
      for (const { id } of rows) known.known.add(id);
      for (const row of known.fresh) if (!row.isConnected) known.fresh.delete(row);
      if (!fresh.length) return show(list, known);
      if (known.edge || fresh.some((row) => own.has(row) || row.hasAttribute("rt-tmp"))) {
        go(list);
        return moved(list, known);
      }
      for (const row of fresh) known.fresh.add(row);
      // All of it may be in sight: the list is short.
      moved(list, known);
      show(list, known);
    }

    /** @param {Element} list */
    function begin(list) {
      /** @type {List} */
      const known = { known: new Set([...list.children].map(({ id }) => id)), edge: false, fresh: new Set(), place: null, stop() {}, back: null };
      lists.set(list, known);
      const box = scrollerOf(list);
      beginAtEnd(list);
      moved(list, known);
      const rows = new win.MutationObserver(() => changed(list, known));
      rows.observe(list, { childList: true });
      // A picture that comes later, a keyboard that takes half of the screen.
      const size = new win.ResizeObserver(() => known.edge && isBottom(list) && go(list));
      size.observe(list);
      if (box) size.observe(box);
      known.stop = () => {
        rows.disconnect();
        size.disconnect();
        known.place?.remove();
        lists.delete(list);
      };
    }

    function look() {
      for (const [list, known] of [...lists]) {
        if (!list.isConnected || !list.hasAttribute("rt-new")) known.stop();
        else if (known.fresh.size && !known.place?.isConnected) show(list, known);
      }
      // Of a page that htmx has kept and put back.
      for (const place of doc.querySelectorAll(".rt-new-place")) if (![...lists.values()].some((known) => known.place === place)) place.remove();
      for (const list of doc.querySelectorAll("[rt-new]")) if (!lists.has(list)) begin(list);
    }

    /** Browsers that do not keep what is read in place by themselves, or were told not to. @param {Element} list */
    const unanchored = (list) =>
      /** @type {any} */ (win.getComputedStyle(scrollerOf(list) ?? doc.documentElement)).overflowAnchor !== "auto"; // nor is it known there

    const scrolled = () => lists.forEach((known, list) => moved(list, known));
    look();
    doc.addEventListener("scroll", scrolled, { capture: true, passive: true });
    const offs = [
      events.on("stream:message", ({ data }) => {
        if (!data?.by || data.by !== tab.id) return;
        mine.add(`${data.t} ${data.o}`);
        if (mine.size > MOST) mine.delete(/** @type {string} */ (mine.values().next().value));
      }),
      events.on("op", ({ op, elements }) => mine.has(`${op.t} ${op.o}`) && elements.forEach((/** @type {Element} */ el) => own.add(el))),
      events.on("coming", () => lists.forEach((known, list) => {
        if (!known.edge && unanchored(list)) known.back ??= hold(list);
      })),
      events.on("swap", ({ request, elements }) => {
        for (const [list, known] of lists) {
          // Pages of it, or another list that was asked for, are nothing new.
          const anew = request && elements.some((/** @type {Element} */ el) => el.contains(list));
          if (anew) known.fresh.clear();
          if (anew || request?.paged) {
            for (const { id } of list.children) known.known.add(id);
          } else known.back?.();
          known.back = null;
        }
        if (request && !request.safe) for (const el of elements) own.add(el);
        look();
      }),
      env.on("resize", scrolled),
    ];
    return () => {
      doc.removeEventListener("scroll", scrolled, { capture: true });
      for (const off of offs) off();
      for (const known of [...lists.values()]) known.stop();
    };
  },
};

export const features = [news];
