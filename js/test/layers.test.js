// Optimistic layers: each verb and its inverse, and who wins when the server speaks in between.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createLayers } from "../src/optimistic/layers.js";
import { count } from "../src/optimistic/ops.js";
import { createDocument, parse } from "./fake-dom.js";
import { html } from "./html.js";

/** A page, its layers, and a way to say an operation in a line. */
function page(markup) {
  const doc = createDocument(markup);
  const layers = createLayers();
  const before = html(doc.body);
  const by = (id) => doc.getElementById(id);
  return {
    by, layers, before,
    now: () => html(doc.body),
    lay(id, verb, value = "", more = {}) {
      const layer = { effects: [{ step: { verb, value, at: "", ...more }, target: () => by(id) }] };
      layers.add(layer);
      return layer;
    },
    say(id, markup) {
      layers.off();
      by(id).replaceWith(parse(markup).firstChild);
      layers.on();
    },
  };
}

const ITEM = '<ul id="list"><li id="a" class="row  wide" title="x">A</li> <li id="b">3</li> <li id="c"><b>Bold</b> text</li></ul>';

for (const [id, verb, value, shown] of [
  ["a", "add-class", "on", '<li id="a" class="row wide rt-pending on" title="x">A</li>'],
  ["b", "add-class", "on off", '<li id="b" class="rt-pending on off">3</li>'],
  ["a", "remove-class", "row wide", '<li id="a" class="rt-pending" title="x">A</li>'],
  ["a", "attr", "title=y=z", '<li id="a" class="row wide rt-pending" title="y=z">A</li>'],
  ["b", "attr", "aria-pressed=true", '<li id="b" class="rt-pending" aria-pressed="true">3</li>'],
  ["b", "inc", "", '<li id="b" class="rt-pending">4</li>'],
  ["b", "dec", "5", '<li id="b" class="rt-pending">-2</li>'],
  ["c", "text", "New", '<li id="c" class="rt-pending">New</li>'],
  ["b", "text", "", '<li id="b" class="rt-pending"></li>'],
  ["b", "hide", "", '<li id="b" hidden="">3</li>'],
]) {
  test(`${verb}:${value} on #${id} is shown, and taken back byte for byte`, () => {
    const { lay, layers, now, before } = page(ITEM);
    const layer = lay(id, verb, value);
    assert.ok(now().includes(shown), now());
    layers.fail(layer);
    assert.equal(now(), before);
  });
}

test("what is removed comes back as the same element at its place", () => {
  const { by, lay, layers, now, before } = page(ITEM);
  const element = by("b");
  const layer = lay("b", "remove");
  assert.equal(by("b"), null);
  layers.fail(layer);
  assert.equal(by("b"), element);
  assert.equal(now(), before);
});

test("a shown element is hidden again, its attributes in their order", () => {
  const { lay, layers, now, before } = page('<p id="p" hidden="" class="x" title="t">…</p>');
  const layer = lay("p", "show");
  assert.ok(!now().includes("hidden"));
  layers.fail(layer);
  assert.equal(now(), before);
});

test("the older may fail while the newer stays", () => {
  const { lay, layers, by } = page('<b id="n">3</b>');
  const older = lay("n", "inc", "1");
  lay("n", "inc", "5");
  assert.equal(by("n").textContent, "9");
  layers.fail(older);
  assert.equal(by("n").textContent, "8");
});

test("what is pushed in between is the new base", () => {
  const { lay, layers, by, say } = page('<b id="n">3</b>');
  const first = lay("n", "inc", "1");
  say("n", '<b id="n">10</b>');
  assert.equal(by("n").textContent, "11");
  const second = lay("n", "inc", "5");
  say("n", '<b id="n" class="new">20</b>');
  assert.equal(by("n").textContent, "26");
  layers.fail(first);
  assert.equal(by("n").textContent, "25");
  layers.confirm(second);
  assert.equal(by("n").textContent, "25");
  assert.equal(by("n").getAttribute("class"), "new");
});

test("confirmed and rewritten by the server, it just goes", () => {
  const { lay, layers, by } = page('<b id="n">3</b>');
  const layer = lay("n", "inc", "1");
  layers.off();
  by("n").replaceWith(parse('<b id="n">4</b>').firstChild);
  layer.effects[0].done = true;
  layers.confirm(layer);
  layers.on();
  assert.equal(by("n").textContent, "4");
});

test("an element that a person's script has classed keeps that class", () => {
  const { lay, layers, by } = page('<b id="n">3</b>');
  const layer = lay("n", "add-class", "on");
  by("n").setAttribute("class", `${by("n").getAttribute("class")} theirs`);
  layers.fail(layer);
  assert.equal(by("n").getAttribute("class"), "theirs");
});

test("what somebody has rewritten without asking is theirs", () => {
  const { lay, layers, by } = page('<b id="n" class="a">3</b>');
  const layer = lay("n", "add-class", "on");
  by("n").setAttribute("class", "b on"); // htmx settling: the server says that it is on
  layers.off();
  layers.on();
  assert.equal(by("n").getAttribute("class"), "b on rt-pending");
  layers.fail(layer);
  assert.equal(by("n").getAttribute("class"), "b on");
});

test("an element that is gone costs nothing, and is found again when it is back", () => {
  const { lay, layers, by, now } = page('<p id="p"><b id="n">3</b></p>');
  lay("n", "inc", "1");
  layers.off();
  by("n").remove();
  layers.on();
  assert.equal(now(), '<body><p id="p"></p></body>');
  layers.off();
  by("p").append(parse('<b id="n">7</b>').firstChild);
  layers.on();
  assert.equal(by("n").textContent, "8");
});

for (const [text, step, expected] of [
  ["3", 1, "4"], ["12 likes", -1, "11 likes"], ["1,204", 1, "1,205"], ["999,999", 1, "1,000,000"], ["1 204 votes", 10, "1 214 votes"],
  ["3.50 €", 1, "4.50 €"], ["-1", 1, "0"], ["9+", 1, "9+"], ["none", 1, "none"], ["1.5", 0.25, "1.75"], ["12345", 1, "12346"],
]) {
  test(`"${text}" counted on by ${step} is "${expected}"`, () => assert.equal(count(text, step), expected));
}
