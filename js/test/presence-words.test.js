// Sentences and numbers of who is here.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { isPlace, pace } from "../src/presence/cursors.js";
import { firstName, say, typing } from "../src/presence/words.js";

const wordsOf = (lang) => JSON.parse(readFileSync(new URL(`../../htmx_rt/words/${lang}.json`, import.meta.url), "utf8"));

for (const [lang, none, one, two, many] of [
  ["en", "", "Ada is typing…", "Ada and Grace are typing…", "Ada and 3 others are typing…"],
  ["de", "", "Ada schreibt…", "Ada und Grace schreiben…", "Ada und 3 weitere schreiben…"],
  ["es", "", "Ada está escribiendo…", "Ada y Grace están escribiendo…", "Ada y 3 más están escribiendo…"],
]) {
  test(`typing in ${lang}`, () => {
    const words = wordsOf(lang);
    const people = ["Ada Okafor", "Grace Lindqvist", "Mei Tanaka", "Max Weber"];
    assert.equal(typing(lang, words, []), none);
    assert.equal(typing(lang, words, people.slice(0, 1)), one);
    assert.equal(typing(lang, words, people.slice(0, 2)), two);
    assert.equal(typing(lang, words, people), many);
  });
}

test("people with one first name are told apart, and two visitors are not", () => {
  const words = wordsOf("en");
  assert.equal(typing("en", words, ["Ada Okafor", "Ada Byron"]), "Ada Okafor and Ada Byron are typing…");
  assert.equal(typing("en", words, ["", ""]), "Visitor and 1 other are typing…");
  assert.equal(typing("en", words, [""]), "Visitor is typing…");
});

test("a name of another direction stays by itself", () => {
  assert.equal(typing("en", wordsOf("en"), ["מרים"]), "\u2068מרים\u2069 is typing…");
});

test("a word that is missing says nothing, and a brace that is no value stays", () => {
  assert.equal(say("en", undefined, {}), "");
  assert.equal(say("en", "{a} {b}", { a: 1 }), "1 {b}");
  assert.equal(say("pl", { one: "{n} osoba", few: "{n} osoby", many: "{n} osób", other: "{n} osoby" }, { n: 5 }), "5 osób");
  assert.equal(say("fr", { one: "{n} personne", other: "{n} personnes" }, { n: 0 }), "0 personne");
});

test("the first name", () => {
  assert.equal(firstName("  Ada  Okafor "), "Ada");
  assert.equal(firstName("", "Gast"), "Gast");
  assert.equal(firstName(""), "?");
});

test("a larger room is told less often", () => {
  assert.deepEqual([2, 20, 21, 100, 1000].map(pace), [100, 100, 105, 500, 5000]);
});

test("what is no place is none", () => {
  for (const at of [null, [], ["a"], ["a", 0], ["a", 0, "0"], [1, 0, 0], ["a", NaN, 0], ["a", 3, 0], ["a", Infinity, 0]]) assert.equal(isPlace(at), false);
  assert.equal(isPlace(["", 0.5, 1.01]), true);
});
