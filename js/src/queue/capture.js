// Which actions are kept: of elements with `rt-queue`, those that cannot be sent, and those that must not overtake
// one of the same resource that waits already. Base versions stay in the entry as they were.
import { isToken, waitOf } from "./send.js";
import { full, holds, judge } from "./queue.js";
import { ACTION, QUEUED } from "../protocol.js";

const DROPPED = /^(idempotency-key|rt-(tab|queued|at)|content-(type|length))$/i;
const AWAY = [502, 503, 504]; // said by what stands before the server
const SECRETS = 'input[type="password"],[autocomplete="one-time-code"],[autocomplete*="password"],[autocomplete^="cc-"]';

/** @typedef {import("./queue.js").Entry} Entry */

/**
 * @param {object} options
 * @param {import("../index.js").Runtime} options.rt
 * @param {() => Entry[]} options.list
 * @param {() => string} options.who
 * @param {(resource: string) => boolean} options.resolving  a conflict of it is being settled on the page: that goes first
 * @param {(entry: Entry, request: any) => void} options.keep
 * @param {() => void} options.signedOut
 * @param {(word: string, request: any) => void} options.tell  why it was not kept
 */
export function createCapture({ rt, list, who, resolving, keep, signedOut, tell }) {
  const { doc, win, env, events, tab, config } = rt;
  const irreversible = (/** @type {any} */ (config).irreversible ?? []).map((/** @type {string} */ path) =>
    new RegExp(`^${path.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{[^}]*\}/g, "[^/]+")}$`));
  /** @type {Set<string>} */
  const complained = new Set();
  /** @type {WeakMap<object, string>} */
  const refused = new WeakMap();
  /** @type {Map<string, Record<string, string>>} of requests under way, by action */
  const sent = new Map();

  const urlOf = (/** @type {string} */ url) => new URL(url, doc.baseURI);

  /** Where its actions are in order; null for what is not to be kept. @param {Element} elt @param {string} url */
  function resourceOf(elt, url) {
    const marked = elt.closest("[rt-queue]");
    if (!marked || !who() || urlOf(url).origin !== win.location.origin) return null;
    const { pathname } = urlOf(url);
    if (!elt.closest("[rt-confirm-first]") && !irreversible.some((/** @type {RegExp} */ path) => path.test(pathname))) {
      return marked.getAttribute("rt-queue") || pathname;
    }
    if (!complained.has(pathname)) console.error("htmx-rt: never kept for later, rt-queue is ignored:", pathname, elt);
    complained.add(pathname);
    return null;
  }

  /** @param {any} request @returns {string | null} */
  const resource = (request) => (request.safe || !request.action ? null : resourceOf(request.elt, request.url));

  /** Keep it, or say why not. @param {any} request @param {string} resource @param {Partial<Entry>} [state] */
  function take(request, resource, state) {
    const form = request.elt.form ?? request.elt.closest("form");
    const values = [...(request.values ?? [])];
    const files = values.some(([, value]) => typeof value !== "string" && (value.size || value.name));
    const entry = { ...describe(request, resource, values), ...state };
    const why = files ? "files" : form?.querySelector(SECRETS) ? "secret" : full(list(), entry);
    if (why) {
      refused.set(request, why);
      return false;
    }
    const detail = { action: entry.action, resource };
    if (!dispatch(request.elt, "rt:queue", detail, true)) return false;
    request.kept = entry;
    request.handled = true;
    keep(entry, request);
    dispatch(request.elt, "rt:queued", detail);
    return true;
  }

  /** @param {any} request @param {string} resource @param {[string, any][]} values @returns {Entry} */
  function describe(request, resource, values) {
    const { elt, target } = request;
    /** @type {[string, string][]} */
    const pairs = values.filter(([, value]) => typeof value === "string").map(([name, value]) => [name, isToken(name) ? "" : value]);
    /** @type {Record<string, string>} */
    const headers = {};
    for (const [name, value] of Object.entries(sent.get(request.action) ?? {})) {
      if (value && !DROPPED.test(name)) headers[name] = isToken(name) ? "" : String(value);
    }
    const marked = elt.closest("[rt-queue]") ?? elt;
    const { location } = win;
    /** @type {any} */
    const entry = {
      action: request.action, who: who(), name: /** @type {any} */ (config).me ?? "", at: env.now(), resource,
      method: request.method.toUpperCase(), url: urlOf(request.url).href.slice(location.origin.length), headers, pairs,
      encoding: request.query ? "query" : /multipart/.test(marked.getAttribute("hx-encoding") ?? marked.enctype ?? "") ? "multipart" : "",
      page: location.pathname + location.search, tab: tab.id, source: elt.id || marked.id,
      target: target?.id ? `#${CSS.escape(target.id)}` : target === doc.body ? "body" : "", swap: String(request.swapStyle ?? "innerHTML"),
      optimistic: (elt.closest("[rt-optimistic]") ?? elt).getAttribute("rt-optimistic") ?? "",
      what: nameOf(elt), detail: typed(elt, pairs), state: "", reason: null, tries: 0, after: 0, line: false, firm: false,
    };
    return { ...entry, size: new Blob([JSON.stringify(entry)]).size };
  }

  const offs = [
    events.on("request:config", ({ elt, method, url, headers }) => {
      if (/^(get|head|options|query)$/i.test(method) || !elt || !resourceOf(elt, url)) return;
      headers[QUEUED] = who();
      sent.set(headers[ACTION], headers);
      if (sent.size > 50) sent.delete([...sent.keys()][0]); // htmx drops what it has no room to queue
    }),

    events.on("request:start", ({ request }) => {
      const name = resource(request);
      if (!name || resolving(name)) return;
      const waits = env.offline() || holds(list(), who(), name, env.now());
      if (waits && take(request, name)) request.cancelled = true;
    }),

    events.on("request:answered", ({ request }) => {
      if (AWAY.includes(request.status) && resource(request)) request.swap = false;
    }),

    ...["request:ending", "request:end"].map((event) => events.on(event, ({ request, outcome, status, problem, header }) => {
      if (outcome === "abort") outcome = request.why ?? outcome; // by ourselves: it took too long
      if (request.kept || refused.get(request) === "told" || !["network", "timeout", "status"].includes(outcome)) return;
      const out = status === 401 && ["signed-out", "user-changed"].includes(problem);
      if (outcome === "status" && !out && !AWAY.includes(status)) return;
      const name = resource(request);
      if (!name) return;
      const answer = { status: outcome === "status" ? status : 0, wait: waitOf(header?.("Retry-After"), env.now()) };
      const verdict = judge(/** @type {any} */ ({ tries: 0 }), answer, env.now(), env.random);
      if (verdict === "sign-in") signedOut();
      const kept = take(request, name, verdict === "sign-in" ? {} : verdict ?? {});
      const why = refused.get(request);
      if (kept || !why) return;
      refused.set(request, "told");
      tell(why, request);
    })),
  ];
  return () => offs.forEach((off) => off());
}

/** @param {Element} elt @param {string} name @param {any} detail @param {boolean} [cancelable] */
export function dispatch(elt, name, detail, cancelable = false) {
  const from = elt.isConnected ? elt : elt.ownerDocument;
  return from.dispatchEvent(new CustomEvent(name, { bubbles: true, composed: true, cancelable, detail }));
}

/** @param {string | null | undefined} text @param {number} length */
const short = (text, length) => {
  const line = (text ?? "").replace(/\s+/g, " ").trim();
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
};

/** What a person would call this action. @param {any} elt */
function nameOf(elt) {
  const button = elt.matches("form") ? elt.querySelector('button:not([type="button"]),input[type="submit"]') : elt;
  const named = [elt, button].map((one) => one?.getAttribute("aria-label")).find(Boolean);
  const idle = button?.querySelector(".rt-idle"); // not the words while it is busy
  return short(named || idle?.textContent || button?.textContent || button?.value || elt.title, 60);
}

/** What was typed, not what the form brought along. @param {any} elt @param {[string, string][]} pairs */
function typed(elt, pairs) {
  const form = elt.form ?? elt.closest("form");
  const seen = [...(form?.elements ?? [])].filter((field) => field.name && !/^(hidden|submit|checkbox|radio)$/.test(field.type));
  return short(seen.flatMap(({ name }) => pairs.find(([one, value]) => one === name && value)?.[1] ?? []).slice(0, 2).join(" · "), 80);
}
