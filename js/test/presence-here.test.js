// Signs of life, by a clock that a test turns.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createEvents } from "../src/events.js";
import { createHere } from "../src/presence/here.js";
import { fakeEnv } from "./fakes.js";

function start({ idleAfter = null } = {}) {
  const world = fakeEnv();
  const events = createEvents();
  const inputs = new Map();
  const doc = {
    documentElement: { getAttribute: () => idleAfter },
    addEventListener: (type, fn) => inputs.set(type, fn),
    removeEventListener: (type) => inputs.delete(type),
  };
  const connection = { state: "connected", refreshed: 0, refresh: () => (connection.refreshed += 1) };
  const page = { tracked: ["here:doc"], wanted: { "here:doc": ["avatars"] }, owed: true, lines: [] };
  const views = { tracked: () => page.tracked, wanted: () => page.wanted, owed: () => page.owed, line: (up) => page.lines.push(up) };
  const rt = { doc, env: world.env, events, connection, tab: { id: "a".repeat(32), gen: 3 }, config: { prefix: "/_rt", name: "app" } };
  const here = createHere(rt, views);
  const beats = () => world.requests.map(({ body }) => body.tabs[0]);
  const answer = async (lost = []) => {
    page.owed = false;
    await world.last.answer(200, {}, JSON.stringify({ lost }));
  };
  const become = async (state) => {
    connection.state = state;
    events.emit("stream:state", { state });
    await world.settle();
  };
  return Object.assign(world, { events, connection, views: page, here, beats, answer, become, input: () => inputs.get("keydown")?.(), inputs });
}

test("every ten seconds in sight, every minute out of it", async () => {
  const world = start();
  await world.answer();
  await world.pass(9_900);
  assert.equal(world.requests.length, 1);
  await world.pass(200);
  assert.equal(world.requests.length, 2);
  await world.answer();
  await world.show(false);
  assert.deepEqual(world.beats().map(({ vis }) => vis), [true, true, false]);
  await world.answer();
  await world.pass(59_000);
  assert.equal(world.requests.length, 3);
  await world.pass(1_100);
  assert.equal(world.requests.length, 4);
  assert.equal(world.last.init.keepalive, true);
});

test("a hidden page that gave its stream back is still here, one that lost its line in sight says nothing", async () => {
  const world = start();
  await world.answer();
  await world.show(false);
  await world.answer();
  await world.become("connecting");
  await world.pass(61_000);
  assert.equal(world.requests.length, 3);
  await world.answer();
  await world.show(true);
  assert.equal(world.requests.length, 3);
  await world.pass(30_000);
  assert.equal(world.requests.length, 3);
  await world.become("connected");
  assert.equal(world.requests.length, 4);
});

test("none overtakes another", async () => {
  const world = start();
  await world.show(false);
  await world.show(true);
  await world.show(false);
  assert.equal(world.requests.length, 1);
  await world.answer();
  assert.deepEqual(world.beats().map(({ vis }) => vis), [true, false]);
});

test("pictures are asked for until they came, and when others are shown", async () => {
  const world = start();
  assert.deepEqual(world.beats()[0].views, { "here:doc": ["avatars"] });
  await world.answer();
  await world.pass(10_100);
  assert.equal("views" in world.beats()[1], false);
  await world.answer();
  world.views.wanted = { "here:doc": ["roster"] };
  await world.pass(10_100);
  assert.deepEqual(world.beats()[2].views, { "here:doc": ["roster"] });
});

test("a server that has forgotten the tab is told anew, at most twice a minute", async () => {
  const world = start();
  await world.answer(["a".repeat(32)]);
  assert.equal(world.connection.refreshed, 1);
  for (let beat = 0; beat < 3; beat += 1) {
    await world.pass(10_100);
    await world.answer(["a".repeat(32)]);
  }
  assert.equal(world.connection.refreshed, 2);
});

test("a call that hangs or fails ends no life", async () => {
  const world = start();
  await world.last.fail();
  await world.pass(10_100);
  assert.equal(world.requests.length, 2);
  await world.last.answer(429, {}, "{}");
  await world.pass(10_100);
  assert.equal(world.requests.length, 3);
});

test("goodbye once, outliving the page, and only where somebody was shown", async () => {
  const world = start();
  await world.answer();
  await world.fire("pagehide", { persisted: false });
  assert.deepEqual(world.beats().at(-1), { id: "a".repeat(32), gen: 3, bye: true });
  assert.equal(world.last.init.keepalive, true);
  await world.show(false); // as browsers do it then
  await world.pass(60_000);
  assert.equal(world.requests.length, 2);
  await world.fire("pageshow", { persisted: true });
  await world.become("connecting");
  await world.show(true);
  await world.become("connected");
  assert.equal(world.beats().at(-1).vis, true);

  const watcher = start();
  watcher.views.tracked = [];
  watcher.events.emit("stream:open", {});
  await watcher.answer();
  const before = watcher.requests.length;
  await watcher.fire("pagehide", {});
  assert.equal(watcher.beats().slice(before).some(({ bye }) => bye), false);
});

test("whoever is swapped out of the page is let go of", async () => {
  const world = start();
  await world.answer();
  world.views.tracked = [];
  world.events.emit("swap", {});
  await world.pass(60);
  assert.equal(world.beats().at(-1).bye, true);
  assert.equal(world.connection.refreshed, 1);
});

test("idle after a minute in all tabs, and back with the first key", async () => {
  const world = start();
  await world.answer();
  const states = () => world.beats().map(({ idle }) => idle);
  for (let second = 0; second < 59; second += 1) {
    await world.pass(1_000);
    if (world.last && !world.last.answered) await world.last.answer(200, {}, "{}").catch(() => {});
  }
  assert.equal(states().includes(true), false);
  await world.pass(1_500);
  assert.equal(states().at(-1), true);
  await world.last.answer(200, {}, "{}");
  world.input();
  await world.settle();
  assert.equal(states().at(-1), false);
  await world.last.answer(200, {}, "{}");
  await world.pass(50_000);
  world.env.local().setItem("rt-input:app", String(world.env.now())); // in another tab
  await world.last.answer(200, {}, "{}").catch(() => {});
  await world.pass(15_000);
  assert.equal(states().at(-1), false);
});

test("a page may be more patient", async () => {
  const world = start({ idleAfter: "120" });
  await world.answer();
  await world.pass(61_000);
  assert.equal(world.beats().some(({ idle }) => idle), false);
});

test("nothing is left behind", async () => {
  const world = start();
  await world.answer();
  world.here.stop();
  assert.equal(world.timers, 0);
  assert.equal(world.listeners(), 0);
  assert.equal(world.inputs.size, 0);
});
