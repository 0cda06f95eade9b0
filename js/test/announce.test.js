import assert from "node:assert/strict";
import { test } from "node:test";
import { createEvents } from "../src/events.js";
import { announce } from "../src/features/announce.js";
import { fakeEnv } from "./fakes.js";

/** A live region that keeps what was said, and when. */
function world({ live = true } = {}) {
  const fake = fakeEnv();
  const begun = fake.env.now();
  const said = [];
  const region = {
    set textContent(text) {
      if (text) said.push([fake.env.now() - begun, text]);
    },
  };
  const doc = { getElementById: (id) => (id === "rt-live" && live ? region : null) };
  const events = createEvents();
  const stop = announce.mount(/** @type {any} */ ({ doc, env: fake.env, events }));
  return { ...fake, said, stop, say: (text, more) => events.emit("announce", { text, ...more }), show: () => (live = true) };
}

test("a storm from several sources is one announcement in three seconds, whatever comes", async () => {
  const { say, said, pass } = world();
  for (let n = 0; n < 200; n += 1) {
    say(`${n} orders`, { key: "orders" });
    say(n % 2 ? "Grace joined" : "Grace left");
    await pass(50);
  }
  await pass(10_000);
  assert.ok(said.length >= 3 && said.length <= 5, String(said.length));
  said.forEach(([at], index) => index && assert.ok(at - said[index - 1][0] >= 3_000));
  assert.equal(said[0][1], "0 orders");
  // Of each thing the last word, and each word once.
  assert.match(said[1][1], /^(\d+ orders|Grace (joined|left)|\s)+$/);
  for (const once of [/orders/g, /Grace joined/g, /Grace left/g]) assert.equal(said[1][1].match(once).length, 1);
  assert.match(said.at(-1)[1], /199 orders/);
});

test("no more is said together than anybody listens to: the newest", async () => {
  const { say, said, pass } = world();
  say("first");
  for (let n = 0; n < 100; n += 1) say(`(${n})`);
  await pass(3_100);
  assert.equal(said[1][1], "(92) (93) (94) (95) (96) (97) (98) (99)");
});

test("what answers a key is said at once, and takes nothing away from what was about to be said", async () => {
  const { say, said, pass } = world();
  say("Saved");
  await pass(10); // not yet in the region
  say("Place 2 of 5", { assertive: true });
  await pass(100);
  assert.deepEqual(said.map(([, text]) => text), ["Saved Place 2 of 5"]);
  say("Place 3 of 5", { assertive: true });
  await pass(100);
  assert.equal(said.at(-1)[1], "Place 3 of 5");
});

test("the same words are said again, later", async () => {
  const { say, said, pass } = world();
  say("Saved");
  await pass(5_000);
  say("Saved");
  await pass(100);
  assert.deepEqual(said.map(([, text]) => text), ["Saved", "Saved"]);
});

test("without a region nothing piles up, and the newest are said when one comes", async () => {
  const { say, said, pass, show } = world({ live: false });
  for (let n = 0; n < 100; n += 1) say(`(${n})`);
  show();
  say("here");
  await pass(100);
  assert.equal(said[0][1], "(93) (94) (95) (96) (97) (98) (99) here");
});

test("a clock that is set back keeps nobody silent", async () => {
  const { env, say, said, pass } = world();
  say("one");
  await pass(100);
  const { now } = env;
  env.now = () => now() - 86_400_000;
  say("two");
  await pass(100);
  assert.equal(said.length, 2);
});

test("unmounted, it is silent", async () => {
  const { say, said, pass, stop } = world();
  say("one");
  stop();
  say("two");
  await pass(5_000);
  assert.deepEqual(said, []);
});
