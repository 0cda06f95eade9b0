// Make an element equal to another one and keep its identity: focus, caret, listeners and typed text stay.

import { move } from "./dom.js";
import { isDirty, readField, writeField } from "./fields.js";

/**
 * @typedef {object} MorphHooks
 * @property {(el: Element) => void} added a new element stands in the page
 * @property {(el: Element) => void} rewired attributes that htmx reads are others now
 * @property {(el: Element, source: Element) => void} wrote its attributes were set to those of `source`
 */

const FIELD = /^(INPUT|TEXTAREA|SELECT)$/;
const OWN = "data-htmx-powered";

/** @param {Element} el @param {Element} source @param {MorphHooks} hooks */
export function copyAttributes(el, source, hooks) {
  let rewired = false;
  let wrote = false; // what equals the page needs no saying: htmx may have lent it another class until it settles
  const set = (/** @type {string} */ name, /** @type {string | null} */ value) => {
    if (name === OWN || el.getAttribute(name) === value) return;
    wrote = true;
    rewired ||= /^(data-)?hx-/.test(name);
    if (value === null) el.removeAttribute(name);
    else el.setAttribute(name, value);
  };
  for (const name of new Set([...el.getAttributeNames(), ...source.getAttributeNames()])) {
    if (name !== "class") set(name, source.getAttribute(name));
  }
  // While htmx works on an element it puts classes on it; those are not the page's.
  const others = [...source.classList].filter((name) => !name.startsWith("htmx-"));
  const classes = [...others, ...[...el.classList].filter((name) => name.startsWith("htmx-"))].join(" ");
  if (classes !== [...el.classList].join(" ")) set("class", classes || (source.hasAttribute("class") ? "" : null));
  if (wrote) hooks.wrote(el, source);
  if (rewired) hooks.rewired(el);
}

/** @param {Element} el @param {Element} source @param {MorphHooks} hooks */
export function morph(el, source, hooks) {
  if (el === source || el.hasAttribute("rt-keep")) return;
  const field = FIELD.test(el.tagName);
  // Whoever is typing wins; a focused box or list is not being typed into.
  const typing = el === el.ownerDocument.activeElement && /** @type {any} */ (el).selectionStart != null;
  const kept = field && (typing || isDirty(el));
  const held = kept ? readField(el) : null;
  if (el.tagName === "TEMPLATE") {
    /** @type {HTMLTemplateElement} */ (el).content.replaceChildren(/** @type {HTMLTemplateElement} */ (source).content);
  }
  copyAttributes(el, source, hooks);
  morphChildren(el, source, hooks);
  if (!field) return;
  // The text of a textarea and the `value` attribute are the new default; what was typed stands above it.
  // A clean field that somebody once typed into no longer follows its markup by itself.
  writeField(el, kept ? held : readField(el, true));
}

/** Could `old` become `source`? @param {Node} old @param {Node} source */
const same = (old, source) =>
  old.nodeName === source.nodeName && /** @type {any} */ (old).id === /** @type {any} */ (source).id &&
  /** @type {any} */ (old).type === /** @type {any} */ (source).type;

/** @param {Element} el @param {Element | DocumentFragment} source @param {MorphHooks} hooks */
export function morphChildren(el, source, hooks) {
  /** @type {Map<string, Element>} */
  const byId = new Map();
  for (const child of el.children) if (child.id) byId.set(child.id, child);
  const fresh = [...source.childNodes];
  const wanted = new Set(fresh.map((node) => /** @type {Element} */ (node).id).filter(Boolean));
  /** @type {ChildNode | null} */
  let cursor = el.firstChild;
  for (const node of fresh) {
    const id = /** @type {Element} */ (node).id;
    // What no new child asks for goes at once, so that what stays need not be moved.
    while (cursor && !(/** @type {Element} */ (cursor).id ? wanted.has(/** @type {Element} */ (cursor).id) : !id)) cursor = drop(cursor);
    /** @type {ChildNode | null | undefined} */
    const old = id ? byId.get(id) : cursor && same(cursor, node) ? cursor : null;
    wanted.delete(id);
    byId.delete(id);
    if (!old || !same(old, node)) {
      el.insertBefore(node, cursor);
      if (node.nodeType === 1) hooks.added(/** @type {Element} */ (node));
      if (old) cursor = old === cursor ? drop(old) : (old.remove(), cursor);
      continue;
    }
    if (old === cursor) cursor = cursor.nextSibling;
    else move(el, old, cursor);
    if (node.nodeType === 1) morph(/** @type {Element} */ (old), /** @type {Element} */ (node), hooks);
    else if (old.nodeValue !== node.nodeValue) old.nodeValue = node.nodeValue;
  }
  while (cursor) cursor = drop(cursor);
}

/** @param {ChildNode} node */
const drop = (node) => {
  const next = node.nextSibling;
  node.remove();
  return next;
};
