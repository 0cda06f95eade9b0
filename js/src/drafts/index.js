// Nothing typed is ever lost: forms hold what was typed over reloads, crashes and swaps (D5), ask before it is left
// behind (D6), and keep drafts on the server (D7). Loaded at the first key in a form, or where something is kept.
import { DRAFT } from "../protocol.js";
import { createCopies } from "./copies.js";
import { attr, fieldsOf, keepable, nameOf, read, same, some } from "./fields.js";
import { createForms, UNSAFE } from "./forms.js";
import { createLeave } from "./leave.js";
import { createLine } from "./line.js";
import { createRestore } from "./restore.js";

const OFTEN = 400; // ms between two copies
const SOON = 20; // ms before the first: a key changes more than one thing

/**
 * @typedef {import("./copies.js").Copy} Copy
 *
 * @typedef {object} Rec  a form with something in it to be kept; it stays the same when a swap brings another element
 * @property {string} key
 * @property {string} path
 * @property {HTMLFormElement} form
 * @property {Record<string, import("./copies.js").Field>} copy  what differs from what was there first
 * @property {Record<string, string[]>} base  what the server has taken in of this element
 * @property {Set<string>} touched
 * @property {Record<string, string[]> | null} sent
 * @property {number} submitted  by the browser itself, Unix ms
 * @property {any} server  its draft there
 * @property {any} line
 * @property {any} said
 * @property {boolean} quiet  the line says what was restored
 * @property {boolean} planned  a copy is about to be written
 * @property {number} kept  when one was written last, Unix ms
 * @property {() => void} cancel
 */

/** @param {import("../index.js").Runtime} rt */
function mount(rt) {
  const { win, doc, env, events, connection, door } = rt;
  const bridge = /** @type {any} */ (rt.bridge);
  const person = () => JSON.parse(doc.querySelector('meta[name="htmx-rt"]')?.getAttribute("content") ?? "{}");
  const copies = createCopies(rt, person);
  const line = createLine(rt);
  const { keyOf, formOf, changes, recovers } = createForms(doc);
  /** @type {Map<string, Rec>} */
  const recs = new Map();
  /** @type {Map<string, {copy: Copy, sure: boolean}>} kept and not in its form yet, by form */
  const waiting = new Map();
  const { typed } = rt;
  const here = () => win.location.pathname + win.location.search;
  let path = here();
  let first = true; // this document has just come
  let stopped = false;
  /** @type {ReturnType<typeof import("./server.js").createServer>} */
  let server;

  /** @param {HTMLFormElement} form @returns {Rec} */
  function recOf(form) {
    const key = keyOf(form);
    let rec = recs.get(key);
    if (!rec || (rec.path !== path && rec.form !== form)) {
      rec?.cancel();
      rec = { key, path, form, copy: {}, base: {}, touched: new Set(), sent: null, submitted: 0, server: null, line: null, said: null, quiet: false, planned: false, kept: 0, cancel() {} };
      recs.set(key, rec);
    }
    if (rec.form !== form) Object.assign(rec, { form, base: {}, line: null });
    const el = server && /** @type {HTMLElement | null} */ (form.querySelector("[rt-draft]"));
    if (el && rec.server?.el !== el) {
      const late = !rec.server && some(rec.copy);
      server.bind(rec, el);
      if (late) server.soon(rec);
      if (rec.said) line.show(rec, { ...rec.said, loud: false });
    }
    return rec;
  }

  // What they say

  /** @param {Rec} rec @param {boolean} [initial] */
  function values({ form }, initial = false) {
    /** @type {Record<string, string[]>} */
    const all = {};
    for (const [name, fields] of fieldsOf(form)) all[name] = read(fields, initial);
    return all;
  }

  /** A field was changed: does it differ from what was there? @param {Rec} rec @param {string} name @param {any[]} fields */
  function note(rec, name, fields) {
    const v = read(fields);
    const d = rec.copy[name]?.d ?? rec.base[name] ?? read(fields, true);
    if (same(v, d)) delete rec.copy[name];
    else rec.copy[name] = { v, d };
  }

  /** @param {Rec} rec */
  function sweep(rec) {
    const fields = fieldsOf(rec.form);
    for (const name of rec.touched) if (fields.has(name)) note(rec, name, fields.get(name) ?? []);
  }

  /** @param {Rec} rec @returns {boolean} it is kept, or there is nothing to keep */
  function keep(rec) {
    rec.cancel();
    rec.planned = false;
    rec.kept = env.now();
    if (!rec.form.isConnected || !recovers(rec.form)) return false;
    sweep(rec);
    if (rec.path !== here()) copies.drop(rec.path, rec.key); // its address has changed under it
    rec.path = path = here();
    if (!some(rec.copy)) {
      copies.drop(path, rec.key);
      return true;
    }
    return copies.write(path, rec.key, rec.copy, { ...(rec.submitted && { sent: rec.submitted }), ...(rec.server && { rev: rec.server.rev }) });
  }

  /** @param {Rec} rec */
  function keepSoon(rec) {
    if (rec.planned) return;
    rec.planned = true;
    rec.cancel = env.after(() => keep(rec), env.now() - rec.kept < OFTEN ? OFTEN : SOON); // never longer, for clocks are set back
  }

  /** A draft that the view did not bring. @param {Rec} rec */
  async function fetchDraft(rec) {
    const theirs = await server.ask(rec);
    if (!theirs?.rev || theirs.ended || !rec.form.isConnected) return;
    if (fill(rec, theirs.fields, false).length) keep(rec);
    Object.assign(rec.server, { at: theirs.at * 1000, last: JSON.stringify(theirs.fields) });
    server.saved(rec, true);
    server.soon(rec);
  }

  // What happens

  /** What is kept for this address. */
  async function load() {
    path = here();
    waiting.clear();
    for (const copy of copies.mine(path)) waiting.set(copy.form, { copy, sure: true });
    look();
    const at = path;
    const { copies: lost, sure } = await copies.lost(path).catch(() => ({ copies: [], sure: false }));
    if (at !== path || stopped) return;
    for (const copy of lost) {
      const known = recs.get(copy.form);
      if (waiting.has(copy.form) || (known && some(known.copy))) continue;
      waiting.set(copy.form, { copy, sure: sure || copy.tab === rt.tab.id });
    }
    look();
    if (server || !doc.querySelector("form [rt-draft]")) first = false;
  }

  /** Forms may be new. */
  function look() {
    if (here() !== path) {
      for (const [key, rec] of recs) if (!rec.form.isConnected) recs.delete(key), rec.cancel();
      return void load();
    }
    for (const rec of [...recs.values()]) {
      if (rec.form.isConnected) continue;
      const form = formOf(rec.key);
      if (!form) continue;
      recOf(form);
      const copy = copies.mine(path).find((one) => one.form === rec.key);
      if (copy) bring(rec, { copy, sure: true });
    }
    const late = !server && doc.querySelector("form [rt-draft]");
    if (late) fetchServer();
    for (const [key, found] of [...waiting]) {
      const form = formOf(key);
      if (!form || (late && form.querySelector("[rt-draft]"))) continue; // what the server has is to be compared
      waiting.delete(key);
      if (recovers(form)) bring(recOf(form), found);
    }
    for (const el of server ? doc.querySelectorAll("form [rt-draft]") : []) {
      const form = /** @type {HTMLFormElement} */ (el.closest("form"));
      const known = recs.get(keyOf(form))?.server;
      const rec = recOf(form);
      if (!known && rec.server.rev === null && !some(rec.copy)) fetchDraft(rec);
    }
    leave.update();
  }

  /** @param {Event} event */
  function input({ target }) {
    const el = /** @type {any} */ (target);
    const form = el.form ?? el.closest?.("form");
    if (!form?.matches?.("form") || !keepable(el)) return;
    const rec = recOf(form);
    typed.add(el);
    rec.touched.add(nameOf(el));
    note(rec, nameOf(el), fieldsOf(form).get(nameOf(el)) ?? [el]);
    rec.submitted = 0;
    rec.quiet = false;
    if (rec.said?.word === "undone" || (rec.said?.word === "restored" && rec.server)) line.show(rec, null);
    keepSoon(rec);
    if (rec.server) server.soon(rec);
    leave.update();
  }

  /** @param {Rec} rec */
  function forget(rec) {
    rec.copy = {};
    rec.submitted = 0;
    rec.cancel();
    rec.planned = false;
    copies.drop(rec.path, rec.key);
    if (!rec.server) line.show(rec, null);
    leave.update();
  }

  /** What was sent has been taken in; what was typed since has not. @param {Rec} rec @param {Record<string, string[]>} sent */
  function taken(rec, sent) {
    if (rec.form.isConnected) sweep(rec);
    for (const [name, { v }] of Object.entries(rec.copy)) {
      if (!sent[name] || same(v, sent[name])) delete rec.copy[name];
      else rec.copy[name].d = sent[name];
    }
    Object.assign(rec.base, sent);
    if (rec.server) server.release(rec, true);
    if (some(rec.copy)) {
      keep(rec);
      if (rec.server) server.soon(rec);
    } else forget(rec);
    leave.update();
  }

  /** The form that a request sends: of itself, or of a button that submits it. @param {any} elt @returns {Rec | undefined} */
  function sender(elt) {
    const form = elt?.matches?.("form") ? elt : elt?.matches?.("button,input[type=submit],input[type=image]") ? elt.form : null;
    const el = form?.querySelector("[rt-draft]");
    return form && (el ? recOf(form) : recs.get(keyOf(form)));
  }

  /** @param {{request: any, sent?: Record<string, string[]>}} detail `sent`: what it carries, where that is not what the form says now */
  function begun({ request, sent }) {
    const rec = request.safe || request.cancelled ? undefined : sender(request.elt);
    if (!rec || recovering(rec, request)) return;
    request.form = rec;
    rec.sent = sent ?? values(rec);
    if (rec.server) server.hold(rec);
    leave.update();
  }

  /** @param {{request: any}} detail */
  function answered({ request }) {
    if (!request.form?.sent || request.problem || request.status >= 400) return;
    taken(request.form, request.form.sent);
    request.taken = true;
  }

  /** @param {{request: any}} detail */
  function ended({ request }) {
    const { form: rec, taken: done, kept } = request;
    if (!rec) return;
    if (!done && kept && rec.sent) taken(rec, rec.sent);
    else if (!done && rec.server) server.release(rec, false);
    rec.sent = null;
    leave.update();
  }

  /** The server gets what it needs to build the form as it was. @param {Rec} rec */
  function recover(rec) {
    const url = attr(rec.form, "rt-recover");
    if (!url || url === "ignore" || !rec.form.isConnected) return;
    const { form } = rec;
    const { noValidate } = form;
    form.noValidate = true; // half of it may be missing yet
    /** @type {any} */ (win).htmx.ajax("POST", url, { source: form, target: form, swap: "outerHTML" })?.catch?.(() => {});
    form.noValidate = noValidate;
  }

  /** @param {Rec} rec @param {any} request */
  const recovering = (rec, { url }) => {
    const own = attr(rec.form, "rt-recover");
    return !!own && own !== "ignore" && new URL(url, doc.baseURI).pathname === new URL(own, doc.baseURI).pathname;
  };

  const unsaved = () => [...recs.values()].filter((rec) => {
    const { form } = rec;
    if (!form.isConnected || rec.submitted || rec.sent || !changes(form) || attr(form, "rt-unsaved") === "ignore") return false;
    if (rec.server) return server.unsaved(rec);
    return some(rec.copy);
  }).map(({ form }) => form);

  const { fill, bring } = createRestore(rt, {
    typed, copies, line, note, keep, values, recover, forget,
    changed: () => leave.update(),
    get first() {
      return first;
    },
    get server() {
      return server;
    },
  });
  const leave = createLeave(rt, unsaved, () => line.word(null, "leave"));
  const forServer = {
    values, fill, keep,
    changed: () => leave.update(),
    kept(/** @type {Rec} */ rec, /** @type {boolean} */ all) {
      if (all) copies.drop(rec.path, rec.key, { out: true });
    },
    async fresh(/** @type {Rec} */ rec) {
      const response = await env.fetch(win.location.href, { headers: { Accept: "text/html" }, cache: "no-store" }).catch(() => null);
      if (!response?.ok) return null;
      const fresh = bridge.parseDocument(await response.text());
      const form = fresh.getElementById(rec.server.el.id)?.closest("form");
      return form ? values(/** @type {any} */ ({ form }), true) : null;
    },
  };
  let fetching = false;

  /** Only pages with drafts on the server need what speaks to it. */
  async function fetchServer() {
    if (fetching) return;
    fetching = true;
    /** @type {typeof import("./server.js")} */
    const { createServer } = await rt.load("htmx-rt-server.mjs");
    if (stopped) return;
    server = createServer(rt, line, forServer);
    look();
    first = false;
  }

  const all = (/** @type {(rec: Rec) => void} */ fn) => [...recs.values()].forEach(fn);
  function flush() {
    all((rec) => {
      if (!rec.form.isConnected) return;
      if (rec.touched.size) keep(rec);
      if (rec.server) server.flush(rec);
    });
  }

  /** @param {Event} event */
  function submit(event) {
    const form = /** @type {HTMLFormElement} */ (event.target);
    const rec = recs.get(keyOf(form));
    if (!rec || rec.form !== form || event.defaultPrevented) return;
    const method = /** @type {SubmitEvent} */ (event).submitter?.getAttribute("formmethod") ?? form.getAttribute("method") ?? "get";
    if (!UNSAFE.test(method)) return;
    rec.submitted = env.now();
    keep(rec);
    if (rec.server) server.hold(rec);
    leave.update();
  }

  let was = connection.state;
  const offs = [
    events.on("swap", look),
    events.on("settled", look),
    // Somebody else's save has changed what was there first.
    events.on("rebased", ({ form, names }) => {
      const rec = recs.get(keyOf(form));
      if (!rec || rec.form !== form) return;
      const fields = fieldsOf(form);
      for (const name of names) {
        const there = fields.get(name);
        if (!there) continue;
        const d = (rec.base[name] = read(there, true));
        if (!rec.copy[name]) continue;
        rec.copy[name].d = d;
        note(rec, name, there);
      }
      keep(rec);
      leave.update();
    }),
    events.on("request:config", ({ elt, method, url, headers }) => {
      const rec = UNSAFE.test(method) ? sender(elt) : undefined;
      if (rec?.server && !recovering(rec, { url })) headers[DRAFT] = rec.server.key;
    }),
    events.on("request:start", begun),
    events.on("request:answered", answered),
    events.on("request:end", ended),
    events.on("stream:state", ({ state }) => {
      const back = state === "connected" && was !== "connected" && was !== "connecting" && was !== "idle";
      was = state;
      if (state !== "connected") return;
      all((rec) => {
        if (rec.server) server.retry(rec);
        if (back && some(rec.copy)) recover(rec);
      });
    }),
    env.on("online", () => all((rec) => rec.server && server.retry(rec))),
    env.on("visibilitychange", () => (env.hidden() ? flush() : all((rec) => rec.server && server.retry(rec)))),
    env.on("pagehide", () => {
      flush();
      copies.release();
    }),
    env.on("pageshow", ({ persisted }) => {
      if (!persisted) return;
      all((rec) => {
        // A submit whose answer was left again: what it brought is known to the page there.
        if (rec.submitted && rec.server) server.release(rec, false);
        rec.submitted = 0;
      });
      leave.update();
    }),
    env.on("reset", ({ target }) => {
      const rec = recs.get(keyOf(target));
      if (rec && rec.form === target) env.after(() => {
        forget(rec);
        if (rec.server) server.soon(rec);
      }, 0);
    }),
    env.on("submit", submit),
  ];
  doc.addEventListener("input", input, true);
  doc.addEventListener("change", input, true);

  // An app's own script has sent it.
  door.saved = (/** @type {HTMLFormElement} */ form) => {
    const rec = recs.get(keyOf(form));
    if (rec) taken(rec, values(rec));
  };

  copies.prune();
  for (const form of doc.forms) {
    for (const field of fieldsOf(form).values()) {
      const early = field.find((one) => typed.has(one));
      if (early) input(/** @type {any} */ ({ target: early }));
    }
    // What was sent before this file was here is no text to be kept, should it be taken in.
    const request = rt.sent?.get(form);
    if (!request) continue;
    /** @type {{request: any, sent: Record<string, string[]>}} */
    const detail = { request, sent: {} };
    for (const name of request.values.keys()) detail.sent[name] = request.values.getAll(name);
    begun(detail);
    if (request.status) answered(detail);
    if (request.ended) ended(detail);
  }
  rt.sent = undefined;
  load();

  return () => {
    stopped = true;
    doc.removeEventListener("input", input, true);
    doc.removeEventListener("change", input, true);
    for (const off of offs) off();
    all((rec) => {
      rec.cancel();
      if (rec.server) server.stop(rec);
    });
    copies.release();
    leave.stop();
  };
}

/** @type {import("../index.js").Feature[]} */
export const features = [{ name: "drafts", mount }];
