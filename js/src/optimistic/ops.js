// Each verb on one element, with its exact inverse: text, attributes, classes and places come back byte for byte,
// and what somebody else has written meanwhile stays. Whoever undoes goes backwards through what was done.

/** @typedef {() => void} Undo */

export const PENDING = "rt-pending";

const wordsOf = (/** @type {string | null} */ text) => (text ?? "").split(/\s+/).filter(Boolean);

/** @param {Element} el @param {string} name @param {string | null} value */
function write(el, name, value) {
  if (value === null) el.removeAttribute(name);
  else if (el.getAttribute(name) !== value) el.setAttribute(name, value);
}

/** @param {Element} el @param {string} name */
export const hasClass = (el, name) => wordsOf(el.getAttribute("class")).includes(name);

/** Add and take away classes. @param {Element} el @param {string[]} add @param {string[]} [remove] @returns {Undo} */
export function classes(el, add, remove = []) {
  const before = el.getAttribute("class");
  const had = wordsOf(before);
  const added = add.filter((name) => !had.includes(name));
  const removed = remove.filter((name) => had.includes(name));
  if (!added.length && !removed.length) return () => {};
  const after = [...had.filter((name) => !removed.includes(name)), ...added].join(" ");
  el.setAttribute("class", after);
  return () => {
    const now = el.getAttribute("class");
    if (now === after) return write(el, "class", before);
    // htmx, or the kit, has put a class of its own on it meanwhile.
    const names = wordsOf(now).filter((name) => !added.includes(name));
    const back = removed.filter((name) => !names.includes(name));
    write(el, "class", [...names, ...back].join(" ") || (before === "" ? "" : null));
  };
}

/** @param {Element} el @param {string} name @param {string | null} value null: without it @returns {Undo} */
export function attribute(el, name, value) {
  const before = el.getAttribute(name);
  const names = el.getAttributeNames();
  write(el, name, value);
  return () => {
    if (el.getAttribute(name) !== value) return;
    write(el, name, before);
    if (before === null || value !== null) return;
    // What was taken away comes back as the last one; those that stood behind it go behind it again.
    const behind = names.slice(names.indexOf(name) + 1);
    if (behind.some((other) => ACTIVE.test(other))) return;
    for (const other of behind) {
      const text = el.getAttribute(other);
      el.removeAttribute(other);
      write(el, other, text);
    }
  };
}

/** Attributes whose coming or going does something. */
const ACTIVE = /^(src|data$|type$|value$|checked$|open$|popover$|is$|on)/;

/** @param {Element} el @param {string} text @returns {Undo} */
function setText(el, text) {
  const before = [...el.childNodes];
  const [only] = before;
  if (before.length === 1 && only.nodeType === 3) return setNode(only, text);
  el.textContent = text;
  const fresh = el.firstChild;
  return () => {
    if (el.firstChild === fresh && el.textContent === text) el.replaceChildren(...before);
  };
}

/** @param {Node} node @param {string} text @returns {Undo} */
function setNode(node, text) {
  const before = node.nodeValue;
  node.nodeValue = text;
  return () => {
    if (node.nodeValue === text) node.nodeValue = before;
  };
}

// "1,204 likes": a whole number in groups of three, or one with decimals. "9+" stands for a number nobody knows.
const NUMBER = /(-?\d{1,3}(?:([,\s'’])\d{3})(?:\2\d{3})*|-?\d+(?:\.\d+)?)(?![\d+])/;

/** @param {string} text @param {number} step @returns {string} unchanged where there is no number to change */
export const count = (text, step) =>
  text.replace(NUMBER, (_, number, group) => {
    const decimals = Math.max(...[number, String(step)].map((part) => part.split(".")[1]?.length ?? 0));
    const sum = (Number(group ? number.replaceAll(group, "") : number) + step).toFixed(decimals);
    return group ? sum.replace(/\B(?=(\d{3})+$)/g, group) : sum;
  });

/** @param {Node} el @returns {Node | null} the first text that holds a number */
const numberIn = (el) => {
  for (const node of el.childNodes) {
    const found = node.nodeType === 3 ? NUMBER.test(node.nodeValue ?? "") && node : numberIn(node);
    if (found) return found;
  }
  return null;
};

/** @param {Element} el @param {number} step @returns {Undo} */
function add(el, step) {
  const node = numberIn(el);
  if (node) return setNode(node, count(node.nodeValue ?? "", step));
  return el.textContent?.trim() ? () => {} : setText(el, String(step));
}

/** What would be forgotten out of the page: the focus in it, and how far somebody has scrolled. @param {Element} el */
function remembered(el) {
  const doc = el.ownerDocument;
  /** @type {any} */
  const active = doc.activeElement;
  const focused = active && el.contains(active) ? active : null;
  const [start, end] = focused?.selectionStart != null ? [focused.selectionStart, focused.selectionEnd] : [];
  const places = [el, ...el.querySelectorAll("*")].filter((one) => one.scrollTop || one.scrollLeft)
    .map((one) => ({ one, top: one.scrollTop, left: one.scrollLeft }));
  return () => {
    for (const { one, top, left } of places) one.scrollTo({ top, left, behavior: "instant" });
    if (!focused?.isConnected || (doc.activeElement && doc.activeElement !== doc.body)) return;
    focused.focus({ preventScroll: true });
    if (start != null) focused.setSelectionRange(start, end);
  };
}

/** Where a node stands, to be put back there. @param {Node} node */
function placeOf(node) {
  const { parentNode, previousSibling, nextSibling } = node;
  return () => {
    if (!parentNode || (node.parentNode === parentNode && node.nextSibling === nextSibling)) return;
    // In order, nothing has moved; else something has come between that did not ask first.
    const before = nextSibling?.parentNode === parentNode ? nextSibling
      : previousSibling?.parentNode === parentNode ? previousSibling.nextSibling : null;
    place(parentNode, node, before);
  };
}

/** Moving keeps the focus and the frames inside where the browser can. @param {Node} parent @param {Node} node @param {Node | null} before */
export function place(parent, node, before) {
  if (node === before || (node.parentNode === parent && node.nextSibling === before)) return;
  const { moveBefore } = /** @type {any} */ (parent);
  if (moveBefore && parent.isConnected && node.isConnected) moveBefore.call(parent, node, before);
  else parent.insertBefore(node, before);
}

/** Move `el` before another node of `parent`. @param {Element} el @param {Node} parent @param {Node | null} before @returns {Undo} */
export function relocate(el, parent, before) {
  const back = placeOf(el);
  place(parent, el, before);
  const { parentNode } = el;
  return () => {
    if (el.parentNode === parentNode) back();
  };
}

/**
 * @typedef {object} Step one operation of a layer, resolved
 * @property {string} verb
 * @property {string} value placeholders filled
 * @property {"start" | "end" | ""} at
 * @property {Element} [el] what `insert` puts in
 * @property {(from: Element) => Element | null} [into] where `move` takes it; its own parent if none is said
 * @property {(el: Element) => {parent: Node, before: Node | null} | null} [where] of a move by hand
 * @property {Set<string | Element>} [known] children of its container before the server wrote there
 * @property {() => void} [restore] focus and scrolling inside, when it is back for good
 */

/** @type {Record<string, (el: any, step: Step) => Undo>} */
export const verbs = {
  "add-class": (el, { value }) => classes(el, wordsOf(value)),
  "remove-class": (el, { value }) => classes(el, [], wordsOf(value)),
  text: (el, { value }) => setText(el, value),
  inc: (el, { value }) => add(el, Number(value || 1)),
  dec: (el, { value }) => add(el, -Number(value || 1)),
  show: (el) => attribute(el, "hidden", null),

  hide(el, step) {
    step.restore ??= remembered(el);
    return attribute(el, "hidden", el.getAttribute("hidden") ?? "");
  },

  attr(el, { value }) {
    const [, name, text] = /** @type {RegExpExecArray} */ (/^([^=]+)=(.*)$/s.exec(value));
    return attribute(el, name, text);
  },

  remove(el, step) {
    const back = placeOf(el);
    step.restore ??= remembered(el);
    el.remove();
    return () => {
      if (!el.parentNode) back();
    };
  },

  insert(el, { at, el: item }) {
    if (!item) return () => {};
    place(el, item, at === "start" ? el.firstChild : null);
    return () => item.remove();
  },

  move(el, step) {
    const { at, into, where } = step;
    const parent = where ? null : into ? into(el) : el.parentNode;
    const spot = where ? where(el) : parent && { parent, before: at === "start" ? parent.firstChild : null };
    if (!spot || el.contains(spot.parent)) return () => {};
    return relocate(el, spot.parent, spot.before);
  },
};
