// Where a dragged item would stand, from boxes alone: as if it were not among the others, so that a tall one does
// not jump to and fro over a short one.

/** @typedef {{start: number, size: number}} Span along the axis */

/**
 * @param {Span[]} others in order
 * @param {number} index of the dragged item among them now
 * @param {number} room what it takes now, gap included
 * @param {number} start where its own start is, by the pointer
 */
export function slotAt(others, index, room, start) {
  let slot = 0;
  others.forEach((span, at) => {
    const base = span.start - (at >= index ? room : 0);
    if (start > base + span.size / 2) slot = at + 1;
  });
  return slot;
}

const EDGE = 48; // px from the edge of what scrolls
const FASTEST = 14; // px a frame

/** How fast to scroll. @param {number} at @param {number} start @param {number} end */
export function pull(at, start, end) {
  const edge = Math.min(EDGE, (end - start) / 4);
  const near = at < start + edge ? at - start - edge : at > end - edge ? at - end + edge : 0;
  return Math.max(-FASTEST, Math.min(FASTEST, Math.round((near / edge) * FASTEST)));
}
