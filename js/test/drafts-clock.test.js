// Drafts in a browser whose clock is wrong, or is put right in mid-page: nothing is lost, held up or dated by it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createCopies } from "../src/drafts/copies.js";
import { createLine } from "../src/drafts/line.js";
import { createServer } from "../src/drafts/server.js";
import { fakeEnv } from "./fakes.js";

const DAY = 24 * 3_600_000;
const NOON = new Date(2026, 2, 1, 12, 0).getTime();
const JUMPS = [["ahead", DAY], ["behind", -DAY]];

function copiesOf(clock) {
  const stores = { session: {}, local: {} };
  for (const store of Object.values(stores)) {
    Object.defineProperties(store, {
      getItem: { value: (key) => store[key] ?? null },
      setItem: { value: (key, text) => void (store[key] = text) },
      removeItem: { value: (key) => void delete store[key] },
    });
  }
  const env = { now: () => clock.now, session: () => stores.session, local: () => stores.local };
  return createCopies({ env, win: { navigator: {} }, tab: { id: "1" }, config: { name: "app" } }, () => ({ who: "ada", me: "Ada" }));
}

for (const [name, jump] of JUMPS) {
  test(`copies live through a clock that jumps a day ${name}, and back`, async () => {
    const clock = { now: NOON };
    const copies = copiesOf(clock);
    const texts = async () => [copies.mine("/a"), (await copies.lost("/a")).copies].map((found) => found.map(({ fields }) => fields.title.v[0]));
    assert.ok(copies.write("/a", "f", { title: { v: ["before"], d: [""] } }));
    clock.now += jump;
    copies.prune();
    assert.deepEqual(await texts(), [["before"], ["before"]]);
    assert.ok(copies.write("/a", "f", { title: { v: ["after"], d: [""] } }));
    clock.now -= jump;
    copies.prune();
    assert.deepEqual(await texts(), [["after"], ["after"]]);
  });
}

/** A form with a draft on the server, and what its line said. */
function formOf() {
  const fake = fakeEnv();
  const clock = { wrong: NOON };
  const env = { ...fake.env, now: () => fake.env.now() + clock.wrong };
  const events = { on: () => () => {}, emit() {} };
  const rt = { env, events, config: { prefix: "/_rt", lang: "en" }, tab: { id: "1" } };
  const line = createLine({ ...rt, doc: { getElementById: () => null } });
  const said = [];
  const form = { text: "", kept: 0 };
  const server = createServer(rt, { ...line, show: (_, one) => said.push(one) }, {
    values: () => ({ title: [form.text] }), fill: () => [], fresh: async () => null, keep: () => true, kept() {}, changed() {},
  });
  const rec = { form, server: null, said: null, quiet: false };
  server.bind(rec, { getAttribute: () => "KEY", dataset: { rev: "0" } });
  return {
    fake, clock, said, server, rec,
    type(text) {
      form.text = text;
      server.soon(rec);
    },
    answer: (status, body, headers = {}) => fake.last.answer(status, headers, JSON.stringify(body)),
  };
}

for (const [name, jump] of JUMPS) {
  test(`a clock that jumps a day ${name} holds no save up`, async () => {
    const { fake, clock, server, rec, type, answer } = formOf();
    type("a");
    await fake.pass(500);
    assert.equal(fake.requests.length, 1);
    await answer(200, { rev: 1, at: NOON / 1000, gone: [] });
    clock.wrong += jump;
    type("ab");
    await fake.pass(2_500);
    assert.equal(fake.requests.length, 2);
    await answer(503, {}, { "Retry-After": "5" });
    clock.wrong += jump;
    server.flush(rec); // the page is hidden: nobody can tell any more whether it is too early
    assert.equal(fake.requests.length, 3);
    await answer(503, {}, { "Retry-After": "5" });
    clock.wrong += jump;
    type("abc");
    for (let second = 0; second < 10 && fake.requests.length < 4; second += 1) await fake.pass(1_000);
    assert.equal(fake.requests.length, 4);
    await answer(200, { rev: 2, at: NOON / 1000, gone: [] });
    assert.deepEqual([rec.server.state, rec.server.rev], ["saved", 2]);
  });

  test(`the time of a draft is the server's in a browser whose clock is a day ${name}`, async () => {
    const { fake, clock, said, type, answer } = formOf();
    clock.wrong += jump;
    type("a");
    await fake.pass(500);
    await answer(200, { rev: 1, at: (NOON - 78 * 60_000) / 1000, gone: [] });
    assert.equal(said.at(-1).word, "saved");
    assert.match(said.at(-1).values.time, /^Mar 1, 10:42$/); // another day than this browser's: it is said
  });
}

test("the time of a draft is told without its day where that is today", async () => {
  const { fake, said, type, answer } = formOf();
  type("a");
  await fake.pass(500);
  await answer(200, { rev: 1, at: (NOON - 78 * 60_000) / 1000, gone: [] });
  assert.equal(said.at(-1).values.time, "10:42");
});
