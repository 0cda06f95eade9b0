// Guarded forms: which there are, what their fields said when they were made, and what a person changed since.
// This is also what the lease part (`js/src/lease`) is given: `mount(rt, edit)`.
import { PRESETS, LOCK_VERSION, VERSION_FIELD, BASE_FIELD } from "../protocol.js";
import { fieldsOf, normal, read, same, write } from "./values.js";

/** @typedef {import("./values.js").Value} Value */
/** @typedef {{k: string, n: string, c: number}} Who  a person: key, name, colour */

/**
 * @typedef {object} Guarded  a place with `rt-edit`; the object stays the same when a swap brings another form for it
 * @property {HTMLFormElement | null} form  none on a page that only shows the record
 * @property {HTMLElement} el  the status element, `[rt-edit]`
 * @property {string} resource  "doc:7"
 * @property {string} preset  detect | merge | live | lock | owner
 * @property {string} topic  "edit:doc:7"
 * @property {string[]} names  of the guarded fields
 * @property {number} version  of what the form was made from, or has taken over since
 * @property {number} tokenVersion  of the signed base in the form
 * @property {Record<string, Value>} base  the values at that version
 * @property {Record<string, Value>} shown  put there by the page and not by the person: no change of theirs
 * @property {Record<string, Value> | null} sent  by a save whose `saved` has not come yet
 * @property {any[]} waiting  `saved` calls that cannot be taken in now
 * @property {Record<string, any>} chips  fields that two changed and nobody has decided on
 * @property {any} panel  in place of the form's own children
 */

/**
 * @typedef {object} Edit  `on(fn)`: fn(what, detail) with
 *   "forms" {}: some came or went · "input" {form, names}: a person typed · "saved" {form, v, own, names}: base and version
 *   are new · "sent" {form} a save leaves · "done" {form, ok, submitter} it is answered · "panel" {form, open}
 *   · "gone" {form, why}. `form` in a detail is a Guarded.
 * @property {() => Guarded[]} forms
 * @property {(form: Guarded) => string[]} names
 * @property {(form: Guarded) => number} version
 * @property {(form: Guarded, name: string) => Value} base  at `version`, whatever is shown
 * @property {(form: Guarded, name: string) => Value} value  as shown
 * @property {(form: Guarded, name: string) => any[]} fields  the elements; none while a panel stands in the form
 * @property {(form: Guarded) => string[]} dirty  names of fields a person changed
 * @property {(form: Guarded, name: string, value: Value, options?: {clean?: boolean}) => void} set
 *   `clean`: shown only, not this person's change; else it is theirs from now on, where it differs from `base`
 * @property {(form: Guarded, key: string, values?: Record<string, string | number>) => string} say  a word of `data-words`
 * @property {(fn: (what: string, detail: any) => void) => () => void} on
 * @property {() => any[]} kept  `lease` and `work` calls so far, in order
 * @property {(form: Guarded) => boolean} composing  an input method is at work in it
 */

/** @param {HTMLFormElement} form @param {string} name @returns {HTMLInputElement | null} */
export const hidden = (form, name) => form.querySelector(`input[name="${CSS.escape(name)}"]`);

/** @param {import("../index.js").Runtime} rt */
export function createForms({ doc, config }) {
  /** @type {Guarded[]} */
  let all = [];
  /** @type {Set<(what: string, detail: any) => void>} */
  const listeners = new Set();
  /** @type {Map<string, Record<string, any>>} */
  const catalogues = new Map();
  const tell = (/** @type {string} */ what, /** @type {any} */ detail = {}) => {
    for (const fn of [...listeners]) {
      try {
        fn(what, detail);
      } catch (error) {
        console.error("htmx-rt:", what, error);
      }
    }
  };
  return { all: () => all, tell, listeners, catalogues };
}
