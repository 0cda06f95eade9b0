// Puts the parts together, once a page. Everything it starts can be stopped again.
import { createApply } from "./apply.js";
import { createBridge } from "./bridge/index.js";
import { mountCalls } from "./calls.js";
import { createConnection } from "./connection.js";
import { browserEnv } from "./env.js";
import { createEvents } from "./events.js";
import { announce } from "./features/announce.js";
import { banner } from "./features/banner.js";
import { status } from "./features/status.js";
import { toasts } from "./features/toasts.js";
import { PREFIX } from "./protocol.js";
import { createSubscriptions } from "./subscriptions.js";
import { createTab } from "./tab.js";
import { createTabs } from "./tabs.js";

/**
 * @typedef {object} Config  what `{{ rt.head() }}` writes into `<meta name="htmx-rt">`
 * @property {string} prefix
 * @property {string} [build]
 * @property {boolean} [debug]
 * @property {string} [lang]
 *
 * @typedef {object} Runtime  what a feature may use
 * @property {Config} config
 * @property {Window & typeof globalThis} win
 * @property {Document} doc
 * @property {import("./env.js").Env} env
 * @property {import("./events.js").Events} events
 * @property {import("./tab.js").Tab} tab
 * @property {import("./tabs.js").Tabs} tabs
 * @property {Map<string, number>} positions
 * @property {import("./subscriptions.js").Subscriptions} subscriptions
 * @property {import("./connection.js").Connection} connection
 * @property {ReturnType<typeof createBridge>} bridge
 * @property {ReturnType<typeof createApply>} apply
 *
 * @typedef {object} Feature
 * @property {string} name
 * @property {(rt: Runtime) => () => void} mount  the answer unmounts it
 */

const CORE = [status, announce, toasts, banner];

/** @type {Runtime | undefined} */
let rt;
/** @type {(() => void)[]} */
let stops = [];

/** @param {Window & typeof globalThis} win */
function start(win) {
  const doc = win.document;
  const meta = doc.querySelector('meta[name="htmx-rt"]');
  const htmx = /** @type {any} */ (win).htmx;
  if (!meta || !htmx) return console.error("htmx-rt: not started, no", meta ? "htmx" : "rt.head()");
  /** @type {Config} */
  const config = { prefix: PREFIX, ...JSON.parse(meta.getAttribute("content") || "{}") };
  const env = browserEnv(win);
  const events = createEvents();
  const tab = createTab(env);
  const tabs = createTabs(env);
  /** @type {Map<string, number>} */
  const positions = new Map();
  const cursor = () => connection.cursor;
  // Subscriptions listen first: a hello settles the positions before anybody else looks at them.
  const subscriptions = createSubscriptions({ doc, events, positions, tab, refresh: () => connection.refresh() });
  const connection = createConnection({ env, events, tabs, url: `${config.prefix}/stream`, body: subscriptions.body });
  const bridge = createBridge({ htmx, events, tab, cursor });
  const apply = createApply({ bridge, events, positions, cursor });
  rt = { config, win, doc, env, events, tab, tabs, positions, subscriptions, connection, bridge, apply };
  stops = [connection.stop, subscriptions.stop, apply.stop, bridge.stop, tab.stop, mountCalls(rt)];
  mount(rt, CORE);
  loadMore(rt);
  connection.start();
}

/** @param {Runtime} runtime @param {Feature[]} features */
function mount(runtime, features) {
  for (const feature of features) stops.push(feature.mount(runtime));
}

/** @param {Runtime} runtime */
async function loadMore(runtime) {
  const { events, connection } = runtime;
  /** @type {any[]} */
  const early = [];
  const off = events.on("resync", (wish) => early.push(wish)); // kept for who comes late
  // @ts-expect-error it lies beside this file on the server, not here
  const loaded = await import("./htmx-rt-more.mjs").catch(() => null);
  if (!rt) return off();
  if (!loaded) {
    const again = events.on("stream:open", () => (again(), loadMore(runtime))); // when the server is back
    return;
  }
  off();
  mount(runtime, loaded.more);
  connection.tell();
  for (const wish of early) events.emit("resync", wish);
}

/** The public door, `window.htmxRt`. */
const door = {
  version: __VERSION__,

  /** As in `<html data-rt>`, or "idle" on a page without streams. */
  get state() {
    return rt ? rt.connection.state : "idle";
  },

  /** "light", "dark" or "system". */
  get theme() {
    return document.documentElement.getAttribute("data-rt-theme") || "system";
  },
  set theme(choice) {
    rt?.events.emit("theme", choice);
  },

  /** The parts, with `debug` only. */
  get rt() {
    return rt?.config.debug ? rt : undefined;
  },

  /**
   * Listens to an `rt:*` event of the page.
   * @param {string} name @param {(detail: any, event: Event) => void} fn @returns {() => void} ends it
   */
  on(name, fn) {
    const listener = (/** @type {Event} */ event) => fn(/** @type {CustomEvent} */ (event).detail, event);
    document.addEventListener(name, listener);
    return () => document.removeEventListener(name, listener);
  },

  /** Connect now. */
  retry() {
    rt?.connection.retry();
  },

  /** For development: cuts the stream, and only the stream, until it is called with false. */
  simulateDisconnect(cut = true) {
    rt?.connection.simulate(cut);
  },

  /** Ends everything, for good. */
  stop() {
    rt = undefined;
    for (const stop of stops.splice(0)) stop();
  },
};

const host = /** @type {{htmxRt?: typeof door}} */ (/** @type {unknown} */ (window));
const first = !host.htmxRt; // a boosted page runs its scripts again
export const htmxRt = (host.htmxRt ??= door);

if (first) {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => start(window), { once: true });
  else start(window);
}
