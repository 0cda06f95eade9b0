import assert from "node:assert/strict";
import { test } from "node:test";
import { createEvents } from "../src/events.js";
import { latest, pace } from "../src/pace.js";

const op = (verb, target, t = "a") => ({ t, op: { verb, target } });

test("of what is said wholly, the last word is kept, at its place", () => {
  const first = op("replace", "#row-1");
  const other = op("replace", "#row-2");
  const call = { t: "a" };
  const last = op("replace", "#row-1");
  assert.deepEqual(latest([first, other, call, last]), [other, call, last]);
});

test("what adds, what says something else, and what is meant for several stays", () => {
  const queue = [
    op("append", "#list"), op("append", "#list"), op("text", "#n"), op("replace", "#n"), op("remove", "#n"), op("remove", "#n"),
    op("text", ".price"), op("text", ".price"), op("text", "#n td"), op("text", "#n td"), op("text", "#n", "b"), { t: "a" }, { t: "a" },
  ];
  assert.deepEqual(latest(queue), queue);
});

/** A page whose operations take `cost` ms each. */
function world({ cost = 1, drawing = 0 } = {}) {
  const events = createEvents();
  let now = 0;
  let frame = 1;
  /** @type {(() => void)[]} */
  let frames = [];
  /** @type {any[]} */
  const queue = [];
  /** @type {any[]} */
  const done = [];
  const doc = { hidden: false, activeElement: null, timeline: { get currentTime() { return frame; } } };
  const win = { performance: { now: () => now }, requestAnimationFrame: (run) => frames.push(run) };
  const motion = { pace: (all) => all.splice(0) };
  const apply = {
    motion,
    flush(all) {
      const some = motion.pace(queue, all);
      now += some.length * cost;
      done.push(...some);
      if (some.length) events.emit("applied");
    },
  };
  const stop = pace.mount(/** @type {any} */ ({ apply, doc, win, events }));
  let drawn = 0;
  const turn = () => {
    now += 16 + (done.length > drawn ? drawing : 0);
    drawn = done.length;
    const before = now;
    frame += 1;
    const runs = frames;
    frames = [];
    runs.forEach((run) => run());
    return now - before;
  };
  return { apply, doc, queue, done, turn, stop, next: () => (frame += 1), pending: () => frames.length };
}

const rows = (count, from = 0) => Array.from({ length: count }, (_, index) => op("replace", `#row-${from + index}`));

test("a frame does what it has time for, all comes in order, and nothing is left", () => {
  const page = world({ cost: 1 });
  const sent = rows(200);
  page.queue.push(...sent);
  page.apply.flush();
  const times = [];
  while (page.pending()) times.push(page.turn());
  assert.deepEqual(page.done, sent);
  assert.ok(times.length > 20, `${times.length} frames`);
  assert.ok(times.slice(1).every((ms) => ms <= 6), times.join());
});

test("after a frame that came late the page is left alone for as long", () => {
  const page = world({ cost: 1, drawing: 40 });
  page.queue.push(...rows(100));
  page.apply.flush();
  const counts = [];
  while (page.pending()) {
    const before = page.done.length;
    page.turn();
    counts.push(page.done.length - before);
  }
  assert.equal(page.done.length, 100);
  assert.ok(counts.filter((count) => !count).length >= 2 * counts.filter(Boolean).length - 3, counts.join());
});

test("what waits gives way to what is newer", () => {
  const page = world({ cost: 1 });
  page.queue.push(...rows(50));
  page.apply.flush();
  const newer = rows(50);
  page.queue.push(...newer);
  while (page.pending()) page.turn();
  assert.ok(page.done.length < 100);
  assert.deepEqual(page.done.slice(-50).map((item) => newer.includes(item)), Array(50).fill(true));
});

test("a second flush in a frame waits for the next one", () => {
  const page = world({ cost: 0.1 });
  page.queue.push(...rows(10));
  page.apply.flush();
  page.queue.push(...rows(10, 100));
  page.apply.flush();
  assert.equal(page.done.length, 10);
  page.turn();
  assert.equal(page.done.length, 20);
});

test("before an answer is swapped in, for a hidden page and for somebody who writes it is all at once", () => {
  for (const change of [(page) => page.apply.flush(1), (page) => ((page.doc.hidden = true), page.apply.flush()), (page) => ((page.doc.activeElement = { matches: () => true }), page.apply.flush())]) {
    const page = world();
    page.queue.push(...rows(300));
    change(page);
    assert.equal(page.done.length, 300);
  }
});

test("who stops leaves nothing waiting", () => {
  const page = world();
  page.queue.push(...rows(300));
  page.apply.flush();
  page.stop();
  assert.equal(page.done.length, 300);
});
