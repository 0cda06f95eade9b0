// A connection over a network that does only what a test says.
import { createConnection } from "../src/connection.js";
import { wire } from "../src/again.js";
import { createEvents } from "../src/events.js";
import { createTabs } from "../src/tabs.js";
import { openStream } from "../src/stream.js";
import { fakeEnv } from "./fakes.js";

/** A connection that asks for one topic, and everything it said. */
export function start({ random, topics = true } = {}) {
  const world = fakeEnv({ random });
  const events = createEvents();
  const log = [];
  const states = [];
  events.on("stream:state", ({ state, why }) => {
    const text = why ? `${state} ${why}` : state;
    if (states.at(-1) !== text) states.push(text);
  });
  events.on("stream:open", ({ cursor, newEpoch }) => log.push(["open", cursor, newEpoch]));
  events.on("stream:message", ({ event, data, id, replayed }) => log.push([event, data, id, replayed]));
  events.on("stream:replayed", ({ cursor }) => log.push(["replayed", cursor]));
  events.on("stream:checkpoint", ({ cursor }) => log.push(["checkpoint", cursor]));
  const ask = { topics };
  const lines = { open: openStream };
  const connection = createConnection({
    env: world.env,
    events,
    lines,
    url: "/_rt/stream",
    body: (cursor) => (ask.topics ? { v: 1, cursor } : null),
  });
  connection.start();
  const tabs = createTabs(world.env);
  events.on("stream:open", () => tabs.send("open"));
  const stopAgain = wire({ env: world.env, events, tabs, connection });
  return Object.assign(world, { stopAgain, lines, connection, log, states, events, ask });
}

export async function connected(options) {
  const world = start(options);
  await world.last.open();
  await world.last.send("", null, "1~e~a");
  return world;
}

/** Tries made while `ms` pass. */
export async function tries(world, ms) {
  const before = world.requests.length;
  await world.pass(ms);
  return world.requests.length - before;
}
