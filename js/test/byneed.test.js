import assert from "node:assert/strict";
import { test } from "node:test";
import { createEvents } from "../src/events.js";
import { byneed } from "../src/features/byneed.js";
import { fakeEnv } from "./fakes.js";

/** A part of a page that has the given attributes somewhere in it, and counts how often it is searched. */
const part = (...names) => {
  const has = (selector) => (names.some((name) => selector.includes(`[${name}]`)) ? {} : null);
  const el = { searched: 0, names, matches: () => false, querySelector: (selector) => ((el.searched += 1), has(selector)) };
  return el;
};

function world() {
  const fake = fakeEnv();
  const events = createEvents();
  const root = part();
  const loaded = [];
  const doc = { documentElement: root, querySelector: root.querySelector, querySelectorAll: () => [] };
  const load = async (file) => (loaded.push(file), { features: [] });
  const stop = byneed.mount(/** @type {any} */ ({ config: {}, doc, env: fake.env, events, load }));
  return { ...fake, events, root, loaded, stop };
}

test("what comes with a change is fetched in that frame, and once", () => {
  const { events, root, loaded } = world();
  events.emit("swap", { elements: [part()] });
  assert.deepEqual(loaded, []);
  root.names.push("rt-optimistic");
  events.emit("swap", { elements: [part(), part("rt-optimistic")] });
  events.emit("swap", { elements: [part("rt-optimistic")] });
  assert.deepEqual(loaded, ["htmx-rt-optimistic.mjs"]);
});

test("a table that changes in each frame does not have the whole page searched in each", async () => {
  const { events, root, pass } = world();
  const before = root.searched;
  for (let frame = 0; frame < 600; frame += 1) {
    events.emit("swap", { elements: [part()] });
    await pass(1000 / 60);
  }
  assert.ok(root.searched - before <= 11, String(root.searched - before));
});

test("what a script has written meanwhile is found with the next change, a second later at most", async () => {
  const { events, root, loaded, pass } = world();
  events.emit("swap", { elements: [part()] });
  root.names.push("rt-move");
  await pass(1_001);
  events.emit("swap", { elements: [part()] });
  assert.deepEqual(loaded, ["htmx-rt-optimistic.mjs"]);
});
