// A draft on the server: saved after a pause, when the page is hidden, one at a time, each on the revision before.
import { DRAFT_REV, PROBLEM, TAB } from "../protocol.js";
import { retryAfter } from "../stream.js";

const PAUSE = 500; // ms after the last key
const EVERY = 2_500; // ms between two saves, whatever is typed
const MOST_WAIT = 30_000; // ms between tries
const LATER = 60_000; // ms where another try alone will not help
const TIMEOUT = 10_000; // ms
const KEEPALIVE = 60_000; // bytes: browsers send 64 KiB after a page has gone
const UNDO = 8_000; // ms
const TRIES = 3;

/** @typedef {{rev: number, at: number, fields: Record<string, string[]>, tab: string, ended: boolean}} Theirs */

/**
 * @param {import("../index.js").Runtime} rt
 * @param {import("./line.js").Line} line
 * @param {object} on
 * @param {(rec: any, initial?: boolean) => Record<string, string[]>} on.values  of all fields
 * @param {(rec: any, fields: Record<string, string[]>, force: boolean) => string[]} on.fill  what could be put in
 * @param {(rec: any) => Promise<Record<string, string[]> | null>} on.fresh  what the form says without a draft
 * @param {(rec: any) => boolean} on.keep  writes the copy of this browser; false where that cannot be
 * @param {(rec: any, all: boolean) => void} on.kept  the server has it
 * @param {() => void} on.changed  whether there is text that only this page has
 */
export function createServer(rt, line, { values, fill, fresh, keep, kept, changed }) {
  const { env, events, config, tab } = rt;

  /** @param {any} rec @param {HTMLElement} el */
  function bind(rec, el) {
    const key = el.getAttribute("rt-draft") ?? "";
    if (rec.server?.key === key) {
      rec.server.el = el;
      return;
    }
    const { rev, at } = el.dataset;
    rec.server = {
      el, key, rev: rev === undefined ? null : Number(rev), at: Number(at ?? 0) * 1000, last: JSON.stringify(values(rec, true)), state: "",
      busy: false, again: false, first: 0, sent: -EVERY, wait: 0, notBefore: 0, big: Infinity, held: false, own: false, cancel: () => {}, cancelUndo: () => {},
    };
    if (at) saved(rec, false);
  }

  /** @param {any} rec @param {boolean} [loud] */
  function saved(rec, loud = false) {
    const { server } = rec;
    server.state = "saved";
    changed();
    if (rec.quiet) return; // what was restored is to be read first
    line.show(rec, { word: "saved", values: { time: line.time(server.at) }, acts: [["discard", () => discard(rec)]], loud });
  }

  /** @param {any} rec @param {string} state @param {Partial<import("./line.js").Said>} [more] */
  function say(rec, state, more = {}) {
    const before = rec.server.state;
    rec.server.state = state;
    changed();
    if (rec.quiet && state === "saving") return;
    line.show(rec, { word: state, loud: state !== "saving" && state !== before, ...more });
  }

  /** @param {any} rec @param {Record<string, string>} headers @param {RequestInit} init @returns {Promise<Response | null>} */
  async function call(rec, headers, init) {
    const stop = new AbortController();
    const cancel = env.after(() => stop.abort(), TIMEOUT);
    try {
      return await env.fetch(`${config.prefix}/drafts/${rec.server.key}`, { ...init, headers: { [TAB]: tab.id, ...headers }, signal: stop.signal, cache: "no-store" });
    } catch {
      return null;
    } finally {
      cancel();
    }
  }

  const json = async (/** @type {Response} */ response) => {
    try {
      return await response.json();
    } catch {
      return null; // the line broke in the middle of the answer
    }
  };

  /** Typed: save after a pause, and not more often than that. @param {any} rec */
  function soon(rec) {
    const { server } = rec;
    if (server.held || server.busy) return void (server.again = true);
    const now = env.now();
    server.first ||= now;
    const due = Math.max(Math.min(now + PAUSE, server.first + EVERY), server.sent + EVERY, server.notBefore);
    server.cancel();
    // Never longer than that, for the clock may have been set back meanwhile.
    server.cancel = env.after(() => save(rec), Math.max(0, Math.min(due - now, Math.max(EVERY, server.wait))));
  }

  /** @param {any} rec @param {number} [tries] */
  async function save(rec, tries = TRIES) {
    const { server } = rec;
    server.cancel();
    if (server.busy || server.held) return void (server.again = true);
    const text = JSON.stringify(values(rec));
    const body = `{"fields":${text}}`;
    const size = new Blob([body]).size;
    if (text === server.last && server.rev !== null) {
      server.first = 0;
      if (server.state !== "saved" && server.at) saved(rec);
      return;
    }
    if (size >= server.big) return local(rec, "big");
    server.busy = true;
    server.again = false;
    if (server.rev === null && !(await ask(rec))) {
      server.busy = false;
      return later(rec);
    }
    server.sent = env.now();
    server.first = 0;
    say(rec, "saving", { acts: server.at ? [["discard", () => discard(rec)]] : [] });
    const response = await call(rec, { "Content-Type": "application/json", [DRAFT_REV]: String(server.rev) }, { method: "PUT", body, keepalive: size < KEEPALIVE });
    const answer = response && (await json(response));
    server.busy = false;
    if (response?.ok && answer) {
      Object.assign(server, { rev: answer.rev, at: answer.at * 1000, last: text, wait: 0, notBefore: 0, big: Infinity, own: false });
      if (server.held) return; // the form has been sent meanwhile
      if (answer.gone?.length) events.emit("toast", { level: "warning", text: line.word(server.el, "evicted", { names: answer.gone.join(", ") }) });
      const all = text === JSON.stringify(values(rec));
      kept(rec, all);
      saved(rec, !server.told);
      server.told = true;
      if (!all || server.again) soon(rec);
    } else if (response?.status === 409 && answer && response.headers.get(PROBLEM) === "draft-newer") {
      if (server.held) return;
      // Our own: the answer to it was lost, or this form was sent or discarded here.
      const own = answer.ended ? server.own : answer.tab === tab.id;
      if (own && tries) {
        server.rev = answer.rev;
        return save(rec, tries - 1);
      }
      newer(rec, answer);
    } else if (response?.status === 413) {
      server.big = size;
      local(rec, "big");
    } else if (!server.held) {
      const status = response?.status ?? 0;
      const asked = response ? retryAfter(response.headers.get("Retry-After"), env.now()) : 0;
      server.wait = status === 401 || status === 403 ? LATER : Math.min(MOST_WAIT, Math.max(asked, 2 * server.wait, EVERY));
      later(rec);
    }
  }

  /** @param {any} rec */
  function later(rec) {
    const { server } = rec;
    server.wait ||= EVERY;
    server.notBefore = env.now() + server.wait;
    local(rec, "local");
    soon(rec);
  }

  /** The truth when the server has not taken it. @param {any} rec @param {string} word */
  function local(rec, word) {
    const here = keep(rec);
    say(rec, here ? word : "nowhere");
  }

  /** What is on the server, for a view that did not say. @param {any} rec @returns {Promise<Theirs | null>} */
  async function ask(rec) {
    const response = await call(rec, {}, {});
    const theirs = response?.ok ? await json(response) : null;
    if (!theirs) return null;
    if (rec.server.rev === null) rec.server.rev = theirs.rev;
    return theirs;
  }

  /** @param {any} rec @param {Theirs} theirs */
  function newer(rec, theirs) {
    const { server } = rec;
    keep(rec);
    if (!theirs.ended && JSON.stringify(theirs.fields) === JSON.stringify(values(rec))) return take(rec, theirs);
    server.held = true; // nothing is written over it until somebody has chosen
    rec.quiet = false;
    const mine = () => {
      Object.assign(server, { held: false, rev: theirs.rev, last: "", sent: -EVERY, at: 0 });
      save(rec);
    };
    if (theirs.ended) return say(rec, "ended", { acts: [["keep", mine]] });
    const use = () => {
      const before = values(rec);
      fill(rec, theirs.fields, true);
      keep(rec);
      take(rec, theirs);
      undoable(rec, "used", before, { time: line.time(theirs.at * 1000) });
    };
    say(rec, "newer", { values: { time: line.time(theirs.at * 1000) }, acts: [["use", use], ["mine", mine]] });
  }

  /** @param {any} rec @param {Theirs} theirs */
  function take(rec, theirs) {
    const { server } = rec;
    Object.assign(server, { held: false, rev: theirs.rev, at: theirs.at * 1000, last: JSON.stringify(values(rec)) });
    saved(rec);
  }

  /** @param {any} rec @param {string} word @param {Record<string, string[]>} before @param {Record<string, string>} [said] */
  function undoable(rec, word, before, said = {}) {
    const { server } = rec;
    server.cancelUndo();
    const undo = () => {
      server.cancelUndo();
      server.state = "";
      fill(rec, before, true);
      keep(rec);
      server.sent = -EVERY;
      save(rec);
    };
    line.show(rec, { word, values: said, acts: [["undo", undo]], loud: true, state: word });
    server.cancelUndo = env.after(() => {
      if (rec.said?.word !== word) return;
      if (word === "used") saved(rec);
      else line.show(rec, null);
    }, UNDO);
  }

  /** @param {any} rec */
  async function discard(rec) {
    const { server } = rec;
    if (server.busy || server.held) return;
    server.cancel();
    const before = values(rec);
    server.held = true;
    const response = await call(rec, { [DRAFT_REV]: String(server.rev) }, { method: "DELETE" });
    const answer = response && (await json(response));
    server.held = false;
    if (response?.status === 409 && answer && answer.tab !== tab.id && !answer.ended) return newer(rec, answer);
    if (!response?.ok && response?.status !== 409) return say(rec, "stuck", { acts: [["discard", () => discard(rec)]] });
    rec.quiet = false;
    const clean = await fresh(rec);
    if (clean) fill(rec, clean, true);
    else rec.form.reset();
    kept(rec, true);
    Object.assign(server, { rev: answer?.rev ?? server.rev, at: 0, last: JSON.stringify(values(rec)), state: "", own: true, first: 0, again: false });
    undoable(rec, "discarded", before);
  }

  return {
    bind, ask, soon, save, newer, discard, saved,

    /** The page may be about to go. @param {any} rec */
    flush(rec) {
      const { server } = rec;
      const early = server.notBefore - env.now();
      if (server.rev !== null && (early <= 0 || early > server.wait) && JSON.stringify(values(rec)) !== server.last) save(rec);
    },

    /** Its form is on its way: nothing is saved meanwhile. @param {any} rec */
    hold(rec) {
      rec.server.cancel();
      rec.server.held = true;
    },

    /** @param {any} rec @param {boolean} done  it was taken in */
    release(rec, done) {
      const { server } = rec;
      server.held = false;
      if (!done) return void (JSON.stringify(values(rec)) === server.last || soon(rec));
      Object.assign(server, { own: true, at: 0, state: "", first: 0, again: false, last: JSON.stringify(values(rec)) });
      line.show(rec, null);
    },

    /** The line is back. @param {any} rec */
    retry(rec) {
      const { server } = rec;
      if (!/^(local|nowhere)$/.test(server.state)) return;
      server.wait = server.notBefore = 0;
      soon(rec);
    },

    /** Is there text that only this page has? @param {any} rec */
    unsaved: (rec) => /^(local|nowhere|big|newer|ended|stuck)$/.test(rec.server.state),

    /** @param {any} rec */
    stop(rec) {
      rec.server.cancel();
      rec.server.cancelUndo();
    },
  };
}
