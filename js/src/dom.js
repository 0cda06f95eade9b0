// Small questions to the DOM that several parts ask.

/** An element and all inside it that match. @param {any} root @param {string} selector @returns {Element[]} */
export function within(root, selector) {
  const found = [...root.querySelectorAll(selector)];
  if (root.matches?.(selector)) found.unshift(root);
  return found;
}

/** Elements with this id: `root` and all inside it. @param {any} root @param {string} id */
export const byId = (root, id) => within(root, `#${CSS.escape(id)}`);

/** The words of an attribute. @param {Element} el @param {string} name */
export const words = (el, name) => (el.getAttribute(name) ?? "").split(/\s+/).filter(Boolean);

/** Does the element, or one around it, carry the topic? @param {Element | null} el @param {string} topic */
export const carries = (el, topic) => !!el?.closest(`[rt-stream~="${topic}"]`);

/** Elements that carry the topic themselves. @param {Document} doc @param {string} topic */
export const carriersOf = (doc, topic) => [...doc.querySelectorAll(`[rt-stream~="${topic}"]`)];

/** The element that stands where a push has replaced this one. @param {Element} el @returns {Element | null} */
export const resolve = (el) => (el.isConnected ? el : document.getElementById(el.id));

/** Moving must not take the focus or restart a frame where the browser can do better. @param {any} parent @param {Node} node @param {Node | null} before */
export function move(parent, node, before) {
  if (node.parentNode === parent && node.nextSibling === before) return;
  if (parent.moveBefore && parent.isConnected && node.isConnected) parent.moveBefore(node, before);
  else parent.insertBefore(node, before);
}
