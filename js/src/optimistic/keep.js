// Taking an item off and putting it on again happens within a task, yet the focus in it would be lost, and a list
// scrolled to its end would be too short for a moment.

/** @param {Document} doc @param {import("./layers.js").Effect[]} effects @returns {() => void} when all are on again */
export function keepPlace(doc, effects) {
  /** @type {any} */
  const active = doc.activeElement;
  const [start, end] = active?.selectionStart != null ? [active.selectionStart, active.selectionEnd] : [];
  /** @type {Set<Element>} */
  const scrollers = new Set();
  for (const { step, done } of effects) {
    if (done || step.verb !== "insert" || !step.el?.isConnected) continue;
    for (let up = step.el.parentElement; up; up = up.parentElement) if (up.scrollTop) scrollers.add(up);
  }
  const tops = [...scrollers].map((el) => /** @type {const} */ ([el, el.scrollTop]));
  return () => {
    for (const [el, top] of tops) if (el.scrollTop < top) el.scrollTo({ top, behavior: "instant" });
    if (!active?.isConnected || active === doc.activeElement || (doc.activeElement && doc.activeElement !== doc.body)) return;
    active.focus({ preventScroll: true });
    if (start != null) active.setSelectionRange(start, end);
  };
}
