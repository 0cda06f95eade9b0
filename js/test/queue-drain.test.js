import assert from "node:assert/strict";
import { test } from "node:test";
import { createDrain } from "../src/queue/drain.js";
import { fakeEnv } from "./fakes.js";

const calm = () => new Promise((done) => setImmediate(done));

/** A tab that sends what `rows` holds; `answers` are given in order, then 200. */
function tab({ rows, answers = [], who = "ada", clock = fakeEnv(), locks = undefined }) {
  const sent = [];
  const told = [];
  const store = {
    all: async () => rows.map((row) => ({ ...row })),
    async change(seq, fn) {
      const index = rows.findIndex((row) => row.seq === seq);
      const changed = index < 0 ? null : fn(rows[index]);
      if (index >= 0) rows.splice(index, 1, ...(changed ? [changed] : []));
      return changed;
    },
  };
  const drain = createDrain({
    env: clock.env, locks, lock: "queue", store, who: () => who,
    async send(entry) {
      sent.push(entry.action);
      const answer = answers.shift() ?? { status: 200 };
      return { header: () => null, ...(typeof answer === "function" ? await answer() : answer) };
    },
    settled: async (entry, verdict) => void told.push([entry.action, verdict?.state ?? (verdict ? "later" : "done")]),
    changed() {},
  });
  return { drain, sent, told, clock };
}

const row = (action, more = {}) => ({
  seq: Number(action), action, who: "ada", at: 1_000_000, resource: "r", state: "", reason: null, tries: 0, after: 0, line: false, firm: false, ...more,
});

test("all is sent in order", async () => {
  const { drain, sent, told } = tab({ rows: [row("1"), row("2"), row("3", { who: "bob" })] });
  await drain.kick();
  assert.deepEqual(sent, ["1", "2"]);
  assert.deepEqual(told, [["1", "done"], ["2", "done"]]);
});

test("a broken line is tried again by itself, the same action first", async () => {
  const { drain, sent, clock } = tab({ rows: [row("1"), row("2")], answers: [{ status: 0 }, { status: 503 }] });
  await drain.kick();
  assert.deepEqual(sent, ["1"]);
  await clock.pass(1000);
  await calm();
  assert.deepEqual(sent, ["1", "1"]);
  await clock.pass(2000);
  await calm();
  assert.deepEqual(sent, ["1", "1", "1", "2"]);
});

test("a person may cut a wait short, but not one that the server asked for", async () => {
  const { drain, sent, clock } = tab({ rows: [row("1")], answers: [{ status: 0 }, { status: 503, wait: 5000 }] });
  await drain.kick();
  await drain.kick(true);
  assert.equal(sent.length, 2);
  await drain.kick(true);
  assert.equal(sent.length, 2);
  await clock.pass(6000);
  await calm();
  assert.equal(sent.length, 3);
});

test("signed out, nothing is tried until something happens", async () => {
  const { drain, sent, clock } = tab({ rows: [row("1")], answers: [{ status: 401, problem: "signed-out" }] });
  await drain.kick();
  assert.equal(drain.signedOut, true);
  await drain.kick();
  await clock.pass(600_000);
  assert.equal(sent.length, 1);
  await drain.kick(true);
  assert.deepEqual([sent.length, drain.signedOut], [2, false]);
});

test("offline, nothing is tried", async () => {
  const { drain, sent, clock } = tab({ rows: [row("1")] });
  clock.page.offline = true;
  await drain.kick(true);
  assert.deepEqual(sent, []);
});

test("what is kept while another is sent goes in the same run", async () => {
  const rows = [row("1")];
  const { drain, sent } = tab({ rows, answers: [async () => (rows.push(row("2")), drain.kick(), { status: 200 })] });
  await drain.kick();
  await calm();
  assert.deepEqual(sent, ["1", "2"]);
});

test("a second tab goes on where the first was closed", async () => {
  const rows = [row("1"), row("2")];
  let tail = Promise.resolve();
  const locks = { request: (_name, _options, work) => (tail = tail.catch(() => {}).then(work)) };
  let answer = () => {};
  const first = tab({ rows, locks, answers: [() => new Promise((done) => (answer = () => done({ status: 0 })))] });
  const second = tab({ rows, locks });
  first.drain.kick();
  await calm();
  second.drain.kick();
  await calm();
  assert.deepEqual([first.sent, second.sent], [["1"], []]);
  first.drain.suspend();
  answer();
  await calm();
  assert.deepEqual([first.told, second.sent], [[], ["1", "2"]]);
});

test("a page that comes out of the back/forward cache goes on", async () => {
  const { drain, sent } = tab({ rows: [row("1")] });
  drain.suspend();
  await drain.kick();
  assert.deepEqual(sent, []);
  drain.resume();
  await calm();
  assert.deepEqual(sent, ["1"]);
});
