import assert from "node:assert/strict";
import { test } from "node:test";
import { LONG, QUIET, view } from "../src/features/view.js";

const status = (more) => ({ state: "disconnected", since: 0, nextTry: 0, why: "", ...more });
const word = (more, now, stale = false) => view(status(more), now, stale)?.word ?? null;

test("says nothing for two seconds, then one sentence", () => {
  assert.equal(view(status(), QUIET - 1, false), null);
  assert.deepEqual(view(status(), QUIET, false), { word: "reconnecting", tone: "warn", again: LONG - QUIET });
});

test("after fifteen seconds offers both buttons and counts down", () => {
  const shown = view(status({ nextTry: LONG + 3200 }), LONG, false);
  assert.deepEqual(shown, { word: "reconnecting", tone: "warn", kept: true, next: 4, retry: true, reload: true, again: 200 });
  assert.equal(view(status({ nextTry: LONG + 3000 }), LONG, false).again, 1000);
  assert.equal(view(status({ nextTry: LONG }), LONG, false).next, 0);
});

const cases = {
  "a healthy page": [{ state: "connected" }, 1e6, null],
  "a page without streams": [{ state: "idle" }, 1e6, null],
  "a move": [{ state: "moving" }, 1e6, null],
  "a first connection that takes long": [{ state: "connecting" }, QUIET, "reconnecting"],
  "no network": [{ state: "offline" }, QUIET, "offline"],
  "a move that failed": [{ why: "moving" }, QUIET, "moving"],
  "signed out, at once": [{ state: "refused", why: "signed-out" }, 0, "signedOut"],
  "somebody else": [{ state: "refused", why: "user-changed" }, 0, "userChanged"],
  "too many tabs": [{ state: "refused", why: "too-many" }, 0, "tooMany"],
  "anything else that is final": [{ state: "refused", why: "400" }, 0, "stopped"],
  "cookies blocked": [{ state: "refused", why: "no-cookie" }, 1e6, null],
};
for (const [name, [more, now, expected]] of Object.entries(cases)) {
  test(`${name}: ${expected ?? "nothing"}`, () => assert.equal(word(more, now), expected));
}

test("what cannot be fetched again is said when nothing worse is", () => {
  assert.equal(word({ state: "connected" }, 0, true), "stale");
  assert.equal(word({}, QUIET, true), "reconnecting");
  assert.equal(word({ state: "refused", why: "no-cookie" }, 0, true), "stale");
});

test("a person who has to sign in is not offered a try that cannot help", () => {
  const { retry, reload } = view(status({ state: "refused", why: "signed-out" }), 0, false);
  assert.deepEqual([retry, reload], [false, true]);
});
