// Tabs, people, a line that breaks at any moment and a server that keeps receipts, at random. Whatever happens, each
// action is done at most once, in order within its resource, for its own person only, and none is forgotten.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createDrain } from "../src/queue/drain.js";
import { again } from "../src/queue/queue.js";
import { fakeEnv } from "./fakes.js";

const RUNS = Number(process.env.RUNS ?? 150);
const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));

/** Mulberry32. */
function generator(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function fakeStore() {
  const rows = new Map();
  let last = 0;
  return {
    rows,
    all: async () => [...rows.values()].sort((a, b) => a.seq - b.seq),
    async put(entry) {
      const seq = entry.seq ?? (last += 1);
      rows.set(seq, { ...entry, seq });
      return seq;
    },
    async change(seq, fn) {
      if (!rows.has(seq)) return null;
      const changed = fn(rows.get(seq));
      if (changed) rows.set(seq, changed);
      else rows.delete(seq);
      return changed;
    },
    close() {},
  };
}

function fakeLocks() {
  let tail = Promise.resolve();
  return {
    held: 0,
    request(_name, { signal }, work) {
      const run = async () => {
        if (signal.aborted) throw new DOMException("aborted", "AbortError");
        this.held += 1;
        assert.equal(this.held, 1, "two drainers at once");
        try {
          return await work();
        } finally {
          this.held -= 1;
        }
      };
      const mine = tail.then(run);
      tail = mine.catch(() => {});
      return mine;
    },
  };
}

async function play(seed) {
  const random = generator(seed);
  const pick = (list) => list[Math.floor(random() * list.length)];
  const { env, page, settle, ...clock } = fakeEnv({ random });
  /** Everything that can happen now has happened. */
  const calm = () => new Promise((done) => setImmediate(done));
  const pass = async (ms) => {
    for (let left = ms; left > 0; left -= 1000) {
      await calm();
      await clock.pass(Math.min(left, 1000));
    }
    await calm();
  };
  const retry = (entry) => ({ ...again(entry), retried: entry.retried || entry.state !== "" });
  const store = fakeStore();
  const locks = random() < 0.8 ? fakeLocks() : undefined; // an insecure page has none
  const kept = new Map();
  const gone = new Set(); // discarded by the person
  const receipts = new Map();
  const applied = [];
  let session = "ada";
  let up = true;
  let count = 0;

  /** The server: receipts, and refusals of its own; the line may break before or after it has done its part. */
  async function send(entry, signal) {
    const answer = (status, more = {}) => ({ status, header: () => null, ...more });
    await settle();
    if (signal.aborted || page.offline || !up || random() < 0.15) return answer(0);
    if (session !== entry.who) return answer(401, { problem: "user-changed" });
    if (receipts.has(entry.action)) return answer(receipts.get(entry.action));
    const fate = random();
    if (fate < 0.08) return answer(409, { problem: "stale" });
    if (fate < 0.14) return answer(422, { problem: "validation" });
    if (fate < 0.2) return answer(503, random() < 0.5 ? { wait: 2000 } : {});
    if (fate < 0.24) return answer(409, { problem: "running", wait: 1000 });
    if (fate < 0.28) return answer(500);
    applied.push(entry);
    receipts.set(entry.action, 200);
    await settle();
    return random() < 0.15 ? answer(0) : answer(200); // done, and the answer lost
  }

  function openTab(who) {
    const tab = { who, drain: null };
    tab.drain = createDrain({ env, locks, lock: "queue", store, who: () => tab.who, send, settled: async () => {}, changed() {} });
    tab.drain.kick();
    return tab;
  }

  let tabs = [openTab("ada")];
  const keep = async () => {
    const action = `${(count += 1)}`;
    const entry = { action, who: session, at: env.now(), resource: pick(["a", "b", "c"]), state: "", reason: null, tries: 0, after: 0, line: false, firm: false, size: 1 };
    kept.set(action, entry);
    await store.put(entry);
    for (const tab of tabs) tab.drain.kick();
  };
  const steps = [
    keep, keep, keep,
    () => pass(random() * 5000),
    () => pass(random() * 5000),
    () => void (page.offline = !page.offline),
    () => void (up = !up),
    () => void pick(tabs).drain.kick(true),
    () => void (tabs.length < 3 && tabs.push(openTab(session))),
    () => {
      tabs.shift().drain.suspend(); // closed, perhaps in the middle
      if (!tabs.length) tabs.push(openTab(session));
    },
    () => {
      session = pick(["ada", "bob"]);
      tabs.push(openTab(session));
      while (tabs.length > 3) tabs.shift().drain.suspend();
    },
    async () => {
      const row = pick([...store.rows.values()]);
      if (!row) return;
      if (random() < 0.5) await store.change(row.seq, retry);
      else {
        gone.add(row.action);
        await store.change(row.seq, () => null);
      }
    },
  ];
  for (let step = 0; step < 60; step += 1) await pick(steps)();
  check();

  // In the end everybody signs in with a good line, and retries until nothing is left to send.
  page.offline = false;
  up = true;
  for (const who of ["ada", "bob"]) {
    session = who;
    for (let round = 0; round < 40 && [...store.rows.values()].some((row) => row.who === who); round += 1) {
      for (const row of [...store.rows.values()]) if (row.who === who && row.state) await store.change(row.seq, retry);
      for (const tab of tabs) tab.drain.suspend();
      tabs = [openTab(who)];
      await pass(30_000);
    }
  }
  check();
  const left = [...store.rows.values()].map(({ action }) => action);
  assert.deepEqual(left, [], "something is never sent");

  function check() {
    const done = applied.map(({ action }) => action);
    assert.equal(new Set(done).size, done.length, "done twice");
    const here = new Set([...store.rows.values()].map(({ action }) => action));
    for (const action of kept.keys()) {
      assert.ok(here.has(action) || receipts.has(action) || gone.has(action), `${action} is forgotten`);
    }
    // A refused one steps out of the row until somebody retries it; without those, order is the order of keeping.
    for (const resource of ["a", "b", "c"]) {
      for (const who of ["ada", "bob"]) {
        const order = applied.filter((entry) => entry.resource === resource && entry.who === who && !entry.retried).map(({ seq }) => seq);
        assert.deepEqual(order, [...order].sort((a, b) => a - b), `order of ${resource}`);
      }
    }
  }
}

test(`random runs, SEED=${SEED} RUNS=${RUNS}`, async () => {
  for (let run = 0; run < RUNS; run += 1) {
    await play(SEED + run).catch((error) => {
      error.message = `SEED=${SEED + run} RUNS=1: ${error.message}`;
      throw error;
    });
  }
});
