// Never backwards: what a response left behind of the log is applied again, in the same task and before paint.
// Each rule answers a counterexample that the random test or the properties found; break one and they fail.

import { byId, within, words } from "./dom.js";
import { inserts, rootsOf } from "./verbs.js";

/** @typedef {import("./ring.js").Op} Op */

/**
 * A part of a response that has just been swapped in.
 * @typedef {object} Part
 * @property {Element | null} inner the target, when its children are what came; else null
 * @property {Element[]} nodes elements that came: the children, the new elements, or only the inserted ones
 * @property {"append" | "prepend" | null} inserted the way they were added to others, if they were
 * @property {Set<string>} [before] ids of the children that stood there before
 * @property {number | null} at offset of the log when its request arrived
 * @property {number | null} own offset of the last publish of the action it answers
 */

const MOST_TARGETS = 256;

/**
 * @param {object} options
 * @param {Document} options.doc
 * @param {import("./ring.js").Ring} options.ring
 * @param {import("./versions.js").Versions} options.versions
 * @param {import("./places.js").Places} options.places
 * @param {import("./ahead.js").Ahead} options.ahead
 * @param {ReturnType<import("./verbs.js").createVerbs>} options.verbs
 * @param {(html: string) => DocumentFragment} options.parse
 * @param {(topics: string[], elements: Element[]) => void} options.stale the ring does not reach back to it
 */
export function createOrder({ doc, ring, versions, places, ahead, verbs, parse, stale }) {
  /** @type {Map<string | Element, number>} by target, by its id if it has one: the newest request that replaced it */
  const replaced = new Map();

  /** @param {Element[]} roots */
  const topicsOf = (roots) => {
    const carriers = roots.flatMap((root) => within(root, "[rt-stream]"));
    for (let up = roots.find((root) => root.isConnected); up; up = /** @type {Element} */ (up.parentElement)) carriers.push(up);
    return [...new Set(carriers.flatMap((el) => words(el, "rt-stream")))];
  };

  /** Does the operation say what an element is? @param {Op} op @param {string} id */
  const tells = (op, id) => {
    op.ids ??= new Set(within(parse(op.html), "[id]").map((el) => el.id));
    return op.ids.has(id) || (!inserts(op) && op.target === `#${id}`);
  };

  /** One id, one element: the copy that an operation has touched since, or a later answer brought, wins; else the one that came. @param {Part} part @param {Op[]} ops */
  const dedup = ({ nodes, at }, ops) => {
    for (const copy of nodes.flatMap((node) => within(node, "[id]"))) {
      for (const old of byId(doc, copy.id)) {
        if (!copy.isConnected || old === copy || old.contains(copy) || copy.contains(old) || old.tagName !== copy.tagName) continue;
        if (!old.closest("[rt-stream]") || !copy.closest("[rt-stream]")) continue;
        if (ahead.covers(old, (at ?? Infinity) + 1) || ops.some((op) => tells(op, copy.id))) copy.remove();
        else if (old.parentNode === copy.parentNode) verbs.merge(old, copy);
        else old.remove();
      }
    }
  };

  return {
    topicsOf,

    /**
     * May the main part of this answer still be swapped in? A safe answer asked for before one that has replaced
     * the same target tells an older story.
     * @param {{seq: number, safe: boolean}} request @param {Element} target @param {boolean} replaces
     */
    admit({ seq, safe }, target, replaces) {
      const key = target.id || target;
      if (!replaces) return true;
      if (seq < (replaced.get(key) ?? 0)) return !safe;
      replaced.delete(key); // to the end: the oldest goes first
      replaced.set(key, seq);
      if (replaced.size > MOST_TARGETS) replaced.delete(replaced.keys().next().value ?? "");
      return true;
    },

    /** Bring a part that was swapped in up to the page's own position. @param {Part} part */
    repair(part) {
      const roots = rootsOf(part);
      const topics = topicsOf(roots);
      const { inner, inserted } = part;
      const put = (/** @type {Element} */ back, /** @type {Element} */ old) => {
        const index = part.nodes.indexOf(old);
        if (index >= 0) part.nodes[index] = back;
        verbs.rewired(back);
      };
      for (const node of part.nodes.slice()) if (node.isConnected) versions.raise(node, { copy: true, put });
      if (topics.length) {
        const ops = ring.since(part.at ?? Infinity, (topic) => topics.includes(topic));
        if (inner) part.nodes = [...inner.children];
        if (part.at !== null) {
          // What was put beside others stands anywhere: its place is still to come.
          for (const root of rootsOf(part)) ahead.note(root, inserted ? -1 : part.at, !inner);
          // What a response brought before its echo has no place of its own yet.
          const until = Math.max(part.own ?? -1, inserted ? part.at : -1);
          for (const node of part.nodes) if (!part.before?.has(node.id)) places.float(node, inserted ?? "", until);
        }
        for (const root of rootsOf(part)) places.touch(inner ?? root.parentElement);
        const region = { inner, nodes: part.nodes, lost: new Set() };
        for (const op of ops) verbs.perform(op, region);
        // What was done to something around the region may name items that have moved out of it since.
        if (inner) part.nodes = [...inner.children];
        dedup(part, ops);
        if (part.at !== null && !ring.covers(part.at, topics)) stale(topics, rootsOf(part).filter((root) => root.isConnected));
      }
      for (const root of rootsOf(part)) if (root.isConnected) versions.note(root);
      places.sort();
    },
  };
}
