// A connection that is refused, stopped or sent to another worker.
import assert from "node:assert/strict";
import { test } from "node:test";
import { connected, start, tries } from "./connected.js";

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
