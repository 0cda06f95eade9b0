import assert from "node:assert/strict";
import { test } from "node:test";
import { AGE, BYTES, MOST, again, full, holds, judge, next, others, states } from "../src/queue/queue.js";
import { waitOf } from "../src/queue/send.js";

let seq = 0;
const entry = (more = {}) => ({
  seq: (seq += 1), action: `a${seq}`, who: "ada", name: "Ada", at: 0, resource: "r", size: 10, state: "", reason: null,
  tries: 0, after: 0, line: false, firm: false, ...more,
});
const half = () => 0.5;

test("the oldest of the asking person goes first", () => {
  const [one, two, other] = [entry(), entry(), entry({ who: "bob", seq: 0 })];
  assert.equal(next([two, other, one], "ada", 0).entry, one);
  assert.equal(next([other], "ada", 0).entry, null);
  assert.deepEqual(next([], "ada", 0), { entry: null, wait: 0 });
});

test("a paused entry stops its resource and no other", () => {
  const [paused, behind, free] = [entry({ state: "paused" }), entry(), entry({ resource: "s" })];
  assert.equal(next([paused, behind, free], "ada", 0).entry, free);
  assert.deepEqual(next([paused, behind], "ada", 0), { entry: null, wait: 0 });
  assert.deepEqual(states([paused, behind, free], { who: "ada", now: 0 }).map(({ state }) => state), ["paused", "behind", "waiting"]);
});

test("one that waits for its turn holds back those behind it, and one that waits for the line holds back all", () => {
  const [first, second, free] = [entry({ after: 50 }), entry(), entry({ resource: "s" })];
  assert.equal(next([first, second, free], "ada", 0).entry, free);
  const line = { ...first, line: true };
  assert.deepEqual(next([line, second, free], "ada", 0), { entry: null, wait: 50 });
  assert.equal(next([line, second, free], "ada", 50).entry, line);
});

test("a refused or old entry is listed, is not sent, and holds nobody back", () => {
  const [refused, old, good] = [entry({ state: "refused" }), entry({ at: -AGE }), entry()];
  assert.equal(next([refused, old, good], "ada", 0).entry, good);
  assert.deepEqual(states([refused, old, good], { who: "ada", now: 0 }).map(({ state }) => state), ["refused", "old", "waiting"]);
  assert.equal(holds([refused, old], "ada", "r", 0), false);
  assert.equal(holds([good], "ada", "r", 0), true);
  assert.equal(holds([entry({ state: "paused" })], "ada", "r", 0), true);
  assert.equal(holds([good], "ada", "s", 0), false);
  assert.equal(holds([good], "bob", "r", 0), false);
});

test("what an answer makes of an entry", () => {
  const of = (answer, more) => judge(entry(more), answer, 1000, half);
  assert.equal(of({ status: 200 }), null);
  assert.equal(of({ status: 204 }), null);
  assert.equal(of({ status: 200, login: true }), "sign-in");
  assert.equal(of({ status: 401, problem: "user-changed" }), "sign-in");
  for (const status of [0, 408, 429, 502, 503, 504]) assert.deepEqual({ line: of({ status }).line, after: of({ status }).after }, { line: true, after: 1750 });
  assert.deepEqual(of({ status: 503, wait: 9000 }), { tries: 1, line: true, firm: true, after: 10_500 });
  assert.equal(of({ status: 409, problem: "running", wait: 1000 }).line, false);
  for (const [status, problem] of [[409, "stale"], [409, ""], [412, "stale"], [423, "locked"], [428, "version-required"]]) {
    assert.equal(of({ status, problem }).state, "paused", `${status} ${problem}`);
  }
  for (const [status, problem, final] of [
    [409, "unknown-outcome", true], [409, "already-done", true], [422, "key-mismatch", true], [422, "validation", false],
    [403, "forbidden", true], [403, "", false], [404, "gone", true], [400, "bad-request", true], [413, "too-large", true],
  ]) {
    const { state, reason } = of({ status, problem });
    assert.deepEqual([state, reason.final], ["refused", final], `${status} ${problem}`);
  }
  assert.equal(of({ status: 500 }).state, undefined);
  assert.equal(of({ status: 500 }, { tries: 2 }).state, "refused");
});

test("waits grow to a minute", () => {
  const after = (tries) => judge(entry({ tries }), { status: 0 }, 0, () => 1).after;
  assert.deepEqual([0, 1, 2, 10].map(after), [1000, 2000, 4000, 60_000]);
});

test("trying again begins from the start", () => {
  const { state, reason, tries } = again(entry({ state: "refused", reason: {}, tries: 3 }));
  assert.deepEqual([state, reason, tries], ["", null, 0]);
});

test("room is counted for each person", () => {
  const many = Array.from({ length: MOST }, () => entry());
  assert.equal(full(many, entry()), "many");
  assert.equal(full(many, entry({ who: "bob" })), null);
  assert.equal(full([entry({ size: BYTES - 10 })], entry({ size: 10 })), null);
  assert.equal(full([entry({ size: BYTES - 10 })], entry({ size: 11 })), "big");
});

test("of others only names and numbers are told", () => {
  const list = [entry(), entry({ who: "bob", name: "Bob" }), entry({ who: "bob", name: "" }), entry({ who: "eve", name: "" })];
  assert.deepEqual(others(list, "ada"), [{ name: "Bob", count: 2 }, { name: "", count: 1 }]);
});

test("Retry-After in seconds and as a date", () => {
  assert.equal(waitOf("3", 0), 3000);
  assert.equal(waitOf(new Date(5000).toUTCString(), 1000), 4000);
  for (const none of [null, "", "soon", "0"]) assert.equal(waitOf(none, 0), undefined);
});
