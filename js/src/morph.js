// Make an element equal to another one and keep its identity: focus, caret, listeners and typed text stay.

/**
 * @typedef {object} MorphHooks
 * @property {(el: Element) => void} added a new element stands in the page
 * @property {(el: Element) => void} rewired attributes that htmx reads are others now
 * @property {(el: Element, source: Element) => void} wrote its attributes were set to those of `source`
 */

const FIELD = /^(INPUT|TEXTAREA|SELECT)$/;
const OWN = "data-htmx-powered";

/** Classes that htmx itself puts on an element while it works there. @param {Element} el @param {(name: string) => boolean} test */
const classes = (el, test) => [...el.classList].filter(test);
const ofHtmx = (/** @type {string} */ name) => name.startsWith("htmx-");

/** Did a person change this field? @param {any} field */
export function isDirty(field) {
  if (field.tagName === "SELECT") {
    // Without a `selected` option in the markup the browser chose the first one itself.
    const options = [...field.options];
    const chosen = options.some((option) => option.defaultSelected);
    return options.some((option, index) => option.selected !== (chosen || field.multiple ? option.defaultSelected : index === 0));
  }
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (/^(hidden|submit|button|reset|image)$/.test(field.type)) return false;
  if (field.type === "file") return field.files.length > 0;
  return field.value !== field.defaultValue;
}

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
  const busy = classes(el, ofHtmx);
  for (const name of el.getAttributeNames()) if (!source.hasAttribute(name) && !(name === "class" && busy.length)) set(name, null);
  for (const { name, value } of source.attributes) {
    if (name !== "class") set(name, value);
  }
  const wanted = [...classes(source, (name) => !ofHtmx(name)), ...busy].join(" ");
  if (wanted ? (source.classList.length || busy.length) && wanted !== [...el.classList].join(" ") : source.hasAttribute("class")) set("class", wanted);
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
  if (held) writeField(el, held);
  else resetField(el);
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
    else place(el, old, cursor);
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

/** Moving must not take the focus or restart a frame where the browser can do better. @param {any} parent @param {Node} node @param {Node | null} ref */
const place = (parent, node, ref) => (parent.moveBefore && parent.isConnected ? parent.moveBefore(node, ref) : parent.insertBefore(node, ref));

/** @param {any} field @returns {any} what `writeField` takes */
export function readField(field) {
  if (field.tagName === "SELECT") {
    return [...field.options].filter((option) => option.selected !== option.defaultSelected || option.selected)
      .map((option) => ({ value: option.value, selected: option.selected }));
  }
  if (field.type === "checkbox" || field.type === "radio") return { checked: field.checked };
  return field.type === "file" ? { files: field.files } : { value: field.value };
}

/** @param {any} field @param {any} held */
export function writeField(field, held) {
  if (field.tagName === "SELECT") {
    for (const { value, selected } of held) {
      for (const option of field.options) if (option.value === value) option.selected = selected;
    }
  } else if ("files" in held) field.files = held.files;
  else if ("checked" in held) field.checked = held.checked;
  else if (field.value !== held.value) field.value = held.value;
}

/** A clean field that somebody once typed into no longer follows its attribute by itself. @param {any} field */
const resetField = (field) => {
  if (field.tagName === "SELECT") {
    const options = [...field.options];
    if (options.some((option) => option.defaultSelected)) for (const option of options) option.selected = option.defaultSelected;
  } else if (field.type === "checkbox" || field.type === "radio") field.checked = field.defaultChecked;
  else if (field.type !== "file" && field.value !== field.defaultValue) field.value = field.defaultValue;
};
