// The markup of a fake node, attributes in their order.

/** @param {any} node @returns {string} */
export function html(node) {
  if (node.nodeType === 3) return node.nodeValue;
  const inner = node.childNodes.map(html).join("");
  if (node.nodeType !== 1) return inner;
  const tag = node.tagName.toLowerCase();
  const fields = node.attributes.map(({ name, value }) => ` ${name}="${value}"`).join("");
  return `<${tag}${fields}>${inner}</${tag}>`;
}
