// What is being typed and is not saved: from the one who edits to all who look on, field by field, the newest wins.

const EVERY = 200; // ms between two calls
const SPEED = 33; // bytes a millisecond: 64 KiB of text go up every two seconds
const ROOM = 80_000; // characters of a call, which may be three times as many bytes
const AGAIN = 2_000; // ms after a call that failed, and as much again at random

/** @typedef {import("../edit/form.js").Guarded} Guarded */
/** @typedef {string | string[] | null} Value null: as it is saved */
/** @typedef {{fence: number, v: number, field: string, value: Value}} Work */

/**
 * @param {import("../index.js").Runtime} rt @param {import("../edit/form.js").Edit} edit @param {import("./calls.js").Post} post
 * @param {object} hold
 * @param {string} hold.resource
 * @param {() => Guarded[]} hold.forms
 * @param {() => boolean} hold.sends may what is typed here go up?
 * @param {() => boolean} hold.edits is this page the one that edits?
 * @param {() => boolean} hold.known is it known who edits?
 * @param {() => number} hold.fence
 * @param {() => void} hold.lost the server knows somebody else
 * @param {() => void} hold.changed
 */
export function createWork({ env, win }, edit, post, { resource, forms, sends, edits, known, fence, lost, changed }) {
  /** @type {Map<string, string>} field → what the server has of it, as `said`; "" where that is not known */
  const sent = new Map();
  /** @type {Map<string, number>} field → a length that was too large */
  const large = new Map();
  /** @type {Map<string, Work>} what came from the one who edits */
  let works = new Map();
  /** @type {Set<string>} fields in which my own text stays, though somebody else edits */
  let held = new Set();
  /** @type {Guarded | undefined} the form that was typed into last */
  let current;
  /** @type {Promise<void> | null} */
  let going = null;
  let next = 0;
  let round = 0; // of what the server can have
  let cancel = () => {};

  const form = () => (current && forms().includes(current) ? current : forms()[0]);
  const dirty = () => [...new Set(forms().flatMap(edit.dirty))];
  const json = (/** @type {Value} */ value) => JSON.stringify(value);
  /** @param {number} v @param {string} text JSON */
  const said = (v, text) => (text === "null" ? text : `${v} ${text}`); // of a newer version it is said again
  const size = (/** @type {string} */ text) => new win.TextEncoder().encode(text).length;

  function news() {
    const from = form();
    /** @type {Record<string, string>} */
    const found = {};
    let room = ROOM;
    const mine = new Set(from && edit.dirty(from));
    for (const name of from ? edit.names(from) : []) {
      const text = mine.has(name) ? json(edit.value(from, name)) : "null";
      if (said(edit.version(from), text) === (sent.get(name) ?? "null") || text.length >= (large.get(name) ?? Infinity)) continue;
      if (text.length > room && room < ROOM) break; // the rest goes next time
      found[name] = text;
      room -= text.length;
    }
    return found;
  }

  /** @param {boolean} [now] whatever was sent just before */
  function push(now) {
    cancel();
    if (going || !sends()) return;
    const wait = next - env.now();
    if (wait > 0 && !now) return void (cancel = env.after(push, wait));
    const fields = news();
    const names = Object.keys(fields);
    if (!names.length) return;
    going = send(fields, names).finally(() => {
      going = null;
      push();
    });
  }

  /** @param {Record<string, string>} fields @param {string[]} names */
  async function send(fields, names) {
    const from = /** @type {Guarded} */ (form());
    const bytes = size(Object.values(fields).join());
    next = env.now() + Math.max(EVERY, bytes / SPEED);
    const values = Object.fromEntries(names.map((name) => [name, JSON.parse(fields[name])]));
    const v = edit.version(from);
    const mark = round;
    const answer = await post(`work/${encodeURIComponent(resource)}`, { fence: fence(), v, fields: values });
    if (answer?.ok) return mark === round ? names.forEach((name) => sent.set(name, said(v, fields[name]))) : undefined;
    next = env.now() + AGAIN + AGAIN * env.random();
    if (answer?.status === 409) return lost();
    // One of them is too large: the largest stays here until it is shorter.
    if (answer?.status === 413) {
      const [name] = names.sort((a, b) => fields[b].length - fields[a].length);
      large.set(name, fields[name].length);
    }
  }

  /** @param {string} name @param {Guarded} in_ */
  function draw(name, in_) {
    const work = works.get(name);
    if (!work || held.has(name) || work.v !== edit.version(in_) || !edit.names(in_).includes(name)) return;
    const value = work.value ?? edit.base(in_, name);
    edit.set(in_, name, value, { clean: true });
  }

  /** What was shown is mine from now on. @param {string} name @param {Work} work */
  function own(name, { value, v }) {
    if (value === null || held.has(name)) return;
    for (const one of forms()) {
      if (edit.version(one) === v && edit.names(one).includes(name)) edit.set(one, name, value, { clean: false });
    }
  }

  return {
    push,

    /** @param {Guarded} in_ was typed into */
    typed(in_) {
      current = in_;
      push();
    },

    /** All that was typed is told, or cannot be. */
    async flush() {
      await going;
      push(true);
      await going;
    },

    /** Nothing that the server had counts any more: a new line, a new version, a new fence. */
    again() {
      for (const name of sent.keys()) sent.set(name, "");
      round += 1;
      next = 0;
      push();
    },

    /** @param {Work} work */
    hear(work) {
      const { field, v } = work;
      if (work.fence < fence() || forms().every((one) => v < edit.version(one))) return;
      if (!edits()) {
        works.set(field, work);
        if (known()) forms().forEach((one) => draw(field, one));
        return changed();
      }
      // Mine from before a reload: no echo, as this page has not said it.
      if (sent.has(field) || work.fence !== fence() || dirty().includes(field)) return;
      sent.set(field, said(v, json(work.value)));
      own(field, work);
    },

    /** It is known now who edits: what others typed who edited long before is forgotten. @param {number} since their fence */
    begin(since) {
      held = new Set(dirty());
      for (const [name, work] of works) {
        if (work.fence < since) works.delete(name);
        else forms().forEach((one) => draw(name, one));
      }
    },

    /** A version was saved: what was typed on an older one is in it, or past. */
    saved() {
      for (const [name, { v }] of works) if (forms().every((one) => v < edit.version(one))) works.delete(name);
      for (const one of forms()) for (const name of works.keys()) draw(name, one);
      const mine = dirty();
      for (const name of held) if (!mine.includes(name)) held.delete(name);
      push();
    },

    /** This page edits from now on, and has what the one before had typed. */
    adopt() {
      for (const [name, work] of works) own(name, work);
      works = new Map();
      held = new Set();
      sent.clear();
      round += 1;
      next = 0;
    },

    /** Somebody else edits. @param {boolean} moved what the others have is theirs now; only what they lack stays mine */
    leave(moved) {
      cancel();
      const from = form();
      const mine = dirty();
      held = new Set(mine.filter((name) => !moved || !from || sent.get(name) !== said(edit.version(from), json(edit.value(from, name)))));
      for (const one of forms()) {
        for (const name of edit.dirty(one)) if (!held.has(name)) edit.set(one, name, edit.value(one, name), { clean: true });
      }
    },

    /** Theirs instead of mine. */
    yield() {
      const names = held;
      held = new Set();
      for (const one of forms()) {
        for (const name of names) {
          if (edit.names(one).includes(name)) edit.set(one, name, works.get(name)?.value ?? edit.base(one, name), { clean: true });
        }
      }
    },

    /** Is there text of mine that nobody else has? */
    get late() {
      return held.size > 0;
    },

    /** Is there anything that the one who edits has not saved? */
    get unsaved() {
      const versions = forms().map(edit.version);
      return [...works.values()].some((work) => work.value !== null && work.fence >= fence() && versions.includes(work.v));
    },

    stop: () => cancel(),
  };
}
