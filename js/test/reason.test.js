// The server's own words for why it has refused something.
import assert from "node:assert/strict";
import { test } from "node:test";
import { reasonOf } from "../src/reason.js";

const page = (...alerts) => () => /** @type {any} */ ({ querySelectorAll: () => alerts.map((textContent) => ({ textContent })) });
const reason = (body, type, problem = null, parse = page()) => reasonOf(body, type, problem, parse);

test("short words for people are taken as they are", () => {
  assert.equal(reason("Somebody likes\n this one.", "text/plain; charset=utf-8"), "Somebody likes this one.");
  assert.equal(reason('{"detail": "Too late."}', "application/json"), "Too late.");
  assert.equal(reason('{"title": "Sold out"}', "application/problem+json"), "Sold out");
  assert.equal(reason("<p>…", "text/html", null, page(" Whose? ", "When?")), "Whose? When?");
});

test("what is no word for people is not shown to them", () => {
  assert.equal(reason("Not Found", "text/plain"), "");
  assert.equal(reason('{"detail": "Method Not Allowed"}', "application/json"), "");
  assert.equal(reason('{"detail": [{"loc": ["body", "title"], "msg": "Field required"}]}', "application/json"), "");
  assert.equal(reason("{", "application/json"), "");
  assert.equal(reason("null", "application/json"), "");
  assert.equal(reason("x".repeat(201), "text/plain"), "");
  assert.equal(reason("<h1>Oops</h1>", "text/html"), "");
  assert.equal(reason("", ""), "");
});

test("the kit's own answers leave it to the words that a page can translate", () => {
  const body = '{"type": "about:blank", "title": "running", "status": 409, "detail": "This is being done right now."}';
  assert.equal(reason(body, "application/problem+json", "running"), "");
});
