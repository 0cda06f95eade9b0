import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { createBackoff } from "../src/backoff.js";
import { parseCursor } from "../src/cursor.js";
import { createEvents } from "../src/events.js";
import { retryAfter } from "../src/stream.js";
import { createTab } from "../src/tab.js";
import { createTabs } from "../src/tabs.js";
import { fakeEnv } from "./fakes.js";

test("a cursor has an epoch and an offset", () => {
  assert.deepEqual(parseCursor("1~k3J9~zz"), { epoch: "k3J9", offset: 1295 });
});

for (const bad of [null, undefined, "", "2~e~a", "1~e", "1~e~", "1~~a", "1~e~-1", "1~e~A", "1~e~1.5", " 1~e~a", "1~e~zzzzzzzzzzzz"]) {
  test(`${JSON.stringify(bad)} is no cursor`, () => assert.equal(parseCursor(bad), null));
}

test("the first try comes at once, then full jitter under a doubling ceiling", () => {
  const { next } = createBackoff({ random: () => 1 });
  assert.deepEqual(Array.from({ length: 9 }, next), [0, 500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]);
  assert.equal(createBackoff({ random: () => 0 }).next(), 0);
});

test("health starts the backoff again", () => {
  const backoff = createBackoff({ random: () => 1 });
  backoff.next();
  backoff.next();
  backoff.reset();
  assert.equal(backoff.next(), 0);
});

test("a listener that throws does not stop the others", () => {
  const error = mock.method(console, "error", () => {});
  const events = createEvents();
  const heard = [];
  events.on("a", () => {
    throw new Error("no");
  });
  const off = events.on("a", (detail) => heard.push(detail));
  events.emit("a", 1);
  off();
  events.emit("a", 2);
  assert.deepEqual(heard, [1]);
  assert.equal(error.mock.callCount(), 2);
  error.mock.restore();
});

test("Retry-After in seconds, as a date, absurd or absent", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  assert.equal(retryAfter("7", now), 7000);
  assert.equal(retryAfter("Thu, 01 Jan 2026 00:00:09 GMT", now), 9000);
  assert.equal(retryAfter("Wed, 31 Dec 2025 00:00:00 GMT", now), 0);
  assert.equal(retryAfter("99999999", now), 600_000);
  assert.equal(retryAfter("soon", now), 0);
  assert.equal(retryAfter(null, now), 0);
});

test("a tab keeps its id and its count over a reload", async () => {
  const { env, fire } = fakeEnv();
  const first = createTab(env);
  assert.match(first.id, /^[0-9a-f]{32}$/);
  assert.deepEqual([first.connect(), first.connect()], [1, 2]);
  await fire("pagehide");
  const second = createTab(env);
  assert.equal(second.id, first.id);
  assert.equal(second.connect(), 3);
});

test("a duplicated tab gets another id", () => {
  const { env } = fakeEnv();
  const original = createTab(env);
  assert.notEqual(createTab(env).id, original.id); // same storage, and the original is still open
});

test("a page back from the cache goes on with what the tab did meanwhile", async () => {
  const { env, fire, stores } = fakeEnv();
  const tab = createTab(env);
  await fire("pagehide", { persisted: true });
  stores.session.setItem("rt-tab", `${tab.id} 9`); // the page in between
  await fire("pageshow", { persisted: true });
  assert.equal(tab.connect(), 10);
  assert.equal(stores.session.getItem("rt-tab"), null);
});

test("without storage every page is a tab of its own", () => {
  const { env } = fakeEnv();
  const tab = createTab({ ...env, session: () => null });
  assert.equal(tab.connect(), 1);
  tab.stop();
});

test("tabs hear each other's words, and nobody else's", async () => {
  const { env, fire, stores } = fakeEnv();
  const tabs = createTabs(env);
  const heard = [];
  const off = tabs.on("theme", (value) => heard.push(value));
  tabs.send("theme", "dark");
  const newValue = stores.local.getItem("htmx-rt");
  await fire("storage", { key: "htmx-rt", newValue });
  await fire("storage", { key: "other", newValue });
  await fire("storage", { key: "htmx-rt", newValue: "{" });
  await fire("storage", { key: "htmx-rt", newValue: '["open","",1]' });
  off();
  await fire("storage", { key: "htmx-rt", newValue });
  assert.deepEqual(heard, ["dark"]);
});
