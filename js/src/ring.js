// Every operation received, matched or not, in the order of the log: what a late response is measured against.

/**
 * @typedef {object} Op one operation of a message
 * @property {string} t topic
 * @property {number} o offset of its message in the log
 * @property {string} verb
 * @property {string} target CSS selector
 * @property {string} html
 * @property {string} text what `text` writes; else empty
 * @property {boolean} [live] it was applied to the page; until then it waits for its frame, and no repair needs it
 * @property {boolean} [inPlace] it found its item standing in the list when it came
 * @property {boolean} [created] its item was not on the page when it came
 * @property {DocumentFragment} [parsed] its HTML, parsed together with that of its frame; for the first use
 * @property {Set<string>} [ids] ids its HTML carries, filled when asked for
 */

/** @typedef {ReturnType<typeof createRing>} Ring */

/** @param {{count?: number, bytes?: number}} [limits] operations kept, and UTF-16 units of their text */
export function createRing({ count = 1000, bytes = 2 * 1024 * 1024 } = {}) {
  /** @type {Op[]} */
  const ops = [];
  let size = 0;
  let horizon = -Infinity; // offset of the newest operation given up
  /** @type {Map<string, number>} where this page began to hear a topic */
  const starts = new Map();
  const cost = (/** @type {Op} */ op) => op.target.length + op.html.length + op.text.length + 64;

  return {
    get length() {
      return ops.length;
    },

    /** Topics that open later are replayed from their own position, so an older offset may come after a newer.
     * @param {Op} op */
    add(op) {
      let at = ops.length;
      while (at && ops[at - 1].o > op.o) at--;
      ops.splice(at, 0, op);
      size += cost(op);
      while (ops.length > count || (size > bytes && ops.length > 1)) {
        const gone = /** @type {Op} */ (ops.shift());
        size -= cost(gone);
        horizon = Math.max(horizon, gone.o);
      }
    },

    /** @param {number} at @param {(topic: string) => boolean} of */
    since(at, of) {
      let from = ops.length;
      while (from && ops[from - 1].o > at) from--;
      return ops.slice(from).filter((op) => op.live && of(op.t));
    },

    /** The topic is heard from here on; the first word counts, unless a gap began anew.
     * @param {string} topic @param {number} at @param {boolean} [anew] */
    begin(topic, at, anew) {
      if (anew || !starts.has(topic)) starts.set(topic, at);
    },

    /** Is everything after `at` still here?
     * @param {number} at @param {Iterable<string>} topics */
    covers(at, topics) {
      if (at < horizon) return false;
      for (const topic of topics) if (at < (starts.get(topic) ?? -Infinity)) return false;
      return true;
    },

    /** Offsets of another epoch do not compare. */
    clear() {
      ops.length = size = 0;
      horizon = -Infinity;
      starts.clear();
    },
  };
}
