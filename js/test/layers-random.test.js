// Optimistic layers under chance: actions, other people's changes, echoes before, with and after the answer, refusals,
// lost answers. At every step the page is what the server has told it, with every pending operation on top, in order;
// in the end it is the server's truth. SEED=… repeats a run, STEPS=… makes it longer.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createLayers } from "../src/optimistic/layers.js";
import { createLedger } from "../src/optimistic/ledger.js";
import { createDocument, parse } from "./fake-dom.js";
import { html } from "./html.js";

const STEPS = Number(process.env.STEPS ?? 10_000);
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
const NAMES = ["on", "done", "hot"];

/** Mulberry32. @param {number} seed */
function chance(seed) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return { next, pick: (list) => list[Math.floor(next() * list.length)] };
}

const copy = (model) => model.map((item) => ({ ...item, names: [...item.names], marks: new Set() }));

/** What an operation does to a list of items; the second implementation, of plain data. `shown`: marks and all. */
function effect(model, op, shown) {
  if (op.verb === "insert") {
    const item = shown ? { id: op.id, tmp: true } : { id: op.id, v: 1, names: [], n: 0, text: op.value, hidden: false };
    return void (op.at === "start" ? model.unshift(item) : model.push(item));
  }
  const item = model.find(({ id, tmp }) => id === op.id && !tmp);
  if (!item) return;
  if (shown && !["remove", "hide"].includes(op.verb)) item.marks.add({ inc: "n", dec: "n", text: "t" }[op.verb] ?? "");
  if (op.verb === "add-class") item.names = [...new Set([...item.names, op.value])];
  else if (op.verb === "remove-class") item.names = item.names.filter((name) => name !== op.value);
  else if (op.verb === "inc") item.n += Number(op.value);
  else if (op.verb === "dec") item.n -= Number(op.value);
  else if (op.verb === "text") item.text = op.value;
  else if (op.verb === "hide") item.hidden = true;
  else if (op.verb === "show") item.hidden = false;
  else model.splice(model.indexOf(item), 1);
  if (op.verb === "move") model.splice(op.at === "start" ? 0 : model.length, 0, item);
}

const rendered = ({ id, names, n, text, hidden }) =>
  `<li id="${id}"${names.length ? ` class="${names.toSorted().join(" ")}"` : ""}${hidden ? ' hidden=""' : ""}><b id="${id}-n">${n}</b><i id="${id}-t">${text}</i></li>`;

/** With the marks of what is pending. */
function picture(item) {
  if (item.tmp) return `<li rt-tmp="${item.id}"></li>`;
  const mark = (part) => (item.marks.has(part) ? ' class="rt-pending"' : "");
  const names = item.marks.has("") ? [...item.names, "rt-pending"] : item.names;
  return rendered({ ...item, names }).replace("-n\"", `-n"${mark("n")}`).replace("-t\"", `-t"${mark("t")}`);
}

/** Classes in order, so that the order in which they came does not matter. */
const inOrder = (text) => text.replace(/ class="([^"]*)"/g, (_, names) => ` class="${names.split(" ").sort().join(" ")}"`)
  .replace(/ hidden=""( class="[^"]*")/g, '$1 hidden=""');

function play(seed, steps) {
  const { next, pick } = chance(seed);
  const truth = []; // at the server
  let told = []; // what the page has been told: the base
  const stream = []; // messages on their way
  let sent = 0; // offset of the newest message published
  let position = -1; // of the page
  let pending = []; // actions whose operation lies on the page, oldest first
  const flying = []; // actions between the page and the server, and their answers
  const doc = createDocument('<ul id="list"></ul>');
  const list = doc.getElementById("list");
  const layers = createLayers();
  const ledger = createLedger({ layers, position: () => position, after: () => () => {}, tell: () => {} });
  const versions = new Map();
  let ids = 0;
  const counts = {};
  const did = (what) => (counts[what] = (counts[what] ?? 0) + 1);

  const publish = (changed, key, removed = []) => {
    stream.push({ o: ++sent, key, removed, items: copy(truth.filter(({ id }) => changed.includes(id))), order: truth.map(({ id }) => id) });
  };

  /** Put an item into the base, if it is no step backwards. */
  const write = (item) => {
    if (item.v < (versions.get(item.id) ?? 0)) return doc.getElementById(item.id);
    versions.set(item.id, item.v);
    const fresh = parse(rendered(item)).firstChild;
    const old = doc.getElementById(item.id);
    if (old) old.replaceWith(fresh);
    else list.append(fresh);
    told = told.some(({ id }) => id === item.id) ? told.map((one) => (one.id === item.id ? item : one)) : [...told, item];
    return fresh;
  };

  const settle = (action) => (pending = pending.filter((one) => one !== action));

  /** The next message of the stream is applied. */
  const hear = () => {
    const { o, key, items, removed, order } = stream.shift();
    ledger.coming();
    const touched = [];
    for (const id of removed) {
      const old = doc.getElementById(id);
      if (old) touched.push(old);
      old?.remove();
      versions.set(id, Infinity);
      told = told.filter((item) => item.id !== id);
    }
    for (const item of items) {
      const el = write(item);
      if (el) touched.push(el);
    }
    const place = ({ id }) => (order.includes(id) ? order.indexOf(id) : order.length);
    told = told.toSorted((a, b) => place(a) - place(b));
    for (const { id } of told) list.append(doc.getElementById(id));
    position = o;
    ledger.touched({ elements: touched, keys: key ? new Map([[key, touched.map((el) => [el, false])]]) : undefined });
    if (key) pending.filter((action) => action.key === key).forEach(settle);
    ledger.came();
    did("heard");
  };

  /** The server takes an action up. */
  const work = (action) => {
    const { op } = action;
    const there = op.verb === "insert" || truth.some(({ id }) => id === op.id);
    action.outcome = there && next() > 0.2 ? "ok" : "refused";
    action.own = -1;
    const late = next() < 0.15; // it publishes, and fails afterwards
    if (action.outcome === "ok" || (late && there && op.verb !== "remove" && op.verb !== "insert")) {
      const before = copy(truth);
      effect(truth, op, false);
      for (const item of truth) if (item.id === op.id) item.v += 1;
      publish([op.id], action.key, op.verb === "remove" ? [op.id] : []);
      action.own = sent;
      if (action.outcome !== "ok") {
        const item = truth.find(({ id }) => id === op.id);
        Object.assign(item, before.find(({ id }) => id === op.id), { v: item.v + 1 });
        publish([op.id]);
        did("taken back after its echo");
      }
    }
    if (action.outcome === "ok" && next() < 0.1) action.outcome = "lost";
    action.html = copy(truth.filter(({ id }) => id === op.id));
  };

  /** Its answer is here, or its loss. */
  const answer = (action) => {
    const entry = ledger.of(action.id);
    did(`${action.outcome}, ${pending.includes(action) ? "before" : "after"} its echo`);
    if (action.outcome !== "ok") {
      if (entry) ledger.fail(entry);
      return settle(action);
    }
    entry.ok = true;
    entry.own = action.own;
    const brings = action.html.length && next() < 0.5 && !action.html.some(({ id }) => versions.get(id) === Infinity);
    if (brings) {
      ledger.coming();
      const elements = action.html.map(write);
      ledger.touched({ elements, request: entry.request });
      ledger.came();
      settle(action);
      did("confirmed by its answer");
    }
    ledger.ended(entry, false);
    if (position >= action.own) settle(action);
  };

  const act = () => {
    const shown = pending.reduce((model, { op }) => (effect(model, op, true), model), copy(told)).filter(({ tmp }) => !tmp);
    const id = pick(shown)?.id;
    const verb = id ? pick(["toggle", "toggle", "inc", "inc", "dec", "text", "hide", "show", "remove", "insert", "insert", "move"]) : "insert";
    const number = ++ids;
    const op = { verb, id, value: "", at: pick(["start", "end"]) };
    if (verb === "toggle") {
      op.value = pick(NAMES);
      op.verb = shown.find((item) => item.id === id).names.includes(op.value) ? "remove-class" : "add-class";
    } else if (verb === "inc" || verb === "dec") op.value = pick(["1", "2"]);
    else if (verb === "text") op.value = `text ${number}`;
    else if (verb === "insert") Object.assign(op, { id: `i${number}`, value: `new ${number}` });
    const part = { inc: "-n", dec: "-n", text: "-t" }[op.verb] ?? "";
    const item = op.verb === "insert" ? parse(`<li rt-tmp="${op.id}"></li>`).firstChild : undefined;
    const step = { verb: op.verb, value: op.value, at: op.at, el: item };
    const target = () => doc.getElementById(op.verb === "insert" ? "list" : op.id + part);
    const action = { id: `action ${number}`, key: `key ${number}`, op };
    ledger.open({ action: action.id, key: action.key, layer: { effects: [{ step, target }] }, request: {} });
    pending.push(action);
    flying.push(action);
    did(op.verb);
  };

  /** Somebody else changes something. */
  const others = () => {
    const id = pick(truth)?.id;
    const verb = id ? pick(["add-class", "remove-class", "inc", "text", "hide", "show", "remove", "insert", "move"]) : "insert";
    const op = { verb, id: verb === "insert" ? `o${++ids}` : id, value: verb === "inc" ? "10" : verb === "text" ? `theirs ${++ids}` : pick(NAMES), at: pick(["start", "end"]) };
    if (truth.length > 7 && op.verb === "insert") return;
    effect(truth, op, false);
    for (const item of truth) if (item.id === op.id) item.v += 1;
    publish([op.id], undefined, op.verb === "remove" ? [op.id] : []);
    did("others");
  };

  const check = (step) => {
    const expected = pending.reduce((model, { op }) => (effect(model, op, true), model), copy(told)).map(picture).join("");
    assert.equal(inOrder(list.childNodes.map(html).join("")), inOrder(expected), `seed ${seed}, step ${step}`);
  };

  for (let step = 0; step < steps; step += 1) {
    const move = next();
    if (move < 0.25 && flying.length < 8) act();
    else if (move < 0.3) others();
    else if (move < 0.62 && stream.length) hear();
    else if (flying.length) {
      const action = pick(flying);
      if (!action.outcome) work(action);
      else {
        flying.splice(flying.indexOf(action), 1);
        answer(action);
      }
    }
    check(step);
  }
  for (const action of flying) {
    if (!action.outcome) work(action);
    answer(action);
  }
  while (stream.length) hear();
  assert.deepEqual(pending.map(({ id }) => id), []);
  assert.deepEqual(ledger.all(), []);
  assert.equal(list.childNodes.map(html).join(""), truth.map(rendered).join(""), `seed ${seed}, the end`);
  return counts;
}

test(`${STEPS} steps of seed ${SEED}: the base and all that is pending at every one, the truth at the end`, (t) => {
  const counts = play(SEED, STEPS);
  t.diagnostic(`seed ${SEED}: ${JSON.stringify(counts)}`);
});
