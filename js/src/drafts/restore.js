// Putting back what was kept: by itself where nobody has changed anything since, and else on demand.
import { fieldsOf, read, same, some, write } from "./fields.js";

const SUBMITTED = 700; // ms between a submit of the browser's own and the start of the document that answers it
const UNDO = 8_000; // ms

/** @typedef {import("./copies.js").Copy} Copy */
/** @typedef {import("./index.js").Rec} Rec */

/**
 * @param {import("../index.js").Runtime} rt
 * @param {object} desk  what holds the forms
 * @param {boolean} desk.first  this document has just come
 * @param {WeakSet<Element>} desk.typed  a person was in it on this page
 * @param {ReturnType<typeof import("./server.js").createServer>} desk.server
 * @param {ReturnType<typeof import("./copies.js").createCopies>} desk.copies
 * @param {ReturnType<typeof import("./line.js").createLine>} desk.line
 * @param {(rec: Rec, name: string, fields: any[]) => void} desk.note
 * @param {(rec: Rec) => boolean} desk.keep
 * @param {(rec: Rec) => Record<string, string[]>} desk.values
 * @param {(rec: Rec) => void} desk.recover
 * @param {(rec: Rec) => void} desk.forget
 * @param {() => void} desk.changed
 */
export function createRestore(rt, desk) {
  const { win, env } = rt;
  const { copies, line, typed } = desk;
  const bridge = /** @type {any} */ (rt.bridge);

  /** May it be written into? What a person or the browser's own memory of them put there stays. @param {any[]} fields */
  const free = (fields) =>
    !fields.some((field) => typed.has(field) || (!desk.first && !same(read([field]), read([field], true))) || field.matches?.(":autofill")) &&
    (!win.navigator.userActivation?.hasBeenActive || same(read(fields), read(fields, true)));

  /** @param {Rec} rec @param {Record<string, string[]>} wanted @param {boolean} force @returns {string[]} */
  function fill(rec, wanted, force) {
    const done = [];
    for (const [name, fields] of fieldsOf(rec.form)) {
      if (!wanted[name] || same(read(fields), wanted[name]) || (!force && !free(fields))) continue;
      if (!write(fields, wanted[name], bridge.parse)) continue;
      rec.touched.add(name);
      desk.note(rec, name, fields);
      done.push(name);
    }
    desk.changed();
    if (done.length) rec.form.dispatchEvent(new CustomEvent("rt:restored", { bubbles: true, detail: { names: done } }));
    return done;
  }

  /**
   * @param {Rec} rec @param {Copy} copy
   * @param {{force?: boolean, offer?: boolean, loud?: boolean}} how `force`: whatever the server says now; `offer`: ask first
   */
  function restore(rec, copy, { force = false, offer = false, loud = false } = {}) {
    const fields = fieldsOf(rec.form);
    /** @type {Record<string, string[]>} */
    const before = {};
    /** @type {Record<string, string[]>} */
    const offered = {};
    /** @type {Record<string, string[]>} */
    const wanted = {};
    let shown = false;
    for (const [name, { v, d }] of Object.entries(copy.fields)) {
      const there = fields.get(name);
      if (!there) {
        rec.copy[name] ??= { v, d }; // its place may come yet
        continue;
      }
      const now = read(there);
      if (there.some((field) => typed.has(field))) continue;
      const initial = read(there, true);
      if (same(initial, v) && same(now, v)) {
        if (!rec.server && !same(v, d)) rec.copy[name] ??= { v, d };
        continue; // the server has it, or a swap has brought it along
      }
      if (same(now, v)) shown = true;
      if (same(now, v) || (!offer && (force || same(initial, d)) && free(there))) {
        before[name] = d;
        wanted[name] = v;
        rec.copy[name] = { v, d: rec.server ? initial : d };
        rec.touched.add(name);
      } else if (!same(initial, v)) offered[name] = v;
    }
    const written = fill(rec, wanted, true);
    for (const name of Object.keys(wanted)) {
      // An option that is not there yet, a list of another length: kept, until there is a place for it.
      if (!same(read(fields.get(name) ?? []), wanted[name])) rec.copy[name] = copy.fields[name];
    }
    rec.submitted = 0;
    desk.keep(rec);
    desk.changed();
    if (some(offered)) differs(rec, copy, offered);
    else if (written.length || (shown && loud)) restored(rec, before);
    if (rec.server && some(wanted)) desk.server.soon(rec);
    if (some(wanted)) desk.recover(rec);
  }

  /** @param {Rec} rec @param {Record<string, string[]>} before */
  function restored(rec, before) {
    const discard = () => {
      if (rec.server) return void desk.server.discard(rec);
      const mine = desk.values(rec);
      fill(rec, before, true);
      for (const name of Object.keys(before)) delete rec.copy[name];
      desk.keep(rec);
      desk.changed();
      undoable(rec, mine);
    };
    rec.quiet = !!rec.server;
    line.show(rec, { word: "restored", acts: [["discard", discard]], loud: true });
  }

  /** @param {Rec} rec @param {Record<string, string[]>} mine */
  function undoable(rec, mine) {
    const undo = () => {
      fill(rec, mine, true);
      desk.keep(rec);
      line.show(rec, null);
    };
    line.show(rec, { word: "undone", acts: [["undo", undo]], loud: true });
    env.after(() => rec.said?.word === "undone" && line.show(rec, null), UNDO);
  }

  /** The server says something else now than when it was typed. @param {Rec} rec @param {Copy} copy @param {Record<string, string[]>} offered */
  function differs(rec, copy, offered) {
    const use = () => {
      const before = desk.values(rec);
      for (const name of Object.keys(offered)) delete rec.copy[name]; // against what is there now
      fill(rec, offered, true);
      desk.keep(rec);
      if (rec.server) desk.server.soon(rec);
      undoable(rec, before);
    };
    const drop = () => {
      for (const name of Object.keys(offered)) delete rec.copy[name];
      desk.keep(rec);
      if (rec.server?.at) desk.server.saved(rec);
      else line.show(rec, null);
    };
    for (const name of Object.keys(offered)) rec.copy[name] ??= copy.fields[name]; // kept until somebody has chosen
    desk.keep(rec);
    rec.quiet = !!rec.server;
    line.show(rec, { word: "differs", values: { time: line.time(copy.at) }, acts: [["use", use], ["discard", drop]], loud: true });
  }

  /** What was kept comes to its form. @param {Rec} rec @param {{copy: Copy, sure: boolean}} found */
  async function bring(rec, { copy, sure }) {
    const loud = desk.first;
    if (copy.tab !== rt.tab.id) copies.drop(copy.path, rec.key, { tab: copy.tab });
    if (copy.sent && gone(copy.sent)) return desk.forget(rec);
    const offer = !sure || (!!copy.sent && !/^back/.test(navigation()?.type ?? "") && !answers(copy.sent));
    if (!rec.server) return restore(rec, copy, { offer, loud });
    const { rev } = rec.server;
    if (rev !== null && (rev === copy.rev || !rev)) return restore(rec, copy, { force: rev === copy.rev, offer, loud });
    const theirs = await desk.server.ask(rec);
    if (!rec.form.isConnected) return;
    // Later than what was typed here, and not from here.
    const foreign = !!theirs && theirs.rev > 0 && theirs.rev !== copy.rev && (theirs.ended || theirs.tab !== copy.tab);
    if (rev === null && theirs?.rev && !theirs.ended) {
      if (foreign) {
        restore(rec, copy, { force: true, loud });
        return desk.server.newer(rec, theirs);
      }
      fill(rec, theirs.fields, false);
    }
    restore(rec, copy, { force: !foreign, offer: offer || foreign, loud });
  }

  const navigation = () => /** @type {any} */ (win.performance.getEntriesByType?.("navigation")[0]);
  /** Is this document the answer to a submit at that time? @param {number} sent */
  const answers = (sent) => navigation()?.type === "navigate" && Math.abs(win.performance.timeOrigin - sent) < SUBMITTED;
  /** It has been taken in. @param {number} sent */
  const gone = (sent) => answers(sent) && (navigation()?.responseStatus ?? 0) < 400;

  return { fill, bring };
}
