// htmx 2: events on the document, and the request itself, because events of removed elements never get there.
// A file of its own, loaded where htmx 2 is on the page; the stream opens after it is there.

import { parseCursor } from "../cursor.js";
import { AT } from "../protocol.js";

/** @param {any} htmx @param {import("./index.js").Core} core */
export function adapt(htmx, core) {
  /** @type {any} */
  let api;
  htmx.defineExtension("rt", { init: (/** @type {any} */ internal) => void (api = internal) });

  /** @type {WeakMap<object, any>} by requestConfig */
  const requests = new WeakMap();
  /** @type {WeakSet<Element>} inserted nodes already seen: htmx marks new ones until they settle */
  const seen = new WeakSet();
  /** @type {WeakMap<object, any>} out-of-band parts between their two events */
  const parts = new WeakMap();
  /** @type {Set<any>} answers that are here and not swapped in yet: out-of-band parts do not say whose they are */
  const open = new Set();
  /** @type {any} under a view transition the swap comes after its request has ended */
  let latest;
  const age = (/** @type {any} */ { request }) => parseCursor(request.at ?? request.cursor)?.offset ?? -1;
  const oldest = () => [...open].sort((a, b) => age(a) - age(b))[0]?.request ?? latest;

  /** The answer's headers are here. @param {any} known @param {XMLHttpRequest} xhr */
  const answered = (known, xhr) => {
    known.swap = core.answered(known.request, xhr.status, (/** @type {string} */ name) => xhr.getResponseHeader(name));
  };

  /** What was asked before this file came: it says nothing of its position, so it counts as older than all. @param {any} detail */
  const early = ({ xhr, requestConfig: { elt, verb } }) => {
    const known = { request: { seq: 0, elt, safe: verb === "get" }, main: null, swapped: false };
    answered(known, xhr);
    return known;
  };

  const added = (/** @type {Element} */ parent) => [...parent.children].filter((child) => {
    if (seen.has(child) || !child.classList.contains(htmx.config.addedClass)) return false;
    seen.add(child);
    return true;
  });

  /** @type {string | null} position of a page fetched for the Back button */
  let missed = null;

  const settled = (/** @type {any} */ known) => {
    if (known.settled) return;
    known.settled = true;
    core.settling(-1);
  };

  /** @type {Record<string, (detail: any, event: Event) => void>} */
  const handlers = {
    "htmx:configRequest"(detail) {
      core.configure(detail.headers, detail.verb, detail.path);
    },

    "htmx:beforeRequest"(detail, event) {
      if (event.defaultPrevented) return;
      const { xhr, requestConfig } = detail;
      const request = core.request(requestConfig.elt, requestConfig.verb);
      /** @type {any} */
      const known = { request, main: null, swapped: false };
      requests.set(requestConfig, known);
      xhr.addEventListener("readystatechange", () => {
        if (xhr.readyState !== 4 || !xhr.status) return;
        answered(known, xhr);
        open.add(known);
        latest = request;
        const now = core.resolve(detail.target);
        if (!now) detail.etc = { ...detail.etc, swapOverride: "none" };
        detail.target = now ?? document.body;
      });
      const end = (/** @type {string} */ outcome) => () => core.end(request, outcome);
      xhr.addEventListener("load", () => {
        // The swap is done, or waits in a timer that was set before this one.
        if (known.main?.swapDelay) setTimeout(() => open.delete(known), known.main.swapDelay);
        else open.delete(known);
        core.end(request, xhr.status < 400 ? "ok" : "status");
      });
      xhr.addEventListener("error", end("network"));
      xhr.addEventListener("timeout", end("timeout"));
      xhr.addEventListener("abort", end("abort"));
    },

    "htmx:beforeSwap"(detail) {
      const known = requests.get(detail.requestConfig) ?? early(detail);
      requests.set(detail.requestConfig, known);
      if (known.swap !== undefined) {
        detail.shouldSwap = known.swap;
        if (known.swap) detail.isError = false;
      }
      if (!detail.shouldSwap) return;
      core.hooks().coming();
      const { swapStyle, swapDelay, settleDelay } = api.getSwapSpecification(detail.requestConfig.elt, detail.swapOverride ?? detail.etc?.swapOverride);
      const effect = core.effectOf(swapStyle);
      const target = core.resolve(detail.target) ?? detail.target;
      detail.target = target;
      if (!core.hooks().admit(known.request, target, effect === "inner" || effect === "outer")) {
        detail.swapOverride = "none"; // its parts for other places stay
        return;
      }
      known.main = { swapDelay, settleDelay, effect, target, captured: core.hooks().capture([target], known.request), parent: target.parentElement };
    },

    "htmx:oobBeforeSwap"(detail) {
      const { target, fragment } = detail;
      const request = oldest();
      parts.set(detail, {
        request,
        nodes: core.elements(fragment.childNodes),
        outer: fragment.nodeType === 11,
        captured: core.hooks().capture([target], request),
      });
    },

    "htmx:oobAfterSwap"(detail) {
      const known = parts.get(detail);
      if (!known) return; // it is told once for each element that settles
      parts.delete(detail);
      const { target } = detail;
      const nodes = known.nodes.filter((/** @type {Element} */ node) => node.isConnected);
      for (const node of nodes) seen.add(node);
      const whole = !known.outer && [...target.children].every((child) => nodes.includes(child));
      const part = whole ? { inner: target, nodes: [...target.children], inserted: null } : { inner: null, nodes, inserted: null };
      core.hooks().inserted(part, known.request, known.captured);
    },

    "htmx:afterSwap"(detail) {
      const known = requests.get(detail.requestConfig);
      if (!known?.main || known.swapped) return;
      known.swapped = true;
      core.settling(1);
      // Settling is told to elements; should a push remove them first, nobody hears of it.
      setTimeout(() => settled(known), known.main.settleDelay + 50);
      const { effect, target, parent, captured } = known.main;
      const inserted = effect === "append" || effect === "prepend" ? effect : null;
      let part;
      if (effect === "inner") part = { inner: target, nodes: [...target.children], inserted };
      else {
        const stands = effect === "outer" && core.resolve(target); // a morph keeps the element, or its id
        const nodes = inserted ? added(target) : effect === "none" || !parent ? [] : added(parent);
        part = { inner: null, nodes: nodes.length || !stands ? nodes : [stands], inserted };
      }
      for (const node of part.nodes) seen.add(node);
      core.hooks().inserted(part, known.request, captured);
    },

    "htmx:afterSettle"(detail) {
      const known = requests.get(detail.requestConfig);
      if (known?.swapped) settled(known);
    },

    "htmx:historyItemCreated"(detail) {
      detail.item.rtAt = core.cursor();
    },

    "htmx:historyCacheMiss"(detail) {
      /** @type {Record<string, string>} */
      const headers = {};
      core.configure(headers, "get", detail.path);
      for (const name in headers) detail.xhr.setRequestHeader(name, headers[name]);
    },

    "htmx:historyRestore"(detail) {
      const target = detail.historyElt ?? document.querySelector("[hx-history-elt]") ?? document.body;
      const at = detail.item?.rtAt ?? missed;
      core.hooks().inserted({ inner: target, nodes: [...target.children], inserted: null }, { at, own: null }, null);
      missed = null;
    },

    "htmx:historyCacheMissLoad"(detail) {
      missed = detail.xhr.getResponseHeader(AT);
    },
  };
  const listener = (/** @type {Event} */ event) => handlers[event.type](/** @type {CustomEvent} */ (event).detail, event);
  for (const name in handlers) document.addEventListener(name, listener);

  const morphing = /** @type {any} */ (globalThis).Idiomorph?.defaults?.callbacks;
  if (morphing) {
    const before = morphing.beforeNodeMorphed;
    morphing.beforeNodeMorphed = (/** @type {Element} */ old, /** @type {Element} */ fresh) =>
      old.nodeType === 1 && !core.hooks().morph(old, fresh) ? false : before?.(old, fresh);
  }

  return {
    process: (/** @type {Element} */ el) => htmx.process(el),
    stop() {
      for (const name in handlers) document.removeEventListener(name, listener);
    },
  };
}
