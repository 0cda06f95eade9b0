// What a person sees while a request of theirs is on its way: classes and words at once, a spinner only when it takes
// long enough to be seen, a second press ignored, and an end in any case.
import { resolve } from "../dom.js";
import { relabel } from "./label.js";

export const SPINNER_AFTER = 200; // ms in flight before a spinner comes
export const SPINNER_FOR = 300; // ms it then stays at least
export const TIMEOUT = 30_000; // ms until a request is given up
const LEAVING = 10_000; // ms in which the page that an answer names should have come

const KINDS = ["click", "submit", "change"];
const CLICKS = /^(click|dblclick|auxclick|contextmenu|mousedown|mouseup|pointerdown|pointerup|touch|drop)/;
const CHANGES = /^(change|input|key|search|blur|focus|paste)/;
const LOADING = "rt-loading";
const SPINNING = "rt-spinning";
const NAMES = [LOADING, SPINNING, ...KINDS.map((kind) => `rt-${kind}-loading`)];

/** @typedef {import("../bridge/index.js").Request} Request */

/**
 * @typedef {object} Busy  an element that takes part in requests
 * @property {Element} el
 * @property {Map<Request, string>} requests  with their kinds
 * @property {string | null} busy  its own `aria-busy`
 * @property {boolean} bare  it had no `class`
 * @property {number} spinning  since when, 0 when not
 * @property {() => void} cancel  of the spinner's timer
 *
 * @typedef {object} Held  a control that does nothing until the answer is here
 * @property {Element} el
 * @property {Set<Request>} requests
 * @property {string | null} disabled  its own `aria-disabled`
 * @property {ReturnType<typeof relabel> | null} label
 */

/** What a person did to cause it; empty when nobody did. @param {{trigger?: string, safe: boolean}} request */
export function kindOf({ trigger = "", safe }) {
  if (trigger === "submit") return "submit";
  if (CHANGES.test(trigger)) return "change";
  // An event of the page's own is somebody's doing where it changes something, and a refresh where it does not.
  return CLICKS.test(trigger) || (!safe && trigger) ? "click" : "";
}

/** @type {import("../index.js").Feature} */
export const pending = {
  name: "pending",
  mount({ doc, win, env, events }) {
    const htmx = /** @type {any} */ (win).htmx;
    /** @type {Map<Element, Busy>} */
    const busy = new Map();
    /** @type {Map<Element, Held>} */
    const held = new Map();
    /** @type {Map<Request, () => void>} what stops the clock of each */
    const clocks = new Map();
    /** @type {Set<Request>} */
    const leaving = new Set();

    /** @param {Element} el @param {Request} request @param {string} kind */
    function join(el, request, kind) {
      let one = busy.get(el);
      if (!one) {
        one = { el, requests: new Map(), busy: el.getAttribute("aria-busy"), bare: !el.hasAttribute("class"), spinning: 0, cancel: () => {} };
        busy.set(el, one);
        const mine = one;
        one.cancel = env.after(() => {
          mine.spinning = env.now();
          paint(mine);
        }, SPINNER_AFTER);
      }
      one.requests.set(request, kind);
      paint(one);
    }

    /** @param {Busy} one */
    function paint({ el, requests, spinning }) {
      const now = [...requests.values()].pop();
      const wanted = [now && LOADING, spinning && SPINNING, now && `rt-${now}-loading`];
      for (const name of NAMES) if (el.classList.contains(name) !== wanted.includes(name)) el.classList.toggle(name);
      if (now) el.setAttribute("aria-busy", "true");
    }

    /** @param {Busy} one @param {Request} request */
    function part(one, request) {
      if (!one.requests.delete(request)) return;
      if (!one.requests.size) {
        write(one.el, "aria-busy", one.busy);
        one.cancel();
        const rest = one.spinning ? one.spinning + SPINNER_FOR - env.now() : 0;
        if (rest <= 0) {
          one.spinning = 0;
          busy.delete(one.el);
        } else {
          one.cancel = env.after(() => {
            if (one.requests.size) return; // busy again
            one.spinning = 0;
            busy.delete(one.el);
            clean(one);
          }, rest);
        }
      }
      clean(one);
    }

    /** @param {Busy} one */
    function clean(one) {
      paint(one);
      if (one.bare && !one.el.getAttribute("class")) one.el.removeAttribute("class");
    }

    /** @param {Element} el @param {Request} request @param {string | null} words */
    function hold(el, request, words) {
      let one = held.get(el);
      if (!one) {
        one = { el, requests: new Set(), disabled: el.getAttribute("aria-disabled"), label: words === null ? null : relabel(el, words) };
        held.set(el, one);
      }
      one.requests.add(request);
      if (!el.matches("form")) el.setAttribute("aria-disabled", "true");
    }

    /** @param {Held} one @param {Request} request */
    function release(one, request) {
      if (!one.requests.delete(request) || one.requests.size) return;
      held.delete(one.el);
      if (!one.el.matches("form")) write(one.el, "aria-disabled", one.disabled);
      one.label?.back();
    }

    /** @param {{request: Request}} detail */
    function start({ request }) {
      const { elt } = request;
      const kind = kindOf(request);
      if (!kind || elt === doc.body) return;
      const pressed = submitterOf(request);
      join(elt, request, kind);
      for (const el of doc.querySelectorAll("[rt-loading-for]")) {
        const selector = el.getAttribute("rt-loading-for") || ":not(*)";
        if (elt.matches(selector) || pressed?.matches(selector)) join(el, request, kind);
      }
      const form = elt.matches("form");
      const controls = [...(form ? /** @type {HTMLFormElement} */ (elt).elements : [elt])].filter((el) => el.hasAttribute("rt-disable-with"));
      // Words on the form are those of whichever button was pressed.
      const words = form ? elt.getAttribute("rt-disable-with") : null;
      if (words !== null && pressed && !controls.includes(pressed)) hold(pressed, request, words);
      for (const el of controls) {
        // Of several buttons only the pressed one says what is being done.
        const speaks = el === elt || !pressed?.hasAttribute("rt-disable-with") || el === pressed;
        hold(el, request, speaks ? el.getAttribute("rt-disable-with") : null);
      }
      const first = elt.closest("[rt-confirm-first]") || pressed?.closest("[rt-confirm-first]");
      if (first || controls.length || words !== null) hold(elt, request, null);
      if (first && pressed) hold(pressed, request, null);
      watch(request);
    }

    /** No pending state without an end. @param {Request} request */
    function watch(request) {
      const own = request.elt.closest("[rt-timeout]")?.getAttribute("rt-timeout");
      const uploads = [...(request.values?.values() ?? [])].some((value) => typeof value !== "string" && value.size);
      const limit = own != null ? htmx.parseInterval(own) : uploads ? 0 : TIMEOUT;
      if (limit) clocks.set(request, env.after(() => request.abort?.("timeout"), limit));
    }

    /** @param {Request} request */
    function end(request) {
      leaving.delete(request);
      clocks.get(request)?.();
      clocks.delete(request);
      for (const one of [...busy.values()]) part(one, request);
      for (const one of [...held.values()]) release(one, request);
    }

    /** Others have written into what is still waiting, or have put another element in its place. */
    function again() {
      for (const one of [...busy.values(), ...held.values()]) {
        if (one.el.isConnected) continue;
        const [request] = one.requests.keys();
        const now = resolve(one.el);
        if (!now || !request || request.status) continue; // its own answer replaced it
        if ("spinning" in one) {
          busy.delete(one.el);
          busy.set(now, one);
          Object.assign(one, { el: now, busy: now.getAttribute("aria-busy"), bare: !now.hasAttribute("class") });
        } else {
          held.delete(one.el);
          held.set(now, one);
          const words = one.label && now.getAttribute("rt-disable-with");
          Object.assign(one, { el: now, disabled: now.getAttribute("aria-disabled"), label: words == null ? null : relabel(now, words) });
        }
      }
      for (const one of busy.values()) if (waits(one)) paint(one);
      for (const one of held.values()) {
        if (!waits(one)) continue;
        if (!one.el.matches("form")) one.el.setAttribute("aria-disabled", "true");
        one.label?.again();
      }
    }

    /** @param {{requests: {keys(): IterableIterator<Request>}}} one */
    const waits = (one) => [...one.requests.keys()].some(({ status }) => !status);

    /** @param {Event} event */
    function filter(event) {
      const { target } = event;
      const { submitter } = /** @type {SubmitEvent} */ (event);
      for (let el = target instanceof win.Element ? target : null; el; el = el.parentElement) {
        if (held.has(el) && el.matches("form") === (event.type === "submit")) return stop(event);
      }
      if (submitter && held.has(submitter)) stop(event);
    }

    const types = ["click", "submit"];
    for (const type of types) win.addEventListener(type, filter, true);
    const offs = [
      events.on("request:start", start),
      events.on("request:end", ({ request, header }) => {
        // Another page is on its way: until it is here, nothing is to be pressed again.
        if (!header?.("HX-Redirect") && header?.("HX-Refresh") !== "true") return end(request);
        leaving.add(request);
        env.after(() => end(request), LEAVING);
      }),
      events.on("swap", again),
      events.on("settled", again),
      env.on("pageshow", () => [...leaving].forEach(end)),
    ];
    return () => {
      for (const type of types) win.removeEventListener(type, filter, true);
      for (const off of offs) off();
      const requests = [...busy.values()].flatMap((one) => [...one.requests.keys()]);
      for (const request of [...requests, ...clocks.keys()]) end(request);
      for (const one of busy.values()) one.cancel();
    };
  },
};

/** @param {Event} event */
function stop(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}

/** The button that was pressed. @param {Request} request @returns {Element | null} */
function submitterOf({ raw }) {
  const event = raw?.sourceEvent ?? raw?.requestConfig?.triggeringEvent;
  return event?.submitter ?? null;
}

/** @param {Element} element @param {string} name @param {string | null} value */
function write(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else element.setAttribute(name, value);
}
