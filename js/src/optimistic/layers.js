// Pending operations lie over what the server has confirmed, in the order in which they were made. Before anybody
// writes the page they are all taken off, and the page is exactly what the server said; afterwards those that are
// still pending are put on again, over whatever came. So one can fail, or be confirmed, without touching the others.

import { PENDING, classes, hasClass, verbs } from "./ops.js";

/** @typedef {import("./ops.js").Step} Step */
/** @typedef {import("./ops.js").Undo} Undo */

/**
 * @typedef {object} Effect one operation on one element
 * @property {Step} step
 * @property {() => Element | null} target as the page is now
 * @property {boolean} [done] confirmed: in the page already, or rewritten there
 *
 * @typedef {object} Layer
 * @property {Effect[]} effects
 * @property {string[]} [marks] classes of what it has changed, beside `rt-pending`
 */

/** What leaves the eye needs no mark, and what is inserted brings its own. */
const UNMARKED = ["remove", "hide", "insert"];

/** @typedef {ReturnType<typeof createLayers>} Layers */

export function createLayers() {
  /** @type {Layer[]} */
  const layers = [];
  /** @type {Undo[]} of what is on, oldest first */
  let undos = [];
  let lying = true;

  /** @param {Layer} layer */
  const put = ({ effects, marks = [] }) => {
    for (const { step, target, done } of effects) {
      const el = done ? null : target();
      if (!el) continue;
      if (UNMARKED.includes(step.verb)) {
        undos.push(verbs[step.verb](el, step));
        continue;
      }
      undos.push(classes(el, [PENDING, ...marks]));
      const undo = verbs[step.verb](el, step);
      // Who has rewritten the element without asking has taken our mark with it: nothing of ours is left.
      undos.push(() => void (hasClass(el, PENDING) && undo()));
    }
  };

  const lift = () => {
    for (const undo of undos.reverse()) undo();
    undos = [];
  };

  /** Whatever `change` does lies under all of them. @param {() => void} change */
  const under = (change) => {
    if (lying) lift();
    change();
    if (lying) layers.forEach(put);
  };

  /** @param {Layer} layer */
  const drop = (layer) => {
    const index = layers.indexOf(layer);
    if (index >= 0) layers.splice(index, 1);
  };

  return {
    under,

    /** Are they on the page? */
    get lying() {
      return lying;
    },

    /** Over all others. @param {Layer} layer */
    add(layer) {
      layers.push(layer);
      if (lying) put(layer);
    },

    /** Take all off: what the server says comes next. */
    off() {
      if (lying) lift();
      lying = false;
    },

    /** Put what is still pending on again. */
    on() {
      if (lying) return;
      lying = true;
      layers.forEach(put);
    },

    /** It never happened. @param {Layer} layer */
    fail(layer) {
      under(() => drop(layer));
      for (const { step, done } of layer.effects) if (!done) step.restore?.();
    },

    /** It is true. What the server has not written itself becomes part of the page. @param {Layer} layer */
    confirm: (layer) => under(() => {
      drop(layer);
      for (const { step, target, done } of layer.effects) {
        const el = done ? null : target();
        if (el) verbs[step.verb](el, step);
      }
    }),
  };
}
