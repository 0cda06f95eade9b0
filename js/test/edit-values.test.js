// What fields say, as text or lists, and what is written into them.
import assert from "node:assert/strict";
import { test } from "node:test";

import { named, normal, read, rebase, same, spell, write } from "../src/edit/values.js";

const doc = { activeElement: null };
const input = (value, more = {}) => ({ name: "a", type: "text", value, defaultValue: value, ownerDocument: doc, ...more });
const box = (value, on, more = {}) => ({ name: "a", type: "checkbox", value, checked: on, defaultChecked: on, labels: [], ...more });
const radio = (value, on) => ({ ...box(value, on), type: "radio" });
const option = (value, on, text = value) => ({ value, text, selected: on, defaultSelected: on });
const select = (options, multiple = false) => ({ name: "a", type: "select", options, multiple, value: "" });

test("a field says its text, a lone box whether it is on, several boxes a list", () => {
  assert.equal(read([input("one\r\ntwo")]), "one\ntwo");
  assert.equal(read([box("1", true)]), "on");
  assert.equal(read([box("1", false)]), "");
  assert.deepEqual(read([box("x", true), box("y", false), box("z", true)]), ["x", "z"]);
  assert.equal(read([radio("x", false), radio("y", true)]), "y");
  assert.equal(read([select([option("x", false), option("y", true)])]), "y");
  assert.deepEqual(read([select([option("x", true), option("y", true)], true)]), ["x", "y"]);
  assert.deepEqual(read([input("one"), input("two")]), ["one", "two"]);
  assert.equal(read([]), "");
});

test("what the markup says is another thing than what is shown", () => {
  assert.equal(read([input("new", { defaultValue: "old" })], true), "old");
  assert.equal(read([{ ...box("1", true), defaultChecked: false }], true), "");
  // Without a `selected` option the browser chooses the first one.
  assert.equal(read([select([option("x", false), { ...option("y", false), selected: true }])], true), "x");
});

test("a hidden field beside a box is not what people see", () => {
  const fields = [{ name: "a", type: "hidden", value: "" }, box("1", true), input("no", { name: "b" })];
  assert.equal(read(named(fields, "a")), "on");
  assert.equal(read(named([{ name: "a", type: "hidden", value: "kept" }], "a")), "kept");
});

test("a value from elsewhere is put as the fields would say it", () => {
  const boxes = [box("x", true), box("y", false), box("z", false)];
  assert.deepEqual(normal(boxes, ["z", "x"]), ["x", "z"]);
  assert.deepEqual(normal(boxes, "y"), ["y"]);
  assert.deepEqual(normal(boxes, null), []);
  for (const off of ["", "0", "false", "off", "no", null, undefined]) assert.equal(normal([box("1", true)], off), "");
  assert.equal(normal([box("1", false)], "1"), "on");
  assert.equal(normal([box("red", false)], ["red"]), "on");
  assert.equal(normal([input("")], "one\r\ntwo"), "one\ntwo");
  assert.equal(normal([input("")], 12), "12");
});

test("what is written is shown and is what the markup says", () => {
  const boxes = [box("x", true), box("y", false)];
  write(boxes, ["y"]);
  assert.deepEqual(boxes.map(({ checked, defaultChecked }) => [checked, defaultChecked]), [[false, false], [true, true]]);
  const radios = [radio("x", true), radio("y", false)];
  write(radios, "y");
  assert.equal(read(radios, true), "y");
  const text = input("old");
  write([text], "new");
  assert.deepEqual([text.value, text.defaultValue], ["new", "new"]);
  write([text], "mine", false);
  assert.deepEqual([text.value, text.defaultValue], ["mine", "new"]);
});

test("a new base leaves what was typed", () => {
  const text = input("mine", { defaultValue: "old" });
  rebase([text], "theirs", "mine");
  assert.deepEqual([text.value, text.defaultValue], ["mine", "theirs"]);
  const one = box("1", true);
  rebase([one], "", "on");
  assert.deepEqual([one.checked, one.defaultChecked], [true, false]);
});

test("only what differs is written into a field that somebody is in", () => {
  const calls = [];
  const field = input("one two three", { selectionStart: 5, scrollTop: 3, setRangeText: (...args) => calls.push(args) });
  doc.activeElement = field;
  write([field], "one 2 three", false);
  doc.activeElement = null;
  assert.deepEqual(calls, [["2", 4, 7, "preserve"]]);
});

test("numbers are the same however they are written, where they are numbers", () => {
  assert.ok(same([input("", { type: "number" })], "12.5", "12.50"));
  assert.ok(same([input("", { inputMode: "decimal" })], "10", "10.0"));
  assert.ok(!same([input("")], "01234", "1234"));
  assert.ok(!same([input("", { type: "number" })], "", "0"));
  assert.ok(!same([input("")], undefined, "x"));
  assert.ok(same([], ["a", "b"], ["a", "b"]));
});

test("people read labels, not values", () => {
  const word = (name) => `<${name}>`;
  assert.equal(spell([select([option("g", true, "A guide"), option("n", false, "A note")])], "n", word), "A note");
  assert.equal(spell([box("1", true)], "on", word), "<on>");
  assert.equal(spell([box("r", true, { labels: [{ textContent: " Red team " }] }), box("b", false)], ["r", "b"], word), "Red team, b");
  assert.equal(spell([input("")], "as it is", word), "as it is");
});
