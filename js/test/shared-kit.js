// Several tabs of one browser, over a channel, locks and a server that do only what a test says.
import { createConnection } from "../src/connection.js";
import { createEvents } from "../src/events.js";
import { wire } from "../src/shared/index.js";
import { openStream } from "../src/stream.js";
import { createSubscriptions } from "../src/subscriptions.js";
import { createTab } from "../src/tab.js";
import { createTabs } from "../src/tabs.js";
import { fakeEnv, fakeStorage } from "./fakes.js";

/** Web Locks of one browser. */
export function fakeLocks() {
  const names = new Map(); // name → {holder, queue}
  const of = (name) => names.get(name) ?? names.set(name, { holder: null, queue: [] }).get(name);
  const aborted = () => new DOMException("aborted", "AbortError");

  function next(name) {
    const lock = of(name);
    if (lock.holder || !lock.queue.length) return;
    const mine = (lock.holder = lock.queue.shift());
    Promise.resolve()
      .then(() => mine.run({ name }))
      .then(
        (value) => (release(name, mine), mine.resolve(value)),
        (error) => (release(name, mine), mine.reject(error)),
      );
  }

  function release(name, mine) {
    const lock = of(name);
    if (lock.holder === mine) lock.holder = null;
    next(name);
  }

  return {
    /** The LockManager of one page; `locks.crash()` lets go of all it has. */
    page() {
      const own = new Set();
      return {
        request(name, ...rest) {
          const [options, run] = rest.length > 1 ? rest : [{}, rest[0]];
          return new Promise((resolve, reject) => {
            const mine = { run, resolve, reject };
            own.add([name, mine]);
            const lock = of(name);
            if (options.steal) {
              lock.holder?.reject(aborted());
              lock.holder = null;
              lock.queue.unshift(mine);
            } else lock.queue.push(mine);
            options.signal?.addEventListener("abort", () => {
              const at = lock.queue.indexOf(mine);
              if (at < 0) return;
              lock.queue.splice(at, 1);
              reject(aborted());
            });
            next(name);
          });
        },
        crash() {
          for (const [name, mine] of own) {
            const lock = of(name);
            lock.queue = lock.queue.filter((one) => one !== mine);
            release(name, mine);
          }
        },
      };
    },
    held: () => [...names].filter(([, { holder }]) => holder).map(([name]) => name),
  };
}

/** A server with a log; a grant is `topic|at`. */
export function fakeServer(world) {
  const server = {
    log: [],
    streams: [], // those that are open
    opened: 0,
    down: false,
    epoch: "e",
    most: 0, // streams at once
    /** Answers what was asked since. */
    async serve() {
      for (const request of world.requests.splice(0)) {
        if (request.aborted) continue;
        if (server.down) await request.fail();
        else await server.answer(request);
      }
    },
    cursor: (offset = server.log.length) => `1~${server.epoch}~${offset.toString(36)}`,
    async answer(request) {
      const { body } = request;
      const head = server.log.length;
      const from = {};
      const tabs = {};
      for (const tab of body.tabs) {
        const grants = (tabs[tab.id] = { grants: {}, refused: [], again: [] }).grants;
        for (const [tokens, fresh] of [[tab.grants, false], [tab.fresh, true]]) {
          for (const token of tokens) {
            const [topic, at] = token.split("|");
            if (topic.startsWith("secret") || at === "bad") {
              tabs[tab.id].refused.push(topic);
              continue;
            }
            grants[topic] = `${topic}|${at}`;
            const place = parseInt((fresh ? at : body.cursor).split("~")[2], 36);
            from[topic] = Math.min(from[topic] ?? Infinity, place);
          }
        }
      }
      const grants = Object.assign({}, ...Object.values(tabs).map((one) => one.grants));
      const refused = [...new Set(Object.values(tabs).flatMap((one) => one.refused))].filter((topic) => !grants[topic]);
      if (!Object.keys(grants).length) return request.answer(403, { "RT-Problem": "forbidden" });
      const stream = { request, topics: Object.keys(grants), body };
      server.streams.push(stream);
      server.opened += 1;
      await request.open({ cursor: server.cursor(), grants, refused, ...(body.tabs.length > 1 && { tabs }) });
      for (const { t, o } of server.log.slice(0, head)) {
        if (o > from[t]) await request.send("rt:ops", { t, o });
      }
      await request.send("", null, server.cursor(head));
      server.most = Math.max(server.most, server.open().length);
    },
    open: () => (server.streams = server.streams.filter(({ request }) => !request.aborted)),
    async publish(t) {
      const o = server.log.push({ t, o: server.log.length + 1 });
      for (const { request, topics } of server.open()) {
        if (topics.includes(t)) await request.send("rt:ops", { t, o }, server.cursor(o));
      }
    },
    async beat() {
      for (const { request } of server.open()) await request.send("", null, server.cursor());
    },
    async say(event, data) {
      for (const { request } of server.open()) await request.send(event, data);
    },
    async end() {
      for (const { request } of server.open()) await request.end();
      server.streams = [];
    },
  };
  return server;
}

const CONFIG = { prefix: "/_rt", name: "app", build: "1", who: "ada", lang: "en" };

/** One browser; `random` as in fakeEnv. */
export function browser(options) {
  const world = fakeEnv(options);
  const locks = fakeLocks();
  const server = fakeServer(world);
  const channels = new Set();
  const tabs = [];

  /** A page; `topics` are those it was rendered with. */
  function open(topics = ["board"], { config = {}, session = fakeStorage(), noLocks = false, at = server.cursor(), bad = [] } = {}) {
    const listeners = new Map();
    const state = { hidden: false, hung: false, backlog: [] };
    const later = (run) => (state.hung ? state.backlog.push(run) : run());
    const add = (type, fn) => {
      const set = listeners.get(type) || new Set();
      listeners.set(type, set.add(fn));
      return () => set.delete(fn);
    };
    const env = {
      ...world.env,
      on: add,
      hidden: () => state.hidden,
      http1: () => true,
      session: () => session,
      after: (fn, ms) => world.env.after(() => later(fn), ms),
    };
    class Channel {
      constructor(name) {
        this.name = name;
        this.onmessage = () => {};
        channels.add(this);
      }
      postMessage(data) {
        if (!channels.has(this)) throw new DOMException("closed", "InvalidStateError");
        const copy = structuredClone(data);
        for (const other of channels) {
          if (other === this || other.name !== this.name) continue;
          Promise.resolve().then(() => other.hear({ data: copy }));
        }
      }
      hear(event) {
        later(() => channels.has(this) && this.onmessage(event));
      }
      close() {
        channels.delete(this);
      }
    }
    const elements = [];
    const show = (topic, at = server.cursor()) =>
      elements.push({ getAttribute: (name) => ({ "rt-stream": topic, "rt-grant": `${topic}|${bad.includes(topic) ? "bad" : at}`, "rt-at": at })[name] ?? null });
    for (const topic of topics) show(topic, at);
    const doc = { querySelectorAll: () => elements, get hidden() { return state.hidden; }, addEventListener: add, removeEventListener() {} };
    const events = createEvents();
    const positions = new Map();
    const tab = createTab(env);
    const page = locks.page();
    const lines = { open: openStream };
    const tabsWord = createTabs(env);
    const subscriptions = createSubscriptions({ doc, events, positions, tab, refresh: () => connection.refresh() });
    const connection = createConnection({ env, events, tabs: tabsWord, lines, url: "/_rt/stream", body: subscriptions.body });
    const rt = {
      config: { ...CONFIG, ...config }, doc, env, events, positions, subscriptions, connection, tab, lines, tabs: tabsWord,
      win: { navigator: { locks: noLocks ? undefined : page }, BroadcastChannel: Channel },
    };
    const got = Object.fromEntries(topics.map((topic) => [topic, []]));
    const wrong = [];
    const states = [];
    const others = [];
    events.on("stream:state", ({ state, why }) => states.push(why ? `${state} ${why}` : state));
    events.on("stream:message", ({ event, data }) => {
      if (event !== "rt:ops") return void others.push([event, data]);
      const { t, o } = data;
      if (!positions.has(t)) return void wrong.push(`${t} ${o} is not for this page`);
      if (o <= positions.get(t)) return;
      const due = server.log.find((one) => one.t === t && one.o > positions.get(t));
      if (due.o !== o) wrong.push(`${t}: ${o} came, ${due.o} was due`);
      positions.set(t, o);
      (got[t] ??= []).push(o);
    });
    const stop = wire(rt);
    connection.start();
    const one = {
      rt, connection, events, lines, positions, got, wrong, states, others, state, stop, show, tab, env, session,
      fire: async (type, event = {}) => {
        for (const fn of [...(listeners.get(type) || [])]) fn(event);
        await settle();
      },
      /** As when it is closed. */
      async close() {
        tabs.splice(tabs.indexOf(one), 1);
        await one.fire("pagehide");
        page.crash();
        await settle();
      },
      /** Without a word. */
      async crash() {
        tabs.splice(tabs.indexOf(one), 1);
        state.hung = true;
        for (const { request } of server.open()) if (request.owner === one) request.aborted = true;
        page.crash();
        await settle();
      },
      /** Its thread is busy: nothing runs. */
      hang: () => void (state.hung = true),
      async wake() {
        state.hung = false;
        for (const run of state.backlog.splice(0)) {
          run();
          await settle();
        }
      },
      async look(visible) {
        state.hidden = !visible;
        await one.fire("visibilitychange");
      },
      /** New topics on the page. */
      async swap(topic) {
        show(topic);
        got[topic] ??= [];
        events.emit("swap");
        await settle();
      },
    };
    const fetch = env.fetch;
    env.fetch = (...args) => {
      const answer = fetch(...args);
      world.last.owner = one;
      return answer;
    };
    tabs.push(one);
    return one;
  }

  async function settle() {
    for (let i = 0; i < 5; i += 1) await world.settle();
  }

  /** Time passes, the server answers. */
  async function pass(ms, step = 50) {
    for (let left = ms; left >= 0; left -= step) {
      await world.pass(Math.min(step, Math.max(left, 0)));
      await settle();
      await server.serve();
      await settle();
    }
  }

  const missing = () =>
    tabs.flatMap((tab) =>
      [...tab.positions].flatMap(([topic, at]) => server.log.filter(({ t, o }) => t === topic && o > at).map(({ o }) => `${topic} ${o}`)),
    );

  return { world, locks, server, tabs, open, pass, settle, missing, channels };
}
