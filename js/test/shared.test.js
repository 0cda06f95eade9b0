// One stream for the tabs of a browser.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { combine } from "../src/shared/order.js";
import { browser } from "./shared-kit.js";

const live = (tabs) => tabs.every(({ connection }) => connection.state === "connected");

async function nine(random) {
  const world = browser({ random });
  const tabs = Array.from({ length: 9 }, () => world.open());
  await world.pass(500);
  return { ...world, tabs };
}

test("a lone tab opens its stream at once, and as ever", async () => {
  const world = browser();
  const tab = world.open();
  await world.settle();
  await world.pass(0);
  assert.equal(world.server.opened, 1);
  assert.equal(tab.connection.state, "connected");
  assert.deepEqual(tab.states, ["connecting", "connected"]);
  await world.server.publish("board");
  assert.deepEqual(tab.got.board, [1]);
  assert.equal(tab.connection.cursor, "1~e~1");
});

test("nine tabs, one stream, every tab live", async () => {
  const world = await nine();
  assert.equal(world.server.open().length, 1);
  assert.ok(live(world.tabs));
  for (let i = 0; i < 3; i += 1) await world.server.publish("board");
  await world.settle();
  for (const tab of world.tabs) assert.deepEqual([tab.got.board, tab.wrong], [[1, 2, 3], []]);
  assert.ok(world.server.opened <= 3, `${world.server.opened} streams for nine tabs that came together`);
});

test("each tab hears of its own topics only, and its cursor goes on with the others'", async () => {
  const world = browser();
  const one = world.open(["a"]);
  const two = world.open(["b"]);
  await world.pass(500);
  await world.server.publish("a");
  await world.server.say("rt:view", { t: "b", s: "avatars", html: "" });
  await world.server.say("rt:revoked", { topics: ["b"] });
  await world.settle();
  assert.deepEqual([one.got, one.wrong, one.others], [{ a: [1] }, [], []]);
  assert.deepEqual([two.got, two.wrong], [{ b: [] }, []]);
  assert.deepEqual(two.others.map(([event]) => event), ["rt:view", "rt:revoked"]);
  assert.equal(two.connection.cursor, "1~e~1");
});

test("a topic that another tab was granted, and this one was not, is not heard here", async () => {
  const world = browser();
  const one = world.open(["board"]);
  const two = world.open(["board", "b"], { bad: ["board"] });
  await world.pass(500);
  await world.server.publish("board");
  await world.server.publish("b");
  await world.settle();
  assert.deepEqual([one.got.board, two.got], [[1], { board: [], b: [2] }]);
});

test("a tab that comes while the stream is being opened is taken in next", async () => {
  const world = browser();
  const one = world.open();
  await world.settle();
  await world.world.pass(0);
  await world.settle();
  const two = world.open();
  await world.settle();
  assert.equal(world.world.requests.length, 1);
  await world.pass(500);
  assert.ok(live([one, two]));
  assert.equal(world.server.open().length, 1);
});

for (const next of ["the next word of the stream", "a tab that joins"]) {
  test(`a page that words were kept from notices by ${next}`, async () => {
    const world = browser();
    const [leader, other, deaf] = [world.open(), world.open(), world.open()];
    await world.pass(500);
    deaf.hang();
    await leader.close();
    await world.pass(400);
    const wake = async () => {
      await world.settle();
      deaf.state.backlog.length = 0;
      deaf.state.hung = false;
    };
    if (next === "a tab that joins") {
      await world.server.publish("board");
      await wake();
      world.open();
    } else {
      await wake();
      await world.server.publish("board");
    }
    await world.pass(500);
    assert.deepEqual([other.got.board, deaf.got.board, deaf.wrong], [[1], [1], []]);
  });
}

test("a tab that joins is caught up, and costs the others nothing", async () => {
  const world = browser();
  const one = world.open();
  await world.pass(500);
  const late = world.server.cursor();
  for (let i = 0; i < 3; i += 1) await world.server.publish("board");
  const two = world.open(["board"], { at: late });
  await world.pass(500);
  assert.equal(world.server.open().length, 1);
  await world.server.publish("board");
  await world.settle();
  assert.deepEqual(two.got.board, [1, 2, 3, 4]);
  assert.deepEqual(one.got.board, [1, 2, 3, 4]);
  assert.deepEqual([one.wrong, two.wrong], [[], []]);
  assert.deepEqual(one.states, ["connecting", "connected"], "nobody's bar moves");
});

test("what is published between a page's render and its hello is not lost for what another tab hears meanwhile", async () => {
  const world = browser();
  world.open();
  await world.pass(500);
  const late = world.server.cursor();
  await world.server.publish("board");
  const two = world.open(["board"], { at: late });
  await world.settle();
  await world.server.publish("board"); // over the stream that two is not part of yet
  await world.pass(500);
  assert.deepEqual([two.got.board, two.wrong], [[1, 2], []]);
});

test("new topics on a page: opened anew after 100 ms, the old stream kept until the hello", async () => {
  const world = browser();
  const one = world.open(["a"]);
  world.open(["b"]);
  await world.pass(500);
  const [before] = world.server.open();
  await one.swap("c");
  await world.world.pass(100);
  await world.settle();
  await world.world.pass(100);
  await world.settle();
  assert.equal(world.world.requests.length, 1, "asked, and not yet answered");
  assert.equal(before.request.aborted, false);
  await world.server.publish("a");
  await world.settle();
  assert.deepEqual(one.got.a, [1]);
  await world.pass(100);
  assert.equal(before.request.aborted, true);
  await world.server.publish("c");
  await world.settle();
  assert.deepEqual(one.got.c, [2]);
});

test("the leader leaves: another takes over within a second, nobody's state changes, nothing is lost", async () => {
  const world = await nine();
  const [leader, ...others] = world.tabs;
  await leader.close();
  await world.server.publish("board");
  await world.pass(300);
  assert.equal(world.server.open().length, 1);
  await world.server.publish("board");
  await world.settle();
  for (const tab of others) {
    assert.deepEqual([tab.got.board, tab.wrong], [[1, 2], []]);
    assert.deepEqual(tab.states, ["connecting", "connected"]);
  }
});

test("the leader crashes: the same", async () => {
  const world = await nine();
  const [leader, ...others] = world.tabs;
  await leader.crash();
  await world.server.publish("board");
  await world.pass(400);
  assert.equal(world.server.open().length, 1);
  for (const tab of others) assert.deepEqual([tab.got.board, tab.states.at(-1)], [[1], "connected"]);
});

test("a follower that crashes is not asked for again", async () => {
  const world = await nine();
  await world.tabs[4].crash();
  await world.pass(6_000);
  assert.equal(world.server.open().length, 1);
  assert.equal(world.server.open()[0].body.tabs.length, 8);
});

test("a follower that leaves is let go of a while later", async () => {
  const world = await nine();
  await world.tabs[4].close();
  await world.pass(1_000);
  assert.equal(world.server.open()[0].body.tabs.length, 9);
  await world.pass(5_000);
  assert.equal(world.server.open()[0].body.tabs.length, 8);
});

test("the last tab leaves no stream, lock or channel behind", async () => {
  const world = await nine();
  for (const tab of world.tabs.slice()) await tab.close();
  await world.pass(1_000);
  assert.deepEqual([world.server.open().length, world.locks.held(), world.channels.size], [0, [], 0]);
});

test("a leader that hangs is passed by within about two seconds, and may come back", async () => {
  const world = await nine();
  const [leader, ...others] = world.tabs;
  leader.hang();
  await world.pass(3_000);
  await world.server.publish("board");
  await world.settle();
  for (const tab of others) assert.deepEqual([tab.got.board, tab.states.at(-1)], [[1], "connected"]);
  await leader.wake();
  await world.pass(500);
  assert.equal(world.server.open().length, 1);
  await world.server.publish("board");
  await world.settle();
  for (const tab of world.tabs) assert.deepEqual([tab.got.board, tab.wrong], [[1, 2], []]);
  for (const tab of others) await tab.close();
  await world.pass(500);
  await world.server.publish("board");
  await world.settle();
  assert.deepEqual(leader.got.board, [1, 2, 3], "it stood again");
});

test("a leader that answers is not passed by, however quiet the stream is", async () => {
  const world = await nine();
  await world.pass(30_000);
  assert.equal(world.server.most, 1);
  assert.ok(world.server.opened <= 3);
});

test("hidden pages leave it to one that is seen, and lead where nobody is", async () => {
  const world = browser();
  const [first, hidden, seen] = [world.open(), world.open(), world.open()];
  await hidden.look(false);
  await world.pass(500);
  await first.close();
  await world.pass(500);
  assert.equal(world.server.open()[0].request.owner, seen);
  await seen.close();
  await world.pass(500);
  assert.equal(world.server.open()[0].request.owner, hidden);
  await world.server.publish("board");
  await world.settle();
  assert.deepEqual(hidden.got.board, [1]);
});

test("a hidden page stays live: its line costs nothing", async () => {
  const world = browser();
  world.open();
  const hidden = world.open();
  await world.pass(300);
  await hidden.look(false);
  await world.pass(60_000, 500);
  await world.server.publish("board");
  await world.settle();
  assert.deepEqual([hidden.got.board, hidden.connection.state], [[1], "connected"]);
});

for (const who of ["leader", "follower"]) {
  test(`a ${who} that freezes lets go of everything, and goes on when it wakes`, async () => {
    const world = browser();
    const [leader, follower] = [world.open(), world.open()];
    await world.pass(500);
    const [frozen, other] = who === "leader" ? [leader, follower] : [follower, leader];
    await frozen.fire("freeze");
    assert.equal(world.channels.size, 1);
    await world.server.publish("board");
    await world.pass(300);
    assert.deepEqual(other.got.board, [1]);
    await world.server.publish("board");
    await frozen.fire("resume");
    await world.pass(500);
    assert.deepEqual([frozen.got.board, frozen.wrong], [[1, 2], []]);
    assert.deepEqual(frozen.states, ["connecting", "connected"]);
    assert.equal(world.server.open().length, 1);
  });

  test(`a ${who} in the back/forward cache holds nothing, and comes back from its cursor`, async () => {
    const world = browser();
    const [leader, follower] = [world.open(), world.open()];
    await world.pass(500);
    await world.server.publish("board");
    const [gone, other] = who === "leader" ? [leader, follower] : [follower, leader];
    await gone.fire("pagehide");
    await world.pass(300);
    assert.equal(world.channels.size, 1);
    await world.server.publish("board");
    await world.settle();
    assert.deepEqual(other.got.board, [1, 2]);
    await gone.fire("pageshow", { persisted: true });
    await world.pass(500);
    assert.deepEqual([gone.got.board, gone.wrong, other.wrong], [[1, 2], [], []]);
    assert.equal(world.server.open().length, 1);
  });
}

test("sent away by the server all move at the same moment, and come back over one stream", async () => {
  let draw = 0;
  const world = await nine(() => (draw = (draw + 0.37) % 1));
  const due = new Set();
  for (const { events } of world.tabs) events.on("stream:state", ({ state, nextTry }) => state === "moving" && due.add(nextTry));
  await world.server.say("rt:bye", { in: 4_000 });
  await world.server.end();
  await world.settle();
  assert.ok(world.tabs.every(({ connection }) => connection.state === "moving"));
  assert.equal(due.size, 1);
  world.server.opened = 0;
  await world.pass(5_000);
  assert.equal(world.server.open().length, 1);
  assert.ok(live(world.tabs));
  assert.ok(world.server.opened <= 3);
  for (const tab of world.tabs) assert.ok(!tab.states.some((state) => /disconnected/.test(state)), tab.states.join());
});

test("a line that breaks is tried again by all, as one", async () => {
  const world = await nine();
  world.server.down = true;
  await world.server.end();
  await world.pass(100);
  assert.ok(world.tabs.every(({ connection }) => connection.state === "disconnected"));
  await world.pass(10_000);
  world.server.down = false;
  world.server.opened = 0;
  await world.pass(21_000);
  assert.ok(live(world.tabs));
  assert.equal(world.server.open().length, 1);
  assert.ok(world.server.opened <= 3, `${world.server.opened}`);
});

test("a page whose topics are all refused is told so by the server itself, and the others go on", async () => {
  const world = browser();
  const one = world.open();
  await world.pass(500);
  const two = world.open(["secret"]);
  await world.pass(500);
  assert.deepEqual([one.connection.state, two.connection.state], ["connected", "refused"]);
  assert.deepEqual(two.states.at(-1), "refused forbidden");
  await world.server.publish("board");
  await world.settle();
  assert.deepEqual(one.got.board, [1]);
});

test("stopped for good: each page says so, and none opens again", async () => {
  const world = await nine();
  await world.server.say("rt:stop", { why: "signed-out" });
  await world.server.end();
  await world.settle();
  for (const tab of world.tabs) assert.equal(tab.states.at(-1), "refused signed-out");
});

test("people, releases and languages do not share", async () => {
  const world = browser();
  for (const config of [{}, { who: "bob" }, { build: "2" }, { lang: "de" }, { name: "other" }]) world.open(["board"], { config });
  await world.pass(500);
  assert.equal(world.server.open().length, 5);
});

test("without locks, one stream a tab, said once where somebody develops", async () => {
  const said = mock.method(console, "info", () => {});
  const world = browser();
  const tabs = [1, 2].map(() => world.open(["board"], { noLocks: true, config: { debug: true } }));
  await world.pass(500);
  assert.equal(world.server.open().length, 2);
  assert.ok(live(tabs));
  assert.equal(said.mock.callCount(), 2);
  said.mock.restore();
});

test("a browser that refuses its locks at the last moment: one stream a tab", async () => {
  const world = browser();
  const tabs = [1, 2].map(() => {
    const tab = world.open();
    tab.rt.win.navigator.locks.request = () => Promise.reject(new DOMException("no", "SecurityError"));
    return tab;
  });
  await world.pass(500);
  const third = world.open();
  await world.pass(500);
  assert.ok(live([...tabs, third]));
});

test("stopped, a page holds nothing", async () => {
  const world = browser();
  const tab = world.open();
  await world.pass(500);
  tab.connection.stop();
  tab.stop();
  await world.pass(500);
  assert.deepEqual([world.server.open().length, world.locks.held(), world.channels.size], [0, [], 0]);
});

// What is asked for

const wanted = (page, cursor, grants = ["a"], fresh = []) => ({ page, n: 1, cursor, tab: { id: page, gen: 1, vis: true, grants, fresh } });

test("the cursor of all is the oldest; one that has none yet does not count", () => {
  const { body } = combine([wanted("1", "1~e~a"), wanted("2", "1~e~9"), wanted("3", null, [], ["b"])]);
  assert.equal(body.cursor, "1~e~9");
  assert.deepEqual(body.tabs.map(({ id }) => id), ["1", "2", "3"]);
});

test("who stands in another epoch starts where its grants were written", () => {
  const { body } = combine([wanted("1", "1~old~1", ["a"], ["b"]), wanted("2", "1~new~9")]);
  assert.equal(body.cursor, "1~new~9");
  assert.deepEqual([body.tabs[0].grants, body.tabs[0].fresh], [[], ["a", "b"]]);
});

test("those there is no room for are left", () => {
  const large = Array.from({ length: 8 }, (_, index) => wanted(`${index}`, "1~e~1", ["x".repeat(10_000)]));
  const { covered, left } = combine(large);
  assert.deepEqual([covered.length, left.length], [5, 3]);
  assert.equal(combine([wanted("1", null, [], ["x".repeat(100_000)])]).covered.length, 1);
  assert.equal(combine(Array.from({ length: 40 }, (_, index) => wanted(`${index}`, "1~e~1"))).left.length, 8);
});

test("a page there is no room for has a stream of its own", async () => {
  const world = browser();
  const tabs = Array.from({ length: 33 }, () => world.open());
  await world.pass(1_000);
  assert.ok(live(tabs));
  assert.equal(world.server.open().length, 2);
  await world.server.publish("board");
  await world.settle();
  for (const tab of tabs) assert.deepEqual(tab.got.board, [1]);
});
