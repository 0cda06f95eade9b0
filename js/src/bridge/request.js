// The half of the bridge that the first moments do not need: what a request is, sending it again, and putting an
// answer of our own fetch through htmx. The core gives `raw`, what htmx knows of a request; here it gets its names.

import { resolve } from "../dom.js";
import { ACTION } from "../protocol.js";

const AGAIN = "RT-Again"; // never leaves: it tells the second sending when its headers are made

/** @type {import("../index.js").Feature} */
export const request = { name: "request", mount };

/**
 * @typedef {object} More  what it adds to the bridge
 * @property {(request: import("./index.js").Request, options?: {headers?: Record<string, string>}) => Promise<void>} again
 *   sends the same thing again, with the same `Idempotency-Key`; where its element is gone, from the body
 * @property {(headers: object | undefined) => boolean} agreed  is this request sent again? Nobody needs to be asked
 * @property {(target: Element, html: string, style?: string, answer?: Answer) => void} swap
 *   an answer of our own fetch, brought up to the page's position as one of htmx would be
 *
 * @typedef {{at?: string | null, own?: number, cursor?: string | null}} Answer  where the log stood: `RT-At`, `RT-Own`
 */

/** As `describe` of bridge/htmx2.js. @param {any} ctx */
function describe4(ctx) {
  const values = new FormData();
  const { body, headers, method, action: url } = ctx.request;
  for (const [name, value] of body ?? new URL(url, document.baseURI).searchParams) values.append(name, value);
  return {
    trigger: ctx.sourceEvent?.type, headers, method, url, target: ctx.target, swapStyle: ctx.swap, values, query: !body,
    text: () => ctx.text ?? "", abort: (/** @type {string} */ why) => ctx.request.abort(why),
  };
}

/** @param {import("../index.js").Runtime} rt */
function mount({ win, doc, events, bridge }) {
  const htmx = /** @type {any} */ (win).htmx;
  const { describe = describe4, swap } = /** @type {any} */ (bridge);
  /** @type {Map<string, import("./index.js").Request>} what was asked to go again and has no headers yet */
  const waiting = new Map();
  /** @type {WeakMap<object, import("./index.js").Request>} by the headers of the second sending */
  const firsts = new WeakMap();
  let count = 0;

  /** @param {any} detail */
  function config({ headers, values }) {
    const first = waiting.get(headers[AGAIN]);
    if (!first) return;
    waiting.delete(headers[AGAIN]);
    delete headers[AGAIN];
    firsts.set(headers, first);
    for (const name of [...values.keys()]) values.delete(name);
    if (!first.query) for (const [name, value] of first.values ?? []) values.append(name, value);
  }

  /** @param {{request: any}} detail */
  function start({ request }) {
    const { headers, abort, ...said } = describe(request.raw);
    const first = firsts.get(headers);
    Object.assign(request, said, {
      action: headers[ACTION] ?? null,
      trigger: first?.trigger ?? said.trigger ?? "",
      method: said.method.toUpperCase(),
      path: new URL(said.url, doc.baseURI).pathname,
      target: said.target instanceof win.Element ? said.target : null,
      again: first ?? null,
      abort(outcome = "abort") {
        request.why = outcome;
        abort(outcome);
      },
    });
  }

  /** @type {More["again"]} */
  function again(request, { headers = {} } = {}) {
    const mark = String((count += 1));
    const source = /** @type {any} */ (request.elt.isConnected ? request.elt : (request.elt.id && doc.getElementById(request.elt.id)) || doc.body);
    const target = request.target && resolve(request.target);
    waiting.set(mark, request);
    // It goes as it was; what the form says now is not asked. Both versions look in the same task.
    const novalidate = source.noValidate;
    if (source instanceof win.HTMLFormElement) source.noValidate = true;
    try {
      return Promise.resolve(htmx.ajax(request.method, request.url, {
        source,
        target: target ?? doc.body,
        swap: target ? request.swapStyle : "none",
        confirm: "",
        headers: { ...headers, ...(request.action && { [ACTION]: request.action }), [AGAIN]: mark },
      })).catch(() => {}); // its end is told by `request:end`
    } finally {
      if (source instanceof win.HTMLFormElement) source.noValidate = novalidate;
    }
  }

  Object.assign(bridge, /** @type {More} */ ({
    again,
    agreed: (headers) => !!headers && (AGAIN in headers || firsts.has(headers)),
    swap: (target, html, style = "innerHTML", answer = {}) =>
      swap ? swap(target, html, style, answer)
        : htmx.swap({ sourceElement: doc.body, target, text: html, swap: style, rt: answer, transition: false }),
  }));

  /** htmx 4: under a view transition the page changes later, in a callback of its own. @param {any} event */
  function transition({ detail }) {
    const { task } = detail;
    detail.task = () => {
      events.emit("coming");
      return task();
    };
  }

  /** htmx 2 makes the headers of what has to wait for another request only when its turn comes. @param {any} event */
  function asked({ detail }) {
    const { elt, path, triggeringEvent: cause } = detail;
    if (cause) events.emit("request:asked", { elt, path, cause });
  }

  const offs = [
    events.on("request:config", config),
    events.on("request:start", start),
    events.on("request:end", (detail) => {
      // Answered, but not with what was asked for; or ended by ourselves, for a reason that htmx 2 does not keep.
      if (detail.request.problem && detail.outcome === "ok") detail.outcome = "status";
      if (detail.outcome === "abort") detail.outcome = detail.request.why ?? "abort";
      events.emit("request:ending", detail); // who keeps it, or shows the failure itself, says so here
    }),
    events.on("coming", (detail) => {
      detail.later ??= !!detail.tasks?.length && detail.tasks.every((/** @type {any} */ { swapSpec, transition }) =>
        swapSpec.swap || (swapSpec.transition ?? transition ?? detail.ctx.transition));
    }),
  ];
  doc.addEventListener("htmx:before:viewTransition", transition, true);
  doc.addEventListener("htmx:confirm", asked);
  return () => {
    for (const off of offs) off();
    doc.removeEventListener("htmx:before:viewTransition", transition, true);
    doc.removeEventListener("htmx:confirm", asked);
  };
}
