// Puts the parts together, once a page. Everything it starts can be stopped again.
import { createApply } from "./apply.js";
import { createBackoff } from "./backoff.js";
import { adapterOf, createBridge } from "./bridge/index.js";
import { createConnection } from "./connection.js";
import { browserEnv } from "./env.js";
import { createEvents } from "./events.js";
import { status } from "./features/status.js";
import { PREFIX } from "./protocol.js";
import { openStream } from "./stream.js";
import { createSubscriptions } from "./subscriptions.js";
import { createTab } from "./tab.js";

/**
 * @typedef {object} Config  what `{{ rt.head() }}` writes into `<meta name="htmx-rt">`
 * @property {string} name
 * @property {string} prefix
 * @property {string} [who]  of the person and the browser, for what may not pass from one to another
 * @property {string} [build]
 * @property {number} [up]  since when the worker that rendered it runs, Unix seconds
 * @property {string | null} [signIn]  address of the page to sign in on; "{path}" in it is where to return to
 * @property {boolean} [socket]  lines are WebSockets: true from the start, false never, otherwise where streams do not get through
 * @property {boolean} [debug]
 * @property {string} [lang]
 *
 * @typedef {object} Runtime  what a feature may use
 * @property {any} door  `window.htmxRt`, to which features add
 * @property {Config} config
 * @property {Window & typeof globalThis} win
 * @property {Document} doc
 * @property {import("./env.js").Env} env
 * @property {import("./events.js").Events} events
 * @property {import("./tab.js").Tab} tab
 * @property {import("./tabs.js").Tabs} tabs  from more.js on
 * @property {[name: string, args: any[], done: (value: any) => void][]} asked  calls of the door that more.js takes up
 * @property {Map<string, number>} positions
 * @property {import("./subscriptions.js").Subscriptions} subscriptions
 * @property {import("./stream.js").Lines} lines
 * @property {import("./connection.js").Connection} connection
 * @property {ReturnType<typeof createBridge> & import("./bridge/request.js").More} bridge
 * @property {ReturnType<typeof createApply>} apply
 * @property {WeakSet<Element>} typed  fields in which a person was on this page
 * @property {WeakMap<Node, any>} [sent]  the last request of each form, until the drafts are there
 * @property {string} [heard]  what renew.js is to begin with: `RT-Build`
 * @property {Map<string, number>} [counts]  how many people are on a presence topic, once presence is there
 * @property {(file: string) => Promise<any>} load  a file beside the core, tried until it comes
 *
 * @typedef {object} Feature
 * @property {string} name
 * @property {(rt: Runtime, early?: any[]) => () => void} mount  the answer unmounts it; `early` calls, of a part fetched by need
 */

// What the features of more.js listen to and must not miss; of the state of the line they are told the present one.
const KEPT = ["call", "request:start", "request:end", "toast", "announce", "resync", "stale"];

/** @type {Runtime | undefined} */
let rt;
/** @type {(() => void)[]} */
let stops = [];
let stopped = false;

/** @param {Window & typeof globalThis} win */
async function start(win) {
  const doc = win.document;
  const meta = doc.querySelector('meta[name="htmx-rt"]');
  const htmx = /** @type {any} */ (win).htmx;
  if (!meta || !htmx) return console.error("htmx-rt: not started, no", meta ? "htmx" : "rt.head()");
  /** @type {Config} */
  const config = { prefix: PREFIX, ...JSON.parse(meta.getAttribute("content") || "{}") };
  const env = browserEnv(win);
  /** @type {import("./stream.js").Lines} */
  const lines = { open: openStream };
  /** @type {WeakSet<Element>} */
  const typed = new WeakSet();
  stops = [env.on("input", (event) => typed.add(event.target))];
  const load = (/** @type {string} */ file) => beside(env, file);
  const adapt = await adapterOf(htmx, load);
  if (stopped) return;
  const events = createEvents();
  const tab = createTab(env);
  /** @type {Map<string, number>} */
  const positions = new Map();
  const cursor = () => connection.cursor;
  // Subscriptions listen first: a hello settles the positions before anybody else looks at them.
  const subscriptions = createSubscriptions({ doc, events, positions, tab, refresh: () => connection.refresh() });
  const connection = createConnection({ env, lines, events, url: `${config.prefix}/stream`, body: subscriptions.body });
  const bridge = createBridge({ htmx, adapt, events, tab, cursor });
  const apply = createApply({ bridge, events, positions, cursor });
  // What `More` adds comes with more.js.
  const all = (rt = /** @type {Runtime} */ (/** @type {any} */ ({ door, config, win, doc, env, events, tab, positions, subscriptions, lines, asked, connection, bridge, apply, load, typed })));
  stops.push(connection.stop, subscriptions.stop, apply.stop, bridge.stop, tab.stop, status.mount(rt));
  /** @type {[string, any][]} */
  const early = [];
  const offs = KEPT.map((name) => events.on(name, (detail) => early.push([name, detail])));
  const more = load("htmx-rt-more.mjs");
  // Other lines than a POST are there before the first is opened.
  if (config.socket || env.local()?.["rt-transport"]) stops.push((await load("htmx-rt-socket.mjs")).wire(all));
  if (env.http1()) stops.push((await load("htmx-rt-shared.mjs")).wire(all));
  if (stopped) return;
  connection.start();
  /** @type {{features: Feature[]}} */
  const { features } = await more;
  for (const off of offs) off();
  if (stopped) return;
  for (const feature of features) stops.push(feature.mount(all));
  connection.tell();
  for (const [name, detail] of early) events.emit(name, detail);
}

/** A file of the kit that lies beside this one. Browsers do not ask twice for an address that failed them.
 * @param {import("./env.js").Env} env @param {string} file @returns {Promise<any>} */
async function beside(env, file) {
  const backoff = createBackoff({ random: env.random });
  for (let n = 0; ; n += 1) {
    const address = `./${file}${n ? `?${n}` : ""}`;
    try {
      return await import(address);
    } catch {
      await new Promise((again) => env.after(() => again(0), backoff.next()));
    }
  }
}

/** What was asked before the part that does it was there. @type {[string, any[], (done: any) => void][]} */
const asked = [];

/** The public door, `window.htmxRt`. */
const door = {
  version: __VERSION__,

  /** As in `<html data-rt>`, or "idle" on a page without streams. */
  get state() {
    return rt ? rt.connection.state : "idle";
  },

  /** The parts, with `debug` only. */
  get rt() {
    return rt?.config.debug ? rt : undefined;
  },

  /**
   * Listens to an `rt:*` event of the page: `on(name, fn)`; or to what is said on a topic: `on(topic, name, fn)`.
   * @param {[...string[], (detail: any, event: Event) => void]} names @returns {() => void} ends it
   */
  on(...names) {
    const fn = /** @type {(detail: any, event: Event) => void} */ (names.pop());
    const name = names.join(" ");
    const listener = (/** @type {Event} */ event) => fn(/** @type {CustomEvent} */ (event).detail, event);
    document.addEventListener(name, listener);
    return () => document.removeEventListener(name, listener);
  },

  /** Connect now. */
  retry() {
    rt?.connection.retry();
  },

  /** Ends everything, for good. */
  stop() {
    stopped = true;
    rt = undefined;
    for (const stop of stops.splice(0)) stop();
  },
};

for (const name of ["signal", "join", "simulateDisconnect"]) {
  /** @type {any} */ (door)[name] = (/** @type {any[]} */ ...args) => new Promise((done) => asked.push([name, args, done]));
}
const host = /** @type {{htmxRt?: typeof door}} */ (/** @type {unknown} */ (window));
const first = !host.htmxRt; // a boosted page runs its scripts again
export const htmxRt = (host.htmxRt ??= door);

if (first) {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => start(window), { once: true });
  else start(window);
}
