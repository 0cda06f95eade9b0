// Where a dragged item would stand, and how fast an edge scrolls.
import assert from "node:assert/strict";
import { test } from "node:test";
import { pull, slotAt } from "../src/optimistic/slots.js";

/** Boxes of a list from their sizes; the one dragged left out. */
function others(sizes, index) {
  let start = 0;
  const spans = sizes.map((size) => ({ start: (start += size) - size, size }));
  return spans.filter((_, at) => at !== index);
}

test("an item goes behind another once its start has passed the middle of it", () => {
  const list = others([20, 20, 20, 20], 0);
  assert.deepEqual([0, 9, 11, 29, 31, 51, 900].map((start) => slotAt(list, 0, 20, start)), [0, 0, 1, 1, 2, 3, 3]);
});

test("a tall item over short ones does not jump to and fro", () => {
  const sizes = [100, 20, 20, 20];
  for (const start of [-50, 5, 15, 35, 55, 90]) {
    const slots = [0, 1, 2, 3].map((index) => {
      const rest = sizes.slice(1);
      rest.splice(index, 0, 100);
      return slotAt(others(rest, index), index, 100, start);
    });
    assert.equal(new Set(slots).size, 1, `wherever it stands now, at ${start} it belongs to one place: ${slots}`);
  }
});

test("an edge pulls, faster the nearer, and not in the middle", () => {
  assert.equal(pull(300, 0, 600), 0);
  assert.ok(pull(10, 0, 600) < pull(40, 0, 600));
  assert.ok(pull(40, 0, 600) < 0);
  assert.equal(pull(640, 0, 600), 14);
});
