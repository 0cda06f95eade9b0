// Never backwards under chance: real htmx swaps, the real bridge and operations, a simulated server and line.

import { createApply } from "../../../js/src/apply.js";
import * as htmx2 from "../../../js/src/bridge/htmx2.js";
import * as htmx4 from "../../../js/src/bridge/htmx4.js";
import { createBridge } from "../../../js/src/bridge/index.js";
import { createEvents } from "../../../js/src/events.js";
import { parse } from "../../../js/src/html.js";
import { createRandom } from "./chance.js";
import { createClock } from "./clock.js";
import { installTransport } from "./transport.js";
import { createWorld, picture, TOPIC } from "./world.js";

const clock = createClock();
clock.install();
let server = () => {};
installTransport((request, respond) => server(request, respond));
const events = createEvents();
let cursor = null;
const { adapt } = htmx.version[0] === "4" ? htmx4 : htmx2;
const bridge = createBridge({ htmx, adapt, events, tab: { id: "t".repeat(32) }, cursor: () => cursor });
const MORPH = adapt === htmx4.adapt;
const off36 = (o) => `1~e~${o.toString(36)}`;

/** Requests a person makes: what is asked, where it goes, and what the server does. `late` reads, `now` at commit. */
const kinds = {
  inner: (w, r) => ({ name: r.pick(["todo", "done", "sorted"]), swap: "innerHTML", text: (w, name) => w.items(name) }),
  outer: (w, r) => ({ name: r.pick(["todo", "done", "sorted"]), swap: "outerHTML", text: (w, name) => w.list(name) }),
  innerMorph: (w, r) => ({ name: r.pick(["todo", "done", "sorted"]), swap: MORPH ? "innerMorph" : "innerHTML", text: (w, name) => w.items(name) }),
  outerMorph: (w, r) => ({ name: r.pick(["todo", "done", "sorted"]), swap: MORPH ? "outerMorph" : "outerHTML", text: (w, name) => w.list(name) }),
  board: () => ({ name: "board", swap: "innerHTML", text: (w) => w.board() }),
  delayed: (w, r) => ({ name: r.pick(["todo", "done"]), swap: `innerHTML swap:${r.between(5, 60)}ms`, text: (w, name) => w.items(name) }),
  oob: (w, r) => ({ name: "sink", swap: "innerHTML", text: (w) => `ok${w.list(r.pick(["todo", "done"]), 'hx-swap-oob="true"')}` }),
  oobInner: (w, r) => ({
    name: "sink", swap: "none",
    text: (w) => `<div id="${r.pick(["todo"])}" hx-swap-oob="innerHTML">${w.items("todo")}</div>${w.counter().replace("<p", '<p hx-swap-oob="true"')}`,
  }),
  row: (w, r) => {
    const it = w.some(r.pick(["todo", "done", "sorted"]));
    const find = (w) => Object.values(w.lists).flat().find((other) => other.id === it.id);
    return it && { name: it.id, swap: "outerHTML", text: (w) => (find(w) ? w.item(find(w)) : "") };
  },
  overlap: (w, r) => ({ name: "todo", swap: "beforeend", text: (w) => w.lists.todo.slice(-2).map(w.item).join("") }),
  add: (w, r) => post(r, (w) => {
    const name = w.place();
    const it = w.make(name);
    return { ops: w.changes.append(name, it), name, text: () => w.item(it) };
  }, "beforeend"),
  addFirst: (w, r) => post(r, (w) => {
    const name = w.place();
    const it = w.make(name);
    return { ops: w.changes.prepend(name, it), name, text: () => w.item(it) };
  }, "afterbegin"),
  addAndRefresh: (w, r) => post(r, (w) => {
    const name = w.place();
    return { ops: w.changes.append(name), text: () => w.items(name) };
  }, "innerHTML"),
  save: (w, r) => {
    const it = w.some(r.pick(["todo", "done", "sorted"]));
    return it && post(r, (w) => {
      const alive = Object.values(w.lists).flat().includes(it);
      return { ops: alive ? [["replace", `#${it.id}`, w.item(w.tick(it))]] : null, text: () => (Object.values(w.lists).flat().includes(it) ? w.item(it) : "") };
    }, "outerHTML", it.id);
  },
  del: (w, r) => {
    const name = w.place();
    const it = w.some(name);
    return it && post(r, (w) => {
      const home = Object.values(w.lists).find((list) => list.includes(it));
      home?.splice(home.indexOf(it), 1);
      return { ops: home ? [["remove", `#${it.id}`]] : null, text: () => "" };
    }, r.pick(["delete", "outerHTML"]), it.id);
  },
};

/** The list a new item goes to is known before it is sent: the server takes the one of the target. */
const post = (r, act, swap, name) => ({ act, swap, name: name ?? null, fails: r.chance(0.15) });

/** @param {number} seed @param {{steps?: number, trailing?: boolean, off?: string}} options */
async function play(seed, { steps = 30, kinds: only, log: verbose } = {}) {
  const random = createRandom(seed);
  const world = createWorld(random);
  const trailing = random.chance(0.2); // publishing trails committing, and overtakes
  const line = random.pick([[1, 80], [1, 20], [40, 400]]); // how long a message is on its way
  const positions = new Map([[TOPIC, 0]]);
  let received = 0;
  let lineFree = 0;
  cursor = off36(0);
  const host = document.createElement("div");
  const tools = document.createElement("div");
  tools.append(Object.assign(document.createElement("div"), { id: "sink" }));
  host.append(parse(world.page()));
  document.body.append(host, tools);
  const trace = [];
  const note = (...words) => verbose && trace.push([clock.now(), ...words].join(" "));

  /** Versions as they were seen, at every mutation. */
  const seen = new Map();
  const backwards = [];
  let last = "start";
  const look = () => {
    for (const el of host.querySelectorAll("[rt-version]")) {
      const v = Number(el.getAttribute("rt-version"));
      if (v < (seen.get(el.id) ?? 0)) backwards.push(`${clock.now()} ${el.id}: ${seen.get(el.id)} -> ${v} after ${last}`);
      seen.set(el.id, v);
    }
    const all = [...host.querySelectorAll("[id]")].map((el) => el.id);
    if (new Set(all).size < all.length) backwards.push(`${clock.now()} twice: ${all.filter((id, i) => all.indexOf(id) !== i)} after ${last}`);
  };
  look();
  const observer = new MutationObserver(look);
  observer.observe(host, { subtree: true, childList: true, attributes: true });

  const apply = createApply({
    bridge, events, positions, cursor: () => cursor, clock: clock.now,
    schedule: (run) => clock.after(random.between(0, 16), () => {
      last = "frame";
      run();
    }),
  });

  const deliver = (message) => {
    lineFree = Math.max(lineFree, clock.now() + random.between(...line));
    clock.after(lineFree - clock.now(), () => {
      received = message.o;
      cursor = off36(message.o);
      last = `op ${message.o}`;
      note("receive", message.o, JSON.stringify(message.ops));
      apply.receive({ event: "rt:ops", data: { t: TOPIC, o: message.o, ops: message.ops } });
    });
  };
  const publish = (ops) => {
    const o = world.publish(...ops);
    note("publish", o, JSON.stringify(ops));
    deliver(world.log[o - 1]);
    return o;
  };
  const fetchAnew = () => clock.after(random.between(5, 50), () => {
    const at = off36(world.head());
    const html = world.board();
    clock.after(random.between(5, 80), () => {
      last = "resync";
      note("resync", at);
      const target = host.querySelector("#board");
      if (!target) return;
      for (const el of parse(html).querySelectorAll("[rt-version]")) seen.delete(el.id); // the truth, whatever its number
      apply.resync([{ target, source: parse(html), inner: true }], { at });
    });
  });
  const offResync = events.on("resync", ({ why }) => {
    note("stale", why);
    fetchAnew();
  });

  const asked = new Map();
  server = (request, respond) => {
    const { kind, spec } = asked.get(request.url);
    clock.after(random.between(1, 120), () => {
      const headers = { "RT-At": off36(world.head()), "Content-Type": "text/html" };
      let text = "";
      const answer = (status = 200) => clock.after(random.between(1, random.pick([20, 400])), () => {
        last = `answer ${kind} ${request.url}`;
        note("answer", kind, spec.swap, spec.name, JSON.stringify(headers), text);
        respond({ status, headers, text });
      });
      if (!spec.act) {
        clock.after(random.between(0, 60), () => {
          text = spec.text(world, spec.name);
          answer();
        });
        return;
      }
      clock.after(random.between(0, 40), () => {
        const result = spec.act(world);
        if (spec.fails) {
          // It published and then failed: the change is taken back, and everybody fetches anew.
          headers["RT-Problem"] = "unknown-outcome";
          headers["Content-Type"] = "text/plain";
        }
        if (result.ops) headers["RT-Own"] = publish(result.ops).toString(36);
        clock.after(random.between(0, 40), () => {
          text = result.text();
          answer(spec.fails ? 500 : 200);
          if (spec.fails) fetchAnew();
        });
      });
    });
  };

  const ask = (n) => {
    const kind = random.pick(only ?? Object.keys(kinds));
    const spec = kinds[kind](world, random);
    if (!spec) return;
    if (spec.act && !spec.name) {
      spec.name = world.place();
      const act = spec.act;
      spec.act = (w) => act({ ...w, place: () => spec.name });
    }
    const url = `/ask/${seed}/${n}`;
    asked.set(url, { kind, spec });
    const button = document.createElement("button");
    button.setAttribute(spec.act ? "hx-post" : "hx-get", url);
    button.setAttribute("hx-target", `#${spec.name}`);
    button.setAttribute("hx-swap", spec.swap);
    if (!document.getElementById(spec.name)) return;
    tools.append(button);
    htmx.process(button);
    note("ask", kind, spec.name, url);
    button.click();
  };

  for (let n = 0; n < steps; n++) {
    clock.after(n * 40 + random.between(0, 39), () => {
      if (random.chance(0.45)) return ask(n);
      const kind = trailing ? random.pick(["addSorted", "reorder", "count", "edit"]) : random.pick(Object.keys(world.changes));
      const ops = world.changes[kind](trailing && kind === "edit" ? "sorted" : undefined);
      if (!ops) return;
      if (trailing) clock.after(random.between(0, 90), () => publish(ops));
      else publish(ops);
    });
  }
  await clock.run();
  observer.disconnect();
  offResync();
  apply.stop();
  const fresh = document.createElement("div");
  fresh.append(parse(world.page()));
  const want = picture(fresh);
  const got = picture(host);
  host.remove();
  tools.remove();
  const wrong = want.flatMap((line, index) => (line === got[index] ? [] : [`want ${line}`, `got  ${got[index]}`]));
  return { seed, wrong, backwards, trailing, trace };
}

window.play = async (from, count, options) => {
  const failures = [];
  let backwards = 0;
  for (let seed = from; seed < from + count; seed++) {
    const result = await play(seed, options);
    backwards += result.backwards.length;
    if (result.wrong.length || result.backwards.length) failures.push(result);
  }
  return { failures, backwards };
};
