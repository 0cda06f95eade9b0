// Properties of never backwards, on chance logs: whatever a late or early answer brings, the page ends as the server.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createApply } from "../src/apply.js";
import { createEvents } from "../src/events.js";
import { createRandom } from "../../tests/e2e/pages/chance.js";
import { createWorld, picture, TOPIC } from "../../tests/e2e/pages/world.js";
import { createDocument, parse } from "./fake-dom.js";

const cursorOf = (o) => `1~e~${o.toString(36)}`;

/** A page that has no htmx: the test swaps, and tells the kit as the bridge would. */
function open(html, at = 0) {
  const doc = createDocument(html);
  const events = createEvents();
  let hooks;
  let head = at;
  const bridge = { parse, parseAll: (texts) => texts.map(parse), process() {}, settling: () => false, use: (next) => (hooks = next) };
  const asked = [];
  events.on("resync", (detail) => asked.push(detail));
  const apply = createApply({
    bridge, events, doc, positions: new Map([[TOPIC, at]]), cursor: () => cursorOf(head), schedule() {}, clock: () => 0,
  });
  return {
    doc, apply, asked,
    receive(message) {
      head = message.o;
      apply.receive({ event: "rt:ops", data: { t: TOPIC, ...message } });
      if (!message.waits) apply.flush();
    },
    swap(target, html, at, own = null) {
      hooks.coming();
      const el = doc.getElementById(target);
      const ids = new Set(el.children.map((child) => child.id));
      el.replaceChildren(parse(html));
      hooks.inserted({ inner: el, nodes: [...el.children], inserted: null }, { at: cursorOf(at), own }, { ids, fields: [], islands: [], scrolled: [] });
    },
    replace(target, html, at, own = null) {
      hooks.coming();
      const fragment = parse(html);
      const nodes = [...fragment.children];
      doc.getElementById(target).replaceWith(fragment);
      hooks.inserted({ inner: null, nodes, inserted: null }, { at: cursorOf(at), own }, null);
    },
    insert(target, html, at, own) {
      hooks.coming();
      const el = doc.getElementById(target);
      const nodes = parse(html).children;
      el.append(...nodes);
      hooks.inserted({ inner: null, nodes, inserted: "append" }, { at: cursorOf(at), own }, null);
    },
  };
}

/** A log of chance changes, and what the server would have rendered after each. */
function chanceLog(seed, length) {
  const random = createRandom(seed);
  const world = createWorld(random);
  const renders = [{ page: world.page(), board: world.board(), todo: world.items("todo"), done: world.items("done") }];
  while (world.log.length < length) {
    const ops = world.changes[random.pick(Object.keys(world.changes))]();
    if (!ops) continue;
    world.publish(...ops);
    renders.push({ page: world.page(), board: world.board(), todo: world.items("todo"), done: world.items("done") });
  }
  return { random, log: world.log, renders };
}

const final = (renders) => picture(createDocument(renders.at(-1).page));

test("operations in order end as a fresh render", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const { log, renders } = chanceLog(seed, 12);
    const page = open(renders[0].page);
    for (const message of log) page.receive(message);
    assert.deepEqual(picture(page.doc), final(renders), `seed ${seed}`);
  }
});

for (const [what, target] of [["one list", "todo"], ["the whole board", "board"]]) {
  test(`a late answer for ${what}, read anywhere after it was asked for, ends as a fresh render`, () => {
    for (let seed = 1; seed <= 300; seed++) {
      const { random, log, renders } = chanceLog(seed, 12);
      const page = open(renders[0].page);
      for (const message of log) page.receive(message);
      const at = random.below(log.length);
      const read = random.between(at, log.length);
      page.swap(target, renders[read][target], at);
      assert.deepEqual(picture(page.doc), final(renders), `seed ${seed}, asked at ${at}, read at ${read}`);
    }
  });

  test(`an answer for ${what} ahead of the stream ends as a fresh render`, () => {
    for (let seed = 1; seed <= 300; seed++) {
      const { random, log, renders } = chanceLog(seed, 12);
      const page = open(renders[0].page);
      const position = random.below(log.length);
      for (const message of log.slice(0, position)) page.receive(message);
      const at = random.between(position, log.length);
      page.swap(target, renders[at][target], at);
      for (const message of log.slice(position)) page.receive(message);
      assert.deepEqual(picture(page.doc), final(renders), `seed ${seed}, position ${position}, answer of ${at}`);
    }
  });
}

test("no version on the page is ever lower than before, whatever the order of publishing", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = createRandom(seed);
    const page = open(`<ul id="l" rt-stream="${TOPIC}"><li id="x" rt-version="1">1</li></ul>`);
    let seen = 1;
    for (let o = 1; o <= 12; o++) {
      const v = random.between(2, 9);
      const item = `<li id="x" rt-version="${v}">${v}</li>`;
      const ops = random.pick([
        [["replace", "#x", item]], [["append", "#l", item]], [["update", "#l", item]], [["remove", "#x"], ["append", "#l", item]], [["remove", "#x"]],
      ]);
      page.receive({ o, ops });
      const shown = page.doc.getElementById("x");
      if (!shown) continue;
      assert.ok(Number(shown.getAttribute("rt-version")) >= seen, `seed ${seed}, message ${o}`);
      assert.equal(shown.textContent, shown.getAttribute("rt-version"));
      seen = Number(shown.getAttribute("rt-version"));
    }
  }
});

test("an item shows once, whether its answer or its echo comes first", () => {
  const item = '<li id="x" rt-version="1">x</li>';
  for (const order of [["echo", "answer"], ["answer", "echo"]]) {
    const page = open(`<ul id="l" rt-stream="${TOPIC}"></ul>`);
    for (const step of order) {
      if (step === "echo") page.receive({ o: 1, ops: [["append", "#l", item]] });
      else page.insert("l", item, 0, 1);
    }
    assert.equal(page.doc.getElementById("l").children.length, 1, order.join());
  }
});

test("items brought before their echo let earlier ones in front", () => {
  const page = open(`<ul id="l" rt-stream="${TOPIC}"></ul>`);
  page.insert("l", '<li id="mine">m</li>', 0, 2);
  page.receive({ o: 1, ops: [["append", "#l", '<li id="hers">h</li>']] });
  page.receive({ o: 2, ops: [["append", "#l", '<li id="mine">m</li>']] });
  page.receive({ o: 3, ops: [["append", "#l", '<li id="last">l</li>']] });
  assert.equal(page.doc.getElementById("l").textContent, "hml");
});

/** Items of two lists, as `a b | c`. */
const lists = (page) => ["one", "two"].map((id) => page.doc.getElementById(id).children.map((item) => item.id).join(" ")).join(" | ");
const item = (id) => `<li id="${id}">${id}</li>`;
const list = (id, ids) => `<ul id="${id}" rt-stream="${TOPIC}">${ids.split(" ").filter(Boolean).map(item).join("")}</ul>`;
const insert = (verb, target, id) => [verb, `#${target}`, item(id)];

test("an insertion that an answer has shown already still takes the item out of the other list", () => {
  const page = open(list("one", "a b") + list("two", ""));
  page.replace("two", list("two", ""), 2); // a was here, and is gone again
  page.receive({ o: 1, ops: [insert("append", "two", "a")] });
  page.receive({ o: 2, ops: [insert("append", "one", "a")] });
  assert.equal(lists(page), "b a | ");
});

test("an item that a whole list brought stays where that list has it, whatever repeats it later", () => {
  const page = open(list("one", "") + list("two", ""));
  page.swap("one", ["a", "b", "c"].map(item).join(""), 2, 3);
  page.receive({ o: 1, ops: [insert("append", "one", "a")] });
  page.receive({ o: 2, ops: [insert("append", "one", "b")] });
  page.receive({ o: 3, ops: [insert("append", "one", "c")] });
  page.insert("one", item("a"), 0, 1);
  assert.equal(lists(page), "a b c | ");
});

test("an older answer for one item does not make its list older", () => {
  const page = open(list("one", "a b") + list("two", ""));
  page.replace("one", list("one", "b a c"), 2);
  page.replace("b", item("b"), 0);
  page.receive({ o: 1, ops: [["remove", "#a"], insert("append", "one", "a")] });
  page.receive({ o: 2, ops: [insert("append", "one", "c")] });
  assert.equal(lists(page), "b a c | ");
});

test("an answer for one item says nothing about its list", () => {
  const page = open(list("one", "a b") + list("two", ""));
  page.replace("a", item("a"), 2);
  page.receive({ o: 1, ops: [insert("append", "two", "a")] });
  assert.equal(lists(page), "b | a");
  page.replace("b", item("b"), 3);
  page.receive({ o: 2, ops: [insert("append", "one", "c")] });
  page.receive({ o: 3, ops: [["remove", "#b"], insert("append", "one", "b")] });
  assert.equal(lists(page), "c b | a");
});

test("what waits for its frame is applied before an answer takes away the item it stands beside", () => {
  const page = open(list("one", "a b") + list("two", ""));
  page.receive({ o: 1, ops: [insert("before", "b", "c")], waits: true });
  page.replace("b", "", 1);
  assert.equal(lists(page), "a c | ");
});

test("an answer older than the ring asks for its region again", () => {
  const page = open(`<ul id="l" rt-stream="${TOPIC}"></ul>`);
  for (let o = 1; o <= 1001; o++) page.receive({ o, ops: [["text", "#l", String(o)]] });
  page.swap("l", "", 0);
  assert.deepEqual(page.asked.map(({ topics, why }) => ({ topics, why })), [{ topics: [TOPIC], why: "trimmed" }]);
});

test("a message is applied once, a newer state of the same name only", () => {
  const page = open(`<p id="l" rt-stream="${TOPIC}"></p>`, 5);
  page.receive({ o: 5, ops: [["text", "#l", "old"]] });
  assert.equal(page.doc.getElementById("l").textContent, "");
  page.receive({ o: 3, s: "n", ops: [["text", "#l", "state"]] });
  page.receive({ o: 2, s: "n", ops: [["text", "#l", "older state"]] });
  assert.equal(page.doc.getElementById("l").textContent, "state");
});
