// A connection through the life of its page: away, offline, hidden, with new topics.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createScript } from "../src/script.js";
import { connected, tries } from "./connected.js";

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
  const { last, env, events, connection, lines } = world;
  const { simulateDisconnect } = createScript({ env, events, connection, lines });
  simulateDisconnect();
  assert.equal(last.aborted, true);
  await world.pass(60_000);
  world.connection.retry();
  assert.equal(world.requests.length, 1);
  assert.equal(world.connection.state, "disconnected");
  simulateDisconnect(false);
  await world.last.open();
  assert.equal(world.connection.state, "connected");
});

test("stop leaves no listener, timer or stream behind", async () => {
  const world = await connected();
  world.connection.refresh();
  world.stopAgain();
  world.connection.stop();
  assert.equal(world.last.aborted, true);
  assert.equal(world.listeners(), 0);
  assert.equal(world.timers, 0);
  assert.equal(world.connection.state, "idle");
});
