// Other words on a control for a while. Icons and everything else in it stay, it gets no narrower, and what was there
// comes back exactly.

const APART = "svg,.rt-idle,.rt-busy,.rt-spinner,.rt-visually-hidden,[hidden],[aria-hidden=true]";

/**
 * @param {Element} control @param {string} words
 * @returns {{again: () => void, back: () => void}} `again` after others have written into it, `back` at the end
 */
export function relabel(control, words) {
  /** @type {Map<Node, {was: string, is: string}>} */
  const texts = new Map();
  /** @type {string | null | undefined} of an attribute: `value` of an input, the name of a control without words */
  let attribute;
  const name = control.matches("input") ? "value" : "aria-label";

  const { width } = getComputedStyle(control); // as `box-sizing` has it
  /** @type {Animation | undefined} no attribute: htmx would copy that to a successor, which a strict policy refuses */
  let held;

  function again() {
    if (!words) return;
    held ??= control.animate({ minWidth: [width, width] }, { fill: "forwards" });
    const own = control.matches("input") ? [] : ownTexts(control);
    if (!own.length) {
      if (control.getAttribute(name) === words) return;
      attribute = control.getAttribute(name);
      control.setAttribute(name, words);
      return;
    }
    own.forEach((node, index) => {
      if (texts.get(node)?.is === node.nodeValue) return; // ours still
      const was = node.nodeValue ?? "";
      const [, before, after] = /** @type {RegExpExecArray} */ (/^(\s*)[^]*?(\s*)$/.exec(was));
      const is = index ? "" : before + words + after;
      texts.set(node, { was, is });
      node.nodeValue = is;
    });
  }

  again();
  return {
    again,
    back() {
      held?.cancel();
      for (const [node, { was, is }] of texts) if (node.nodeValue === is) node.nodeValue = was;
      if (attribute === undefined || control.getAttribute(name) !== words) return;
      if (attribute === null) control.removeAttribute(name);
      else control.setAttribute(name, attribute);
    },
  };
}

/** Text that is read as the label, and text that was. @param {Element} control @returns {Node[]} */
function ownTexts(control) {
  /** @type {Node[]} */
  const found = [];
  const collect = (/** @type {Node} */ parent) => {
    for (const node of parent.childNodes) {
      if (node.nodeType === 3 && node.nodeValue?.trim()) found.push(node);
      else if (node.nodeType === 1 && !(/** @type {Element} */ (node).matches(APART))) collect(node);
    }
  };
  collect(control);
  return found;
}
