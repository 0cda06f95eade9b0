// A request that failed is never silent: what kind of failure, where it happened, and Retry where that is safe.
// A form says it at its end, everything else in a toast, and of each kind there is one toast, not a storm.
import { REPLAYED } from "../protocol.js";
import { reasonOf } from "../reason.js";
import { retryAfter } from "../stream.js";
import { kindOf as causeOf } from "./pending.js";

const TRIES = 5; // by itself; after that it waits for a person
const SOON = 1_000; // ms
const SPREAD = 1_000; // ms added at random to what Retry-After says
const MOST_WAIT = 60_000; // ms: what asks for more waits for a person

const POLLS = /^(every|hx:poll)/; // comes again by itself

/** @typedef {import("../bridge/index.js").Request} Request */

/**
 * @typedef {object} Failure
 * @property {Request} request
 * @property {string} kind  a `data-*` of #rt-toasts
 * @property {string} [text]  other words than those of the kind
 * @property {Element | null} [place]  where to say it; none says it in a toast
 */

/** @type {Record<string, string>} */
const BY_PROBLEM = {
  "no-cookie": "signed-out", stale: "conflict", "version-required": "conflict", fenced: "conflict", locked: "conflict",
  "draft-newer": "conflict", draining: "busy", "already-done": "gone", "bad-request": "refused", "bad-version": "refused",
  "key-mismatch": "refused",
};
/** @type {Record<number, string>} */
const BY_STATUS = {
  401: "signed-out", 403: "forbidden", 404: "gone", 408: "timeout", 409: "conflict", 410: "gone", 413: "too-large",
  422: "validation", 428: "conflict", 429: "limited", 502: "busy", 503: "busy", 504: "timeout",
};
// What the same request, with the same id, may get another answer to.
const AGAIN = ["network", "timeout", "server", "busy", "limited", "running", "signed-out"];
// Of these only the app knows why.
const EXPLAINED = ["conflict", "forbidden", "gone", "limited", "too-large", "validation", "refused"];

/** @param {{outcome: string, status?: number, problem?: string | null}} ended @returns {string} */
export function failureOf({ outcome, status = 0, problem }) {
  if (outcome === "network" || outcome === "timeout") return outcome;
  if (problem === "limited" && status === 503) return "busy";
  if (problem) return BY_PROBLEM[problem] ?? problem;
  return BY_STATUS[status] ?? (status >= 500 ? "server" : "refused");
}

/** May it be sent again without being done twice? @param {Pick<Request, "safe" | "action" | "method">} request @param {string} kind */
export const retriable = ({ safe, action, method }, kind) => AGAIN.includes(kind) && !!method && (safe || !!action);

/** @type {import("../index.js").Feature} */
export const failures = {
  name: "failures",
  mount({ doc, win, env, events, bridge }) {
    /** @type {Map<Element, {kind: string, line: Element | null}>} where something failed and nothing has worked since */
    const marked = new Map();
    /** @type {Map<string, Set<Request>>} what a toast offers to send again, by its kind */
    const told = new Map();
    /** @type {WeakMap<Request, number>} not again before, Unix ms */
    const notBefore = new WeakMap();
    /** @type {Set<Request>} fetched by nobody's doing; they try again when the server is back */
    const background = new Set();
    /** @type {Set<() => void>} */
    const timers = new Set();

    const word = (/** @type {string} */ name) =>
      doc.getElementById("rt-toasts")?.getAttribute(`data-${name}`) ?? "";

    /** @param {Request} request @param {number} wait ms */
    function later(request, wait) {
      const cancel = env.after(() => {
        timers.delete(cancel);
        bridge.again(request);
      }, wait);
      timers.add(cancel);
    }

    /** A page where the fragment of an action should be: a form to sign in. @param {{request: Request}} detail */
    function answered({ request }) {
      const { safe, elt, target, status = 0, problem } = request;
      if (safe || problem || status >= 400 || !request.text || target === doc.body) return;
      if (!elt.getAttributeNames().some((name) => name.startsWith("rt-")) || elt.closest("[hx-select]")) return;
      // Each comment in one way, as there may be many.
      if (!/^\s*(<!--((?!-->)[^])*-->\s*)*<(!doctype html|html[\s>])/i.test(request.text())) return;
      request.problem = "signed-out";
      request.swap = false;
    }

    /** Before anybody looks at how it ended: the twin is at work, so this is not the end. @param {{request: any, outcome: string, problem?: string | null}} detail */
    function ending({ request, problem }) {
      if (problem !== "running" || !retriable(request, "running")) return;
      if (triesOf(request) > TRIES) return;
      request.resending = request.handled = true;
      later(request, waitOf(request) || SOON);
    }

    /** @param {Request} request @returns {number} ms */
    const waitOf = ({ header }) => retryAfter(header("Retry-After"), env.now());

    /** @param {any} detail */
    function end({ request, elt, outcome, status, problem, header }) {
      if (outcome === "ok") {
        forget(elt);
        if (status === 204 && header(REPLAYED)) refetch(request);
        return;
      }
      if (outcome === "cancel" || outcome === "abort" || request.handled) return;
      const kind = failureOf({ outcome, status, problem });
      // Its own words are on the page already.
      if (request.swap && (problem || kind === "validation")) return;
      if (kind === "validation" && request.swap === undefined && /html/.test(header("Content-Type") ?? "")) return;
      if (kind === "limited" || kind === "busy") hold(request);
      tell({ request, kind, text: ownWords(request, kind) });
    }

    /** What it says of itself says more than its kind. @param {Request} request @param {string} kind */
    function ownWords({ status = 0, problem, header, text }, kind) {
      if (status < 400 || status >= 500 || !EXPLAINED.includes(kind)) return "";
      return reasonOf(text?.() ?? "", header("Content-Type") ?? "", problem, bridge.parse);
    }

    /** @param {Request} request */
    function hold(request) {
      const wait = waitOf(request);
      if (!wait) return;
      notBefore.set(request, env.now() + wait);
      if (request.safe && request.method && !POLLS.test(request.trigger ?? "") && wait <= MOST_WAIT && triesOf(request) <= TRIES) later(request, wait + SPREAD * env.random());
    }

    /** Done before, and its answer was not kept: the page has to look. @param {Request} request */
    function refetch({ target, elt }) {
      const at = target ?? elt;
      const region = at?.closest("[rt-stream],[rt-src]") ?? at?.closest("[id]");
      if (region) events.emit("resync", { topics: [], elements: [region], why: "replayed" });
    }

    /** @param {Failure} failure */
    function tell({ request, kind, text, place }) {
      const { elt } = request;
      const detail = { kind, status: request.status ?? 0, problem: request.problem ?? null, text: text || word(kind) };
      const at = elt?.isConnected ? elt : doc.documentElement;
      const quiet = !at.dispatchEvent(new CustomEvent("rt:error", { bubbles: true, cancelable: true, detail }));
      if (quiet || request.handled) return;
      const again = retriable(request, kind);
      if (at !== doc.documentElement && at !== doc.body) mark(at, kind);
      if (!causeOf(request) && request.safe && request.method) {
        // Nobody asked for it just now. Where the line is down the bar says so already.
        if (kind === "network" && !POLLS.test(request.trigger ?? "")) add(background, request);
        if (kind === "network" || kind === "timeout") return;
      }
      const form = place === undefined ? formOf(at) : place;
      if (form) return line(form, at, kind, detail.text, again ? request : null);
      toast(kind, detail.text, again ? request : null);
    }

    /** @param {string} kind @param {string} text @param {Request | null} request to send again */
    function toast(kind, text, request) {
      const key = `failed:${kind}`;
      const all = told.get(kind) ?? new Set();
      if (request) told.set(kind, add(all, request));
      const several = all.size > 1 ? word("times").replace("{n}", String(all.size)) : "";
      const run = () => {
        told.delete(kind);
        events.emit("toast:end", { key });
        all.forEach(retry);
      };
      events.emit("toast", {
        key, text: text + several, level: kind === "limited" || kind === "busy" ? "warning" : "error", timeout: 0,
        ...(request ? { action: { word: "retry", run } } : kind === "user-changed" && { action: { word: "reload", run: () => win.location.reload() } }),
      });
    }

    /** @param {Request} request */
    function retry(request) {
      later(request, Math.max(0, (notBefore.get(request) ?? 0) - env.now()));
    }

    /** @param {Element} form @param {Element} elt @param {string} kind @param {string} text @param {Request | null} request */
    function line(form, elt, kind, text, request) {
      const p = doc.createElement("p");
      p.className = "rt-failure";
      p.setAttribute("role", "alert");
      p.append(text);
      if (request) {
        const button = doc.createElement("button");
        button.type = "button";
        button.className = "rt-button";
        button.textContent = word("retry");
        button.addEventListener("click", () => {
          giveBack(form, p);
          unmark(elt);
          retry(request);
        });
        p.append(" ", button);
      }
      marked.get(elt)?.line?.remove();
      marked.set(elt, { kind, line: p });
      form.append(p);
    }

    /** @param {Element} form @param {Element} p */
    function giveBack(form, p) {
      if (!p.contains(doc.activeElement)) return;
      const next = form.querySelector("[type=submit],button:not([type])") ?? form.querySelector("input,textarea,select");
      if (next instanceof win.HTMLElement) next.focus({ preventScroll: true });
    }

    /** @param {Element} elt @param {string} kind */
    function mark(elt, kind) {
      if (!marked.has(elt)) marked.set(elt, { kind, line: null });
      elt.classList.add("rt-failed");
    }

    /** @param {Element} elt */
    function unmark(elt) {
      marked.get(elt)?.line?.remove();
      if (!marked.delete(elt)) return;
      elt.classList.remove("rt-failed");
      if (!elt.getAttribute("class")) elt.removeAttribute("class");
    }

    /** It works again. @param {Element} elt */
    function forget(elt) {
      unmark(elt);
      for (const request of background) if (request.elt === elt) background.delete(request);
      for (const [kind, all] of told) {
        for (const request of all) if (request.elt === elt) all.delete(request);
        if (all.size) continue;
        told.delete(kind);
        events.emit("toast:end", { key: `failed:${kind}` });
      }
    }

    function swapped() {
      for (const [elt] of marked) {
        if (!elt.isConnected) marked.delete(elt);
        else if (!elt.classList.contains("rt-failed")) elt.classList.add("rt-failed"); // written over
      }
    }

    function back() {
      const all = [...background].filter(({ elt }) => elt.isConnected);
      background.clear();
      all.forEach(retry);
    }

    const offs = [
      events.on("request:start", ({ request }) => unmark(request.elt)),
      events.on("request:answered", answered),
      events.on("request:ending", ending),
      events.on("request:end", end),
      events.on("failure", tell),
      events.on("swap", swapped),
      events.on("stream:replayed", back),
      env.on("online", back),
    ];
    return () => {
      for (const off of offs) off();
      for (const cancel of timers) cancel();
      for (const elt of [...marked.keys()]) unmark(elt);
    };
  },
};

/** How often the same was sent. @param {any} request */
function triesOf(request) {
  let tries = 1;
  for (let one = request; (one = one.again); ) tries += 1;
  return tries;
}

/** Of the questions of one element the last one counts. @param {Set<Request>} all @param {Request} request */
function add(all, request) {
  for (const other of all) if (request.safe && other.safe && other.elt === request.elt) all.delete(other);
  return all.add(request);
}

/** Where a line of words fits: at the end of the form it is about. @param {Element} elt */
function formOf(elt) {
  const form = elt.closest("form");
  return form && !form.closest("tr,[role=toolbar]") && form.querySelector("input:not([type=hidden]),textarea,select") ? form : null;
}
