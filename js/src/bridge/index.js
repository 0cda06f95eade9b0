// One face for htmx 4 and htmx 2. Only the files of this folder know htmx.

import { resolve } from "../dom.js";
import { parse, parseAll, parseDocument } from "../html.js";
import { randomUUID } from "../ids.js";
import { ACTION, AT, OWN, PROBLEM, TAB } from "../protocol.js";
import { adapt } from "./htmx4.js";

/**
 * @typedef {object} Request one request made by htmx, from its sending to its end
 * @property {number} seq order of sending
 * @property {Element} elt
 * @property {boolean} safe
 * @property {any} raw what htmx knows of it: the context (4) or the detail of its event (2); bridge/request.js reads it
 * @property {boolean} [cancelled] set by a listener of `request:start`: it does not leave
 * @property {boolean} [swap] our rule for the answer's body, none where htmx decides; a listener of `request:answered` may set it
 * @property {boolean} [handled] somebody has told the person of its failure already
 * @property {string | null} [cursor] of the page when it was sent
 * @property {string | null} [at] `RT-At` of the answer
 * @property {number} [own] `RT-Own` of the answer
 * @property {string | null} [problem]
 * @property {number} [status]
 * @property {boolean} [ended]
 * @property {(name: string) => string | null} header of the answer
 * From here on by bridge/request.js, for requests that were sent after more.js was there:
 * @property {string} [trigger] type of the event that caused it: "click", "submit", "change" …
 * @property {string | null} [action] its `Idempotency-Key`
 * @property {string} [method] in capitals
 * @property {string} [url] with its query
 * @property {string} [path]
 * @property {Element | null} [target]
 * @property {string} [swapStyle] as written, modifiers too
 * @property {FormData} [values]
 * @property {boolean} [query] the values are in the address
 * @property {() => string} [text] body of the answer, from `request:answered` on
 * @property {(outcome?: Outcome) => void} [abort]
 */

/** @typedef {"ok" | "status" | "network" | "timeout" | "abort" | "cancel"} Outcome */
/** @typedef {{inner: Element | null, nodes: Element[], inserted: "append" | "prepend" | null}} Inserted as a `Part` of order.js */

/**
 * What the rest of the kit does at each step of a swap.
 * @typedef {object} Hooks
 * @property {(request: Request) => void} sent
 * @property {(detail?: any) => void} coming an answer is about to be swapped in; `later` in it: not in this task (of htmx 4 bridge/request.js says so)
 * @property {(request: Request, target: Element, effect: string) => boolean} admit may its main part be swapped in?
 * @property {(roots: Element[], request?: Request) => any} capture
 * @property {(part: Inserted, request: Partial<Request> | undefined, captured: any) => void} inserted in the task of the insertion
 * @property {() => void} settled htmx has written the attributes it had put off
 * @property {(old: Element, fresh: Element) => boolean} morph may htmx make `old` equal to `fresh`?
 */

const SAFE = /^(get|head|options|query)$/i;

/** Styles by their effect on what was there. @param {string} style */
const effectOf = (style) =>
  /^(beforeend|append)$/.test(style) ? "append"
    : /^(afterbegin|prepend)$/.test(style) ? "prepend"
      : /^(beforebegin|afterend|before|after|none|delete)$/.test(style) ? "beside"
        : /outer/i.test(style) && style !== "outerSync" ? "outer" : "inner";

/** @param {Element} el */
const hasOwnAttribute = (el) => el.getAttributeNames().some((name) => name.startsWith("rt-"));

const elements = (/** @type {Iterable<Node>} */ nodes) =>
  /** @type {Element[]} */ ([...nodes].filter((node) => node.nodeType === 1));

/**
 * The half that knows this page's htmx. That of htmx 2 is a file of its own, which only its pages load.
 * @param {any} htmx @param {(file: string) => Promise<{adapt: Adapt}>} load @returns {Promise<Adapt>}
 */
export async function adapterOf(htmx, load) {
  const major = parseInt(htmx.version, 10);
  if (major === 4) return adapt;
  if (major !== 2) throw new Error(`htmx-rt: not started, no htmx 2 or 4 but ${htmx.version}`);
  htmx.config.includeIndicatorStyles = false; // a <style> that a strict policy refuses; the kit's CSS has the rules
  return (await load("htmx-rt-htmx2.mjs")).adapt;
}

/**
 * @param {object} options
 * @param {any} options.htmx
 * @param {Adapt} options.adapt
 * @param {{emit(name: string, detail: any): void}} options.events
 * @param {{id: string}} options.tab
 * @param {() => string | null} [options.cursor] of the page
 */
export function createBridge({ htmx, adapt, events, tab, cursor = () => null }) {
  /** @type {Hooks} given before htmx does anything */
  let hooks;
  let seq = 0;
  let unsettled = 0;

  /** What both adapters share. */
  const core = {
    cursor,
    hooks: () => hooks,
    effectOf,
    elementsOf: elements,
    resolved: resolve,

    /** What has come, by the effect of its swap. @param {string} effect @param {Element} target @param {Element[]} nodes @param {Request} [request] @param {any} [captured] */
    inserted(effect, target, nodes, request, captured) {
      const inserted = effect === "append" || effect === "prepend" ? effect : null;
      hooks.inserted({ inner: effect === "inner" ? target : null, nodes, inserted }, request, captured);
    },

    /** Headers can only be set here: later they are on the wire. @param {Record<string, string>} headers @param {string} method @param {string} url @param {Element} [elt] @param {FormData} [values] */
    configure(headers, method, url, elt, values) {
      if (new URL(url, document.baseURI).origin !== location.origin) return;
      headers[TAB] = tab.id;
      if (!SAFE.test(method)) headers[ACTION] ??= randomUUID();
      events.emit("request:config", { elt, method, url, headers, values });
    },

    /** @param {Element} elt @param {string} method @param {any} raw @returns {Request} */
    asked(elt, method, raw) {
      const request = { seq: ++seq, elt, safe: SAFE.test(method), raw, problem: null, header: () => null };
      hooks.sent(request);
      events.emit("request:start", { request });
      return request;
    },

    /**
     * The answer's headers are here. Returns what to do with an error's body: swap it in, drop it, or (undefined)
     * leave that to htmx, because neither the server nor the element asked for our rule.
     * @param {Request} request @param {number} status @param {(name: string) => string | null} header
     */
    answered(request, status, header) {
      Object.assign(request, {
        status, header, at: header(AT), own: parseInt(header(OWN) ?? "-1", 36), problem: header(PROBLEM),
      });
      if (status >= 400 && (request.problem || hasOwnAttribute(request.elt))) {
        request.swap = /^text\/html/.test(header("Content-Type") ?? "") && (!!request.problem || status === 422);
      }
      events.emit("request:answered", { request });
      return request.swap;
    },

    /** @param {Request} request @param {Outcome} outcome */
    end(request, outcome) {
      if (request.ended) return;
      request.ended = true;
      events.emit("request:end", { ...request, request, outcome });
    },

    settling(/** @type {number} */ change) {
      unsettled = Math.max(0, unsettled + change);
      if (change < 0) hooks.settled();
    },
  };

  return {
    /** `process` wires htmx attributes; `anew` for an element that htmx knew with others. */
    ...adapt(htmx, core),
    parse,
    parseAll,
    parseDocument,
    /** Is a swap still waiting for htmx to settle it? */
    settling: () => unsettled > 0,
    /** @param {Hooks} next */
    use(next) {
      hooks = next;
    },
  };
}

/** @typedef {any} Core what an adapter is given */
/**
 * @typedef {object} Adapter
 * @property {(el: Element, anew?: boolean) => void} process
 * @property {() => void} stop
 * @property {(raw: any) => object} [describe] of htmx 2; that of htmx 4 is in bridge/request.js
 * @property {(target: Element, html: string, style: string, request: object) => void} [swap] the same
 */
/** @typedef {(htmx: any, core: Core) => Adapter} Adapt */
