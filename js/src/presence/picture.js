// One picture becomes another one: what is the same stays, pictures are not loaded again, and focus stays where it is.

/** @param {Element} el @param {Element} source */
function copy(el, source) {
  for (const name of el.getAttributeNames()) if (!source.hasAttribute(name)) el.removeAttribute(name);
  for (const name of source.getAttributeNames()) {
    const value = /** @type {string} */ (source.getAttribute(name));
    if (el.getAttribute(name) !== value) el.setAttribute(name, value);
  }
}

/** Could the one become the other? @param {Node | null | undefined} one @param {Node} other */
const alike = (one, other) => one && one.nodeName === other.nodeName && /** @type {any} */ (one).id === /** @type {any} */ (other).id;

/** Makes the children of `el` those of `source`. @param {Element} el @param {ParentNode & Node} source */
export function become(el, source) {
  const named = new Map([...el.children].filter(({ id }) => id).map((child) => [child.id, child]));
  const wanted = new Set([...source.children].map(({ id }) => id));
  /** @type {ChildNode | null} */
  let at = el.firstChild;
  const skip = () => {
    const next = /** @type {ChildNode} */ (at).nextSibling;
    at?.remove();
    at = next;
  };
  for (const node of [...source.childNodes]) {
    const { id } = /** @type {Element} */ (node);
    // Who is gone goes first, so that who stays need not be moved.
    while (at && /** @type {Element} */ (at).id && !wanted.has(/** @type {Element} */ (at).id)) skip();
    const old = id ? named.get(id) : at;
    if (!alike(old, node)) {
      el.insertBefore(node, at);
      continue;
    }
    if (old === at) at = at?.nextSibling ?? null;
    else el.insertBefore(/** @type {Element} */ (old), at);
    if (old?.isEqualNode(node)) continue;
    if (node.nodeType !== 1) old && (old.nodeValue = node.nodeValue);
    else copy(/** @type {Element} */ (old), /** @type {Element} */ (node)), become(/** @type {Element} */ (old), /** @type {Element} */ (node));
  }
  while (at) skip();
}
