// Optimistic changes on the page: what a request is about to do is shown before it leaves, and what the server says
// decides. Fetched when the first `[rt-optimistic]` or `[rt-move]` is there.

import { parseCursor } from "../cursor.js";
import { randomUUID } from "../ids.js";
import { ACTION, OPS } from "../protocol.js";
import { findAll } from "./find.js";
import { fill, parseRule } from "./grammar.js";
import { createItem, rootOf } from "./insert.js";
import { actionKey } from "./key.js";
import { createLayers } from "./layers.js";
import { createLedger } from "./ledger.js";
import { hasClass } from "./ops.js";
import { keepPlace } from "./keep.js";
import { whyOf, wording } from "./words.js";

/** @typedef {import("./ledger.js").Entry & {elt?: Element | null, items: import("./insert.js").Item[], failing?: () => () => void}} Entry */
/** @typedef {import("./layers.js").Effect} Effect */
/** @typedef {{elt: Element | null, action: string, values: FormData | null, rule: string}} Wish */

const NAME = "rt-optimistic";

/** @param {import("../index.js").Runtime} rt */
function mount(rt) {
  const { doc, env, events, bridge, connection, apply } = rt;
  const word = wording(doc);
  const layers = createLayers();
  const position = () => parseCursor(connection.cursor)?.offset ?? Infinity; // no stream: no echo is to come
  const ledger = createLedger({ layers, position, after: env.after, confirmed });
  const patterns = /** @type {{irreversible?: string[]}} */ (rt.config).irreversible ?? [];
  const irreversible = patterns.map((path) => new RegExp(`^${path.split(/\{\w+\}/).map((part) => part.replace(/[.*+?^$()|[\]\\]/g, "\\$&")).join("[^/]+")}$`));
  /** @type {Map<string, string>} hash of the action, by topic and offset of its messages, while it is open */
  const echoes = new Map();
  /** @type {Set<string>} */
  const complained = new Set();
  let waiting = false;
  let back = () => {};

  /** Once is enough. @param {string} rule @param {Element | null} elt @param {string} why */
  const complain = (rule, elt, why) => {
    if (!complained.has(rule + why)) console.error(`htmx-rt: ${NAME}="${rule}" does nothing: ${why}.`, elt);
    complained.add(rule + why);
  };

  /** @param {Entry} entry @param {string} name @param {object} [detail] */
  const fire = ({ elt, action }, name, detail) =>
    (elt?.isConnected ? elt : doc.body).dispatchEvent(new CustomEvent(name, { bubbles: true, composed: true, cancelable: name === "rt:optimistic", detail: { action, ...detail } }));

  /** The element now, should the server have replaced it. @param {Element | null} el */
  const standing = (el) => (!el || el.isConnected ? el : el.id ? doc.getElementById(el.id) : null);

  /** @param {Wish} wish @throws {Error} */
  function resolve({ elt, action, values, rule }) {
    const page = doc.location.pathname;
    /** @type {import("./insert.js").Item[]} */
    const items = [];
    /** @type {Effect[]} */
    const effects = [];
    /** @type {(() => void)[]} */
    const runs = []; // once, with the first showing
    for (const { verb, value: text, on, at } of parseRule(rule)) {
      const value = fill(text, values);
      const found = findAll(doc, elt, on);
      if (verb === "transition") {
        runs.push(...found.map((el) => () => once(el, value)));
        continue;
      }
      found.forEach((el, index) => {
        const target = () => (doc.location.pathname === page ? standing(el) ?? findAll(doc, standing(elt), on)[index] ?? null : null);
        for (const name of verb === "toggle-class" ? value.split(/\s+/) : [value]) {
          const now = verb !== "toggle-class" ? verb : hasClass(el, name) ? "remove-class" : "add-class";
          /** @type {import("./ops.js").Step} */
          const step = { verb: now, value: name, at };
          if (verb === "insert") {
            const item = createItem({ root: rootOf(doc.querySelector(text)), values, action, word, chosen: (what) => chosen(action, what) });
            items.push(item);
            step.el = item.el;
          } else if (verb === "move" && value) step.into = (from) => findAll(doc, from, value)[0] ?? null;
          effects.push({ step, target });
        }
      });
    }
    return { effects, items, runs };
  }

  /** @param {Wish} wish @param {any} [request] @returns {Entry | undefined} */
  function open(wish, request) {
    const { elt, action, rule } = wish;
    try {
      const { effects, items, runs } = resolve(wish);
      /** @type {Entry} */
      const entry = { action, key: actionKey(action), layer: { effects }, elt, items, request };
      if (elt && !fire(entry, "rt:optimistic")) return undefined;
      for (const item of items) item.sending();
      ledger.open(entry);
      for (const run of runs) run();
      return entry;
    } catch (error) {
      complain(rule, elt, /** @type {Error} */ (error).message);
      return undefined;
    }
  }

  /** @param {any} request */
  const refusesOptimism = ({ elt, path }) => {
    const rule = elt.getAttribute(NAME);
    if (elt.closest("[rt-confirm-first]")) return true;
    if (!irreversible.some((pattern) => pattern.test(path))) return false;
    complain(rule, elt, `what ${path} does cannot be taken back`);
    return true;
  };

  /** @param {{request: any}} detail */
  function start({ request }) {
    const { elt, action, values, safe, cancelled } = request;
    const known = of(action);
    if (known) {
      Object.assign(known, { request, failed: false, ok: false, landed: false, waits: undefined });
      for (const item of known.items) item.sending();
      return;
    }
    const rule = elt.getAttribute(NAME);
    if (rule === null || !action || safe || (cancelled && !request.kept) || refusesOptimism(request)) return;
    const entry = open({ elt, action, values: values ?? null, rule }, request);
    // A box that was ticked goes back with the rest.
    const { type, checked } = elt;
    if (entry && type === "checkbox") entry.failing = () => () => void (elt.checked === checked && (elt.checked = !checked));
  }

  // A press that htmx keeps back until the one before it has ended counts at once, where none of them is dropped.
  /** @type {WeakMap<Element, string[]>} htmx 2: actions that have no request yet, in order */
  const early = new WeakMap();
  /** @type {WeakSet<object>} */
  const asked = new WeakSet();

  /** @param {Element} elt @param {string} path @param {string} action @param {FormData | null} values */
  function ahead(elt, path, action, values) {
    const rule = elt.getAttribute(NAME);
    const all = /queue\s+all/.test(elt.closest("[hx-sync]")?.getAttribute("hx-sync") ?? "");
    const busy = ledger.all().some((entry) => /** @type {Entry} */ (entry).elt === elt && !entry.failed && !entry.request?.ended);
    if (rule === null || !all || !busy || of(action) || elt.closest("[hx-confirm]") || refusesOptimism({ elt, path })) return undefined;
    return open({ elt, action, values, rule });
  }

  /** htmx 4 @param {{elt: Element, url: string, headers: Record<string, string>, values: FormData}} detail */
  function config({ elt, url, headers, values }) {
    const next = early.get(elt)?.shift();
    if (next) headers[ACTION] = next;
    else if (headers[ACTION]) ahead(elt, new URL(url, doc.baseURI).pathname, headers[ACTION], values);
  }

  /** htmx 2, which asks again when its turn comes @param {{elt: any, path: string, cause: any}} detail */
  function ask({ elt, path, cause }) {
    if (asked.has(cause)) return;
    asked.add(cause);
    const form = elt.form ?? elt.closest("form");
    const entry = ahead(elt, new URL(path, doc.baseURI).pathname, randomUUID(), form && new FormData(form, cause.submitter));
    if (entry) early.set(elt, [...early.get(elt) ?? [], entry.action]);
  }

  /** Its element went, and with it what it had kept back. @param {Element} elt */
  const forget = (elt) => env.after(() => {
    if (elt.isConnected) return;
    for (const entry of ledger.all()) if (/** @type {Entry} */ (entry).elt === elt && !entry.request && !entry.held) fail(/** @type {Entry} */ (entry));
  }, LONGEST_MS);

  const of = (/** @type {string | null} */ action) => /** @type {Entry | undefined} */ (ledger.of(action));
  const ofRequest = (/** @type {any} */ request) => {
    const entry = of(request.action ?? null);
    return entry?.request === request ? entry : undefined;
  };

  /** @param {{request: any}} detail */
  function answered({ request }) {
    const entry = ofRequest(request);
    if (!entry) return;
    if (request.status < 400 && !request.problem) Object.assign(entry, { ok: true, own: request.own });
    // Its picture says it, in its place; unless the answer names another one.
    else if (stands(entry) && !request.header("HX-Retarget")) request.swap = false;
  }

  /** Is a picture of what was sent on the page? @param {Entry} entry */
  const stands = (entry) => entry.layer.effects.some(({ step, done }) => step.verb === "insert" && !done);

  /** Who else would say that it failed? @param {any} detail */
  function ending({ request, outcome }) {
    const entry = ofRequest(request);
    if (entry && outcome !== "ok" && outcome !== "cancel" && stays(entry, request)) request.handled = true;
  }

  /** @param {Entry} entry @param {any} request */
  const stays = (entry, request) => stands(entry) && (request.swap === false || !request.status);

  /** @param {any} detail */
  function end(detail) {
    const { request, outcome } = detail;
    const entry = ofRequest(request);
    if (!entry) return;
    if (!request.elt.isConnected) forget(request.elt);
    if (request.kept) return hold(entry);
    if (request.resending) return; // its twin is at work
    if (outcome === "ok" && entry.ok) {
      apply.flush(true); // what has been heard counts as seen
      const nothing = request.swap === false || request.status === 204 || /^(none|delete)/.test(request.header("HX-Reswap") ?? request.swapStyle);
      return void (of(request.action) && ledger.ended(entry, !nothing));
    }
    const { status, problem } = detail;
    fire(entry, "rt:rollback", { outcome, status, problem });
    if (outcome === "cancel" || !stays(entry, request)) return fail(entry);
    // What was written stays; all else of it never happened.
    const reason = whyOf({ ...detail, text: request.text }, word, bridge.parse);
    layers.under(() => (entry.layer.effects = entry.layer.effects.filter(({ step }) => step.verb === "insert")));
    entry.failed = true;
    for (const item of entry.items) item.failed(reason);
    events.emit("announce", { text: word("kept", { reason }), assertive: true });
  }

  /** @param {Entry} entry */
  function fail(entry) {
    const after = entry.failing?.();
    ledger.fail(entry);
    after?.();
  }

  /** @param {import("./ledger.js").Entry} entry */
  function confirmed(entry) {
    for (const item of /** @type {Entry} */ (entry).items) item.real();
    fire(/** @type {Entry} */ (entry), "rt:confirmed");
  }

  /** @param {string} action @param {"retry" | "discard"} what */
  function chosen(action, what) {
    const entry = of(action);
    if (!entry?.failed) return;
    // It says "Sending…" when it is: behind another request of its form, htmx may have to drop it.
    if (what === "retry") return void bridge.again(entry.request);
    const field = /** @type {HTMLElement | null | undefined} */ (standing(entry.elt ?? null)?.querySelector("input:not([type=hidden]),textarea,button"));
    fail(entry);
    field?.focus();
    events.emit("announce", { text: word("discarded") });
  }

  /** It waits on the device until there is a line. @param {Entry} entry */
  function hold(entry) {
    entry.held = true;
    layers.under(() => (entry.layer.marks = ["rt-waiting"]));
    for (const item of entry.items) item.waiting();
  }

  /** @param {{action: string, outcome: string, own?: number}} detail */
  function done({ action, outcome, own = -1 }) {
    const entry = of(action);
    if (!entry) return;
    if (outcome !== "ok") return fail(entry);
    Object.assign(entry, { ok: true, own, replayed: true });
    if (layers.lying) ledger.ended(entry, false);
  }

  /** After a reload, what still waits is shown again. @param {{entries: any[]}} detail */
  function restore({ entries }) {
    for (const { action, optimistic: rule, source, pairs, page } of entries) {
      if (!rule || of(action) || new URL(page, doc.baseURI).pathname !== doc.location.pathname) continue;
      const values = new FormData();
      for (const [name, value] of pairs) values.append(name, value);
      const entry = open({ elt: source ? doc.getElementById(source) : null, action, values, rule });
      if (entry) hold(entry);
    }
  }

  /** @param {{later?: boolean}} detail */
  function coming({ later }) {
    if (later || waiting || !layers.size) return;
    waiting = true;
    // Ahead of whoever watches the page for changes: all parts of an answer come in one task.
    queueMicrotask(came);
    back = keepPlace(doc, ledger.all().flatMap(({ layer }) => layer.effects));
    ledger.coming();
  }

  function came() {
    if (!waiting) return;
    waiting = false;
    ledger.came();
    back();
    if (!ledger.all().length) echoes.clear();
  }

  /** @param {{elements: Element[], request?: any, inner?: Element | null}} detail */
  function swapped({ elements, request, inner }) {
    if (!layers.size) return;
    coming({}); // a change that nobody has announced, after a delay: what is left of ours goes, and comes back
    ledger.touched({ elements, request, inner: !!inner });
    if (request) calm(ofRequest(request), elements);
  }

  /** @param {{op: {t: string, o: number, verb: string}, elements: Element[]}} detail */
  function operated({ op, elements }) {
    const key = echoes.get(`${op.t}\n${op.o}`);
    if (!key || !waiting) return;
    const inner = /^(update|text|reset)$/.test(op.verb);
    calm(ledger.all().find((entry) => entry.key === key), elements);
    ledger.touched({ elements: [], keys: new Map([[key, elements.map((el) => [el, inner])]]) });
  }

  /** What takes the place of its own picture is no news. @param {import("./ledger.js").Entry | undefined} entry @param {Element[]} elements */
  const calm = (entry, elements) => {
    if (/** @type {Entry | undefined} */ (entry)?.items.length) elements.forEach(still);
  };

  const offs = [
    events.on("stream:message", ({ event, data }) => {
      if (event === OPS && data.key && ledger.all().some(({ key }) => key === data.key)) echoes.set(`${data.t}\n${data.o}`, data.key);
    }),
    events.on("request:config", config),
    events.on("request:asked", ask),
    events.on("request:start", start),
    events.on("request:answered", answered),
    events.on("request:ending", ending),
    events.on("request:end", end),
    events.on("coming", coming),
    events.on("op", operated),
    events.on("swap", swapped),
    // Should htmx have written classes that it had put off, they are the server's; ours go over them again: at once,
    // for whoever watches the page has been told of them already, and would see it without ours.
    events.on("settled", () => {
      if (waiting) return;
      coming({});
      came();
    }),
    events.on("queue:done", done),
    events.on("queue:entries", restore),
  ];
  events.emit("queue:ask");
  /** @type {any} */ (rt).optimistic = ledger; // for debugging: what is pending

  /** @type {(() => void) | undefined} */
  let unmount;
  let wanted = true;
  /** Lists whose items move have a file of their own. */
  async function look() {
    if (!wanted || !doc.querySelector("[rt-move]")) return;
    wanted = false;
    const { mountMove } = await rt.load("htmx-rt-move.mjs");
    if (stopped) return;
    unmount = mountMove({ rt, layers, ledger, word });
    Object.assign(ledger, { moves: true });
  }
  let stopped = false;
  offs.push(events.on("swap", look));
  look();
  return () => {
    stopped = true;
    for (const off of offs) off();
    unmount?.();
    for (const entry of ledger.all()) ledger.fail(entry);
  };
}

/** The class that a new row comes in with. @param {Element} el */
function still(el) {
  const name = el.getAttribute("rt-enter");
  if (name) el.classList.remove(name);
}

const LONGEST_MS = 1_000;

/** A class for one transition or animation. @param {Element} el @param {string} names */
function once(el, names) {
  const list = names.split(/\s+/);
  const had = el.hasAttribute("class");
  el.classList.add(...list);
  const end = (/** @type {Event | undefined} */ event = undefined) => {
    if (event && event.target !== el) return;
    clearTimeout(timer);
    el.removeEventListener("animationend", end);
    el.removeEventListener("transitionend", end);
    el.classList.remove(...list);
    if (!had && !el.classList.length) el.removeAttribute("class");
  };
  const timer = setTimeout(end, LONGEST_MS);
  el.addEventListener("animationend", end);
  el.addEventListener("transitionend", end);
}

/** @type {import("../index.js").Feature[]} */
export const features = [{ name: "optimistic", mount }];
