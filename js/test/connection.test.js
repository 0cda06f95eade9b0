// How a stream is opened, read and tried again.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { connected, start, tries } from "./connected.js";

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
