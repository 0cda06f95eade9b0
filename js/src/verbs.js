// The verbs of rt/1 on nodes: upsert by id, keep what a person typed, never let an older version in.

import { copyAttributes, morph, morphChildren } from "./morph.js";
import { leave, enter } from "./motion.js";
import { versionOf, within } from "./versions.js";

/** @typedef {import("./ring.js").Op} Op */

/**
 * What a response put on the page, while operations are applied to it again.
 * @typedef {object} Region
 * @property {Element | null} inner its children are the region; null when `nodes` are
 * @property {Element[]} nodes
 * @property {Set<string>} lost ids that this pass took out and may put back
 */

/**
 * @typedef {object} VerbsOptions
 * @property {Document} doc
 * @property {(html: string) => DocumentFragment} parse
 * @property {import("./versions.js").Versions} versions
 * @property {import("./places.js").Places} places
 * @property {import("./ahead.js").Ahead} ahead
 * @property {(el: Element, source: Element) => void} wrote
 */

const INSERTS = new Set(["append", "prepend", "before", "after"]);

/** Does the element, or one around it, carry the topic? @param {Element | null} el @param {string} topic */
export function carries(el, topic) {
  for (let at = el?.closest("[rt-stream]"); at; at = at.parentElement?.closest("[rt-stream]")) {
    if (/** @type {string} */ (at.getAttribute("rt-stream")).split(" ").includes(topic)) return true;
  }
  return false;
}

/** @param {VerbsOptions} options */
export function createVerbs({ doc, parse, versions, places, ahead, wrote }) {
  /** @type {Map<Element, boolean>} elements to process; true: htmx knew them before */
  let changed = new Map();
  const hooks = {
    added: (/** @type {Element} */ el) => void (changed.has(el) || changed.set(el, false)),
    rewired: (/** @type {Element} */ el) => void changed.set(el, true),
    wrote,
  };

  /** What stood elsewhere, or before, comes without its place. @param {Element} back */
  const put = (back) => {
    places.forget(back);
    hooks.rewired(back);
  };

  /** One id, one element: a list written whole takes its items from elsewhere, unless they are newer there. @param {Op} op @param {DocumentFragment} fragment @param {Element} target @param {Region} [region] */
  const claim = (op, fragment, target, region) => {
    for (const el of fragment.querySelectorAll("[id]")) {
      const now = region ? standing(region, el.id) : doc.getElementById(el.id);
      if (!now || target.contains(now) || now.contains(target) || !carries(now, op.t)) continue;
      if (!region && (versionOf(now) > versionOf(el) || ahead.covers(now, op.o))) el.remove();
      else now.remove();
    }
  };

  /** @param {Op} op @param {Element} [target] written whole @param {Region} [region] */
  const fragmentOf = (op, target, region) => {
    const fragment = op.parsed ?? parse(op.verb === "text" || op.verb === "remove" ? "" : op.html ?? "");
    op.parsed = undefined;
    if (target) {
      claim(op, fragment, target, region);
      if (!region) ahead.keep(fragment, op.o, doc);
    }
    if (op.verb === "reset") versions.forget(fragment);
    else versions.raise(fragment, { copy: true, put });
    return fragment;
  };

  const limit = (/** @type {Element} */ parent, /** @type {string} */ verb) => {
    const most = Number(parent.getAttribute("rt-limit"));
    if (!most) return;
    const items = [...parent.children].filter((child) => !child.hasAttribute("rt-leaving"));
    const over = items.length - most;
    if (over > 0) for (const el of verb === "prepend" || verb === "before" ? items.slice(-over) : items.slice(0, over)) el.remove();
  };

  /** Insert or move one item. @param {Op} op @param {Element} parent @param {Element} root @param {Element | null} anchor @param {Region} [region] */
  const upsert = (op, parent, root, anchor, region) => {
    const kind = anchor ? `${op.verb} ${anchor.id}` : op.verb;
    const here = region && root.id ? within(parent, `[id="${CSS.escape(root.id)}"]`)[0] : null;
    const found = here ?? (root.id ? doc.getElementById(root.id) : null);
    const old = found && carries(found, op.t) ? found : null;
    if (old && (old === anchor || old.contains(parent))) return old;
    // Outside the region all is up to date already: an item that moved there afterwards stays there.
    if (old && region && old.parentNode !== parent && !inside(region, old)) return old;
    if (old && old.tagName === root.tagName) {
      // A render that has an item which this operation created has it in its place.
      if (anchor ? !(region && op.created && old.parentNode === parent) : old.parentNode !== parent) places.put(parent, old, kind, op.o, anchor);
      else if (anchor) places.touch(parent);
      else {
        if (!region) op.inPlace = places.settled(old);
        if (!op.inPlace) places.reseat(parent, old, kind, op.o, !!region);
      }
      morph(old, root, hooks);
    } else {
      old?.remove();
      places.put(parent, root, kind, op.o, anchor);
      hooks.added(root);
      if (!region) {
        op.created = true;
        enter(root);
      }
    }
    places.touch(parent);
    limit(parent, op.verb);
    const item = old ?? root;
    versions.note(item);
    return item;
  };

  /** @param {Element} target @param {DocumentFragment} fragment @returns {Element[]} */
  const replace = (target, fragment) => {
    const roots = [...fragment.children];
    places.touch(target.parentElement);
    if (roots.length === 1 && roots[0].tagName === target.tagName && roots[0].id === target.id) {
      morph(target, roots[0], hooks);
      versions.note(target);
      return [target];
    }
    if (roots[0]) places.inherit(target, roots[0]);
    target.replaceWith(fragment);
    for (const el of roots) {
      hooks.added(el);
      versions.note(el);
    }
    return roots;
  };

  /** @param {Op} op @param {Element} target @param {Region} [region] */
  const write = (op, target, region) => {
    if (op.verb === "remove") {
      if (target.id) versions.gone(target.id);
      if (region) lose(region, target);
      else leave(target);
    } else if (op.verb === "text") {
      if (target.textContent !== op.html) target.textContent = op.html ?? "";
    } else if (op.verb === "replace") {
      const roots = replace(target, fragmentOf(op, target, region));
      region?.nodes.push(...roots);
    } else {
      if (region) for (const { id } of target.querySelectorAll("[id]")) region.lost.add(id);
      const fragment = fragmentOf(op, target, region);
      if (op.verb === "update") morphChildren(target, fragment, hooks);
      else {
        for (const el of fragment.children) hooks.added(el);
        target.replaceChildren(fragment);
      }
      versions.note(target);
    }
  };

  const lose = (/** @type {Region} */ region, /** @type {Element} */ el) => {
    for (const { id } of within(el, "[id]")) region.lost.add(id);
    el.remove();
  };

  /** An operation on something around the region counts for the region's part of it. @param {Op} op @param {Element} target @param {Region} region */
  const narrow = (op, target, region) => {
    if (op.verb === "remove") return;
    if (target === region.inner && op.verb !== "replace") return write(op, target, region);
    const fragment = fragmentOf(op);
    for (const own of region.inner ? [region.inner] : region.nodes) {
      if (!own.isConnected || !target.contains(own)) continue;
      const part = own.id && within(fragment, `[id="${CSS.escape(own.id)}"]`)[0];
      if (!part && !region.inner) lose(region, own);
      else if (!part) own.replaceChildren();
      else if (region.inner) morphChildren(own, part, hooks);
      else morph(own, part, hooks);
      versions.note(own);
    }
  };

  return {
    /** Elements whose htmx attributes are to be processed, once, the outermost only; true: anew. @returns {[Element, boolean][]} */
    takeChanged() {
      const all = changed;
      changed = new Map();
      return [...all].filter(([el]) => {
        if (!el.isConnected) return false;
        for (let up = el.parentElement; up; up = up.parentElement) if (all.has(up)) return false;
        return true;
      });
    },

    put,

    /** What a refetch brought: the truth, but for what a person typed. @param {Element} el @param {Element | DocumentFragment} source @param {boolean} inner */
    fresh(el, source, inner) {
      versions.forget(source);
      if (!inner) copyAttributes(el, /** @type {Element} */ (source), hooks);
      morphChildren(el, source, hooks);
      versions.note(el);
    },

    /** Two copies of one item: the older takes over what the newer says. @param {Element} old @param {Element} copy */
    merge(old, copy) {
      morph(old, copy, hooks);
      copy.remove();
      versions.note(old);
    },

    /** Elements an operation may act on. @param {Op} op @returns {Element[]} */
    targets: (op) => [...doc.querySelectorAll(op.target)].filter((el) => carries(el, op.t)),

    /**
     * Apply one operation, to the whole page or again to one region.
     * @param {Op} op @param {Region} [region] @param {(target: Element) => boolean} [may]
     * @returns {Element[]} the elements it acted on
     */
    perform(op, region, may = () => true) {
      if (op.verb === "remove" && op.target[0] === "#") versions.gone(op.target.slice(1));
      /** @type {Element[]} */
      const done = [];
      const targets = this.targets(op);
      // Published before the insertion it follows: it counts when that comes.
      if (!targets.length && op.verb === "replace") versions.note(fragmentOf(op));
      for (const target of targets) {
        if (!target.isConnected || !may(target)) continue;
        if (!INSERTS.has(op.verb)) {
          if (!region && ahead.covers(target, op.o, /^(update|text|reset)$/.test(op.verb))) continue;
          if (!region || inside(region, target)) write(op, target, region);
          else if (around(region, target)) narrow(op, target, region);
          else continue;
          done.push(target);
          continue;
        }
        const anchor = op.verb === "append" || op.verb === "prepend" ? null : target;
        const parent = anchor ? anchor.parentElement : target;
        const contained = parent && (!region || parent === region.inner || inside(region, parent));
        for (const root of parent ? [...fragmentOf(op).children] : []) {
          const stood = !contained && region && root.id ? standing(region, root.id) : null;
          const here = contained || stood?.parentNode === parent;
          // It has moved out: outside, all is up to date already.
          if (!here && region && stood) lose(region, stood);
          if (!here && (!region || region.inner || !region.lost.has(root.id))) continue;
          if (!region && (ahead.covers(parent, op.o, true) || ahead.covers(doc.getElementById(root.id), op.o))) continue;
          const item = upsert(op, /** @type {Element} */ (parent), root, anchor, region);
          if (!here) region?.nodes.push(item);
          done.push(item);
        }
      }
      return done;
    },
  };
}

/** @param {Region} region @param {string} id */
const standing = (region, id) => {
  for (const root of region.inner ? [region.inner] : region.nodes) {
    const found = within(root, `[id="${CSS.escape(id)}"]`).find((el) => el !== region.inner);
    if (found) return found;
  }
  return null;
};

/** @param {Region} region @param {Element} el */
const inside = (region, el) =>
  region.inner ? el !== region.inner && region.inner.contains(el) : region.nodes.some((node) => node.contains(el));

/** @param {Region} region @param {Element} el */
const around = (region, el) => (region.inner ? el.contains(region.inner) : region.nodes.some((node) => el.contains(node)));
