import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { createConnection } from "../src/connection.js";
import { createEvents } from "../src/events.js";
import { createTabs } from "../src/tabs.js";
import { fakeEnv } from "./fakes.js";

/** A connection that asks for one topic, and everything it said. */
function start({ random, topics = true } = {}) {
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
  const connection = createConnection({
    env: world.env,
    events,
    tabs: createTabs(world.env),
    url: "/_rt/stream",
    body: (cursor) => (ask.topics ? { v: 1, cursor } : null),
  });
  connection.start();
  return Object.assign(world, { connection, log, states, events, ask });
}

async function connected(options) {
  const world = start(options);
  await world.last.open();
  await world.last.send("", null, "1~e~a");
  return world;
}

/** Tries made while `ms` pass. */
async function tries(world, ms) {
  const before = world.requests.length;
  await world.pass(ms);
  return world.requests.length - before;
}

test("opens with a POST of JSON and nothing in the address", async () => {
  const { last, connection, states } = await connected();
  assert.equal(last.url, "/_rt/stream");
  assert.equal(last.init.method, "POST");
  assert.equal(last.init.redirect, "manual");
  assert.equal(last.init.headers["Content-Type"], "application/json");
  assert.deepEqual(last.body, { v: 1, cursor: null });
  assert.equal(connection.state, "connected");
  assert.deepEqual(states, ["connecting", "connected"]);
});

test("a page with nothing to listen to opens nothing, until it has", async () => {
  const world = start({ topics: false });
  await world.pass(60_000);
  assert.equal(world.requests.length, 0);
  assert.equal(world.connection.state, "idle");
  world.ask.topics = true;
  world.connection.refresh();
  await world.pass(100);
  assert.equal(world.requests.length, 1);
});

test("hands on live messages and moves the cursor", async () => {
  const { last, log, connection } = await connected();
  await last.send("rt:ops", { o: 11 }, "1~e~b");
  await last.send("rt:signal", { name: "typing" });
  await last.send("", null, "1~e~c");
  assert.deepEqual(log, [
    ["open", null, false],
    ["replayed", "1~e~a"],
    ["checkpoint", "1~e~a"],
    ["rt:ops", { o: 11 }, "1~e~b", false],
    ["rt:signal", { name: "typing" }, null, false],
    ["checkpoint", "1~e~c"],
  ]);
  assert.equal(connection.cursor, "1~e~c");
});

test("holds a replay back until its end", async () => {
  const { last, log, connection } = start();
  await last.open();
  await last.send("rt:ops", { o: 1 });
  await last.send("rt:ops", { o: 2 });
  assert.deepEqual(log, [["open", null, false]]);
  assert.equal(connection.cursor, null);
  await last.send("", null, "1~e~2");
  assert.deepEqual(log.slice(1), [
    ["rt:ops", { o: 1 }, null, true],
    ["rt:ops", { o: 2 }, null, true],
    ["replayed", "1~e~2"],
    ["checkpoint", "1~e~2"],
  ]);
});

test("a cut before the end of a replay forgets it", async () => {
  const world = await connected();
  await world.last.fail();
  await world.pass(0);
  assert.equal(world.last.body.cursor, "1~e~a");
  await world.last.open();
  await world.last.send("rt:ops", { o: 11 });
  world.log.length = 0;
  await world.last.fail();
  assert.deepEqual(world.log, []);
  await world.pass(500);
  assert.equal(world.last.body.cursor, "1~e~a");
});

test("a new epoch is told", async () => {
  const world = await connected();
  await world.last.end();
  await world.pass(0);
  await world.last.open({ cursor: "1~f~1", grants: {} });
  assert.deepEqual(world.log.at(-1), ["open", "1~e~a", true]);
});

test("an event that is not JSON is left out, the rest goes on", async () => {
  const error = mock.method(console, "error", () => {});
  const { last, log } = await connected();
  await last.write("event: rt:ops\ndata: {\nid: 1~e~b\n\n");
  await last.send("rt:ops", { o: 12 }, "1~e~c");
  assert.deepEqual(log.at(-1), ["rt:ops", { o: 12 }, "1~e~c", false]);
  assert.equal(error.mock.callCount(), 1);
  error.mock.restore();
});

test("the first retry comes at once, the next ones with full jitter", async () => {
  const world = await connected({ random: () => 1 });
  await world.pass(10_000);
  await world.last.fail();
  assert.equal(world.connection.state, "disconnected");
  assert.equal(await tries(world, 0), 1);
  for (const wait of [500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]) {
    await world.last.fail();
    assert.equal(await tries(world, wait - 1), 0, `before ${wait}`);
    assert.equal(await tries(world, 1), 1, `at ${wait}`);
  }
});

test("a stream that is accepted and closed at once does not loop", async () => {
  const world = start({ random: () => 1 });
  const began = world.env.now();
  for (let i = 0; i < 8; i += 1) {
    await world.last.open();
    await world.last.end();
    while (world.last.aborted) await world.pass(100);
  }
  assert.ok(world.env.now() - began >= 500 + 1000 + 2000 + 4000 + 8000 + 16_000);
});

test("ten seconds of health start the backoff again", async () => {
  const world = await connected({ random: () => 1 });
  for (let i = 0; i < 4; i += 1) {
    await world.pass(10_000);
    await world.last.fail();
    assert.equal(await tries(world, 0), 1);
    await world.last.open();
  }
});

test("40 seconds without a byte are a broken line; a comment is a byte", async () => {
  const world = await connected();
  await world.pass(39_000);
  await world.last.write(": \n");
  await world.pass(39_999);
  assert.equal(world.connection.state, "connected");
  const old = world.last;
  await world.pass(1);
  assert.equal(old.aborted, true);
  assert.equal(world.requests.length, 2);
});

test("a server that accepts and never answers is given up too", async () => {
  const world = start();
  await world.pass(40_000);
  assert.equal(world.requests[0].aborted, true);
  assert.equal(world.connection.state, "disconnected");
});

test("a sleep that stopped the timers is noticed when the page is visible again", async () => {
  const world = await connected();
  const now = world.env.now;
  world.env.now = () => now() + 100_000;
  await world.fire("visibilitychange");
  assert.equal(world.connection.state, "disconnected");
});

for (const [name, event] of [["online", {}], ["visibilitychange", {}]]) {
  test(`tries at once on ${name}`, async () => {
    const world = await connected({ random: () => 1 });
    await world.last.fail();
    await world.pass(0);
    await world.last.fail();
    assert.equal(await tries(world, 400), 0);
    await world.fire(name, event);
    assert.equal(world.requests.length, 3);
  });
}

test("tries at once when a person says so, whatever was planned", async () => {
  const world = await connected();
  await world.last.fail();
  await world.pass(0);
  await world.last.answer(503, { "Retry-After": "60" });
  await world.fire("online");
  assert.equal(world.requests.length, 2); // the server's wish beats a mere hint
  world.connection.retry();
  assert.equal(world.requests.length, 3);
  world.connection.retry();
  assert.equal(world.requests.length, 3); // not two at a time
});

for (const status of [429, 503]) {
  test(`${status} waits for Retry-After`, async () => {
    const world = start({ random: () => 0.5 });
    await world.last.answer(status, { "Retry-After": "7" });
    assert.equal(world.connection.state, "disconnected");
    assert.equal(await tries(world, 7000), 0);
    assert.equal(await tries(world, 1000), 1);
  });
}

test("503 without Retry-After backs off", async () => {
  const world = start({ random: () => 1 });
  await world.last.answer(503);
  assert.equal(await tries(world, 0), 1);
  await world.last.answer(502);
  assert.equal(await tries(world, 499), 0);
  assert.equal(await tries(world, 1), 1);
});

const refusals = {
  204: [204, {}, "stopped"],
  "401 signed out": [401, { "RT-Problem": "signed-out" }, "signed-out"],
  "403 forbidden": [403, { "RT-Problem": "forbidden" }, "forbidden"],
  "a page instead of a stream": [200, { "Content-Type": "text/html" }, "200"],
  "a redirect to sign in": [0, {}, "0"],
  "400 bad version": [400, { "RT-Problem": "bad-version" }, "bad-version"],
};
for (const [name, [status, headers, why]] of Object.entries(refusals)) {
  test(`${name} stops, with one try a minute`, async () => {
    const world = start();
    await world.last.answer(status, headers);
    assert.deepEqual(world.states.at(-1), `refused ${why}`);
    assert.equal(await tries(world, 59_999), 0);
    assert.equal(await tries(world, 1), 1);
    await world.last.answer(status, headers);
    assert.equal(await tries(world, 59_999), 0);
    assert.deepEqual(world.states, ["connecting", `refused ${why}`]);
  });
}

test("rt:stop stops", async () => {
  const world = await connected();
  const { last } = world;
  await last.send("rt:stop", { why: "signed-out" });
  assert.equal(last.aborted, true);
  assert.equal(world.states.at(-1), "refused signed-out");
  assert.equal(await tries(world, 59_999), 0);
});

for (const [name, act] of Object.entries({
  focus: (world) => world.fire("focus"),
  "being shown": (world) => world.show(true),
  "a sign-in in another tab": (world) => world.fire("storage", { key: "htmx-rt", newValue: '["open","",1]' }),
  Retry: (world) => world.connection.retry(),
})) {
  test(`a refused page tries again on ${name}`, async () => {
    const world = start();
    await world.last.answer(401, { "RT-Problem": "signed-out" });
    await act(world);
    assert.equal(world.requests.length, 2);
    await world.last.open();
    assert.equal(world.connection.state, "connected");
  });
}

test("a refused page nobody looks at does not try", async () => {
  const world = start();
  await world.last.answer(401, { "RT-Problem": "signed-out" });
  await world.show(false);
  assert.equal(await tries(world, 600_000), 0);
  await world.show(true);
  assert.equal(world.requests.length, 2);
});

test("of too many tabs none pushes the others out by itself", async () => {
  const world = await connected();
  await world.last.send("rt:stop", { why: "too-many" });
  await world.fire("storage", { key: "htmx-rt", newValue: '["open","",1]' });
  assert.equal(await tries(world, 600_000), 0);
  await world.fire("focus");
  assert.equal(world.requests.length, 2);
});

test("with cookies blocked the page stays plain htmx, in silence", async () => {
  const world = start();
  await world.last.answer(401, { "RT-Problem": "no-cookie" });
  assert.equal(await tries(world, 600_000), 0);
  assert.equal(world.states.at(-1), "refused no-cookie");
});

test("a hello is told to the other tabs", async () => {
  const world = await connected();
  assert.match(world.stores.local.getItem("htmx-rt"), /^\["open"/);
});

test("rt:bye moves within its time and loses nothing", async () => {
  const world = await connected({ random: () => 0.5 });
  const { last } = world;
  await last.send("rt:bye", { in: 4000 });
  assert.equal(last.aborted, true);
  assert.equal(await tries(world, 1999), 0);
  assert.equal(await tries(world, 1), 1);
  assert.equal(world.last.body.cursor, "1~e~a");
  await world.last.open();
  assert.deepEqual(world.states, ["connecting", "connected", "moving", "connected"]);
});

test("rt:bye with a moment of its own is kept to", async () => {
  const world = await connected({ random: () => 0.5 });
  await world.last.send("rt:bye", { in: 4000, at: 700 });
  assert.equal(await tries(world, 699), 0);
  assert.equal(await tries(world, 1), 1);
});

test("a move becomes an outage two seconds after the first refused try, and is counted from there", async () => {
  const world = await connected({ random: () => 0.5 });
  const seen = [];
  world.events.on("stream:state", ({ state, since, why }) => seen.push({ state, since, why }));
  await world.last.send("rt:bye", { in: 4000 });
  await world.pass(2000);
  await world.last.fail();
  const refused = world.env.now();
  await world.pass(0);
  await world.last.answer(503, { "Retry-After": "5", "RT-Problem": "draining" });
  await world.pass(1999);
  assert.equal(world.connection.state, "moving");
  await world.pass(1);
  assert.deepEqual(seen.at(-1), { state: "disconnected", since: refused, why: "moving" });
});

test("a hint does not jump the queue of a move, a person may", async () => {
  const world = await connected({ random: () => 1 });
  await world.last.send("rt:bye", { in: 30_000 });
  await world.fire("online");
  await world.show(true);
  assert.equal(world.requests.length, 1);
  world.connection.retry();
  assert.equal(world.requests.length, 2);
});

test("pagehide closes the stream, pageshow from the cache goes on from the cursor", async () => {
  const world = await connected();
  const { last } = world;
  await world.fire("pagehide");
  assert.equal(last.aborted, true);
  assert.equal(await tries(world, 600_000), 0);
  await world.fire("pageshow", { persisted: true });
  assert.equal(world.requests.length, 2);
  assert.equal(world.last.body.cursor, "1~e~a");
  assert.equal(world.connection.state, "connecting");
});

test("pageshow of a page that was never away does nothing", async () => {
  const world = await connected();
  await world.fire("pageshow", { persisted: false });
  assert.equal(world.requests.length, 1);
});

test("new topics: a second stream, and the first one goes after its hello", async () => {
  const world = await connected();
  const first = world.last;
  for (let i = 0; i < 5; i += 1) world.connection.refresh();
  assert.equal(await tries(world, 99), 0);
  assert.equal(await tries(world, 1), 1);
  const second = world.last;
  await first.send("rt:ops", { o: 11 }, "1~e~b");
  await second.open(null);
  assert.equal(first.aborted, false);
  world.log.length = 0;
  await second.send("rt:hello", { cursor: "1~e~b", grants: {} });
  assert.equal(first.aborted, true);
  await second.send("rt:ops", { o: 11 });
  await second.send("", null, "1~e~b");
  assert.deepEqual(world.log.slice(1, 3), [["rt:ops", { o: 11 }, null, true], ["replayed", "1~e~b"]]);
  assert.deepEqual(world.states, ["connecting", "connected"]);
});

test("a second stream that fails leaves the first alone and is tried again", async () => {
  const world = await connected({ random: () => 1 });
  const first = world.last;
  world.connection.refresh();
  await world.pass(100);
  await world.last.fail();
  assert.equal(world.connection.state, "connected");
  assert.equal(first.aborted, false);
  assert.equal(await tries(world, 0), 1);
  await world.last.answer(403, { "RT-Problem": "forbidden" });
  assert.equal(world.connection.state, "connected");
  assert.equal(await tries(world, 30_000), 0);
});

test("the first stream may end before the second has said hello", async () => {
  const world = await connected();
  const first = world.last;
  world.connection.refresh();
  await world.pass(100);
  await first.end();
  assert.equal(world.connection.state, "disconnected");
  assert.equal(world.requests.length, 2);
  await world.last.open();
  assert.equal(world.connection.state, "connected");
});

test("a first stream that is stopped in favour of the second one stops nothing", async () => {
  const world = await connected();
  const first = world.last;
  world.connection.refresh();
  await world.pass(100);
  await first.send("rt:stop", { why: "too-many" });
  assert.equal(first.aborted, true);
  assert.equal(world.last.aborted, false);
  await world.last.open();
  assert.equal(world.connection.state, "connected");
});

test("topics that change again while the second stream opens start it anew", async () => {
  const world = await connected();
  world.connection.refresh();
  await world.pass(100);
  const second = world.last;
  world.connection.refresh();
  await world.pass(100);
  assert.equal(second.aborted, true);
  assert.equal(world.requests.length, 3);
});

test("offline is said at once, tried all the same, and over at once", async () => {
  const world = await connected({ random: () => 1 });
  world.page.offline = true;
  const { last } = world;
  await world.fire("offline");
  assert.equal(last.aborted, true);
  assert.equal(world.connection.state, "offline");
  assert.equal(await tries(world, 0), 1); // a server on this machine needs no network
  await world.last.fail();
  world.page.offline = false;
  await world.fire("online");
  assert.equal(world.requests.length, 3);
  await world.last.open();
  assert.deepEqual(world.states, ["connecting", "connected", "offline", "connected"]);
});

test("a tab hidden for 30 s gives its HTTP/1 stream back and catches up when shown", async () => {
  const world = await connected();
  world.page.http1 = true;
  const { last } = world;
  await world.show(false);
  await world.pass(29_999);
  assert.equal(last.aborted, false);
  await world.pass(1);
  assert.equal(last.aborted, true);
  assert.equal(await tries(world, 600_000), 0);
  await world.fire("online");
  assert.equal(world.requests.length, 1);
  await world.show(true);
  assert.equal(world.last.body.cursor, "1~e~a");
  assert.equal(world.requests.length, 2);
});

test("a short look elsewhere, or HTTP/2, keeps the stream", async () => {
  const world = await connected();
  const { last } = world;
  await world.show(false);
  await world.pass(35_000);
  world.page.http1 = true;
  await world.show(true);
  await world.show(false);
  await world.pass(1_000);
  await world.show(true);
  await world.pass(3_000);
  assert.equal(last.aborted, false);
});

test("an outage is counted from its beginning, whatever it is called meanwhile", async () => {
  const world = await connected();
  const seen = [];
  world.events.on("stream:state", ({ state, since }) => seen.push([state, since]));
  await world.last.fail();
  const began = world.env.now();
  await world.pass(5_000);
  world.page.offline = true;
  await world.last.fail();
  assert.deepEqual(seen.at(-1), ["offline", began]);
});

test("a simulated cut lasts until it is taken back", async () => {
  const world = await connected();
  const { last } = world;
  world.connection.simulate(true);
  assert.equal(last.aborted, true);
  await world.pass(60_000);
  world.connection.retry();
  assert.equal(world.requests.length, 1);
  assert.equal(world.connection.state, "disconnected");
  world.connection.simulate(false);
  await world.last.open();
  assert.equal(world.connection.state, "connected");
});

test("stop leaves no listener, timer or stream behind", async () => {
  const world = await connected();
  world.connection.refresh();
  world.connection.stop();
  assert.equal(world.last.aborted, true);
  assert.equal(world.listeners(), 0);
  assert.equal(world.timers, 0);
  assert.equal(world.connection.state, "idle");
});
