// Two people, one record: what is said of it reaches the forms that are open here. Loaded where a page has `rt-edit`.
import { actionKey } from "../optimistic/key.js";
import { LOCK_VERSION, VERSION_FIELD } from "../protocol.js";
import { unswapped } from "../bridge/unswapped.js";
import { createForms } from "./form.js";
import { createMerge } from "./merge.js";
import { createNotes } from "./notes.js";
import { createPanels } from "./panel.js";
import { read, rebase, same } from "./values.js";

const PANELS = /^(stale|fenced|locked|gone|version-required)$/;
const TOPIC = "edit:";
const LATE = 1_000; // ms after which the page says what a save came to, if the stream does not

/** @typedef {import("./form.js").Guarded} Guarded */

/** @type {import("../index.js").Feature} */
const edit = {
  name: "edit",
  mount(rt, early = []) {
    const { doc, env, events } = rt;
    const forms = createForms(rt);
    const { tell } = forms;
    const notes = createNotes(rt, forms);
    const merge = createMerge(rt, forms, notes);
    const panels = createPanels(rt, forms, (g) => {
      merge.go(g);
      forms.carry(g);
      leaving?.draw(g);
    }, async (g, button) => (await gone()).pressed(g, button));
    /** @type {(() => void)[]} */
    const stops = [panels.stop, forms.stop];
    let stopped = false;
    /** @type {import("./gone.js").Leaving | undefined} */
    let leaving;
    /** @type {Set<string>} files asked for */
    const loaded = new Set();

    /** @param {string} name @param {(part: any) => () => void} mount */
    async function part(name, mount) {
      if (loaded.has(name)) return;
      loaded.add(name);
      const given = await rt.load(`htmx-rt-${name}.mjs`);
      if (!stopped) stops.push(mount(given));
    }

    const gone = async () => (leaving ??= (await rt.load("htmx-rt-gone.mjs")).createGone(rt, forms, notes));

    /** @param {{request?: any}} [detail] the swap */
    function look({ request } = {}) {
      const key = request?.action ? actionKey(request.action) : undefined;
      forms.scan((g, call) => merge.saved(g, { ...call, key: g.sent.has(key ?? "") ? key : undefined, page: !!call.fields }));
      for (const g of forms.edit.forms()) {
        notes.draw(g);
        leaving?.draw(g);
        if (!g.form) continue;
        if (/^(lock|owner)$/.test(g.preset)) part("lease", ({ mount }) => mount(rt, forms.edit));
        if (g.form.hasAttribute("rt-save")) part("save", ({ createSave }) => createSave(rt, forms, notes));
      }
    }

    /** @param {any} call */
    function heard(call) {
      const { t, name, args, by, key } = call;
      if (!t.startsWith(TOPIC)) return;
      if (name === "lease" || name === "work") return forms.keep(call);
      for (const g of forms.edit.forms()) {
        if (g.about !== t) continue;
        if (name === "saved") merge.saved(g, { ...args, by, key: by === rt.tab.id ? key : undefined });
        else if (name === "gone") gone().then((part) => part.gone(g, { ...args, by }));
      }
    }

    /** @param {{request: any}} detail */
    function start({ request }) {
      const g = forms.of(request.elt);
      if (!g || request.safe || !request.action || !request.values?.has(VERSION_FIELD)) return;
      request.guarded = g;
      forms.send(g, actionKey(request.action), request.values);
    }

    /** @param {{request: any}} detail */
    function answered({ request }) {
      const g = request.guarded;
      if (g && request.status < 400 && !request.problem) panels.release(g);
      if (!g || !PANELS.test(request.problem) || !request.swap) return;
      request.panel = true;
      unswapped(request);
    }

    /** @param {any} detail */
    function end({ request, outcome, header }) {
      const g = /** @type {Guarded | undefined} */ (request.guarded);
      if (!g) return;
      const key = actionKey(request.action);
      const submitter = (request.raw.sourceEvent ?? request.raw.requestConfig?.triggeringEvent)?.submitter;
      if (outcome === "ok") done(g, request, Number(header(LOCK_VERSION) ?? NaN), key);
      else if (!request.kept && !request.resending) g.sent.delete(key);
      tell("done", { form: g, ok: outcome === "ok", submitter });
      // Last, so that nobody else writes into what is put aside.
      if (request.panel) {
        queueMicrotask(() => {
          notes.stale(g, undefined);
          panels.open(g, request.text());
        });
      }
    }

    /** @param {Guarded} g @param {any} request @param {number} v @param {string} key */
    function done(g, request, v, key) {
      const sent = g.sent.get(key);
      const settled = g.panel?.root.isConnected && request.elt === g.form;
      if (!sent || (!(v > g.version) && request.elt !== g.form)) return;
      if (v > g.version) g.version = v;
      for (const name in sent) {
        if (settled) forms.edit.set(g, name, sent[name], { clean: true });
        if (!settled && g.chips[name]) continue;
        forms.settle(g, name, sent[name]);
        const fields = forms.edit.fields(g, name);
        if (fields.length) rebase(fields, sent[name], read(fields));
      }
      if (settled) {
        const { tokenVersion } = g;
        panels.close(g);
        env.after(() => {
          const region = g.form?.closest("[id]");
          if (g.tokenVersion === tokenVersion && region) events.emit("resync", { topics: [], elements: [region], why: "saved" });
        }, LATE);
      }
      forms.carry(g);
    }

    /** @param {Event} event */
    function typed({ target }) {
      const { name } = /** @type {any} */ (target);
      const g = forms.of(target);
      if (!g || g.panel || !g.names.includes(name)) return;
      const theirs = g.chips[name]?.theirs;
      if (same(forms.edit.fields(g, name), forms.edit.value(g, name), theirs)) {
        forms.settle(g, name, theirs);
        forms.carry(g);
        rebased(g);
      }
      notes.mark(g, [name], null);
      tell("input", { form: g, names: [name] });
    }

    /** What the markup says of a form has followed what was saved. @param {Guarded} g */
    const rebased = ({ form, names }) => form && events.emit("rebased", { form, names });
    stops.push(forms.edit.on((what, { form }) => /^(saved|decided)$/.test(what) && rebased(form)));

    const composed = () => void env.after(() => forms.edit.forms().forEach((g) => merge.go(g)), 0);
    const types = ["input", "change"];
    for (const type of types) doc.addEventListener(type, typed);
    doc.addEventListener("compositionend", composed);
    stops.push(
      events.on("call", heard),
      events.on("request:start", start),
      events.on("request:answered", answered),
      events.on("request:end", end),
      events.on("swap", look),
      // An action that was kept for later has met a conflict.
      events.on("edit:panel", (asked) => {
        const g = asked.form && forms.of(asked.form);
        if (!g || g.panel) return;
        panels.open(g, asked.html);
        asked.shown = g.panel?.root;
      }),
    );
    look();
    early.forEach(heard);
    /** @type {any} */ (rt).edit = forms.edit; // for debugging: which forms there are
    return () => {
      stopped = true;
      for (const type of types) doc.removeEventListener(type, typed);
      doc.removeEventListener("compositionend", composed);
      for (const stop of stops) stop();
    };
  },
};

export const features = [edit];
