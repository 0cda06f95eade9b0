import assert from "node:assert/strict";
import { test } from "node:test";
import { createCopies } from "../src/drafts/copies.js";
import { keepable, read, write } from "../src/drafts/fields.js";

const DAY = 24 * 3_600_000;

/** A storage that holds at most so many characters. */
function storage(most = Infinity) {
  const store = {};
  Object.defineProperties(store, {
    getItem: { value: (key) => store[key] ?? null },
    removeItem: { value: (key) => void delete store[key] },
    setItem: {
      value(key, text) {
        const size = Object.entries(store).reduce((sum, [one, value]) => sum + (one === key ? 0 : value.length), 0);
        if (size + text.length > most) throw new Error("QuotaExceededError");
        store[key] = text;
      },
    },
  });
  return store;
}

/** A tab of a browser. */
function tabOf(browser, id, { who = "ada", me = "Ada" } = {}) {
  const session = storage(browser.most);
  const person = { who, me };
  const locks = {
    query: async () => ({ held: [...browser.locks].map((name) => ({ name })) }),
    async request(name, hold) {
      browser.locks.add(name);
      await hold();
      browser.locks.delete(name);
    },
  };
  const env = { now: () => browser.now, session: () => session, local: () => browser.local };
  const copies = createCopies({ env, win: { navigator: { locks: browser.noLocks ? undefined : locks } }, tab: { id }, config: { name: "app" } }, () => person);
  return { copies, session, person };
}
const browserOf = (more = {}) => ({ now: 1e12, local: storage(more.most), locks: new Set(), most: Infinity, ...more });
const FIELDS = { title: { v: ["x"], d: [""] } };

test("a copy is found by the same tab, and by others when that is no more", async () => {
  const browser = browserOf();
  const one = tabOf(browser, "1");
  const two = tabOf(browser, "2");
  assert.equal(one.copies.write("/a", "f", FIELDS), true);
  assert.deepEqual(one.copies.mine("/a").map(({ form, fields }) => [form, fields]), [["f", FIELDS]]);
  assert.deepEqual(one.copies.mine("/b"), []);
  assert.deepEqual((await two.copies.lost("/a")).copies, []);
  one.copies.release();
  await null;
  await null;
  const { copies, sure } = await two.copies.lost("/a");
  assert.deepEqual([copies.length, copies[0].tab, sure], [1, "1", true]);
  two.copies.drop("/a", "f", { tab: "1" });
  assert.deepEqual((await two.copies.lost("/a")).copies, []);
});

test("without locks nobody can be sure that a tab is gone", async () => {
  const browser = browserOf({ noLocks: true });
  tabOf(browser, "1").copies.write("/a", "f", FIELDS);
  const { copies, sure } = await tabOf(browser, "2").copies.lost("/a");
  assert.deepEqual([copies.length, sure], [1, false]);
});

test("somebody else finds nothing, and what was there goes", async () => {
  const browser = browserOf();
  const ada = tabOf(browser, "1");
  ada.copies.write("/a", "f", FIELDS);
  ada.copies.release();
  const grace = tabOf(browser, "2", { who: "grace", me: "Grace" });
  assert.deepEqual((await grace.copies.lost("/a")).copies, []);
  grace.copies.prune();
  assert.deepEqual(Object.keys(browser.local), []);
});

test("a page of nobody holds it for half an hour", () => {
  const browser = browserOf();
  tabOf(browser, "1").copies.write("/a", "f", FIELDS);
  const nobody = tabOf(browser, "2", { who: "b", me: "" });
  browser.now += 29 * 60_000;
  nobody.copies.prune();
  assert.equal(Object.keys(browser.local).length, 1);
  browser.now += 2 * 60_000;
  nobody.copies.prune();
  assert.equal(Object.keys(browser.local).length, 0);
});

test("copies expire, also where the clock was wrong, and are bounded in number", () => {
  const browser = browserOf();
  const { copies } = tabOf(browser, "1");
  for (const at of [-8 * DAY, 8 * DAY, -DAY, DAY]) {
    browser.now = 1e12 + at;
    copies.write(`/${at}`, "f", FIELDS);
  }
  browser.now = 1e12;
  copies.prune();
  assert.equal(Object.keys(browser.local).length, 2);
  for (let n = 0; n < 80; n += 1) copies.write(`/${n}`, "f", FIELDS);
  copies.prune();
  assert.equal(Object.keys(browser.local).length, 50);
  browser.local.setItem("rt-drafts:app:ada:/x|f|1", "{damaged");
  copies.prune();
  assert.equal(Object.keys(browser.local).length, 50);
});

test("where there is no room the oldest gives way, else it says that it is not kept", () => {
  const browser = browserOf({ most: 700 });
  const { copies } = tabOf(browser, "1");
  for (const path of ["/1", "/2", "/3", "/4", "/5", "/6"]) {
    browser.now += 1;
    assert.equal(copies.write(path, "f", FIELDS), true);
  }
  assert.ok(JSON.stringify(browser.local).includes("/6"));
  assert.equal(copies.write("/7", "f", { title: { v: ["x".repeat(1_000)], d: [""] } }), false);
  assert.equal(copies.write("/8", "f", { title: { v: ["x".repeat(600_000)], d: [""] } }), false);
});

const field = (attributes, more = {}) => ({
  type: attributes.type ?? "text", id: attributes.id ?? "",
  getAttribute: (name) => attributes[name] ?? null,
  matches: (selector) => selector.startsWith("input"),
  closest: () => more.around ?? null,
  ...more,
});

test("secrets are never kept, whatever they are called", () => {
  const never = [
    { name: "a", type: "password" }, { name: "a", type: "file" }, { name: "a", type: "hidden" }, { name: "new_password" },
    { name: "a", autocomplete: "one-time-code" }, { name: "a", autocomplete: "billing cc-number" }, { name: "csrf_token" },
    { name: "a", autocomplete: "current-password" }, { name: "cvc" }, { name: "user_otp" }, { name: "cardNumber" }, {},
  ];
  for (const attributes of never) assert.equal(keepable(field(attributes)), false, JSON.stringify(attributes));
  assert.equal(keepable(field({ name: "a" }, { around: {} })), false);
  for (const attributes of [{ name: "hotpot" }, { id: "x" }, { name: "a", type: "date", autocomplete: "bday" }]) assert.equal(keepable(field(attributes)), true);
});

test("boxes of one name are read and written together; what has no place is not written", () => {
  const parse = () => {
    throw new Error("no HTML");
  };
  const boxes = ["a", "b"].map((value) => field({ name: "n", type: "checkbox" }, { value, checked: value === "b", defaultChecked: false, matches: () => false }));
  assert.deepEqual([read(boxes), read(boxes, true)], [["b"], []]);
  assert.equal(write(boxes, ["a"], parse), true);
  assert.deepEqual(boxes.map(({ checked }) => checked), [true, false]);
  assert.equal(write(boxes, ["c"], parse), false);
  const options = ["x", "y"].map((value) => ({ value, selected: value === "x", defaultSelected: false }));
  const select = [field({ name: "s" }, { options, multiple: false })];
  assert.deepEqual(read(select, true), ["x"]);
  assert.equal(write(select, ["y"], parse), true);
  assert.deepEqual(read(select), ["y"]);
  const texts = ["1", "2"].map((value) => field({ name: "t" }, { value, defaultValue: "", matches: () => false }));
  assert.equal(write(texts, ["1"], parse), false);
  assert.equal(write(texts, ["3", "4"], parse), true);
  assert.deepEqual(read(texts), ["3", "4"]);
});
