// Fetching again what cannot be caught up with. Regions with an address of their own (`rt-src`) fetch it; all
// others are picked by id out of one GET of the page; what is found in neither makes the bar offer Reload.
import { createBackoff } from "./backoff.js";
import { carriersOf } from "./dom.js";
import { AT, RESYNC, TAB } from "./protocol.js";

const TRIES = 4; // answers that were errors before the person is asked to reload

/** @typedef {{target: Element, source: Element | DocumentFragment, inner: boolean}} Pair */

/** @type {import("./index.js").Feature} */
export const resync = { name: "resync", mount };

/** @param {import("./index.js").Runtime} rt */
function mount({ env, win, doc, events, bridge, apply, tab }) {
  const backoff = createBackoff({ random: env.random });
  /** @type {Set<string>} */
  let topics = new Set();
  /** @type {Set<Element>} */
  let elements = new Set();
  let why = "";
  let due = 0;
  let failures = 0;
  let busy = false;
  let broken = false;
  let cancel = () => {};

  /** @param {{topics?: string[], elements?: Element[], why: string, wait?: number, spread?: number}} wish */
  function want(wish) {
    for (const topic of wish.topics || []) topics.add(topic);
    for (const element of wish.elements || []) elements.add(element);
    why = wish.why;
    const at = env.now() + (wish.wait || 0) + (wish.spread || 0) * env.random();
    if (due && due <= at) return; // joins what is planned
    plan(at);
  }

  /** @param {number} at */
  function plan(at) {
    cancel();
    due = at;
    cancel = env.after(run, Math.max(0, at - env.now()));
  }

  async function run() {
    due = 0;
    if (busy) return; // looks again when it is done
    busy = true;
    const asked = { topics, elements };
    topics = new Set();
    elements = new Set();
    // A line that broke says nothing about the page: that is tried until it is back. An answer is counted.
    const done = await fetchAll(stale(asked)).catch(() => null);
    busy = false;
    broken = done === null;
    if (done) {
      failures = 0;
      backoff.reset();
    } else if (broken || (failures += 1) < TRIES) {
      for (const topic of asked.topics) topics.add(topic);
      for (const element of asked.elements) elements.add(element);
      plan(env.now() + backoff.next());
      return;
    } else events.emit("stale");
    if (!due && (topics.size || elements.size)) plan(env.now());
  }

  /** The outermost regions concerned: a region inside another one comes with it. @param {{topics: Set<string>, elements: Set<Element>}} asked */
  function stale(asked) {
    const all = new Set([...asked.elements].filter((element) => element.isConnected));
    for (const topic of asked.topics) for (const element of carriersOf(doc, topic)) all.add(element);
    const outer = [...all].filter((element) => {
      for (let up = element.parentElement; up; up = up.parentElement) if (all.has(up)) return false;
      return true;
    });
    // A page may do it itself.
    return outer.filter((target) =>
      target.dispatchEvent(
        new CustomEvent(RESYNC, { bubbles: true, cancelable: true, detail: { topics: [...asked.topics], why } }),
      ),
    );
  }

  /** @param {Element[]} regions */
  async function fetchAll(regions) {
    const own = regions.filter((region) => region.hasAttribute("rt-src"));
    const page = regions.filter((region) => !own.includes(region));
    const results = await Promise.all([
      ...own.map((region) => get(String(region.getAttribute("rt-src")), [region], true)),
      page.length ? get(win.location.href.split("#")[0], page, false) : true,
    ]);
    return results.every(Boolean);
  }

  /** @param {string} address @param {Element[]} regions @param {boolean} fragment @returns {Promise<boolean>} */
  async function get(address, regions, fragment) {
    const url = new URL(address, win.location.href);
    if (url.origin !== win.location.origin) return true; // never ours to fetch
    const response = await env.fetch(url.href, {
      headers: { Accept: "text/html", [TAB]: tab.id, ...(fragment && { "HX-Request": "true" }) },
      cache: "no-store",
    });
    if (response.status >= 500 || response.status === 429) return false;
    const html = await response.text();
    const moved = response.redirected && new URL(response.url).pathname !== url.pathname;
    if (!response.ok || moved) {
      events.emit("stale"); // gone, signed out, or a page that only a POST can make
      return true;
    }
    const fresh = fragment ? bridge.parse(html) : bridge.parseDocument(html);
    /** @type {Pair[]} */
    const pairs = [];
    for (const target of regions) {
      if (!target.isConnected) continue;
      const source = counterpart(fresh, target);
      if (source) pairs.push({ target, source, inner: false });
      else if (fragment) pairs.push({ target, source: /** @type {DocumentFragment} */ (fresh), inner: true });
      else events.emit("stale");
    }
    for (const { target, source } of pairs) if (target.matches("meta")) copyGrant(target, /** @type {Element} */ (source));
    const visible = pairs.filter(({ target }) => !target.matches("meta"));
    if (visible.length) apply.resync(visible, { at: response.headers.get(AT) });
    else events.emit("swap", { elements: [] }); // only the personal topic's grant is new
    return true;
  }

  const offs = [
    events.on("resync", want),
    events.on("stream:replayed", () => void (broken && due && plan(env.now()))), // the server is back
  ];
  return () => {
    cancel();
    for (const off of offs) off();
  };
}

/** @param {Document | DocumentFragment} fresh @param {Element} target */
function counterpart(fresh, target) {
  if (target.id) return fresh.getElementById(target.id);
  // The personal topic lives on the kit's own meta element, which has no id.
  return target.matches("meta") ? fresh.querySelector(`meta[name="${target.getAttribute("name")}"]`) : null;
}

/** @param {Element} target @param {Element} source */
function copyGrant(target, source) {
  if (source.getAttribute("rt-stream") !== target.getAttribute("rt-stream")) return; // of somebody else now
  for (const name of ["rt-grant", "rt-at"]) target.setAttribute(name, source.getAttribute(name) || "");
}
