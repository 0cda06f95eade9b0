// `rt-optimistic="…"`: what is understood, and what is said about the rest.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fill, parseRule } from "../src/optimistic/grammar.js";
import { actionKey } from "../src/optimistic/key.js";

const op = (verb, value = "", on = "this", at = "") => ({ verb, value, on, at });

for (const [rule, ...expected] of [
  ["toggle-class:on; inc:1 on #n; hide on closest li", op("toggle-class", "on"), op("inc", "1", "#n"), op("hide", "", "closest li")],
  ["insert:#tpl on #tasks at start", op("insert", "#tpl", "#tasks", "start")],
  ["insert:#tpl at end;", op("insert", "#tpl", "this", "end")],
  ["add-class:a b on closest li", op("add-class", "a b", "closest li")],
  ['text:"Saved; on its way" on next .state', op("text", "Saved; on its way", "next .state")],
  ['text:"say \\"hi\\""', op("text", 'say "hi"')],
  ['text:""', op("text", "")],
  ["text:{title} on find .title", op("text", "{title}", "find .title")],
  ["attr:aria-pressed=true", op("attr", "aria-pressed=true")],
  ["attr:title=", op("attr", "title=")],
  ["inc; dec:2.5 on #left", op("inc"), op("dec", "2.5", "#left")],
  ["move:#done on closest .card at start", op("move", "#done", "closest .card", "start")],
  ['remove on [data-x="a;b"]', op("remove", "", '[data-x="a;b"]')],
  ["transition:shake on #box", op("transition", "shake", "#box")],
  ["  show on\n  #more  ", op("show", "", "#more")],
]) {
  test(rule, () => assert.deepEqual(parseRule(rule), expected));
}

for (const [rule, words] of [
  ["", /empty/],
  ["blink on #x", /"blink" is no operation; there are add-class/],
  ["toggle-class", /"toggle-class" needs a value: toggle-class:…/],
  ["add-class:", /needs a value/],
  ["hide:now", /"hide" takes no value, but was given "now"/],
  ["inc:many", /"many" is no number/],
  ["hide closest li", /"closest li" is not understood/],
  ["hide on #a at end", /"at end" says nothing to "hide"/],
  ["attr:title", /not of the form attr:name=value/],
  ["attr:onclick=alert(1)", /"onclick" may not be written/],
  ["attr:hx-get=/x", /may not be written/],
  ["attr:href=javascript:x", /may not be written/],
  ["attr:style=color:red", /may not be written/],
  ['text:"never closed', /never closed/],
]) {
  test(`${rule}: refused with the reason`, () => assert.throws(() => parseRule(rule), words));
}

test("a placeholder takes what the form says, as text", () => {
  const values = new FormData();
  values.append("title", "<b>Call</b>");
  values.append("tag", "a");
  values.append("tag", "b");
  values.append("file", new Blob(["x"]));
  assert.equal(fill("{title}: {tag} {none}{file} {not a name}", values), "<b>Call</b>: a, b  {not a name}");
  assert.equal(fill("{title}", null), "");
});

test("the name of an action is that of the server", () => {
  assert.equal(actionKey("3f2a"), "bfe48500c4098781"); // from htmx_rt.frames.action_key
  assert.equal(actionKey("é-1"), "f81aaec6f1f62c4f");
});
