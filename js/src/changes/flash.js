// `rt-flash` on an element or around some: what somebody else has changed wears `rt-highlight` for a moment, once a
// change. Not what this page has said itself, nor what was fetched or caught up with, nor what is as it was.

import { INSERTS } from "../protocol.js";

const STAYS = 900; // ms
const STILL = 3_000; // ms, where nothing may move: a border that is there and then is not
const MOST = 256; // own messages that are remembered
const CLASS = "rt-highlight";

/** @type {import("../index.js").Feature} */
export const flash = {
  name: "flash",
  mount({ doc, win, env, events, tab }) {
    /** @type {Set<string>} messages that say nothing new: topic and offset */
    const known = new Set();
    /** @type {Map<Element, string>} what an operation is about to change */
    let before = new Map();
    /** @type {Map<string | Element, () => void>} by id, if there is one: what shines, and how to end it early */
    const shining = new Map();

    const nameOf = (/** @type {Element} */ el) => el.id || el;
    const here = (/** @type {string | Element} */ name) => (typeof name === "string" ? doc.getElementById(name) : name);
    // As it would be without ours.
    const seen = (/** @type {Element} */ el) => {
      const copy = /** @type {Element} */ (el.cloneNode(true));
      copy.classList.remove(CLASS);
      if (!copy.classList.length) copy.removeAttribute("class");
      return copy.outerHTML;
    };

    /** @param {Element} el */
    function shine(el) {
      const name = nameOf(el);
      shining.get(name)?.();
      if (el.classList.contains(CLASS)) for (const one of /** @type {any[]} */ (el.getAnimations())) if (one.animationName === "rt-flash") one.currentTime = 0;
      el.classList.add(CLASS);
      const still = win.matchMedia("(prefers-reduced-motion: reduce)").matches;
      shining.set(name, env.after(() => {
        shining.delete(name);
        const now = here(name);
        now?.classList.remove(CLASS);
        if (now && !now.classList.length) now.removeAttribute("class");
      }, still ? STILL : STAYS));
    }

    /** @param {any} event */
    function about({ target, detail: { verb, html } }) {
      if (verb === "remove" || !target.closest("[rt-flash]")) return;
      const el = INSERTS.includes(verb) ? doc.getElementById(/\bid="([^"]*)"/.exec(html)?.[1] ?? "") : target;
      if (el) before.set(el, seen(el));
    }

    /** @param {{op: import("../ring.js").Op, elements: Element[]}} change */
    function changed({ op, elements }) {
      const was = before;
      before = new Map();
      if (op.verb === "remove" || known.has(`${op.t} ${op.o}`)) return;
      for (const el of elements) {
        if (!el.isConnected || !el.closest("[rt-flash]")) continue;
        if (op.created ? el.getAttribute("rt-enter") === CLASS : [...was.values()].includes(seen(el))) continue;
        shine(el);
      }
    }

    /** Another change, or a swap, has taken it off too early. */
    function again() {
      for (const name of shining.keys()) here(name)?.classList.add(CLASS);
    }

    doc.addEventListener("rt:before-apply", about);
    const offs = [
      events.on("stream:message", ({ data, replayed }) => {
        if (!data?.ops || !(replayed || data.by === tab.id)) return;
        known.add(`${data.t} ${data.o}`);
        if (known.size > MOST) known.delete(/** @type {string} */ (known.values().next().value));
      }),
      events.on("op", changed),
      events.on("swap", again),
      events.on("settled", again),
    ];
    return () => {
      doc.removeEventListener("rt:before-apply", about);
      for (const off of offs) off();
      for (const end of shining.values()) end();
    };
  },
};
