// Selectors as in `hx-target`: `this`, `closest …`, `find …`, `next …`, `previous …`, and CSS, of which all count.

/** @param {Document} doc @param {Element | null} from @param {string} selector @param {"next" | "previous"} way */
function beside(doc, from, selector, way) {
  if (!from) return null;
  if (!selector) return way === "next" ? from.nextElementSibling : from.previousElementSibling;
  const all = [...doc.querySelectorAll(selector)];
  if (way === "previous") all.reverse();
  const side = way === "next" ? Node.DOCUMENT_POSITION_FOLLOWING : Node.DOCUMENT_POSITION_PRECEDING;
  return all.find((el) => from.compareDocumentPosition(el) & side && !el.contains(from)) ?? null;
}

/** @param {Document} doc @param {Element | null} from @param {string} selector @returns {Element[]} */
export function findAll(doc, from, selector) {
  const [, way, rest] = /^(this|closest|find|next|previous|body)(?:\s+(.*))?$/s.exec(selector) ?? [];
  const one = way === "this" ? from
    : way === "closest" ? from?.closest(rest)
      : way === "find" ? from?.querySelector(rest)
        : way === "body" && !rest ? doc.body
          : way === "next" || way === "previous" ? beside(doc, from, rest, way) : undefined;
  if (one !== undefined) return one ? [one] : [];
  return [...doc.querySelectorAll(selector)];
}
