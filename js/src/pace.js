// A page that is sent more than it can draw: what is superseded is left out, and no frame does more than it has time
// for, so that scrolling and typing go on. Loaded by need: when frames have taken long.

const BUDGET = 6; // ms of a frame for operations; to draw what they change takes about as long again
const LONG = 25; // ms after which a frame was late; then the page is left alone for as long as that took
const LEAST = 4; // operations a frame
const MOST = 512;
const WHOLE = ["replace", "text", "update", "reset"]; // each says all of its target

/** @typedef {{t: string, op?: {verb: string, target: string}}} Item */

/** What shows the same in the end: without earlier words on what a later one says wholly. @param {Item[]} queue */
export function latest(queue) {
  /** @type {Set<string>} */
  const said = new Set();
  const kept = [];
  for (let index = queue.length - 1; index >= 0; index -= 1) {
    const { t, op } = queue[index];
    const whole = op && WHOLE.includes(op.verb) && /^#[^\s>+~,:]+$/.test(op.target);
    const key = whole ? `${t}\n${op.verb}\n${op.target}` : "";
    if (said.has(key)) continue;
    if (key) said.add(key);
    kept.push(queue[index]);
  }
  return kept.reverse();
}

/** @type {import("./index.js").Feature} */
export const pace = {
  name: "pace",
  mount({ apply, doc, win, events }) {
    const { motion } = apply;
    const plain = motion.pace;
    let most = 32;
    let taken = 0; // operations of this frame
    let began = 0;
    /** @type {unknown} */
    let last; // the frame before
    let rest = 0; // nothing is done before
    let waiting = false;

    /** How long it was until the next frame: to draw may take much longer than to change. */
    function look() {
      const now = win.performance.now();
      rest = now - began > LONG ? now + now - began : 0;
    }

    function again() {
      if (waiting) return;
      waiting = true;
      win.requestAnimationFrame(() => {
        waiting = false;
        apply.flush();
      });
    }

    motion.pace = (queue, all) => {
      // An answer is about to be swapped in, or somebody writes: then all of it, in order.
      if (all || doc.hidden || doc.activeElement?.matches("input,textarea,[contenteditable]")) return plain(queue, all);
      const frame = doc.timeline.currentTime;
      const now = win.performance.now();
      const left = frame === last || now < rest ? 0 : most;
      last = frame;
      if (left) {
        began = now;
        win.requestAnimationFrame(look);
      }
      if (queue.length > left) {
        queue.splice(0, queue.length, ...latest(queue));
        if (queue.length > left) again();
      }
      const some = queue.splice(0, left);
      taken = some.length;
      return some;
    };
    const off = events.on("applied", () => {
      const took = win.performance.now() - began;
      // A frame of few operations says little about one of many.
      if (taken * 2 > most) most = Math.min(MOST, Math.max(LEAST, Math.round((taken * BUDGET) / Math.max(took, 0.1))));
    });
    return () => {
      off();
      motion.pace = plain;
      apply.flush();
    };
  },
};

export const features = [pace];
