// The verbs of rt/1 on nodes: upsert by id, keep what a person typed, never let an older version in.

import { byId, carries, within } from "./dom.js";
import { copyAttributes, morph, morphChildren } from "./morph.js";
import { leave, enter } from "./motion.js";
import { INSERTS } from "./protocol.js";
import { versionOf } from "./versions.js";

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

/** Does the operation place an element by its id, inside its target or beside it? @param {Op} op */
export const inserts = (op) => INSERTS.includes(op.verb);

/** @param {{inner: Element | null, nodes: Element[]}} region */
export const rootsOf = ({ inner, nodes }) => (inner ? [inner] : nodes);

/** @param {Region} region @param {Element} el */
const inside = (region, el) => el !== region.inner && rootsOf(region).some((root) => root.contains(el));

/** @param {Region} region @param {string} id */
const standing = (region, id) => rootsOf(region).flatMap((root) => byId(root, id)).find((el) => el !== region.inner);

/** @param {VerbsOptions} options */
export function createVerbs({ doc, parse, versions, places, ahead, wrote }) {
  /** @type {Map<Element, boolean>} elements to process; true: htmx knew them before */
  let changed = new Map();
  const hooks = {
    added: (/** @type {Element} */ el) => void (changed.has(el) || changed.set(el, false)),
    rewired: (/** @type {Element} */ el) => void changed.set(el, true),
    wrote,
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
    const fragment = op.parsed ?? parse(op.html);
    op.parsed = undefined;
    if (target) {
      claim(op, fragment, target, region);
      if (!region) ahead.keep(fragment, op.o, doc);
    }
    if (op.verb === "reset") versions.forget(fragment);
    else versions.raise(fragment, { copy: true, put: hooks.rewired });
    return fragment;
  };

  const limit = (/** @type {Element} */ parent, /** @type {string} */ verb) => {
    const most = Number(parent.getAttribute("rt-limit"));
    const items = [...parent.children].filter((child) => !child.hasAttribute("rt-leaving"));
    const over = most ? Math.max(0, items.length - most) : 0;
    if (verb === "prepend" || verb === "before") items.reverse();
    for (const el of items.slice(0, over)) el.remove();
  };

  /** Insert or move one item. @param {Op} op @param {Element} parent @param {Element} root @param {Element | null} anchor @param {Region} [region] */
  const upsert = (op, parent, root, anchor, region) => {
    const kind = anchor ? `${op.verb} ${anchor.id}` : op.verb;
    const found = (region && byId(parent, root.id)[0]) ?? doc.getElementById(root.id);
    const old = found && carries(found, op.t) ? found : null;
    const here = old?.parentNode === parent;
    // Outside the region all is up to date already: an item that moved there afterwards stays there.
    if (old && (old === anchor || old.contains(parent) || (region && !here && !inside(region, old)))) return old;
    const item = old?.tagName === root.tagName ? old : root;
    if (item === root) {
      old?.remove();
      places.put(parent, root, kind, op.o, anchor);
      hooks.added(root);
      if (!region) {
        op.created = true;
        enter(root);
      }
    } else {
      if (!region) op.inPlace = here && !anchor && places.settled(item);
      // A render that has an item which this operation created has it in its place.
      if (anchor ? !(region && op.created && here) : !here) places.put(parent, item, kind, op.o, anchor);
      else if (!anchor && !op.inPlace) places.reseat(parent, item, kind, op.o, !!region);
      if (region || !ahead.covers(item, op.o)) morph(item, root, hooks);
    }
    places.touch(parent);
    limit(parent, op.verb);
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
      versions.gone(target.id);
      if (region) lose(region, target);
      else leave(target);
    } else if (op.verb === "text") {
      if (target.textContent !== op.text) target.textContent = op.text;
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
    for (const own of rootsOf(region)) {
      if (!own.isConnected || !target.contains(own)) continue;
      const part = own.id && byId(fragment, own.id)[0];
      if (!part && !region.inner) lose(region, own);
      else if (!part) own.replaceChildren();
      else if (region.inner) morphChildren(own, part, hooks);
      else morph(own, part, hooks);
      versions.note(own);
    }
  };

  /** Elements an operation may act on. @param {Op} op @returns {Element[]} */
  const targets = (op) => [...doc.querySelectorAll(op.target)].filter((el) => carries(el, op.t));

  return {
    targets,

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

    rewired: hooks.rewired,

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

    /**
     * Apply one operation, to the whole page or again to one region.
     * @param {Op} op @param {Region} [region] @param {(target: Element) => boolean} [may]
     * @returns {Element[]} the elements it acted on
     */
    perform(op, region, may = () => true) {
      if (op.verb === "remove" && op.target[0] === "#") versions.gone(op.target.slice(1));
      /** @type {Element[]} */
      const done = [];
      const found = targets(op);
      // Published before the insertion it follows: it counts when that comes.
      if (!found.length && op.verb === "replace") versions.note(fragmentOf(op));
      for (const target of found) {
        if (!target.isConnected || !may(target)) continue;
        if (!inserts(op)) {
          // An answer that brought an item alone says nothing about whether, and where, it stands in its list.
          const shown = op.verb === "replace" ? ahead.covers(target, op.o)
            : ahead.covers(op.verb === "remove" ? target.parentElement : target, op.o, true);
          if (shown && !region) continue;
          if (!region || inside(region, target)) write(op, target, region);
          else if (rootsOf(region).some((root) => target.contains(root))) narrow(op, target, region);
          else continue;
          done.push(target);
          continue;
        }
        const anchor = op.verb === "append" || op.verb === "prepend" ? null : target;
        const parent = anchor ? anchor.parentElement : target;
        if (!parent) continue;
        const contained = !region || parent === region.inner || inside(region, parent);
        for (const root of [...fragmentOf(op).children]) {
          if (!region) {
            const now = doc.getElementById(root.id);
            const newer = !!now && ahead.covers(now.parentElement, op.o, true);
            if (ahead.covers(parent, op.o, true)) {
              // An answer has shown what came of it: the place of the item here, or that it has left another list.
              if (now?.parentNode === parent) places.forget(now);
              else if (now && !newer && carries(now, op.t)) now.remove();
              continue;
            }
            if (newer) continue;
          } else if (!contained) {
            const stood = standing(region, root.id);
            if (stood?.parentNode !== parent) {
              // It has moved out: outside, all is up to date already.
              if (stood) lose(region, stood);
              if (region.inner || !region.lost.has(root.id)) continue;
            }
          }
          const item = upsert(op, parent, root, anchor, region);
          if (!contained) region?.nodes.push(item);
          done.push(item);
        }
      }
      return done;
    },
  };
}
