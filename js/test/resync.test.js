import assert from "node:assert/strict";
import { test } from "node:test";
import { createEvents } from "../src/events.js";
import { resync } from "../src/resync.js";
import { fakeEnv } from "./fakes.js";

globalThis.CustomEvent ??= class extends Event {
  constructor(name, { detail, ...more } = {}) {
    super(name, more);
    this.detail = detail;
  }
};

/** An element as far as resync looks at one. */
function element(id, { src, topics = ["a"], parent = null } = {}) {
  return {
    id,
    topics,
    parentElement: parent,
    isConnected: true,
    heard: [],
    prevent: false,
    hasAttribute: (name) => name === "rt-src" && !!src,
    getAttribute: (name) => (name === "rt-src" ? src : null),
    matches: () => false,
    dispatchEvent(event) {
      this.heard.push(event.detail);
      return !this.prevent;
    },
  };
}

const parse = (html) => ({ html, getElementById: (id) => (html.split(" ").includes(id) ? { fresh: id } : null), querySelector: () => null });

/** `html` of an answer is the list of ids in it. */
function start(elements, { random } = {}) {
  const world = fakeEnv({ random });
  const events = createEvents();
  const applied = [];
  const stale = [];
  events.on("stale", () => stale.push(1));
  const stop = resync.mount({
    env: world.env,
    win: { location: new URL("http://page.test/board?tab=2#x") },
    doc: { querySelectorAll: (selector) => elements.filter((one) => one.topics.some((topic) => selector === `[rt-stream~="${topic}"]`)) },
    events,
    bridge: { parse, parseDocument: parse },
    apply: { resync: (pairs, { at }) => applied.push([...pairs.map(({ target, source, inner }) => [target.id, source.fresh ?? source.html, inner]), at]) },
    tab: { id: "t" },
  });
  return Object.assign(world, { events, applied, stale, stop });
}

const html = { "Content-Type": "text/html", "RT-At": "1~e~9" };

test("one GET of the page for all regions, at a random moment of the spread", async () => {
  const world = start([element("x"), element("y", { topics: ["b"] }), element("z", { topics: ["c"] })], { random: () => 0.5 });
  world.events.emit("resync", { topics: ["a"], why: "trimmed", spread: 2000 });
  world.events.emit("resync", { topics: ["b"], why: "trimmed", spread: 2000 });
  await world.pass(999);
  assert.equal(world.requests.length, 0);
  await world.pass(1);
  assert.equal(world.requests.length, 1);
  assert.equal(world.last.url, "http://page.test/board?tab=2");
  assert.equal(world.last.init.headers["RT-Tab"], "t");
  await world.last.answer(200, html, "x y z");
  assert.deepEqual(world.applied, [[["x", "x", false], ["y", "y", false], "1~e~9"]]);
});

test("a region with an address of its own fetches that, as htmx would", async () => {
  const world = start([element("x", { src: "/list" })]);
  world.events.emit("resync", { topics: ["a"], why: "limit" });
  await world.pass(0);
  assert.equal(world.last.url, "http://page.test/list");
  assert.equal(world.last.init.headers["HX-Request"], "true");
  await world.last.answer(200, html, "rows");
  assert.deepEqual(world.applied, [[["x", "rows", true], "1~e~9"]]);
});

test("another site is never asked", async () => {
  const world = start([element("x", { src: "https://elsewhere.test/" })]);
  world.events.emit("resync", { topics: ["a"], why: "limit" });
  await world.pass(0);
  assert.equal(world.requests.length, 0);
});

test("a region inside another one comes with it", async () => {
  const outer = element("outer");
  const world = start([outer, element("inner", { parent: outer })]);
  world.events.emit("resync", { topics: ["a"], why: "limit" });
  await world.pass(0);
  await world.last.answer(200, html, "outer inner");
  assert.deepEqual(world.applied[0][0], ["outer", "outer", false]);
  assert.equal(world.applied[0].length, 2);
});

test("what comes while a fetch runs is fetched after it", async () => {
  const world = start([element("x"), element("y", { topics: ["b"] })]);
  world.events.emit("resync", { topics: ["a"], why: "limit" });
  await world.pass(0);
  world.events.emit("resync", { topics: ["b"], why: "limit" });
  await world.pass(0);
  assert.equal(world.requests.length, 1);
  await world.last.answer(200, html, "x y");
  await world.pass(0);
  assert.equal(world.requests.length, 2);
  await world.last.answer(200, html, "x y");
  assert.deepEqual(world.applied.map((one) => one[0][0]), ["x", "y"]);
});

test("a page may do it itself", async () => {
  const own = element("x");
  own.prevent = true;
  const world = start([own]);
  world.events.emit("resync", { topics: ["a"], why: "epoch" });
  await world.pass(0);
  assert.deepEqual(own.heard, [{ topics: ["a"], why: "epoch" }]);
  assert.equal(world.requests.length, 0);
});

for (const [name, status, body] of [["its id is gone", 200, "other"], ["only a POST makes this page", 405, ""], ["it may no longer be seen", 403, ""]]) {
  test(`the bar offers Reload when ${name}`, async () => {
    const world = start([element("x")]);
    world.events.emit("resync", { topics: ["a"], why: "limit" });
    await world.pass(0);
    await world.last.answer(status, html, body);
    assert.equal(world.stale.length, 1);
    assert.deepEqual(world.applied, []);
  });
}

test("errors of the server are tried four times, then the bar offers Reload", async () => {
  const world = start([element("x")], { random: () => 1 });
  world.events.emit("resync", { topics: ["a"], why: "limit", spread: 0 });
  for (let tries = 1; tries <= 4; tries += 1) {
    await world.pass(4000);
    assert.equal(world.requests.length, tries);
    await world.last.answer(503, {}, "");
  }
  await world.pass(60_000);
  assert.equal(world.requests.length, 4);
  assert.equal(world.stale.length, 1);
});

test("a line that breaks is no reason to give up; a stream that is back is one to try at once", async () => {
  const world = start([element("x")], { random: () => 1 });
  world.events.emit("resync", { topics: ["a"], why: "limit", spread: 0 });
  for (let tries = 0; tries < 9; tries += 1) {
    await world.pass(20_000);
    await world.last.fail();
  }
  assert.equal(world.stale.length, 0);
  const before = world.requests.length;
  world.events.emit("stream:replayed");
  await world.pass(0);
  assert.equal(world.requests.length, before + 1);
  await world.last.answer(200, html, "x");
  assert.equal(world.applied.length, 1);
});

test("a replay does not shorten the spread the server asked for", async () => {
  const world = start([element("x")], { random: () => 0.5 });
  world.events.emit("resync", { topics: ["a"], why: "limit", spread: 2000 });
  world.events.emit("stream:replayed");
  await world.pass(900);
  assert.equal(world.requests.length, 0);
});

test("stopped, it does nothing more", async () => {
  const world = start([element("x")]);
  world.events.emit("resync", { topics: ["a"], why: "limit", spread: 2000 });
  world.stop();
  world.events.emit("resync", { topics: ["a"], why: "limit" });
  await world.pass(5000);
  assert.equal(world.requests.length, 0);
});

test("what is wished for while one waits joins it, and nothing is fetched before its time", async () => {
  const [x, y] = [element("x", { src: "/x" }), element("y", { src: "/y" })];
  const world = start([x, y], { random: () => 0 });
  const wish = (one) => world.events.emit("resync", { elements: [one], why: "entity", wait: 150, spread: 250 });
  wish(x);
  await world.pass(100);
  wish(y);
  wish(x);
  await world.pass(49);
  assert.equal(world.requests.length, 0);
  await world.pass(1);
  assert.deepEqual(world.requests.map(({ url }) => url), ["http://page.test/x", "http://page.test/y"]);
  for (const request of world.requests) await request.answer(200, html, "rows");
  wish(x);
  await world.pass(149);
  assert.equal(world.requests.length, 2);
  await world.pass(1);
  assert.equal(world.requests.length, 3);
});
