// `rt-load`, `rt-every`: regions that fetch themselves, show a skeleton when that takes long, say what went wrong, keep
// what was there, and ask again. What comes goes on screen in step with what is pushed.

import { RESYNC } from "../protocol.js";
import { createAsk } from "./ask.js";
import { createSaying } from "./words.js";

export const SKELETON_AFTER = 200; // ms
export const SKELETON_FOR = 300; // ms
const TIMEOUT = 30_000; // ms, where a region says nothing else
const SLOWEST = 600_000; // ms between polls that fail
const NEAR = "200px";
const HTTP1 = 5; // at once, where a browser has six connections
const LEAVING = 3_000; // ms in which a page that is asked for should be here
const KEPT = 256 * 1024; // characters that are kept to put back
const ANEW = 2; // times an answer that is older than what stands there is asked for again
const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const REGIONS = "[rt-src]:is([rt-load],[rt-every])";
const LINES = ":scope > :is(.rt-region-failed,.rt-region-aged)";
const WHOLE = /^\s*(<!--((?!-->)[^])*-->\s*)*<(!doctype html|html)[\s>]/i; // each comment in one way: they may be many
const HOPE = ["network", "signed-out"]; // that the line, or the person, comes back

/** @typedef {import("./ask.js").Answer} Answer */
/** @typedef {{target: Element, source: Element | DocumentFragment, inner: boolean}} Pair */
/**
 * @typedef {object} Region
 * @property {Element} el
 * @property {string} src
 * @property {boolean} loaded  something of the server stands there
 * @property {boolean} kept  it is of an earlier visit
 * @property {boolean} seen  it may load
 * @property {number} updated  when it was fresh, Unix ms
 * @property {string | null} etag
 * @property {boolean} changed  by others since it was asked for
 * @property {number} anew
 * @property {boolean} again  asked for meanwhile
 * @property {boolean} due  while nobody looked
 * @property {number} failures  in a row
 * @property {string} failed  why
 * @property {string} told
 * @property {number} shown  since when the skeleton is to be seen
 * @property {AbortController | null} asking
 * @property {() => void} slow
 * @property {() => void} clock
 * @property {() => void} hold
 * @property {() => void} poll
 * @property {() => void} tick
 * @property {HTMLElement | null} box
 * @property {{text: string, at?: string | null, who?: string | null} | null} last  what it was given
 */

/** @param {string | null} text @returns {number} ms */
export function parseTime(text) {
  const [, n = "0", unit = "ms"] = /^([\d.]+)(ms|s|m|h)?$/.exec(text ?? "") ?? [];
  return Number(n) * UNITS[/** @type {keyof typeof UNITS} */ (unit)];
}

const none = () => {};
const skeletonOf = (/** @type {Element} */ el) => el.querySelector(":scope > .rt-skeletons");

/** @type {import("../index.js").Feature} */
const region = {
  name: "region",
  mount(rt) {
    const { win, doc, env, events, bridge, apply } = rt;
    const ask = createAsk(rt);
    /** @type {Promise<ReturnType<typeof import("./kept.js").createCopies>> | null} only pages that keep something pay for it */
    let copies = null;
    const keeping = () => (copies ??= rt.load("htmx-rt-kept.mjs").then(({ createCopies }) => createCopies(rt)));
    const prune = (/** @type {boolean} */ all) => void copies?.then((copies) => copies.prune(all));
    const saying = createSaying(rt, begin);
    /** @type {Map<Element, Region>} */
    const all = new Map();
    /** @type {Set<Region>} */
    const waiting = new Set(); // for others to be done, or for the page to be back
    const most = "shared" in rt.lines ? HTTP1 : Infinity; // which is there over HTTP/1 only
    let running = 0;
    let away = false;
    let mine = false; // what changes now is our doing
    let stay = none;

    // What others do to a region

    /** @param {Node} node */
    function touched(node) {
      const one = all.get(/** @type {Element} */ ((node.nodeType === 1 ? /** @type {Element} */ (node) : node.parentElement)?.closest(REGIONS)));
      if (!one || one.box?.contains(node)) return;
      one.etag = null;
      one.changed = true;
    }
    const note = (/** @type {MutationRecord[]} */ records) => records.forEach(({ target }) => touched(target));
    const observer = new win.MutationObserver(note);

    /** @param {() => void} run */
    function quietly(run) {
      note(observer.takeRecords());
      const before = mine;
      mine = true;
      run();
      mine = before;
      observer.takeRecords();
    }

    const sights = new win.IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const one = all.get(target);
        if (!isIntersecting || !one) continue;
        sights.unobserve(target);
        one.seen = true;
        begin(one);
      }
    }, { rootMargin: NEAR });

    function look() {
      for (const one of all.values()) {
        if (!one.el.isConnected || !one.el.matches(REGIONS) || one.el.getAttribute("rt-src") !== one.src) drop(one);
      }
      for (const el of doc.querySelectorAll(REGIONS)) {
        const one = all.get(el);
        if (one) again(one);
        else start(el);
      }
    }

    /** It was written anew, maybe as it was at first. @param {Region} one */
    function again(one) {
      const { el, last, loaded } = one;
      const bare = skeletonOf(el);
      if (bare && loaded) {
        one.loaded = !!last;
        if (last) quietly(() => put(one, pairOf(one, last.text), last.at));
        begin(one);
      } else if (!bare && !loaded) fresh(one); // pushed
      else if (one.failed && one.box && !one.box.isConnected) begin(one);
      paint(one);
    }

    // Its life

    /** @param {Element} el */
    function start(el) {
      /** @type {Region} */
      const one = {
        el, src: el.getAttribute("rt-src") ?? "", loaded: !skeletonOf(el), kept: false, seen: el.getAttribute("rt-load") !== "visible", updated: env.now(), etag: null,
        changed: false, anew: 0, again: false, due: false, failures: 0, failed: "", told: "", shown: 0, asking: null,
        slow: none, clock: none, hold: none, poll: none, tick: none, box: null, last: null,
      };
      all.set(el, one);
      el.querySelector(LINES)?.remove(); // of a page that htmx had kept
      observer.observe(el, { childList: true, characterData: true, subtree: true });
      if (!one.loaded && lifeOf(one)) recall(one);
      if (one.loaded) schedule(one);
      else if (one.seen) begin(one);
      else sights.observe(el);
    }

    /** @param {Region} one */
    function drop(one) {
      all.delete(one.el);
      stop(one);
      waiting.delete(one);
      one.poll();
      saying.clear(one);
      next();
    }

    /** @param {Region} one */
    function stop(one) {
      one.slow();
      one.clock();
      one.hold();
      one.shown = 0;
      if (!one.asking) return;
      one.asking.abort("abort");
      one.asking = null;
      running -= 1;
    }

    const keyOf = (/** @type {Region} */ { el, src }) => `${src}|${el.id}`;
    const lifeOf = (/** @type {Region} */ { el }) => parseTime(el.getAttribute("rt-stale"));

    /** What was there the last time. @param {Region} one */
    async function recall(one) {
      const copy = (await keeping()).read(keyOf(one), lifeOf(one));
      if (!copy || one.loaded || one.failed === "signed-out" || all.get(one.el) !== one) return;
      Object.assign(one, { loaded: true, kept: true, updated: copy.at });
      one.slow();
      quietly(() => {
        saying.clear(one);
        one.el.replaceChildren();
        put(one, { target: one.el, source: bridge.parse(copy.html), inner: true });
        if (one.failed) saying.failed(one);
      });
      paint(one);
    }

    /** @param {Region} one */
    function keep(one) {
      const { last } = one;
      if (last && lifeOf(one)) keeping().then((copies) => copies.write(keyOf(one), lifeOf(one), /** @type {Pair} */ (pairOf(one, last.text)).source, last.who));
    }

    /** @param {Region} one */
    function begin(one) {
      if (one.asking) return void (one.again = true);
      if (!one.seen) return; // it will
      if (away || running >= most) return void waiting.add(one);
      waiting.delete(one);
      one.poll();
      one.due = one.changed = one.again = false;
      running += 1;
      const asking = (one.asking = new AbortController());
      one.slow = one.loaded ? none : env.after(() => {
        one.shown = env.now();
        paint(one);
      }, SKELETON_AFTER);
      const own = one.el.getAttribute("rt-timeout");
      const limit = own === null ? TIMEOUT : parseTime(own);
      one.clock = limit ? env.after(() => asking.abort("timeout"), limit) : none;
      paint(one);
      run(one, asking);
    }

    /** @param {Region} one @param {AbortController} asking */
    async function run(one, asking) {
      const answer = await ask(one.src, one.etag, asking.signal);
      if (one.asking !== asking) return;
      one.slow();
      one.clock();
      if (!one.el.isConnected) return drop(one);
      const rest = one.shown && skeletonOf(one.el) ? one.shown + SKELETON_FOR - env.now() : 0;
      if (rest > 0) await new Promise((done) => (one.hold = env.after(() => done(0), rest)));
      if (one.asking !== asking) return;
      stop(one);
      settle(one, answer);
      next();
    }

    /** @param {Region} one @param {Answer} answer */
    function settle(one, answer) {
      const { text = "" } = answer;
      let { kind } = answer;
      if (kind === "ok") {
        note(observer.takeRecords());
        // Of what is pushed the page knows the order; not of what else was put in meanwhile.
        if (one.changed && one.loaded && one.anew < ANEW && !one.el.closest("[rt-stream]") && !one.el.querySelector("[rt-stream]")) {
          one.anew += 1;
          return begin(one);
        }
        const found = pairOf(one, text);
        if (typeof found === "string") kind = found;
        else {
          one.last = text.length <= KEPT ? { text, at: answer.at, who: answer.who } : null;
          quietly(() => {
            const focused = saying.clear(one);
            if (!one.loaded) one.el.replaceChildren();
            put(one, found, answer.at);
            if (focused) refocus(one.el);
          });
          one.etag = answer.etag ?? null;
        }
      }
      if (all.get(one.el) !== one) return; // by what it has brought it is another one
      one.anew = 0;
      if (kind === "ok" || kind === "same") keep(one), fresh(one);
      else fail(one, { ...answer, kind });
      schedule(one, answer.wait);
      if (one.again) begin(one);
    }

    /** @param {Region} one */
    function fresh(one) {
      Object.assign(one, { loaded: true, kept: false, failures: 0, failed: "", updated: env.now() });
      if (one.box) quietly(() => saying.clear(one) && refocus(one.el));
      paint(one);
    }

    /** @param {Region} one @param {Answer} answer */
    function fail(one, { kind, status = 0, problem = null }) {
      one.failures += 1;
      one.failed = kind;
      if (kind === "signed-out") {
        prune(true);
        if (one.kept) quietly(() => one.el.replaceChildren()), (one.loaded = one.kept = false);
      }
      const detail = { kind, status, problem, text: saying.word(one.el, kind) };
      if (one.el.dispatchEvent(new CustomEvent("rt:error", { bubbles: true, cancelable: true, detail }))) saying.failed(one);
      paint(one);
    }

    /** The next poll. @param {Region} one @param {number} [wait] ms that the server wants to be left alone */
    function schedule(one, wait = 0) {
      one.poll();
      const every = parseTime(one.el.getAttribute("rt-every"));
      if (!every) return;
      const slow = Math.min(every * 2 ** Math.min(one.failures, 20), Math.max(every, SLOWEST));
      one.poll = env.after(() => (env.hidden() ? (one.due = true) : begin(one)), Math.max(slow * (0.9 + 0.2 * env.random()), wait));
    }

    function next() {
      if (!away) for (const one of [...waiting]) if (running < most) begin(one);
    }

    // What is seen

    /** @param {Region} one */
    function paint(one) {
      const { el } = one;
      const updating = !!one.asking && one.loaded && (one.kept || !!one.failed);
      toggle(el, "rt-region-slow", !!one.shown && !one.loaded);
      toggle(el, "rt-region-updating", updating);
      if (updating) el.setAttribute("data-updating", saying.word(el, "updating"));
      const busy = String(updating || (!one.loaded && (!!one.asking || !one.failed)));
      if (el.getAttribute("aria-busy") !== busy && (updating || el.hasAttribute("aria-busy"))) el.setAttribute("aria-busy", busy);
      saying.busy(one, !!one.asking);
    }

    /** @param {Region} one @param {any} pair @param {string | null} [at] */
    function put(one, pair, at) {
      for (const el of pair.source.querySelectorAll("[id][rt-version]")) {
        const now = doc.getElementById(el.id);
        if (now && one.el.contains(now) && versionOf(now) > versionOf(el)) el.replaceWith(now.cloneNode(true));
      }
      apply.resync([pair], { at });
    }

    /** What of an answer belongs here; or why nothing does. @param {Region} one @param {string} text @returns {Pair | string} */
    function pairOf({ el }, text) {
      const whole = WHOLE.test(text);
      const found = whole ? bridge.parseDocument(text) : bridge.parse(text);
      const same = el.id ? found.getElementById(el.id) : null;
      if (same && skeletonOf(same)) return "page"; // it would ask itself for ever
      if (same?.hasAttribute("rt-src")) return { target: el, source: same, inner: false };
      if (same || !whole) return { target: el, source: same ?? /** @type {DocumentFragment} */ (found), inner: true };
      return found.querySelector("[type=password]") ? "signed-out" : "page";
    }

    /** What had the focus is gone. @param {Element} el */
    function refocus(el) {
      if (!(el instanceof win.HTMLElement) || (doc.activeElement && doc.activeElement !== doc.body)) return;
      if (!el.hasAttribute("tabindex")) {
        el.tabIndex = -1;
        el.addEventListener("blur", () => el.removeAttribute("tabindex"), { once: true });
      }
      el.focus({ preventScroll: true });
    }

    // What concerns all of them

    /** @param {Event} event */
    function resync(event) {
      const one = all.get(/** @type {Element} */ (event.target));
      if (!one || event.defaultPrevented) return;
      event.preventDefault();
      begin(one);
    }

    function pause() {
      away = true;
      for (const one of all.values()) {
        if (!one.asking) continue;
        stop(one);
        paint(one);
        waiting.add(one);
      }
    }

    function resume() {
      stay();
      away = false;
      prune(false);
      next();
    }

    function back() {
      for (const one of all.values()) if (HOPE.includes(one.failed)) begin(one);
    }

    /** Where a browser has few connections, those that only wait must not hold up the page that is asked for. @param {any} event */
    function navigate({ destination, downloadRequest }) {
      if (downloadRequest !== null || destination.sameDocument || running < HTTP1 - 1) return;
      pause();
      stay = env.after(resume, LEAVING);
    }

    const offs = [
      events.on("swap", ({ elements }) => {
        if (!mine) elements.forEach(touched);
        look();
      }),
      events.on("settled", look),
      events.on("stream:replayed", back),
      events.on("stream:state", ({ why }) => (why === "signed-out" || why === "user-changed") && prune(true)),
      env.on("online", back),
      env.on("pagehide", pause),
      env.on("pageshow", resume),
      env.on("visibilitychange", () => {
        if (!env.hidden()) for (const one of all.values()) if (one.due) begin(one);
      }),
    ];
    const { navigation } = /** @type {any} */ (win);
    if (most < Infinity) navigation?.addEventListener("navigate", navigate);
    doc.addEventListener(RESYNC, resync);
    if (Object.keys(env.local() ?? {}).some((key) => key.startsWith("rt-region:"))) keeping().then((copies) => copies.prune(false));
    look();
    return () => {
      for (const off of offs) off();
      navigation?.removeEventListener("navigate", navigate);
      doc.removeEventListener(RESYNC, resync);
      stay();
      for (const one of all.values()) drop(one);
      observer.disconnect();
      sights.disconnect();
    };
  },
};

/** @param {Element} el @param {string} name @param {boolean} on */
const toggle = (el, name, on) => void (el.classList.contains(name) !== on && el.classList.toggle(name));

/** @param {Element} el */
const versionOf = (el) => Number(el.getAttribute("rt-version"));

export const features = [region];
