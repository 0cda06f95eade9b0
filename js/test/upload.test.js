import assert from "node:assert/strict";
import { test } from "node:test";
import { fits, keyOf, percentOf, sized } from "../src/upload/files.js";

/** @param {string} name @param {string} [type] */
const file = (name, type = "") => ({ name, type });

test("what a field accepts, as browsers read it and kindlier", () => {
  assert.ok(fits("", file("a.exe", "application/x-msdownload")));
  assert.ok(fits(".csv,image/*", file("A.CSV", "application/vnd.ms-excel")));
  assert.ok(fits(".csv,image/*", file("a.png", "image/png")));
  assert.ok(!fits(".csv,image/*", file("a.pdf", "application/pdf")));
  assert.ok(fits("text/csv", file("a.csv", "application/vnd.ms-excel")));
  assert.ok(!fits("text/csv", file("a.xls", "application/vnd.ms-excel")));
  assert.ok(fits("image/png", file("a")), "without a type the server looks at what is in it");
  assert.ok(!fits(".csv", file("a.csv.exe")));
});

test("sizes as people read them", () => {
  assert.equal(sized(0, "en"), "0 bytes");
  assert.equal(sized(999, "en"), "999 bytes");
  assert.equal(sized(1000, "en"), "1 kB");
  assert.equal(sized(2_340_000, "en"), "2.3 MB");
  assert.equal(sized(2_340_000, "de"), "2,3 MB");
  assert.equal(sized(5_000_000_000_000, "en"), "5,000 GB");
  assert.ok(sized(1, ""));
});

test("whole percents of several files, and 100 only when all is there", () => {
  const of = (/** @type {number} */ sent, /** @type {number} */ size) => ({ sent, file: { size } });
  assert.equal(percentOf([of(1, 3)]), 33);
  assert.equal(percentOf([of(999_999, 1_000_000)]), 99);
  assert.equal(percentOf([of(10, 10), of(0, 10)]), 50);
  assert.equal(percentOf([of(0, 0)]), 100);
});

test("a file is the same to the same person in the same field only", () => {
  const one = /** @type {any} */ ({ name: "a", size: 1, lastModified: 2 });
  const key = keyOf("ada", "files", one);
  assert.equal(keyOf("ada", "files", { ...one }), key);
  for (const other of [keyOf("grace", "files", one), keyOf("ada", "photos", one), keyOf("ada", "files", { ...one, lastModified: 3 })]) {
    assert.notEqual(other, key);
  }
});
