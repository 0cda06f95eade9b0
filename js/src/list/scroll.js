// Where a list is scrolled, and keeping it there.

/** What scrolls `el` up and down; null for the page. @param {Element} el @returns {Element | null} */
export function scrollerOf(el) {
  const { body, documentElement } = el.ownerDocument;
  for (let up = /** @type {Element | null} */ (el); up && up !== body && up !== documentElement; up = up.parentElement) {
    // What scrolls sideways says "auto" here, too.
    if (up.scrollHeight > up.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(up).overflowY)) return up;
  }
  return null;
}

const bodyOf = (/** @type {Element} */ el) => /** @type {Element} */ (el.ownerDocument.scrollingElement);
const topOf = (/** @type {Element | null} */ box) => (box ? box.getBoundingClientRect().top + box.clientTop : 0);

/** @param {Element} list @param {Element | null} box @param {number} by pixels */
export const scrollBy = (list, box, by, behavior = /** @type {ScrollBehavior} */ ("instant")) =>
  (box ?? bodyOf(list)).scrollBy({ top: by, behavior });

/** The row that is read first, and how far below the edge it begins. @param {Element} list @param {Element | null} box @returns {[Element, number] | null} */
export function firstRead(list, box) {
  const top = topOf(box);
  for (const row of list.children) {
    const rect = row.getBoundingClientRect();
    if (rect.height && rect.bottom > top) return [row, rect.top - top];
  }
  return null;
}

/** Puts a row where it was. @param {Element} list @param {Element} row @param {number} below */
export function putBack(list, row, below) {
  const box = scrollerOf(list);
  if (list.contains(row)) scrollBy(list, box, row.getBoundingClientRect().top - topOf(box) - below);
}

/** Keeps what is read where it is, over a change of the list. @param {Element} list @returns {() => void} */
export function hold(list) {
  const read = firstRead(list, scrollerOf(list));
  return () => read && putBack(list, ...read);
}

/** How many pixels of the list are beyond the edge. @param {Element} list @param {Element | null} box @param {boolean} bottom */
export function beyond(list, box, bottom) {
  if (list === box) return bottom ? list.scrollHeight - list.clientHeight - list.scrollTop : list.scrollTop;
  const { top, bottom: end } = list.getBoundingClientRect();
  const from = topOf(box);
  return bottom ? end - from - (box?.clientHeight ?? innerHeight) : from - top;
}

/** Takes the focus without being a stop of its own. @param {any} row @param {boolean} [scroll] */
export function focusOn(row, scroll = true) {
  if (!row) return;
  if (row.tabIndex < 0 && !row.hasAttribute("tabindex")) {
    row.setAttribute("tabindex", "-1");
    row.addEventListener("blur", () => row.removeAttribute("tabindex"), { once: true });
  }
  row.focus({ preventScroll: true });
  if (scroll) row.scrollIntoView({ block: "nearest", behavior: "instant" });
}

/** What is read from its end begins there, unless a place was kept. @param {Element} list */
export function beginAtEnd(list) {
  const box = scrollerOf(list);
  if (list.getAttribute("rt-new") !== "bottom" || !box || box.scrollTop) return;
  const [page] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
  if (page?.type === "navigate" || !box.hasAttribute("rt-place")) box.scrollTop = box.scrollHeight;
}
