// What is said of something that takes long, in the page's language. The server says the same at the first paint
// (`htmx_rt/macros/progress.py`).
import { say } from "../presence/words.js";

/**
 * @typedef {object} Task what the server tells of it, and when this page heard that it has ended
 * @property {string} id
 * @property {number} n grows with each change
 * @property {string} title
 * @property {string} state running, done, failed, cancelled, interrupted
 * @property {number} done
 * @property {number} [total]
 * @property {number} [percent]
 * @property {string} [step]
 * @property {[string, number]} [left]
 * @property {string} [by] @property {string} [who] @property {string} [cancel]
 * @property {boolean} [cancelling] @property {boolean} [late]
 * @property {string} [error]
 * @property {number} started @property {number} [ended] Unix seconds
 * @property {number} [at] Unix milliseconds of this page's clock when it ended
 */

/** @typedef {ReturnType<typeof createSay>} Say */

/** @param {string} lang */
export function createSay(lang) {
  const format = new Intl.NumberFormat(lang);

  /** @param {Record<string, any>} words @param {string} name @param {Record<string, any>} [values] */
  const word = (words, name, values = {}) => say(lang, words[`progress.${name}`], values);

  /** How many are done, where they are counted one by one. @param {Record<string, any>} words @param {Task} task */
  function counted(words, { done, total = 0 }) {
    // A part of the whole is what the percentage says.
    if (done % 1 || total % 1 || total === 1 || total === 100 || !(done || total)) return "";
    return word(words, total ? "count" : "so-far", { done: format.format(done), total: format.format(total) });
  }

  return {
    word,

    /** @param {Record<string, any>} words @param {Task} task */
    percent: (words, { percent: n }) => (n === undefined ? "" : word(words, "percent", { n })),

    /** The line below the bar. @param {Record<string, any>} words @param {Task} task @param {number} now */
    note(words, task, now) {
      const { state, step, left, late, error, at = now } = task;
      const age = now - at;
      const parts = state === "running" ? [counted(words, task), step, left && word(words, `left-${left[0]}`, { n: left[1] })] : [
        late ? word(words, "late") : error ? word(words, "failed-why", { why: error }) : word(words, state),
        state !== "done" && counted(words, task),
        age < 45_000 ? word(words, "now") : word(words, "ago-min", { n: Math.max(1, Math.round(age / 60_000)) }),
      ];
      return parts.filter(Boolean).join(" · ");
    },

    /** What a screen reader is told once. @param {Record<string, any>} words @param {Task} task @param {number} [n] percent */
    said: (words, { title, state, late, error: why }, n) =>
      word(words, `said-${n ? "part" : late ? "late" : why ? `${state}-why` : state}`, { title, why, n }),
  };
}
