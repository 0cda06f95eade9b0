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
  const offset = (/** @type {string | null | undefined} */ cursor) => parseCursor(cursor)?.offset ?? -1;
  const age = (/** @type {any} */ { request }) => offset(request.at ?? request.cursor);
  const oldest = () => [...open].sort((a, b) => age(a) - age(b))[0]?.request ?? latest;
  const birth = [...document.querySelectorAll("[rt-at]")].map((el) => el.getAttribute("rt-at"))
    .sort((a, b) => offset(a) - offset(b))[0]; // where the log stood when the page was asked for

  /** The answer's headers are here. @param {any} known @param {XMLHttpRequest} xhr */
  const answered = (known, xhr) => {
    known.swap = core.answered(known.request, xhr.status, (/** @type {string} */ name) => xhr.getResponseHeader(name));
  };

  /** What was asked before this file came carries no position, but the page was there already. @param {any} detail */
  const early = ({ xhr, requestConfig: { elt, verb } }) => {
    const known = { request: { seq: 0, elt, safe: verb === "get", cursor: birth }, main: null, swapped: false };
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
      core.configure(detail.headers, detail.verb, detail.path, detail.elt, detail.formData);
    },

    "htmx:beforeRequest"(detail, event) {
      if (event.defaultPrevented) return;
      const { xhr, requestConfig } = detail;
      const request = core.asked(requestConfig.elt, requestConfig.verb, detail);
      if (request.cancelled) {
        event.preventDefault();
        return core.end(request, "cancel");
      }
      /** @type {any} */
      const known = { request, main: null, swapped: false };
      requests.set(requestConfig, known);
      xhr.addEventListener("readystatechange", () => {
        if (xhr.readyState !== 4 || !xhr.status) return;
        answered(known, xhr);
        open.add(known);
        latest = request;
        const now = core.resolved(detail.target);
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
      const spec = api.getSwapSpecification(detail.requestConfig.elt, detail.swapOverride ?? detail.etc?.swapOverride);
      const { swapStyle, swapDelay, settleDelay } = spec;
      core.hooks().coming({ later: swapDelay > 0 || !!(spec.transition ?? htmx.config.globalViewTransitions) });
      const effect = core.effectOf(swapStyle);
      const target = core.resolved(detail.target) ?? detail.target;
      detail.target = target;
      if (!core.hooks().admit(known.request, target, effect)) {
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
        nodes: core.elementsOf(fragment.childNodes),
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
      core.inserted(whole ? "inner" : "outer", target, nodes, known.request, known.captured);
    },

    "htmx:afterSwap"(detail) {
      const known = requests.get(detail.requestConfig);
      if (!known?.main || known.swapped) return;
      known.swapped = true;
      core.settling(1);
      // Settling is told to elements; should a push remove them first, nobody hears of it.
      setTimeout(() => settled(known), known.main.settleDelay + 50);
      const { effect, target, parent, captured } = known.main;
      const around = effect === "append" || effect === "prepend" ? target : parent;
      let nodes = effect === "inner" ? [...target.children] : around ? added(around) : [];
      const stands = effect === "outer" && core.resolved(target); // a morph keeps the element, or its id
      if (!nodes.length && stands) nodes = [stands];
      for (const node of nodes) seen.add(node);
      core.inserted(effect, target, nodes, known.request, captured);
    },

    "htmx:afterSettle"(detail) {
      const known = requests.get(detail.requestConfig);
      if (known?.swapped) settled(known);
    },

    "htmx:beforeHistorySave"() {
      core.hooks().coming(); // what is not confirmed is no history
      queueMicrotask(() => core.inserted("beside", document.body, []));
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
      core.inserted("inner", target, [], { at });
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

    describe: (/** @type {any} */ { requestConfig, target, etc, xhr, pathInfo }) => ({
      trigger: requestConfig.triggeringEvent?.type,
      headers: requestConfig.headers,
      method: requestConfig.verb,
      url: pathInfo.finalRequestPath,
      target,
      swapStyle: etc.swapOverride ?? api.getClosestAttributeValue(requestConfig.elt, "hx-swap") ?? htmx.config.defaultSwapStyle,
      values: requestConfig.formData,
      query: requestConfig.useUrlParams,
      text: () => xhr.responseText,
      abort: () => xhr.abort(),
    }),

    /** An answer that htmx has not asked for. @param {Element} target @param {string} html @param {string} swapStyle @param {object} request */
    swap(target, html, swapStyle, request) {
      /** @type {any} */
      const known = { request, swapped: false };
      const requestConfig = { elt: target };
      const effect = core.effectOf(swapStyle);
      requests.set(requestConfig, known);
      open.add(known);
      core.hooks().coming();
      if (swapStyle !== "none") known.main = { settleDelay: 0, effect, target, captured: core.hooks().capture([target], request), parent: target.parentElement };
      htmx.swap(target, html, { swapStyle, swapDelay: 0, settleDelay: 0, transition: false }, { contextElement: target, eventInfo: { requestConfig } });
      open.delete(known);
    },

    stop() {
      for (const name in handlers) document.removeEventListener(name, listener);
    },
  };
}
