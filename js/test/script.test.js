import assert from "node:assert/strict";
import { test } from "node:test";
import { createEvents } from "../src/events.js";
import { createScript } from "../src/script.js";

globalThis.CSS ??= { escape: (text) => text };

/** A page with a region of `room`, and a line on which a test says what comes. */
function start(state = "connecting") {
  const events = createEvents();
  const region = { getAttribute: (name) => ({ "rt-stream": "room", "rt-grant": "token" })[name] };
  const page = { region, order: {}, refreshed: 0 };
  const connection = { state, cursor: "1~e~a", refresh: () => (page.refreshed += 1), tell() {} };
  const script = createScript({
    doc: { querySelector: (selector) => (selector.includes("room") ? page.region : null) },
    subscriptions: { body: () => page.order },
    events,
    connection,
    lines: {},
  });
  const hello = (grants, refused = []) => {
    connection.state = "connected";
    events.emit("stream:open", { hello: { grants, refused } });
    events.emit("stream:state", { state: "connected", why: "" });
  };
  return { ...script, page, connection, events, hello };
}

/** What became of a promise by now. */
const now = (promise) => Promise.race([promise, new Promise((done) => setTimeout(done, 0, "waits"))]);

test("the hello says", async () => {
  const { join, hello } = start();
  const joined = join("room");
  assert.equal(await now(joined), "waits");
  hello({ room: "fresh" });
  assert.deepEqual(await joined, { granted: true });
});

test("a topic without a grant needs no server", async () => {
  const { join } = start();
  assert.deepEqual(await join("elsewhere"), { granted: false, why: "no-grant" });
});

test("refused is forbidden", async () => {
  const { join, hello } = start();
  const joined = join("room");
  hello({}, ["room"]);
  assert.deepEqual(await joined, { granted: false, why: "forbidden" });
});

test("a hello to an order that did not know of the topic yet is not the answer", async () => {
  const { join, hello, page } = start();
  const joined = join("room");
  hello({ other: "fresh" });
  assert.equal(await now(joined), "waits");
  assert.equal(page.refreshed, 1);
  hello({ other: "fresh", room: "fresh" });
  assert.deepEqual(await joined, { granted: true });
});

test("what two hellos pass over was taken from the page", async () => {
  const { join, hello, page } = start("connected");
  const joined = join("room");
  assert.equal(page.refreshed, 1);
  hello({});
  assert.equal(await now(joined), "waits");
  hello({});
  assert.deepEqual(await joined, { granted: false, why: "forbidden" });
  assert.equal(page.refreshed, 2);
});

test("a page that asks for nothing any more is not kept waiting", async () => {
  const { join, page } = start("connected");
  page.order = null;
  assert.deepEqual(await join("room"), { granted: false, why: "forbidden" });
});

test("why there is no line is the answer", async () => {
  const { join, connection, events } = start();
  const joined = join("room");
  connection.state = "refused";
  events.emit("stream:state", { state: "refused", why: "signed-out" });
  assert.deepEqual(await joined, { granted: false, why: "signed-out" });
});
