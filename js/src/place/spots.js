// `rt-place`: where it was scrolled to and whether it was open outlives swaps, reconnects and reloads, in this tab. An
// element is known by the value of the attribute on all pages, else by its id on this one; `<body rt-place>` is the page.

const KEY = "rt-place";
const MOST_PAGES = 30; // the least used go
const MOST = 50; // elements a page

/**
 * What is known of one element.
 * @typedef {object} Spot
 * @property {number} [top]
 * @property {number} [left]
 * @property {boolean} [open]
 * @property {boolean} [modal]
 *
 * @typedef {[string, Record<string, Spot>][]} Pages  by path, the newest last; "" holds what all pages share
 */

/** A record with one spot changed; what there is too much of goes. @param {Pages} pages @param {string} page @param {string} key @param {Spot} spot @returns {Pages} */
export function noted(pages, page, key, spot) {
  const before = pages.find(([path]) => path === page)?.[1] ?? {};
  const { [key]: old, ...others } = before;
  const kept = Object.entries(others).slice(-(MOST - 1));
  /** @type {[string, Record<string, Spot>]} */
  const now = [page, Object.fromEntries([...kept, [key, { ...old, ...spot }]])];
  return /** @type {Pages} */ ([...pages.filter(([path]) => path !== page).slice(-(MOST_PAGES - 1)), now]);
}

/** @type {import("../index.js").Feature} */
export const spots = {
  name: "spots",
  mount({ doc, win, env, events, bridge }) {
    /** @type {Pages} */
    let pages = [];
    try {
      pages = JSON.parse(env.session()?.getItem(KEY) || "[]").filter((/** @type {any} */ [path, spots]) => path + spots && spots);
    } catch {
      // Not ours.
    }
    let path = win.location.pathname;
    /** @type {WeakMap<Element, Spot>} where an element is to be scrolled once it is long enough */
    const due = new WeakMap();
    let asked = ""; // the dialog that the newest request came from: its answer may close it

    const isPage = (/** @type {Element} */ el) => el === doc.body || el === doc.documentElement;
    const scroller = (/** @type {Element} */ el) => (isPage(el) ? doc.scrollingElement ?? el : el);
    const all = () => /** @type {any[]} */ ([...doc.querySelectorAll("[rt-place]")]);

    /** @param {any} el @returns {[string, string] | null} page and key */
    function nameOf(el) {
      const name = el.getAttribute("rt-place");
      return name ? ["", name] : isPage(el) ? [path, "."] : el.id ? [path, el.id] : null;
    }

    /** @param {any} el @returns {Spot | undefined} */
    function spotOf(el) {
      const name = nameOf(el);
      return name ? pages.find(([page]) => page === name[0])?.[1][name[1]] : undefined;
    }

    /** @param {any} el @param {Spot} spot */
    function note(el, spot) {
      const name = nameOf(el);
      if (name) pages = noted(pages, name[0], name[1], spot);
    }

    function keep() {
      try {
        env.session()?.setItem(KEY, JSON.stringify(pages));
      } catch {
        // The storage is full: a reload begins at the top.
      }
    }

    const stateOf = (/** @type {any} */ el) =>
      el.hasAttribute("aria-expanded") ? el.getAttribute("aria-expanded") === "true" : "open" in el ? el.open : undefined;

    /** @param {any} el @param {Spot} spot */
    function open(el, { open: wanted, modal }) {
      if (wanted === undefined || stateOf(el) === wanted) return;
      if (el.hasAttribute("aria-expanded")) {
        el.setAttribute("aria-expanded", String(wanted));
        const theirs = doc.getElementById(el.getAttribute("aria-controls") ?? "");
        if (theirs) theirs.hidden = !wanted;
      } else if (el.localName === "dialog") {
        if (!wanted) el.close();
        else if (modal) el.showModal();
        else el.show();
      } else el.open = wanted;
    }

    /** Scrolls there as soon as it can be, unless the person scrolls first. @param {any} el */
    function scroll(el) {
      const spot = due.get(el);
      const box = scroller(el);
      if (!spot) return;
      box.scrollTo({ top: spot.top, left: spot.left, behavior: "instant" });
      if (Math.abs(box.scrollTop - (spot.top ?? 0)) <= 1) due.delete(el);
    }

    function restore() {
      for (const el of all()) {
        const spot = spotOf(el);
        if (!spot) continue;
        if (!asked || asked !== nameOf(el)?.join()) open(el, spot);
        else if (!bridge.settling()) note(el, { open: stateOf(el) });
        const box = scroller(el);
        // At the top though it was not, and by nobody's doing: its content has changed.
        if ((spot.top || spot.left) && !box.scrollTop && !box.scrollLeft) due.set(el, spot);
        scroll(el);
      }
      if (!bridge.settling()) asked = "";
    }

    /** @param {Event} event */
    function scrolled({ target }) {
      const el = /** @type {any} */ (target === doc ? all().find(isPage) : target);
      if (!el?.hasAttribute?.("rt-place") || due.has(el)) return;
      const box = scroller(el);
      note(el, { top: Math.round(box.scrollTop), left: Math.round(box.scrollLeft) });
    }

    /** Whoever scrolls decides from then on. @param {Event} event */
    function touched({ target }) {
      for (let el = /** @type {any} */ (target); el; el = el.parentElement) {
        if (!due.delete(el)) continue;
        const box = scroller(el);
        note(el, { top: Math.round(box.scrollTop), left: Math.round(box.scrollLeft) });
      }
    }

    const observer = new win.MutationObserver((changes) => {
      for (const { target } of bridge.settling() ? [] : changes) {
        const el = /** @type {any} */ (target);
        if (el.hasAttribute("rt-place")) note(el, { open: stateOf(el), modal: el.matches("dialog:modal") });
      }
    });
    const observe = () => observer.observe(doc, { subtree: true, attributeFilter: ["open", "aria-expanded"] });

    function swapped() {
      // What a swap has closed or opened was no person.
      observer.takeRecords();
      path = win.location.pathname;
      restore();
      observer.takeRecords();
    }

    const [entry] = /** @type {PerformanceNavigationTiming[]} */ (win.performance.getEntriesByType("navigation"));
    // Whoever comes by a link begins at the top of the page, or at what the link names.
    const page = all().find(isPage);
    if (page && (entry?.type === "navigate" || win.location.hash)) note(page, { top: 0, left: 0 });
    restore();
    observe();
    doc.addEventListener("scroll", scrolled, { capture: true, passive: true });
    const types = ["wheel", "touchmove", "pointerdown", "keydown"];
    for (const type of types) doc.addEventListener(type, touched, { capture: true, passive: true });
    const offs = [
      events.on("swap", swapped),
      events.on("settled", swapped), // until then htmx has attributes of what was there before on what it has brought
      events.on("request:start", ({ request }) => (asked = nameOf(request.elt.closest("dialog[rt-place]") ?? doc.createElement("i"))?.join() ?? "")),
      env.on("pagehide", keep),
      env.on("visibilitychange", keep), // phones end hidden pages without a word
    ];
    return () => {
      keep();
      observer.disconnect();
      doc.removeEventListener("scroll", scrolled, { capture: true });
      for (const type of types) doc.removeEventListener(type, touched, { capture: true });
      for (const off of offs) off();
    };
  },
};
