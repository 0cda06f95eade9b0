// What somebody else has saved, into a form that is open here: what the person has not touched follows at once, what
// they have changed stays, and they are asked.
import { BASE_FIELD, TAB, VERSION_FIELD } from "../protocol.js";
import { hidden } from "./form.js";
import { normal, read, rebase, same, write } from "./values.js";

const QUIET = /^(detect|merge)$/; // presets
const WAITING = 20; // calls kept while an input method is at work
const FLASH = 1_000; // ms

/** @typedef {import("./form.js").Guarded} Guarded */
/** @typedef {{v: number, fields?: Record<string, any>, base?: string, who?: import("./form.js").Who | null, by?: string, key?: string, page?: boolean}} Saved */

/** @param {import("../index.js").Runtime} rt @param {import("./form.js").Forms} forms @param {import("./notes.js").Notes} notes */
export function createMerge({ env, win, tab, bridge }, forms, notes) {
  const { edit, carry, isDirty, settle, tell } = forms;
  /** @type {Set<Guarded>} whose page is to be fetched, because a call could not carry the values */
  const behind = new Set();
  let fetching = false;

  /** @param {Guarded} g @param {Saved} call */
  function saved(g, call) {
    const { v } = call;
    if (!g.form || !(v > g.tokenVersion)) return;
    if (g.panel || edit.composing(g)) {
      g.waiting = [...g.waiting, call].slice(-WAITING);
      return;
    }
    const sent = ownOf(g, call);
    if (!sent && !call.page && QUIET.test(g.preset)) return notes.stale(g, call.who);
    if (!call.fields) return refetch(g, call);
    /** @type {string[]} */
    const updated = [];
    for (const name of g.names) if (name in call.fields) merge(g, name, call, sent?.[name], updated);
    Object.assign(g, { version: v, tokenVersion: v, token: call.base ?? g.token });
    if (call.key) g.sent.delete(call.key);
    carry(g);
    notes.draw(g);
    notes.stale(g, undefined);
    if (!sent) notes.updated(g, updated, call.who);
    tell("saved", { form: g, v, own: !!sent, names: updated });
  }

  /** What this page sent, where this is what came of it. @param {Guarded} g @param {Saved} call */
  function ownOf({ sent }, { by, key, page }) {
    return key ? sent.get(key) : by === tab.id && !page ? [...sent.values()].pop() : undefined;
  }

  /** @param {Guarded} g @param {string} name @param {Saved} call @param {any} sent @param {string[]} updated */
  function merge(g, name, { fields = {}, who = null }, sent, updated) {
    const all = edit.fields(g, name);
    const theirs = normal(all, fields[name]);
    const was = g.base[name];
    const now = read(all);
    const chip = g.chips[name];
    if (same(all, now, theirs)) {
      rebase(all, theirs, now);
      return settle(g, name, theirs);
    }
    if (!isDirty(g, name) || same(all, now, sent)) {
      write(all, theirs);
      settle(g, name, theirs);
      updated.push(name);
      if (sent === undefined) flash(all);
      return;
    }
    rebase(all, theirs, now);
    g.base[name] = theirs;
    delete g.shown[name];
    // What was typed since it was sent is another change on what came of it.
    if (like(sent, theirs) || same(all, chip?.base, theirs)) delete g.chips[name];
    else if (!same(all, was, theirs)) g.chips[name] = { token: chip?.token ?? g.token, base: chip?.base ?? was, theirs, who, quiet: sent !== undefined };
  }

  /** @param {any[]} all */
  function flash(all) {
    for (const field of all) {
      const el = /^(checkbox|radio)$/.test(field.type) ? (field.labels?.[0] ?? field) : field;
      el.classList.remove("rt-updated");
      el.getBoundingClientRect(); // or the animation would not begin again
      el.classList.add("rt-updated");
      env.after(() => {
        el.classList.remove("rt-updated");
        if (!el.getAttribute("class")) el.removeAttribute("class");
      }, FLASH);
    }
  }

  /** Too large for a call: from the page, once for all forms. @param {Guarded} g @param {Saved} call */
  function refetch(g, call) {
    g.late = call;
    behind.add(g);
    if (!fetching) fetchPage();
  }

  async function fetchPage() {
    fetching = true;
    const wanted = [...behind];
    behind.clear();
    const { pathname, search, origin } = win.location;
    const page = await env.fetch(origin + pathname + search, { headers: { Accept: "text/html", [TAB]: tab.id }, cache: "no-store" })
      .then(async (answer) => bridge.parseDocument(answer.ok ? await answer.text() : "")).catch(() => null);
    for (const g of wanted) {
      const { late } = g;
      const form = [...page?.querySelectorAll("[rt-edit]") ?? []].find((el) => el.getAttribute("rt-edit") === g.resource)?.closest("form");
      if (form) {
        const fields = forms.written({ ...g, form, panel: null });
        saved(g, { ...late, v: Number(hidden(form, VERSION_FIELD)?.value), fields, base: hidden(form, BASE_FIELD)?.value, page: true });
      }
      // Not on the page by itself, or no line: it is merged when it is saved.
      if (g.tokenVersion < late.v) notes.stale(g, late.who ?? null);
    }
    fetching = false;
    if (behind.size) fetchPage();
  }

  return {
    saved,

    /** What had to wait. @param {Guarded} g */
    go(g) {
      for (const call of g.waiting.splice(0)) saved(g, call);
    },
  };
}

/** Servers trim what they keep. @param {any} sent @param {any} saved */
const like = (sent, saved) => sent !== undefined && String(sent).trim() === String(saved).trim();
