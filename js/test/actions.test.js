// What a request is called while it is on its way and when it failed: the pure parts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { failureOf, retriable } from "../src/features/failures.js";
import { p95, patternOf } from "../src/dev.js";
import { levelOf } from "../src/features/latency.js";
import { kindOf } from "../src/features/pending.js";
import { createOffers } from "../src/features/undo.js";
import { fakeEnv } from "./fakes.js";

test("what a person did to cause a request", () => {
  const kind = (trigger, safe = false) => kindOf({ trigger, safe });
  assert.equal(kind("submit"), "submit");
  for (const trigger of ["change", "input", "keyup", "search", "blur", "focusout"]) assert.equal(kind(trigger, true), "change");
  assert.equal(kind("click", true), "click");
  assert.equal(kind("task-dropped"), "click"); // an event of the page's own that changes something
  for (const trigger of ["load", "every", "intersect", "revealed", "task-changed", "mouseenter", ""]) assert.equal(kind(trigger, true), "");
  assert.equal(kind(""), ""); // a script's
});

test("what kind of failure it was", () => {
  const kind = (outcome, status, problem = null) => failureOf({ outcome, status, problem });
  assert.equal(kind("network"), "network");
  assert.equal(kind("timeout"), "timeout");
  assert.equal(kind("status", 500), "server");
  assert.equal(kind("status", 503), "busy");
  assert.equal(kind("status", 503, "limited"), "busy"); // a store that is away asked nobody to slow down
  assert.equal(kind("status", 429, "limited"), "limited");
  assert.equal(kind("status", 409, "stale"), "conflict");
  assert.equal(kind("status", 409, "running"), "running");
  assert.equal(kind("status", 200, "signed-out"), "signed-out");
  assert.equal(kind("status", 418), "refused");
});

test("Retry is offered where nothing can happen twice", () => {
  const action = { safe: false, action: "a-uuid", method: "POST" };
  assert.ok(retriable(action, "network"));
  assert.ok(retriable({ safe: true, action: null, method: "GET" }, "server"));
  assert.ok(!retriable({ ...action, action: null }, "network")); // nothing tells the server that it is the same
  for (const kind of ["unknown-outcome", "forbidden", "gone", "validation", "conflict", "user-changed"]) assert.ok(!retriable(action, kind), kind);
  assert.ok(!retriable({ safe: true, action: null }, "server")); // sent before anybody could describe it
});

test("how far away", () => {
  assert.deepEqual([0, 99, 100, 300, 301].map(levelOf), ["low", "low", "mid", "mid", "high"]);
  assert.equal(p95([5, 1, 2, 3, 4]), 5);
  assert.equal(p95(Array.from({ length: 20 }, (_, n) => n + 1)), 19);
  assert.equal(patternOf("/tasks/7/done"), "/tasks/…/done");
  assert.equal(patternOf("/a/3f2504e0-4f89-41d3-9a0c-0305e82c3301"), "/a/…");
  assert.equal(patternOf("/tasks/new"), "/tasks/new");
});

test("what may be taken back is offered until its time is over, and the first word about it counts", async () => {
  const { env, pass, stores } = fakeEnv();
  const offers = createOffers(env);
  const offer = { id: "1", text: "Gone", level: "info", until: env.now() + 5_000 };
  assert.equal(offers.add(offer), 5_000);
  await pass(2_000);
  assert.equal(offers.add({ ...offer, until: env.now() + 5_000 }), 3_000); // the page came from a cache
  assert.deepEqual(offers.all(), [offer]);
  offers.add({ ...offer, id: "2", until: env.now() + 9_000 });
  offers.end("2");
  assert.equal(offers.all().length, 1);
  await pass(3_000);
  assert.deepEqual(offers.all(), []);
  offers.end(undefined);
  assert.equal(stores.session.getItem("rt-undo"), null);
});
