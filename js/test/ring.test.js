import assert from "node:assert/strict";
import { test } from "node:test";
import { createRing } from "../src/ring.js";

const op = (o, t = "a") => ({ t, o, verb: "text", target: "#x", html: "", text: "", live: true });

test("operations come back in the order of the log, also of a topic that joins late", () => {
  const ring = createRing();
  for (const [o, t] of [[3, "a"], [7, "a"], [2, "b"], [5, "b"]]) ring.add(op(o, t));
  assert.deepEqual(ring.since(2, () => true).map(({ o }) => o), [3, 5, 7]);
  assert.deepEqual(ring.since(0, (t) => t === "b").map(({ o }) => o), [2, 5]);
});

test("it is bounded by number and by size, and knows what it has given up", () => {
  const few = createRing({ count: 2 });
  for (const o of [1, 2, 3]) few.add(op(o));
  assert.deepEqual([few.covers(0, []), few.covers(1, [])], [false, true]);
  const small = createRing({ bytes: 300 });
  for (const o of [1, 2, 3]) small.add({ ...op(o), html: "x".repeat(100) });
  assert.deepEqual([small.covers(1, []), small.covers(2, [])], [false, true]);
});

test("it covers a topic from where the page began to hear it", () => {
  const ring = createRing();
  ring.begin("a", 5);
  ring.begin("a", 9);
  assert.deepEqual([ring.covers(4, ["a"]), ring.covers(5, ["a"])], [false, true]);
  ring.begin("a", 9, true);
  assert.equal(ring.covers(5, ["a"]), false);
  ring.clear();
  assert.equal(ring.covers(0, ["a"]), true);
});

test("what waits for its frame is no part of a repair", () => {
  const ring = createRing();
  ring.add({ ...op(1), live: false });
  assert.deepEqual(ring.since(0, () => true), []);
});
