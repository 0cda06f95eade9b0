import assert from "node:assert/strict";
import { test } from "node:test";
import { createParser } from "../src/sse.js";

const encoder = new TextEncoder();

function parse(chunks) {
  const blocks = [];
  const parser = createParser((block) => blocks.push(block));
  for (const chunk of chunks) parser.push(typeof chunk === "string" ? encoder.encode(chunk) : chunk);
  return blocks;
}

const block = (more) => ({ event: "message", data: null, id: null, ...more });

const cases = {
  "one event": ["event: rt:ops\nid: 1~e~2\ndata: {}\n\n", [block({ event: "rt:ops", id: "1~e~2", data: "{}" })]],
  "several data lines": ["data: a\ndata:\ndata: b\n\n", [block({ data: "a\n\nb" })]],
  "only one leading space is taken off": ["data:  a\n\n", [block({ data: " a" })]],
  "no space after the colon": ["data:a\n\n", [block({ data: "a" })]],
  "a field without a colon": ["data\n\n", [block({ data: "" })]],
  "comments say nothing": [": hi\n:\n\n: again\ndata: a\n\n", [block({ data: "a" })]],
  "an id alone is a checkpoint": ["id: 1~e~9\n\n", [block({ id: "1~e~9" })]],
  "an id does not stay for the next block": ["id: 1\ndata: a\n\ndata: b\n\n", [block({ id: "1", data: "a" }), block({ data: "b" })]],
  "an empty id is an id": ["id\ndata: a\n\n", [block({ id: "", data: "a" })]],
  "an id with NUL is ignored": ["id: 1\0\ndata: a\n\n", [block({ data: "a" })]],
  "retry is left out": ["retry: 12\n\nretry: x\ndata: a\n\n", [block({ data: "a" })]],
  "an event name without data is forgotten": ["event: lost\n\ndata: a\n\n", [block({ data: "a" })]],
  "unknown fields are ignored": ["colour: red\ndata: a\n\n", [block({ data: "a" })]],
  "the BOM at the start only": ["\uFEFFdata: a\n\n\uFEFFdata: b\n\n", [block({ data: "a" })]],
  "half an event at the end is never seen": ["data: a\n\ndata: b\n", [block({ data: "a" })]],
  "words of every width": ["data: é 漢 👩‍🚀\n\n", [block({ data: "é 漢 👩‍🚀" })]],
};

for (const [name, [text, expected]] of Object.entries(cases)) {
  for (const [end, eol] of Object.entries({ LF: "\n", CRLF: "\r\n", CR: "\r" })) {
    const bytes = encoder.encode(text.replaceAll("\n", eol));
    test(`${name}, ${end}`, () => {
      assert.deepEqual(parse([bytes]), expected);
    });
    test(`${name}, ${end}, cut at every byte`, () => {
      for (let cut = 0; cut <= bytes.length; cut += 1) {
        assert.deepEqual(parse([bytes.slice(0, cut), bytes.slice(cut)]), expected, `cut at ${cut}`);
      }
      assert.deepEqual(parse(Array.from(bytes, (byte) => Uint8Array.of(byte))), expected, "byte by byte");
    });
  }
}

test("line ends may be mixed", () => {
  assert.deepEqual(parse(["data: a\r\n\rdata: b\n\r\n"]), [block({ data: "a" }), block({ data: "b" })]);
});

test("an event without end is refused before it fills the memory", () => {
  const parser = createParser(() => {});
  const chunk = encoder.encode("data: " + "x".repeat(1 << 20) + "\n");
  assert.throws(() => {
    for (let i = 0; i < 20; i += 1) parser.push(chunk);
  }, /too long/);
});
