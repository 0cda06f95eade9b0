import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { calls } from "../src/calls.js";
import { createEvents } from "../src/events.js";

function start() {
  const events = createEvents();
  const went = [];
  const heard = [];
  for (const name of ["toast", "resync"]) events.on(name, (detail) => heard.push([name, detail]));
  const location = { href: "http://page.test/board", origin: "http://page.test", assign: (to) => went.push(to) };
  const inside = { closest: () => ({}) };
  const target = region("");
  const elements = [target];
  const found = { "#in": [inside, { closest: () => null }], "#out": [{ closest: () => null }] };
  const doc = new EventTarget();
  const stop = calls.mount({
    win: { location },
    doc: Object.assign(doc, { querySelectorAll: (selector) => found[selector] || (selector.startsWith("[rt-stream~=") ? elements : []) }),
    events,
    tab: { id: "me" },
  });
  const call = (name, args, more) => events.emit("call", { t: "a", o: 1, name, args, ...more });
  return { doc, events, went, heard, call, inside, target, elements, stop };
}

test("a redirect goes to a path of this site", () => {
  const { call, went } = start();
  call("redirect", { to: "/tasks?x=1" });
  assert.deepEqual(went, ["http://page.test/tasks?x=1"]);
});

for (const to of ["//evil.test/", "/\\evil.test/", "https://evil.test/", "http://page.test/", "javascript:alert(1)", "tasks", "", null, 7, {}]) {
  test(`a redirect to ${JSON.stringify(to)} is refused`, () => {
    const error = mock.method(console, "error", () => {});
    const { call, went } = start();
    call("redirect", { to });
    assert.deepEqual(went, []);
    error.mock.restore();
  });
}

test("a toast for the others is not shown to the tab that caused it", () => {
  const { call, heard } = start();
  call("toast", { text: "a", others: true }, { by: "me" });
  call("toast", { text: "b", others: true }, { by: "you" });
  call("toast", { text: "c" }, { by: "me" });
  assert.deepEqual(heard.map(([, { text }]) => text), ["b", "c"]);
});

test("refresh fetches only what carries the topic", () => {
  const { call, heard, inside } = start();
  call("refresh", { target: "#in" });
  call("refresh", { target: "#out" });
  assert.deepEqual(heard, [["resync", { topics: [], elements: [inside], why: "refresh", spread: 250 }]]);
});

test("an event is a DOM event on each element of the topic", () => {
  const { call, target } = start();
  const seen = [];
  target.addEventListener("chart", (event) => seen.push(event.detail));
  call("event", { name: "chart", data: { x: 1 } });
  assert.deepEqual(seen, [{ x: 1 }]);
});

/** An element of a topic: a region with an address where it names entities. */
function region(on) {
  const element = new EventTarget();
  element.matches = (selector) => on && selector === `[rt-src][rt-on~="${on}"]`;
  return element;
}

test("a change of an entity makes the regions that name it fetch themselves, and no others", () => {
  const { call, heard, elements } = start();
  const [named, silent] = [region("entity:task"), region("")];
  elements.push(named, silent);
  const seen = [];
  silent.addEventListener("rt:entity", (event) => seen.push(event.detail));
  const data = { kind: "task", id: "7", action: "updated", parent: null };
  call("event", { name: "rt:entity", data }, { t: "entity:task" });
  call("event", { name: "rt:entity", data }, { t: "entity:task:7" });
  call("event", { name: "chart", data }, { t: "entity:task" });
  assert.deepEqual(heard, [["resync", { topics: [], elements: [named], why: "entity", wait: 150, spread: 250 }]]);
  assert.deepEqual(seen, [data, data]);
});

test("a call nobody knows, even one every object has, does nothing", () => {
  const { call, heard, went } = start();
  call("toString", {});
  call("later", {});
  assert.deepEqual([...heard, ...went], []);
});

test("the toasts of an answer, and a header that is none", () => {
  const error = mock.method(console, "error", () => {});
  const { events, heard } = start();
  const answer = (value) => events.emit("request:end", { header: (name) => (name === "RT-Toast" ? value : null) });
  answer('[{"text":"a"},{"text":"b"}]');
  answer(null);
  answer("{");
  events.emit("request:end", {});
  assert.deepEqual(heard.map(([, { text }]) => text), ["a", "b"]);
  assert.equal(error.mock.callCount(), 1);
  error.mock.restore();
});

test("a signal is a DOM event too, at once and outside the log", () => {
  const { events, target } = start();
  const seen = [];
  target.addEventListener("rt:signal", (event) => seen.push(event.detail));
  events.emit("stream:message", { event: "rt:signal", data: { t: "a", name: "ping", data: 7 }, id: null, replayed: false });
  assert.deepEqual(seen, [{ topic: "a", name: "ping", data: 7 }]);
});

test("what is said on a topic is a DOM event of that topic and name, once, and says who spoke", () => {
  const { call, doc, events } = start();
  const seen = [];
  for (const name of ["a ping", "a chart"]) doc.addEventListener(name, (event) => seen.push([event.detail, event.from]));
  events.emit("stream:message", { event: "rt:signal", data: { t: "a", name: "ping", data: 7, from: { n: "Ada" } }, id: null });
  events.emit("stream:message", { event: "rt:signal", data: { t: "b", name: "ping", data: 8, from: { n: "Ada" } }, id: null });
  call("event", { name: "chart", data: [1] });
  assert.deepEqual(seen, [[7, { n: "Ada" }], [[1], undefined]]);
});
