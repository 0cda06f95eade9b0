// The pure parts of `rt-url` and `rt-place`.
import assert from "node:assert/strict";
import { test } from "node:test";

import { changed, held, parse, valueOf } from "../src/place/address.js";
import { noted } from "../src/place/spots.js";
import { createNews, SETTLE } from "../src/renew.js";

test("the attribute names a parameter, what it is by default, and how it is written", () => {
  assert.deepEqual(parse("tab"), { name: "tab", none: "", push: false });
  assert.deepEqual(parse(" push:page=1 "), { name: "page", none: "1", push: true });
  assert.deepEqual(parse("q=a=b"), { name: "q", none: "a=b", push: false });
  assert.deepEqual(parse(""), { name: "", none: "", push: false });
});

test("a query changes in one parameter only", () => {
  assert.equal(changed("?a=1&b=2", "b", ["3"], ""), "a=1&b=3");
  assert.equal(changed("?b=2&a=1", "b", [""], ""), "a=1");
  assert.equal(changed("?page=2", "page", ["1"], "1"), "");
  assert.equal(changed("", "tag", ["x", "y&"], ""), "tag=x&tag=y%26");
  assert.equal(changed("?tag=x&tag=y", "tag", [], ""), "");
  assert.equal(changed("", "on", [], "a"), "on="); // nothing chosen where something is by default
  assert.equal(changed("", "q", ["x".repeat(2_001)], ""), ""); // too long for an address
});

/** @param {Record<string, any>} given */
const element = ({ attributes = {}, ...given }) => ({ getAttribute: (/** @type {string} */ name) => attributes[name] ?? null, id: "", localName: "input", ...given });

test("what a part adds to the address", () => {
  const tab = element({ localName: "button", id: "t", value: "", attributes: { role: "tab", "aria-controls": "notes", "aria-selected": "true" } });
  assert.deepEqual([valueOf(tab), held(tab)], ["notes", ["notes"]]);
  assert.deepEqual(held(element({ localName: "button", attributes: { role: "tab", "aria-selected": "false" } })), []);
  assert.deepEqual(held(element({ localName: "details", id: "faq", open: true })), ["faq"]);
  assert.deepEqual(held(element({ localName: "details", open: true })), ["1"]);
  assert.deepEqual(held(element({ localName: "details", id: "faq", open: false })), []);
  assert.deepEqual(held(element({ type: "checkbox", checked: false, value: "a" })), []);
  assert.deepEqual(held(element({ type: "radio", checked: true, value: "a" })), ["a"]);
  assert.deepEqual(held(element({ type: "search", value: "bike" })), ["bike"]);
  assert.deepEqual(held(element({ localName: "select", options: [1], selectedOptions: [{ value: "a" }, { value: "b" }] })), ["a", "b"]);
});

test("places are bounded, and the least used go", () => {
  /** @type {any} */
  let pages = [];
  for (let page = 0; page < 40; page += 1) for (let n = 0; n < 60; n += 1) pages = noted(pages, `/${page}`, `k${n}`, { top: n });
  assert.equal(pages.length, 30);
  assert.equal(pages[0][0], "/10");
  assert.equal(Object.keys(pages[0][1]).length, 50);
  pages = noted(pages, "/10", "k59", { open: true });
  assert.equal(pages.at(-1)[0], "/10");
  assert.deepEqual(pages.at(-1)[1].k59, { top: 59, open: true });
});

function news() {
  /** @type {[() => void, number][]} */
  const timers = [];
  /** @type {string[]} */
  const said = [];
  let there = false;
  const heard = createNews({
    build: "old", up: 100,
    after: (fn, ms) => {
      const timer = /** @type {[() => void, number]} */ ([fn, ms]);
      timers.push(timer);
      return () => timers.splice(timers.indexOf(timer), 1);
    },
    show: (build) => void (said.push(build), (there = true)),
    hide: () => { const was = there; there = false; return was; },
  });
  const settle = () => timers.splice(0).map(([fn, ms]) => (fn(), ms));
  return { hear: heard.hear, settle, said, dismiss: () => (there = false) };
}

test("another version is told of once, when it has settled", () => {
  const { hear, settle, said } = news();
  hear("new", 200);
  hear("new", 201);
  assert.deepEqual(said, []);
  assert.deepEqual(settle(), [SETTLE]);
  hear("new", 202);
  assert.deepEqual(settle(), []);
  assert.deepEqual(said, ["new"]);
  hear("newer", 300);
  settle();
  assert.deepEqual(said, ["new", "newer"]);
});

test("an older worker in the middle of a deploy is no news", () => {
  const { hear, settle, said } = news();
  hear("older", 50);
  hear("same second", 100);
  assert.deepEqual([settle(), said], [[], []]);
});

test("while a deploy goes back and forth nothing is said, and the wait grows", () => {
  const { hear, settle, said } = news();
  for (let n = 0; n < 3; n += 1) {
    hear("new", 200);
    hear("old", 100);
  }
  hear("new", 200);
  assert.deepEqual(settle(), [8 * SETTLE]);
  assert.deepEqual(said, ["new"]);
});

test("what was shown goes when the old version answers again, and comes again; what was dismissed does not", () => {
  const { hear, settle, said, dismiss } = news();
  hear("new", 200);
  settle();
  hear("old", 100);
  hear("new", 200);
  settle();
  assert.deepEqual(said, ["new", "new"]);
  dismiss();
  hear("old", 100);
  hear("new", 200);
  assert.deepEqual([settle(), said], [[], ["new", "new"]]);
});
