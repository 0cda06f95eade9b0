// Guarded forms: which there are, what their fields said when they were made, and what a person has changed since.
// This is also what the lease part (`js/src/lease`) is given: `mount(rt, edit)`.
import { say } from "../presence/words.js";
import { BASE_FIELD, VERSION_FIELD } from "../protocol.js";
import { named, normal, read, rebase, same, write } from "./values.js";

const KEPT = 256; // calls for the lease part
const MOST = 8; // saves of a form whose `saved` has not come

/** @typedef {import("./values.js").Value} Value */
/** @typedef {{k: string, n: string, c: number}} Who  a person: key, name, colour */
/** @typedef {{theirs: Value, who: Who | null, token: string, base: Value, quiet?: boolean}} Chip  `token`: the base on which the person's own change still stands */

/**
 * @typedef {object} Guarded  a place with `rt-edit`; the object stays the same when a swap brings another form for it
 * @property {HTMLFormElement | null} form  none on a page that only shows the record
 * @property {HTMLElement} el  the status element, `[rt-edit]`
 * @property {string} resource  "doc:7"
 * @property {string} preset  detect | merge | live | lock | owner
 * @property {string} topic  "edit:doc:7", of a part "edit:doc:7:price": who holds it
 * @property {string} about  "edit:doc:7": what becomes of the whole record
 * @property {string[]} names  of the guarded fields
 * @property {number} version  of what the form was made from, or has taken over since
 * @property {string} token  the signed base
 * @property {number} tokenVersion
 * @property {Record<string, Value>} base  the values at `version`
 * @property {Record<string, Value>} shown  put there by the page: no change of the person's
 * @property {Map<string, Record<string, Value>>} sent  saves whose `saved` has not come, by action
 * @property {any[]} waiting  `saved` calls that cannot be taken in now
 * @property {Record<string, Chip>} chips  fields that two changed and nobody has decided on
 * @property {Record<string, import("./notes.js").Mark>} marks  what else is said at a field
 * @property {import("./panel.js").Panel | null} panel  in place of the form's own children
 * @property {any} [late]  the `saved` call whose values are to be fetched
 * @property {any} [gone]  the call that said so
 */

/**
 * @typedef {object} Edit  `on(fn)`: fn(what, detail) with
 *   "forms" {}: some came or went, or were written anew · "input" {form, names}: a person typed · "saved" {form, v, own, names}:
 *   base and version are new · "done" {form, ok, submitter}: a save is answered · "decided" {form, name, take} · "panel"
 *   {form, open}. `form` in a detail is a Guarded.
 * @property {() => Guarded[]} forms
 * @property {(form: Guarded) => string[]} names
 * @property {(form: Guarded) => number} version
 * @property {(form: Guarded, name: string) => Value} base  at `version`, whatever is shown
 * @property {(form: Guarded, name: string) => Value} value  as shown
 * @property {(form: Guarded, name: string) => any[]} fields  the elements, out of the document while a panel stands in the form
 * @property {(form: Guarded) => string[]} dirty  names of fields a person changed
 * @property {(form: Guarded, name: string, value: Value, options?: {clean?: boolean}) => void} set
 *   `clean`: shown only, not this person's change; else it is theirs from now on, where it differs from `base`
 * @property {(form: Guarded, key: string, values?: Record<string, string | number>) => string} say  a word of `data-words`
 * @property {(fn: (what: string, detail: any) => void) => () => void} on
 * @property {() => any[]} kept  the newest `lease` and `work` calls, in order
 * @property {(form: Guarded) => boolean} composing  an input method is at work in it
 */

/** @param {HTMLFormElement} form @param {string} name @returns {HTMLInputElement | null} */
export const hidden = (form, name) => form.querySelector(`input[name="${CSS.escape(name)}"]`);

/** @param {import("../index.js").Runtime} rt */
export function createForms({ doc, config, events }) {
  /** @type {Guarded[]} */
  let all = [];
  /** @type {any[]} */
  let kept = [];
  /** @type {any} */
  let composing = null;

  const tell = (/** @type {string} */ what, /** @type {any} */ detail = {}) => events.emit("edit", { what, detail });

  /** @param {Guarded} g @param {string} name */
  const fields = ({ form, panel }, name) => named(panel?.fields ?? form?.elements ?? [], name);
  const value = (/** @type {Guarded} */ g, /** @type {string} */ name) => read(fields(g, name));
  const isDirty = (/** @type {Guarded} */ g, /** @type {string} */ name) => {
    const all = fields(g, name);
    return !!all.length && name in g.base && !same(all, read(all), g.shown[name] ?? g.base[name]);
  };

  /** What the markup says. @param {Guarded} g */
  const written = (g) => {
    // Of a form that is shown again with what was sent: there it stands in the markup, and is the person's all the same.
    const base = JSON.parse(g.el.dataset.base ?? "{}");
    return Object.fromEntries(g.names.flatMap((name) => {
      const all = fields(g, name);
      return all.length ? [[name, name in base ? normal(all, base[name]) : read(all, true)]] : [];
    }));
  };

  /** What the next save carries along: version, base, and older bases of what nobody has decided on. @param {Guarded} g */
  function carry(g) {
    const { form, panel } = g;
    if (!form || panel) return;
    const put = (/** @type {string} */ name, /** @type {string} */ text) => {
      let input = hidden(form, name);
      if (!input) {
        input = doc.createElement("input");
        input.type = "hidden";
        input.name = name;
        g.el.before(input);
      }
      input.value = text;
    };
    put(VERSION_FIELD, String(g.version));
    put(BASE_FIELD, g.token);
    g.el.dataset.version = String(g.version);
    for (const name of g.names) {
      const chip = g.chips[name];
      if (chip) put(`${BASE_FIELD}.${name}`, chip.token);
      else hidden(form, `${BASE_FIELD}.${name}`)?.remove();
    }
  }

  /** @param {HTMLElement} el @param {HTMLFormElement | null} form @returns {Guarded} */
  function create(el, form) {
    const resource = el.getAttribute("rt-edit") ?? "";
    return {
      form, el, resource, preset: "", topic: `edit:${resource}`, about: `edit:${el.dataset.record ?? resource}`, names: [], version: -1, token: "", tokenVersion: -1,
      base: {}, shown: {}, sent: new Map(), waiting: [], chips: {}, marks: {}, panel: null,
    };
  }

  /** As the page says. @param {Guarded} g @param {number} version */
  function bind(g, version) {
    g.base = written(g);
    g.version = g.tokenVersion = version;
    g.token = hidden(/** @type {HTMLFormElement} */ (g.form), BASE_FIELD)?.value ?? "";
    g.shown = {};
    g.chips = {};
  }

  /**
   * Looks at the page: who came, who went, and what a swap has written.
   * @param {(g: Guarded, call: any) => void} newer  a swap brought a newer version of it
   */
  function scan(newer) {
    /** @type {Guarded[]} */
    const found = [];
    for (const el of /** @type {NodeListOf<HTMLElement>} */ (doc.querySelectorAll("[rt-edit]"))) {
      const form = el.closest("form");
      const resource = el.getAttribute("rt-edit");
      const of = (/** @type {Guarded} */ g) => g.resource === resource && !found.includes(g);
      const g = all.find((one) => of(one) && one.el === el) ?? all.find((one) => of(one) && !one.el.isConnected) ?? create(el, form);
      found.push(g);
      Object.assign(g, { el, form, preset: el.dataset.preset ?? "", names: (el.dataset.fields ?? "").split(" ").filter(Boolean) });
      if (g.panel && !g.panel.root.isConnected) g.panel = null; // written over
      if (g.panel || !form) continue;
      const told = Number(el.dataset.version);
      const version = Number(hidden(form, VERSION_FIELD)?.value ?? el.dataset.version ?? -1);
      if (!all.includes(g)) bind(g, version);
      else if (version > g.version) newer(g, { v: version, fields: written(g), base: hidden(form, BASE_FIELD)?.value });
      else if (version < g.version) {
        // Made before what the page knows already.
        for (const name of g.names) {
          const all = fields(g, name);
          if (name in g.base && same(all, read(all), read(all, true))) write(all, g.base[name]);
        }
      }
      if (told > Math.max(version, g.version)) newer(g, { v: told }); // only the status was written anew
      carry(g);
    }
    all = found;
    tell("forms");
  }

  const compose = (/** @type {Event} */ { type, target }) => {
    composing = type === "compositionstart" ? target : null;
  };
  for (const type of ["compositionstart", "compositionend"]) doc.addEventListener(type, compose, true);

  /** @type {Edit} */
  const edit = {
    forms: () => all,
    names: ({ names }) => names,
    version: ({ version }) => version,
    base: (g, name) => g.base[name],
    value, fields,
    dirty: (g) => g.names.filter((name) => isDirty(g, name)),
    set(g, name, given, { clean = false } = {}) {
      const all = fields(g, name);
      const next = normal(all, given);
      if (clean) g.shown[name] = next;
      else delete g.shown[name];
      if (clean) write(all, next);
      else rebase(all, g.base[name] ?? "", next);
    },
    say(g, key, values = {}) {
      return say(config.lang || "en", JSON.parse(g.el.dataset.words ?? "{}")[key], values);
    },
    on: (fn) => events.on("edit", ({ what, detail }) => fn(what, detail)),
    kept: () => kept,
    composing: ({ form }) => !!composing?.isConnected && !!form?.contains(composing),
  };

  return {
    edit, tell, scan, carry, isDirty, written,

    /** @param {{t: string, name: string, args: any}} call */
    keep(call) {
      kept = [...kept.filter(({ t, name, args }) => t !== call.t || name !== call.name || args.field !== call.args.field), call].slice(-KEPT);
    },

    /** The form an element belongs to. @param {any} el @returns {Guarded | undefined} */
    of(el) {
      const form = el.form ?? el.closest?.("form");
      return form ? all.find((g) => g.form === form) : undefined;
    },

    /** What a save carries, by what it is called where it comes back. @param {Guarded} g @param {string} key @param {FormData} values */
    send(g, key, values) {
      g.sent.set(key, Object.fromEntries(g.names.map((name) => [name, normal(fields(g, name), several(values.getAll(name)))])));
      if (g.sent.size > MOST) g.sent.delete([...g.sent.keys()][0]);
    },

    /** From now on this is what was there before. @param {Guarded} g @param {string} name @param {Value} base */
    settle(g, name, base) {
      g.base[name] = base;
      delete g.shown[name];
      delete g.chips[name];
    },

    stop() {
      for (const type of ["compositionstart", "compositionend"]) doc.removeEventListener(type, compose, true);
    },
  };
}

/** @param {any[]} list */
const several = (list) => (list.length > 1 ? list : (list[0] ?? ""));

/** @typedef {ReturnType<typeof createForms>} Forms */
