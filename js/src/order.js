// Never backwards: what a response left behind of the log is applied again, in the same task and before paint.
// Each rule answers a counterexample that the random test or the properties found; break one and they fail.

import { within } from "./versions.js";

/** @typedef {import("./ring.js").Op} Op */
/** @typedef {import("./verbs.js").Region} Region */

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
  /** @type {WeakMap<Element, number>} and, for targets with an id, by id: the newest request that replaced it */
  const replaced = new WeakMap();
  /** @type {Map<string, number>} */
  const replacedIds = new Map();

  const topicsOf = (/** @type {Part} */ part) => {
    /** @type {Set<string>} */
    const topics = new Set();
    const add = (/** @type {Element} */ el) => {
      for (const topic of (el.getAttribute("rt-stream") ?? "").split(" ")) if (topic) topics.add(topic);
    };
    const first = part.inner ?? part.nodes.find((node) => node.isConnected);
    for (let up = first?.closest("[rt-stream]"); up; up = up.parentElement?.closest("[rt-stream]")) add(up);
    for (const node of part.inner ? [part.inner] : part.nodes) for (const el of within(node, "[rt-stream]")) add(el);
    return topics;
  };

  const idsOf = (/** @type {Op} */ op) => {
    if (!op.ids) {
      op.ids = new Set(within(parse(op.verb === "text" ? "" : op.html ?? ""), "[id]").map((el) => el.id));
      if (op.target[0] === "#" && !/^(append|prepend|before|after)$/.test(op.verb)) op.ids.add(op.target.slice(1));
    }
    return op.ids;
  };

  /** One id, one element: the copy that an operation has touched since, or a later answer brought, wins; else the one that came. @param {Part} part @param {Op[]} ops */
  const dedup = (part, ops) => {
    /** @type {Map<string, Element>} */
    const fresh = new Map();
    for (const node of part.nodes) {
      for (const el of within(node, "[id]")) if (!fresh.has(el.id)) fresh.set(el.id, el);
    }
    /** @type {Set<Element>} */
    const merged = new Set();
    if (!fresh.size) return merged;
    for (const old of doc.querySelectorAll("[id]")) {
      const copy = fresh.get(old.id);
      if (!copy || copy === old || copy.contains(old) || old.contains(copy) || old.tagName !== copy.tagName) continue;
      if (!old.isConnected || !copy.isConnected || !old.closest("[rt-stream]") || !copy.closest("[rt-stream]")) continue;
      const newer = Number(copy.getAttribute("rt-version")) > Number(old.getAttribute("rt-version"));
      if (ahead.covers(old, (part.at ?? Infinity) + 1) || (!newer && ops.some((op) => idsOf(op).has(old.id)))) copy.remove();
      else if (old.parentNode === copy.parentNode) {
        versions.raise(copy, { copy: true });
        const now = [...old.parentNode?.children ?? []].find((el) => el.id === old.id && el !== old);
        if (now) verbs.merge(old, now);
        part.nodes.push(old);
        merged.add(old);
      } else old.remove();
    }
    return merged;
  };

  return {
    /**
     * May the main part of this answer still be swapped in? A safe answer asked for before one that has replaced
     * the same target tells an older story.
     * @param {{seq: number, safe: boolean}} request @param {Element} target @param {boolean} replaces
     */
    admit(request, target, replaces) {
      const last = Math.max(replaced.get(target) ?? 0, (target.id && replacedIds.get(target.id)) || 0);
      if (request.safe && replaces && request.seq < last) return false;
      if (replaces && request.seq > last) {
        replaced.set(target, request.seq);
        if (target.id) {
          replacedIds.delete(target.id);
          replacedIds.set(target.id, request.seq);
          if (replacedIds.size > 256) replacedIds.delete(/** @type {string} */ (replacedIds.keys().next().value));
        }
      }
      return true;
    },

    /** Bring a part that was swapped in up to the page's own position. @param {Part} part */
    repair(part) {
      const topics = topicsOf(part);
      const at = part.at ?? Infinity;
      const ops = ring.since(at, (topic) => topics.has(topic));
      const put = (/** @type {Element} */ back, /** @type {Element} */ old) => {
        const index = part.nodes.indexOf(old);
        if (index >= 0) part.nodes[index] = back;
        verbs.put(back);
      };
      const merged = part.inserted && topics.size ? dedup(part, ops) : new Set();
      for (const node of part.nodes.slice()) if (node.isConnected) versions.raise(node, { copy: true, put });
      if (topics.size) {
        part.nodes = part.inner ? [...part.inner.children] : part.nodes;
        for (const node of part.nodes) places.touch(node.parentElement);
        // What a response brought before its echo has no place of its own yet.
        const until = Math.max(part.own ?? -1, part.inserted ? at : -1);
        if (part.inner && part.at !== null) ahead.note(part.inner, part.at, false);
        for (const node of part.nodes) {
          if (part.inserted) ahead.lower(node, Math.max(at, part.own ?? -1));
          else if (!part.inner && part.at !== null) ahead.note(node, part.at, true);
          const first = part.inserted ? !merged.has(node) : !(part.before?.has(node.id) ?? versions.known(node.id));
          if (first && Number.isFinite(until) && !ops.some((op) => idsOf(op).has(node.id))) places.float(node, part.inserted ?? "", until);
        }
        /** @type {Region} */
        const region = { inner: part.inner, nodes: part.nodes, lost: new Set() };
        for (const op of ops) verbs.perform(op, region);
        // What was done to something around the region may name items that have moved out of it since.
        if (part.inner) part.nodes = [...part.inner.children];
        dedup(part, ops);
        if (part.at !== null && !ring.covers(part.at, topics)) {
          stale([...topics], part.inner ? [part.inner] : region.nodes.filter((node) => node.isConnected));
        }
      }
      if (part.inner) versions.note(part.inner);
      else for (const node of part.nodes) if (node.isConnected) versions.note(node);
      places.sort();
    },
  };
}
