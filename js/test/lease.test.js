// Who edits, by a clock and a server that a test plays.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createEvents } from "../src/events.js";
import { createPost } from "../src/lease/calls.js";
import { createHold } from "../src/lease/hold.js";
import { createWork } from "../src/lease/work.js";
import { fakeEnv } from "./fakes.js";

globalThis.CSS ??= { escape: (text) => text };

const ADA = { k: "ada", n: "Ada Okafor", c: 1, tab: "t-ada" };
const GRACE = { k: "grace", n: "Grace Lindqvist", c: 2, tab: "t-grace" };

/** As much of an element as the line touches. */
function element() {
  const classes = new Set();
  return {
    dataset: {}, hidden: false, textContent: "", children: [], parentNode: null,
    classList: { toggle: (name, on) => (on ? classes.add(name) : classes.delete(name)), contains: (name) => classes.has(name) },
    setAttribute() {}, focus() {}, querySelector: () => null, contains: () => true, append() {}, prepend() {}, replaceChildren() {},
  };
}

/** A form with the fields `title` and `body`, of which this page is Ada's. */
function start({ preset = "owner", state = "connected" } = {}) {
  const world = fakeEnv();
  const events = createEvents();
  const said = [];
  events.on("announce", ({ text }) => said.push(text));
  const made = [];
  const text = () => made.find(({ className }) => className === "rt-lease-text")?.textContent;
  const doc = { activeElement: null, createElement: () => made[made.push(element()) - 1], getElementById: () => null, querySelector: () => null };
  const connection = { state };
  const config = { prefix: "/_rt", who: ADA.k };
  const rt = { doc, win: globalThis, env: world.env, events, config, connection, tab: { id: "a".repeat(32), gen: 3 }, counts: new Map() };
  const stamp = { input: null };
  const append = (input) => (stamp.input = Object.assign(input, { remove: () => (stamp.input = null) }));
  const form = { dataset: {}, contains: (one) => !!one, querySelector: () => stamp.input, append };
  const place = {
    form, el: { ...element(), hasAttribute: () => true }, resource: "doc:7", topic: "edit:doc:7", preset, names: ["title", "body"], version: 1,
    base: { title: "T", body: "B" }, values: { title: "T", body: "B" }, clean: new Set(), panel: null,
  };
  const edit = {
    names: (g) => g.names, version: (g) => g.version, base: (g, name) => g.base[name], value: (g, name) => g.values[name],
    dirty: (g) => g.names.filter((name) => g.values[name] !== g.base[name] && !g.clean.has(name)),
    set(g, name, value, { clean } = {}) {
      g.values[name] = value;
      if (clean) g.clean.add(name);
      else g.clean.delete(name);
    },
    say: (g, key, values = {}) => `${key}${key === "lease.others" ? values.n : ""}`,
  };
  const closed = [];
  const fields = { close: (_, on) => closed.push(on) };
  const hold = createHold(rt, edit, createPost(rt, () => "grant"), fields, [place], preset === "owner" ? createWork : undefined);
  const acts = () => world.requests.filter(({ url }) => url.includes("/locks/")).map(({ body }) => body.act);
  const works = () => world.requests.filter(({ url }) => url.includes("/work/"));
  const answer = (told) => world.last.answer(200, {}, JSON.stringify({ kind: preset, ttl: preset === "owner" ? 12 : 30, beat: preset === "owner" ? 4 : 10, ask: null, you: ADA.tab, ...told }));
  const mine = (fence = 10, more = {}) => answer({ mine: true, fence, holder: ADA, ...more });
  const theirs = (fence = 10, more = {}) => answer({ mine: false, fence, holder: GRACE, ...more });
  const hear = async (told) => {
    hold.hear({ ask: null, ...told });
    await world.settle();
  };
  const type = async (name, value) => {
    place.values[name] = value;
    place.clean.delete(name);
    hold.touch(place, true);
    await world.settle();
  };
  const line = async (now) => {
    connection.state = now;
    hold.line(now);
    await world.settle();
  };
  hold.line(state);
  return Object.assign(world, { hold, place, form, doc, stamp, acts, text, works, mine, theirs, hear, type, line, said, closed, role: () => form.dataset.lease });
}

test("an owner takes it at once and says so every few seconds, out of sight once a minute", async () => {
  const world = start();
  await world.settle();
  assert.deepEqual(world.acts(), ["take"]);
  await world.mine();
  assert.equal(world.role(), "mine");
  await world.pass(4_100);
  assert.deepEqual(world.acts(), ["take", "take"]);
  await world.mine();
  world.page.hidden = true;
  world.hold.look();
  await world.settle();
  assert.equal(world.last.body.hidden, true);
  await world.mine(10, { ttl: 300 });
  await world.pass(59_000);
  assert.equal(world.acts().length, 3);
  await world.pass(1_200);
  assert.equal(world.acts().length, 4);
});

test("who looks on says nothing more, and takes what is given to this tab", async () => {
  const world = start();
  await world.theirs();
  assert.equal(world.role(), "theirs");
  assert.equal(world.closed.at(-1), true);
  await world.pass(60_000);
  assert.equal(world.acts().length, 1);
  await world.hear({ fence: 11, holder: ADA });
  assert.equal(world.role(), "mine");
  assert.equal(world.closed.at(-1), false);
  assert.deepEqual(world.acts(), ["take", "take"]);
  assert.deepEqual(world.said, ["lease.now-mine"]);
});

test("an older word changes nothing", async () => {
  const world = start();
  await world.mine(10);
  await world.hear({ fence: 9, holder: GRACE });
  assert.equal(world.role(), "mine");
  await world.hear({ fence: 11, holder: GRACE });
  assert.equal(world.role(), "theirs");
  await world.hear({ fence: 10, holder: ADA });
  assert.equal(world.role(), "theirs");
});

test("only what has changed goes up, five times a second at most, and null once it is as it was", async () => {
  const world = start();
  await world.mine();
  await world.type("title", "T1");
  assert.deepEqual(world.works()[0].body.fields, { title: "T1" });
  assert.equal(world.works()[0].body.fence, 10);
  await world.type("title", "T12");
  await world.pass(1_000);
  assert.equal(world.works().length, 1); // one at a time
  await world.works()[0].answer(204);
  assert.deepEqual(world.works()[1].body.fields, { title: "T12" });
  await world.works()[1].answer(204);
  await world.type("title", "T");
  assert.equal(world.works().length, 2);
  await world.pass(200);
  assert.deepEqual(world.works()[2].body.fields, { title: null });
});

test("a long text goes up about every two seconds", async () => {
  const world = start();
  await world.mine();
  await world.type("body", "x".repeat(64 * 1024));
  await world.works()[0].answer(204);
  await world.type("body", "y".repeat(64 * 1024));
  await world.pass(1_900);
  assert.equal(world.works().length, 1);
  await world.pass(200);
  assert.equal(world.works().length, 2);
});

test("a field that is too large stays here until it is shorter, the others go on", async () => {
  const world = start();
  await world.mine();
  await world.type("body", "x".repeat(70_000));
  await world.works()[0].answer(413);
  await world.type("title", "T1");
  await world.pass(5_000);
  assert.deepEqual(Object.keys(world.works()[1].body.fields), ["title"]);
  await world.works()[1].answer(204);
  await world.type("body", "short");
  await world.pass(1_000);
  assert.deepEqual(world.works()[2].body.fields, { body: "short" });
});

test("after a new line, a new version or a new fence all that is not saved goes up again", async () => {
  const world = start();
  await world.mine();
  await world.type("title", "T1");
  await world.works()[0].answer(204);
  world.hold.opened();
  await world.pass(300);
  await world.mine();
  assert.deepEqual(world.works()[1].body.fields, { title: "T1" });
  await world.works()[1].answer(204);
  world.place.version = 2;
  world.hold.saved();
  await world.pass(300);
  assert.equal(world.works()[2].body.v, 2);
  await world.works()[2].answer(204);
  await world.hear({ fence: 11, holder: ADA });
  await world.pass(300);
  assert.equal(world.works()[3].body.fence, 11);
});

test("what the owner types is shown to who looks on, and is theirs once they are promoted", async () => {
  const world = start();
  await world.theirs(10);
  world.hold.work.hear({ fence: 10, v: 1, field: "title", value: "By Grace" });
  world.hold.work.hear({ fence: 9, v: 1, field: "body", value: "by who was before" });
  world.hold.work.hear({ fence: 10, v: 0, field: "body", value: "on an older version" });
  assert.deepEqual(world.place.values, { title: "By Grace", body: "B" });
  assert.deepEqual([...world.place.clean], ["title"]);
  world.hold.work.hear({ fence: 10, v: 0, field: "title", value: "on an older version" });
  assert.equal(world.hold.work.unsaved, true);
  await world.hear({ fence: 11, holder: ADA });
  assert.deepEqual([...world.place.clean], []);
  await world.mine(11);
  assert.deepEqual(world.works()[0].body.fields, { title: "By Grace" });
  assert.equal(world.works()[0].body.fence, 11);
});

test("long ago somebody else had typed something: it is not shown to who comes now", async () => {
  const world = start({ state: "connecting" });
  world.hold.work.hear({ fence: 3, v: 1, field: "title", value: "Forgotten" });
  await world.line("connected");
  await world.mine(10);
  assert.equal(world.place.values.title, "T");
  assert.equal(world.works().length, 0);
});

test("what was typed before a reload comes back, and an echo does not", async () => {
  const world = start();
  await world.mine(10);
  world.hold.work.hear({ fence: 10, v: 1, field: "title", value: "Before" });
  assert.equal(world.place.values.title, "Before");
  assert.deepEqual([...world.place.clean], []);
  await world.type("body", "B1");
  await world.works()[0].answer(204);
  await world.type("body", "B");
  world.hold.work.hear({ fence: 10, v: 1, field: "body", value: "B1" });
  assert.equal(world.place.values.body, "B");
});

test("text that nobody else has stays, and can be given up", async () => {
  const world = start();
  await world.mine(10);
  await world.type("title", "T1");
  await world.works()[0].fail();
  await world.hear({ fence: 11, holder: GRACE, why: "expired" });
  world.hold.work.hear({ fence: 11, v: 1, field: "title", value: "By Grace" });
  assert.equal(world.place.values.title, "T1");
  assert.equal(world.hold.refuses(), false);
  assert.equal(!!world.stamp.input, true); // it goes under the number it was typed under
  assert.deepEqual(world.said, ["lease.late"]);
  await world.hold.press("show");
  assert.equal(world.place.values.title, "By Grace");
  assert.equal(world.hold.refuses(), true);
});

test("what was typed before it was known who edits stays", async () => {
  for (const preset of ["owner", "lock"]) {
    const world = start({ preset });
    world.place.values.title = "Mine";
    if (preset === "lock") await world.hear({ fence: 10, holder: GRACE });
    else {
      world.hold.work.hear({ fence: 10, v: 1, field: "title", value: "By Grace" });
      await world.theirs(10);
    }
    assert.equal(world.place.values.title, "Mine");
    assert.equal(world.closed.at(-1), true);
    assert.equal(world.text(), "lease.late");
    assert.equal(world.hold.refuses(), false);
  }
});

test("to give hands over what was typed last, first", async () => {
  const world = start();
  await world.mine(10);
  await world.type("title", "T1");
  await world.works()[0].answer(204);
  await world.hear({ fence: 10, holder: ADA, ask: { ...GRACE, ms: 20_000 } });
  await world.type("title", "T12");
  world.hold.press("give");
  await world.settle();
  assert.deepEqual(world.works()[1].body.fields, { title: "T12" });
  assert.equal(world.acts().includes("give"), false);
  await world.works()[1].answer(204);
  assert.equal(world.acts().at(-1), "give");
  await world.theirs(11);
  assert.deepEqual([...world.place.clean], ["title"]);
  assert.equal(world.hold.work.late, false);
});

test("who lets go does not take it again by itself, nor by a word that was said before", async () => {
  const world = start();
  await world.mine(10);
  await world.hold.release();
  await world.settle();
  assert.equal(world.role(), "free");
  await world.hear({ fence: 10, holder: ADA, ask: { ...GRACE, ms: 5 } });
  assert.equal(world.role(), "free");
  await world.last.answer(200, {}, JSON.stringify({ mine: false, fence: 10, holder: null, ask: null, you: ADA.tab }));
  world.hold.look();
  await world.pass(10_000);
  assert.deepEqual(world.acts(), ["take", "release"]);
  await world.hold.press("take");
  assert.equal(world.acts().at(-1), "take");
});

test("a lock is not taken by looking, and let go when nothing was done for three minutes", async () => {
  const world = start({ preset: "lock" });
  await world.pass(60_000);
  assert.deepEqual(world.acts(), []);
  assert.equal(world.role(), "free");
  world.doc.activeElement = {};
  await world.type("title", "T1");
  await world.mine(10);
  assert.equal(world.stamp.input.value, "10");
  for (let beat = 0; beat < 18; beat += 1) {
    await world.pass(10_050);
    if (world.acts().at(-1) === "take") await world.mine(10);
  }
  assert.equal(world.acts().at(-1), "release");
  assert.equal(world.role(), "free");
  assert.equal(world.place.values.title, "T1");
});

test("a form that was left and holds nothing unsaved is free soon, one that holds something is not", async () => {
  const world = start({ preset: "lock" });
  world.doc.activeElement = {};
  world.hold.touch(world.place, false);
  await world.settle();
  await world.mine(10);
  world.doc.activeElement = null;
  world.place.values.title = "T1";
  world.hold.blurred();
  await world.pass(9_000);
  await world.pass(1_100);
  assert.equal(world.role(), "mine");
  world.place.values.title = "T";
  world.hold.blurred();
  await world.mine(10);
  await world.pass(9_900);
  assert.equal(world.role(), "mine");
  await world.pass(200);
  assert.equal(world.role(), "free");
});

test("a call that fails is tried again, later each time, until the line breaks", async () => {
  const world = start();
  for (let n = 0; n < 6; n += 1) {
    await world.last.answer(503);
    await world.pass(13_000);
  }
  assert.equal(world.acts().length, 7);
  await world.last.answer(503);
  await world.pass(7_900);
  assert.equal(world.acts().length, 7);
  await world.line("disconnected");
  await world.pass(60_000);
  assert.equal(world.acts().length, 7);
  await world.line("connected");
  assert.equal(world.acts().length, 8);
  await world.mine(10);
  assert.equal(world.role(), "mine");
});

test("out of sight nobody reaches for what is free", async () => {
  const world = start();
  await world.theirs(10);
  world.page.hidden = true;
  await world.hear({ fence: 10, holder: null });
  await world.pass(1_000);
  assert.equal(world.acts().length, 1);
  world.page.hidden = false;
  world.hold.look();
  assert.equal(world.acts().length, 2);
});

test("an answer that comes too late counts no more", async () => {
  const world = start();
  const [first] = world.requests;
  await world.line("disconnected");
  await first.answer(200, {}, JSON.stringify({ mine: true, fence: 10, holder: ADA, ask: null, ttl: 12, beat: 4, you: ADA.tab }));
  assert.equal(world.role(), undefined);
  await world.line("connected");
  await world.mine(11);
  world.hold.look(); // it is said again, and not answered yet
  world.hold.release();
  await world.settle();
  await world.mine(11);
  assert.equal(world.role(), "free");
  assert.equal(world.acts().at(-1), "release");
});

test("who may not hold it asks again only with another grant", async () => {
  const world = start({ preset: "lock" });
  await world.type("title", "T1");
  await world.last.answer(403);
  for (let n = 0; n < 5; n += 1) await world.type("title", `T${n}`);
  assert.equal(world.acts().length, 1);
  world.hold.opened();
  await world.type("title", "T9");
  assert.equal(world.acts().length, 2);
});

test("a line that is down is said after two seconds, and nothing is spoken", async () => {
  const world = start();
  await world.mine(10);
  await world.line("disconnected");
  await world.line("disconnected");
  await world.pass(1_900);
  assert.equal(world.text(), "lease.mine");
  await world.pass(200);
  assert.equal(world.text(), "lease.unsure");
  await world.hear({ fence: 11, holder: GRACE });
  assert.equal(world.text(), "lease.unsure-reader");
  await world.line("connected");
  assert.equal(world.text(), "lease.reader");
  assert.deepEqual(world.said, []);
});

test("nothing is left running", async () => {
  const world = start({ preset: "lock" });
  world.doc.activeElement = {};
  await world.type("title", "T1");
  await world.mine(10);
  await world.line("disconnected");
  world.hold.stop();
  assert.equal(world.timers, 0);
});
