// `rt-queue`: actions that cannot be sent are kept on the device and sent later, each once (`protocol.md` §3).
import { carried, createAnswers, saidOf } from "./answer.js";
import { createCapture } from "./capture.js";
import { createDrain } from "./drain.js";
import { formOf } from "./edit.js";
import { openStore } from "./idb.js";
import { again } from "./queue.js";
import { configOf, createSend } from "./send.js";
import { createView } from "./view.js";

const LAST = 2 ** 52; // sorts what is being stored behind all that is

/** @typedef {import("./queue.js").Entry} Entry */

/** @param {import("../index.js").Runtime} rt */
function mount(rt) {
  const { win, doc, env, events, tab, tabs } = rt;
  const name = /** @type {any} */ (rt.config).name ?? "app";
  const key = `rt-queue:${name}`;
  const { locks } = win.navigator;
  const store = openStore(win.indexedDB, name);
  /** @type {Entry[]} */
  let entries = [];
  /** @type {Entry[]} on their way to the disk */
  let fresh = [];
  /** @type {Set<string>} done with, whatever a read that began before still says */
  const ended = new Set();
  /** @type {Map<string, Element>} */
  const targets = new Map();
  /** @type {Set<string>} conflicts that are being settled on the page */
  const reviewed = new Set();
  let leaveTab = () => {};

  let stranger = false; // somebody else has signed in since this page was made
  const who = () => (stranger ? "" : (configOf(doc).who ?? ""));
  const own = () => entries.filter((entry) => entry.who === who());

  async function refresh() {
    try {
      entries = [...(await store.all()), ...fresh].filter(({ action }) => !ended.has(action));
    } catch {
      // No database here: what cannot be kept says so.
    }
    render();
  }

  function render() {
    const mine = own();
    const root = doc.documentElement;
    if (mine.length) root.setAttribute("data-rt-queue", String(mine.length));
    else root.removeAttribute("data-rt-queue");
    const local = env.local();
    try {
      if (entries.length) local?.setItem(key, String(entries.length));
      else local?.removeItem(key);
    } catch {
      // Full: a page with `rt-queue` on it finds the entries all the same.
    }
    events.emit("queue:entries", { entries: mine.filter((entry) => entry.state !== "refused") });
    view.render({ entries, who: who(), now: env.now(), sending: drain.sending, signedOut: drain.signedOut });
  }

  /** Something changed in the store: here and in the other tabs. */
  async function changed() {
    tabs.send(key);
    await refresh();
  }

  /** @param {Entry} entry @param {any} request */
  async function keep(entry, request) {
    if (request.target) targets.set(entry.action, request.target);
    fresh.push({ ...entry, seq: LAST });
    entries = [...entries, fresh[fresh.length - 1]];
    // After the listeners of this step, all of which may look at `request.kept`.
    queueMicrotask(() => {
      events.emit("queue:kept", { request, entry });
      render();
    });
    let stored = true;
    try {
      await store.put(entry);
    } catch (error) {
      stored = false;
      console.error("htmx-rt: not kept", error);
    }
    fresh = fresh.filter(({ action }) => action !== entry.action);
    await changed();
    if (stored) return drain.kick();
    events.emit("queue:done", { action: entry.action, outcome: "lost" });
    view.tell("disk", request);
  }

  /** Is the tab that made it still there to show the answer? @param {string} id */
  const alive = async (id) => !!(await locks?.query())?.held?.some((lock) => lock.name === `${key}:${id}`);

  const drain = createDrain({
    env, locks, lock: key, store, who,
    send: createSend(rt),
    changed: () => render(),
    async settled(entry, verdict, answer) {
      if (!verdict) {
        over(entry.action);
        const said = saidOf(entry, answer);
        const here = entry.tab === tab.id || !(await alive(entry.tab));
        if (here) await show(said);
        else events.emit("queue:done", said);
        tabs.send(`${key}:done`, JSON.stringify(here ? { action: said.action, outcome: said.outcome, own: said.own } : carried(said)));
        view.sent();
      } else if (verdict.state === "refused") end(entry.action, "refused");
      await changed();
    },
  });
  const show = createAnswers(rt, targets);

  /** @param {string} action */
  function over(action) {
    ended.add(action);
    entries = entries.filter((entry) => entry.action !== action);
  }

  /** @param {string} action @param {string} outcome */
  function end(action, outcome) {
    events.emit("queue:done", { action, outcome });
    tabs.send(`${key}:done`, JSON.stringify({ action, outcome }));
  }

  const view = createView(rt, {
    async retry(entry) {
      if (entry) await store.change(entry.seq, again);
      await changed();
      drain.kick(true);
    },
    /** Taken out; what was taken can be put back. */
    async discard(entry, outcome) {
      await store.change(entry.seq, () => null);
      over(entry.action);
      end(entry.action, outcome);
      await changed();
      drain.kick(); // those behind it
    },
    async bring(entry) {
      ended.delete(entry.action);
      await store.put(entry);
      await changed();
      drain.kick();
    },
    async review(entry, place) {
      reviewed.add(entry.action);
      // Into its form, where that is here and knows how to show a conflict.
      const asked = { form: formOf(doc, entry), html: entry.reason?.html ?? "", shown: null };
      events.emit("edit:panel", asked);
      if (asked.shown) return asked.shown;
      const known = targets.get(entry.action);
      const here = entry.page === win.location.pathname + win.location.search;
      const target = here ? (known?.isConnected ? known : entry.target ? doc.querySelector(entry.target) : null) : null;
      await /** @type {any} */ (rt.bridge).swap(target ?? place, entry.reason?.html ?? "", target ? entry.swap : "innerHTML");
      return target && (doc.querySelector(entry.target || "*") ?? target);
    },
  });

  const capture = createCapture({
    rt, who, keep,
    list: () => entries,
    resolving: (request) => !!settledBy(request),
    signedOut: () => void (drain.signedOut = true),
    tell: view.tell,
  });

  /** The conflict that a request settles: one to the same place, after it was reviewed. @param {any} request */
  const settledBy = (request) =>
    request.safe ? undefined : entries.find((entry) => reviewed.has(entry.action) && entry.url.split("?")[0] === request.path);

  /** What was settled on the page has done what the entry was for. @param {any} detail */
  function settle({ request, outcome }) {
    const entry = outcome === "ok" || request.kept ? settledBy(request) : undefined;
    if (entry) view.remove(entry, "resolved");
  }

  function enter() {
    locks?.request(`${key}:${tab.id}`, () => new Promise((done) => (leaveTab = () => done(0)))).catch(() => {});
  }

  const offs = [
    capture,
    events.on("request:end", settle),
    events.on("queue:ask", render),
    events.on("swap", () => view.found()), // the bar may be new
    events.on("stream:state", ({ state, why }) => {
      if (stranger !== (stranger = state === "refused" && why === "user-changed")) render();
      if (state === "connected" && connected !== (connected = true)) drain.kick(true);
      else if (state !== "connected") connected = false;
    }),
    env.on("online", () => drain.kick(true)),
    env.on("offline", render),
    env.on("pagehide", () => {
      drain.suspend();
      leaveTab();
    }),
    env.on("pageshow", (event) => {
      if (!event.persisted) return;
      enter();
      drain.resume();
      refresh();
    }),
    tabs.on(key, refresh),
    tabs.on(`${key}:done`, (value) => {
      const said = JSON.parse(value);
      if (said.outcome !== "refused") over(said.action);
      if (said.entry?.tab === tab.id) show(said);
      else events.emit("queue:done", said);
      refresh();
    }),
  ];
  let connected = false;
  enter();
  rt.connection.tell();
  refresh().then(() => drain.kick());
  return () => {
    for (const off of offs) off();
    drain.suspend();
    leaveTab();
    view.stop();
    store.close();
  };
}

/** @type {import("../index.js").Feature[]} */
export const features = [{ name: "queue", mount }];
