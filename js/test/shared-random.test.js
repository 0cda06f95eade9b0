// Tabs come, go, hang, sleep and crash at random while the server speaks: each shows everything once, over one stream.
import assert from "node:assert/strict";
import { test } from "node:test";
import { browser } from "./shared-kit.js";

const RUNS = Number(process.env.RUNS || 8);
const SEED = Number(process.env.SEED || Math.floor(Math.random() * 1e9));

/** Numbers from 0 to 1, the same for the same seed. */
function numbers(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const TOPICS = ["a", "b", "c"];

async function run(seed) {
  const random = numbers(seed);
  const world = browser({ random });
  const { server, tabs } = world;
  const pick = (list) => list[Math.floor(random() * list.length)];
  const some = () => TOPICS.filter(() => random() < 0.6);
  const story = [];
  const cached = [];
  const acts = {
    open: () => tabs.length < 7 && world.open(some()),
    close: () => tabs.length > 1 && pick(tabs).close(),
    crash: () => tabs.length > 1 && pick(tabs).crash(),
    hang: () => pick(tabs)?.hang(),
    wake: () => pick(tabs)?.wake(),
    hide: () => pick(tabs)?.look(false),
    show: () => pick(tabs)?.look(true),
    freeze: () => pick(tabs)?.fire("freeze"),
    resume: () => pick(tabs)?.fire("resume"),
    swap: () => pick(tabs)?.swap(pick(TOPICS)),
    async cache() {
      const tab = pick(tabs);
      if (!tab || tab.state.hung || tabs.length < 2) return;
      cached.push(...tabs.splice(tabs.indexOf(tab), 1));
      await tab.fire("pagehide");
    },
    async back() {
      const tab = cached.pop();
      if (!tab) return;
      tabs.push(tab);
      await tab.fire("pageshow", { persisted: true });
    },
    cut: () => server.end(),
    down: () => void (server.down = true),
    up: () => void (server.down = false),
    async bye() {
      await server.say("rt:bye", { in: 500 });
      await server.end();
    },
    beat: () => server.beat(),
  };
  world.open(TOPICS);
  for (let step = 0; step < 60; step += 1) {
    const name = random() < 0.45 ? "publish" : pick(Object.keys(acts));
    story.push(name);
    if (name === "publish") await server.publish(pick(TOPICS));
    else await acts[name]();
    await world.settle();
    const ms = pick([0, 0, 30, 120, 700]);
    if (ms) await world.pass(ms);
  }
  server.down = false;
  for (const tab of tabs) {
    await tab.wake();
    await tab.look(true);
    await tab.fire("resume");
  }
  await world.pass(22_000, 250);
  for (const topic of TOPICS) await server.publish(topic);
  await world.settle();
  const told = `SEED=${seed}: ${story.join(" ")}`;
  assert.deepEqual(tabs.flatMap(({ wrong }) => wrong), [], told);
  assert.deepEqual(world.missing(), [], told);
  assert.ok(tabs.every(({ connection, positions }) => connection.state === "connected" || !positions.size), `${tabs.map(({ states }) => states.at(-1))} ${told}`);
  const reading = tabs.some(({ positions }) => positions.size);
  assert.equal(server.open().length, reading ? 1 : 0, told);
}

test(`${RUNS} random afternoons, SEED=${SEED}`, async () => {
  for (let index = 0; index < RUNS; index += 1) await run(SEED + index);
});
