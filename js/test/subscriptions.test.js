import assert from "node:assert/strict";
import { test } from "node:test";
import { createEvents } from "../src/events.js";
import { createSubscriptions } from "../src/subscriptions.js";

/** A page is a list of elements: {"rt-stream": …, "rt-grant": …, "rt-at": …}. */
function start(...elements) {
  const events = createEvents();
  const positions = new Map();
  const page = { elements, asked: 0, gen: 0 };
  const doc = { hidden: false, querySelectorAll: () => page.elements.map((attributes) => ({ getAttribute: (name) => attributes[name] ?? null })) };
  const tab = { id: "t", connect: () => (page.gen += 1), stop() {} };
  const subscriptions = createSubscriptions({ doc, events, positions, tab, refresh: () => (page.asked += 1) });
  const ask = (cursor = null) => {
    const body = subscriptions.body(cursor);
    return body && { cursor: body.cursor, grants: body.tabs[0].grants, fresh: body.tabs[0].fresh };
  };
  const hello = (grants, more = {}) => events.emit("stream:open", { hello: { cursor: "1~e~z", grants, refused: [], ...more } });
  return { events, positions, page, subscriptions, ask, hello, replayed: () => events.emit("stream:replayed") };
}

const element = (topics, grants, at = "1~e~a") => ({ "rt-stream": topics, "rt-grant": grants, "rt-at": at });

test("asks for every topic of the page with its own grant, once", () => {
  const { subscriptions, positions } = start(element("a b", "ga gb"), element("a", "ga", "1~e~c"));
  assert.deepEqual(subscriptions.body(null), {
    v: 1,
    cursor: null,
    tabs: [{ id: "t", gen: 1, vis: true, grants: [], fresh: ["ga", "gb"] }],
  });
  assert.deepEqual([...positions], [["a", 10], ["b", 10]]);
});

test("of several grants for a topic the earliest catches up most", () => {
  const { ask, positions } = start(element("a", "late", "1~e~c"), element("a", "early", "1~e~2"));
  assert.deepEqual(ask().fresh, ["early"]);
  assert.equal(positions.get("a"), 2);
});

test("a page without grants asks for nothing", () => {
  assert.equal(start().ask(), null);
  assert.equal(start(element("a", "", "1~e~a")).ask(), null);
  assert.equal(start(element("a", "ga", "nonsense")).ask(), null);
});

test("resumes from the cursor, with the newest grants, only what a replay has ended for", () => {
  const { ask, hello, replayed } = start(element("a", "ga"));
  ask();
  hello({ a: "ga2" });
  assert.deepEqual(ask("1~e~c"), { cursor: "1~e~c", grants: [], fresh: ["ga"] }); // cut before the end of the replay
  hello({ a: "ga3" });
  replayed();
  assert.deepEqual(ask("1~e~z"), { cursor: "1~e~z", grants: ["ga3"], fresh: [] });
});

test("new topics after a swap ask for a new stream, known ones do not", () => {
  const { events, page, ask, hello, replayed } = start(element("a", "ga"));
  ask();
  hello({ a: "ga2" });
  replayed();
  page.elements = [element("a", "other", "1~e~y")];
  events.emit("swap");
  assert.equal(page.asked, 0);
  page.elements.push(element("b", "gb", "1~e~y"));
  events.emit("swap");
  assert.equal(page.asked, 1);
  assert.deepEqual(ask("1~e~z"), { cursor: "1~e~z", grants: ["ga2"], fresh: ["gb"] });
});

test("topics that left the page are dropped at the next open, and fresh when they come back", () => {
  const { page, ask, hello, replayed, positions } = start(element("a", "ga"), element("b", "gb"));
  ask();
  hello({ a: "ga2", b: "gb2" });
  replayed();
  page.elements.pop();
  assert.deepEqual(ask("1~e~z").grants, ["ga2"]);
  assert.equal(positions.has("b"), false);
  page.elements.push(element("b", "gb3", "1~e~zz"));
  assert.deepEqual(ask("1~e~zz").fresh, ["gb3"]);
  assert.equal(positions.get("b"), 1295);
});

for (const [name, tell] of Object.entries({
  "refused in the hello": ({ hello }) => hello({}, { refused: ["a"] }),
  revoked: ({ events }) => events.emit("stream:message", { event: "rt:revoked", data: { topics: ["a"] } }),
  "its grant too old": ({ events }) => events.emit("stream:message", { event: "rt:resync", data: { topics: ["a"], why: "grant" } }),
})) {
  test(`a topic that was ${name} is asked for again only with another grant`, () => {
    const world = start(element("a", "ga"), element("b", "gb"));
    world.ask();
    world.hello({ a: "ga2", b: "gb2" });
    world.replayed();
    tell(world);
    assert.deepEqual(world.ask("1~e~z").grants, ["gb2"]);
    world.events.emit("swap");
    assert.equal(world.page.asked, 0);
    world.page.elements[0] = element("a", "new");
    world.events.emit("swap");
    assert.equal(world.page.asked, 1);
    assert.deepEqual(world.ask("1~e~z"), { cursor: "1~e~z", grants: ["gb2"], fresh: ["new"] });
  });
}

test("positions of another log give way to the head of the new one", () => {
  const { ask, hello, positions } = start(element("a", "ga", "1~old~zzz"), element("b", "gb", "1~new~1"));
  ask();
  hello({ a: "ga2", b: "gb2" }, { cursor: "1~new~5" });
  assert.deepEqual([...positions], [["a", 5], ["b", 1]]);
});

test("a hello of the same log leaves positions alone: a message may have come over the old stream meanwhile", () => {
  const { ask, hello, positions } = start(element("a", "ga"));
  ask();
  positions.set("a", 99);
  hello({ a: "ga2" }, { cursor: "1~e~b" });
  assert.equal(positions.get("a"), 99);
});

test("a log behind the page's position counts from its own head", () => {
  const { ask, hello, events, positions } = start(element("a", "ga", "1~e~zz"));
  ask();
  hello({ a: "ga2" }, { cursor: "1~e~5" });
  events.emit("stream:message", { event: "rt:resync", data: { topics: ["a"], why: "ahead" } });
  assert.equal(positions.get("a"), 5);
});

test("rt:resync of the stream is a wish like any other", () => {
  const { events } = start(element("a", "ga"));
  const heard = [];
  events.on("resync", (detail) => heard.push(detail));
  const data = { topics: ["a"], why: "limit", spread: 10 };
  events.emit("stream:message", { event: "rt:resync", data });
  events.emit("stream:message", { event: "rt:ops", data });
  assert.deepEqual(heard, [data]);
});

test("stopped, it hears nothing", () => {
  const { subscriptions, events, page } = start();
  subscriptions.stop();
  page.elements = [element("a", "ga")];
  events.emit("swap");
  assert.equal(page.asked, 0);
});
