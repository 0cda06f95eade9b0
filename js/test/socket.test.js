// WebSockets as lines: what a close code means, where one is opened, and which kind of line is tried next.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CLOSES } from "../src/protocol.js";
import { createChoice, DEAD } from "../src/socket/choice.js";
import { foreign } from "../src/socket/index.js";
import { addressOf, endingOf, openSocket } from "../src/socket/line.js";
import { fakeEnv } from "./fakes.js";

globalThis.WebSocket = class {
  static made = [];
  constructor() {
    WebSocket.made.push(this);
  }
  send() {}
  close() {}
};

test("a socket is opened beside the stream", () => {
  assert.equal(addressOf("/_rt/stream", "https://a.example/b/c?d"), "wss://a.example/_rt/socket");
  assert.equal(addressOf("/app/_rt/stream", "http://a.example:8000/"), "ws://a.example:8000/app/_rt/socket");
});

test("close codes are the endings that HTTP would have", () => {
  const of = (code, answer = null) => Object.values(endingOf(code, answer));
  assert.deepEqual(of(1006), []);
  assert.deepEqual(of(1000), []);
  assert.deepEqual(of(1012), [503, "draining"]);
  assert.deepEqual(of(1013), [503, "limited", 5000]);
  assert.deepEqual(of(1008), [400, "bad-request"]);
  assert.deepEqual(of(1009), [413, "too-large"]);
  assert.deepEqual(of(4501), [401, "signed-out"]);
  assert.deepEqual(of(4504), [403, "user-changed"]);
  assert.deepEqual(of(1013, { status: 429, title: "limited", retry: 2 }), [429, "limited", 2000]);
  for (const code of Object.values(CLOSES)) assert.ok(endingOf(code, null).status, String(code));
});

test("a message is an event or a list of them; what ends the stream is the last that is heard", () => {
  globalThis.document = { baseURI: "https://a.example/" };
  const { env } = fakeEnv();
  const heard = [];
  const answered = [];
  const up = { found() {}, lost() {}, answered: (data) => answered.push(data["n"]) };
  const line = openSocket(env, "/_rt/stream", {}, (event) => {
    heard.push(event.event);
    if (event.event === "rt:bye") line.close();
  }, () => {}, up);
  const socket = WebSocket.made.at(-1);
  const say = (value) => socket.onmessage({ data: JSON.stringify(value) });
  say({ event: "rt:hello", data: {} });
  say([{ event: "rt:ops", data: {} }, { event: "rt:answer", data: { n: 7 } }, { id: "1~a~b" }]);
  say([{ event: "rt:bye", data: {} }, { event: "rt:ops", data: {} }]);
  say({ event: "rt:ops", data: {} });
  assert.deepEqual(heard, ["rt:hello", "rt:ops", "message", "rt:bye"]);
  assert.deepEqual(answered, [7]);
});

test("an event that fails ends the line, so that those after it in the list come again", () => {
  globalThis.document = { baseURI: "https://a.example/" };
  const { error } = console;
  console.error = () => {};
  const ended = [];
  const heard = [];
  const fails = ({ event }) => {
    heard.push(event);
    if (event === "rt:ops") throw new Error("broken");
  };
  openSocket(fakeEnv().env, "/_rt/stream", {}, fails, (ending) => ended.push(ending), { found() {}, lost() {}, answered() {} });
  WebSocket.made.at(-1).onmessage({ data: '[{"event":"rt:ops","data":{}},{"event":"rt:call","data":{}}]' });
  console.error = error;
  assert.deepEqual([heard, ended], [["rt:ops"], [{}]]);
});

test("an answer is somebody else's where it neither names a problem nor means a server that is away", () => {
  const of = (status, problem = "") => foreign({ status, problem });
  assert.deepEqual([0, 200, 403, 404, 407].map((status) => of(status)), [true, true, true, true, true]);
  assert.deepEqual([204, 429, 500, 502, 503, undefined].map((status) => of(status)), [false, false, false, false, false, false]);
  assert.equal(of(403, "forbidden"), false);
});

/** Storage that a page finds. @param {boolean} [wish] */
function choice(wish, world = fakeEnv()) {
  return { world, made: createChoice(world.env, wish) };
}

test("twice in a row is a failure; what works instead is kept for a day", async () => {
  const { world, made } = choice();
  assert.equal(made.failed("sse"), false);
  made.worked("sse");
  assert.equal(made.failed("sse"), false);
  assert.equal(made.failed("sse"), true);
  made.worked("socket");
  assert.equal(choice(undefined, world).made.kind(), "socket");
  await world.pass(86_400_001);
  assert.equal(choice(undefined, world).made.kind(), "sse");
  assert.equal(world.stores.local.getItem("rt-transport"), null);
});

test("from a socket that fails back to streams, and not at once to sockets again", async () => {
  const { world, made } = choice();
  made.failed("sse", true);
  made.failed("socket");
  assert.equal(made.failed("socket"), true);
  assert.equal(made.kind(), "sse");
  assert.equal(made.other("sse"), undefined);
  assert.equal(made.failed("sse", true), false);
  await world.pass(DEAD);
  assert.equal(made.failed("sse", true), true);
});

test("by choice a page begins with a socket; where it may have none, it never does, whatever was kept", () => {
  assert.equal(choice(true).made.kind(), "socket");
  const world = fakeEnv();
  for (const kept of ["socket 99999999999999", `socket ${world.env.now() + 1000}`, "carrier-pigeon 1", "socket"]) {
    world.stores.local.setItem("rt-transport", kept);
    assert.equal(choice(false, world).made.kind(), "sse", kept);
  }
  assert.equal(choice(false).made.failed("sse", true), false);
  world.stores.local.setItem("rt-transport", "socket 99999999999999"); // too far: the clock was wrong, or somebody wrote it
  assert.equal(choice(undefined, world).made.kind(), "sse");
});

test("a page by choice on sockets remembers that streams are what works", () => {
  const { world, made } = choice(true);
  made.failed("socket");
  made.failed("socket");
  made.worked("sse");
  assert.equal(choice(true, world).made.kind(), "sse");
  assert.equal(made.failed("sse", true), false);
});

test("without storage it works all the same", () => {
  const { env } = fakeEnv();
  const made = createChoice({ ...env, local: () => null });
  assert.equal(made.kind(), "sse");
  made.failed("sse", true);
  made.worked("socket");
  assert.equal(made.kind(), "socket");
});
