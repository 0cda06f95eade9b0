// Puts the parts together, once a page. Everything it starts can be stopped again.
import { createApply } from "./apply.js";
import { createBridge } from "./bridge/index.js";
import { mountCalls } from "./calls.js";
import { createConnection } from "./connection.js";
import { browserEnv } from "./env.js";
import { createEvents } from "./events.js";
import { announce } from "./features/announce.js";
import { banner } from "./features/banner.js";
import { requires } from "./features/requires.js";
import { status } from "./features/status.js";
import { theme } from "./features/theme.js";
import { toasts } from "./features/toasts.js";
import { PREFIX } from "./protocol.js";
import { mountResync } from "./resync.js";
import { createSubscriptions } from "./subscriptions.js";
import { createTab } from "./tab.js";
import { createTabs } from "./tabs.js";

/**
 * @typedef {object} Config  what `{{ rt.head() }}` writes into `<meta name="htmx-rt">`
 * @property {number} v
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

const FEATURES = [status, announce, toasts, banner, requires, theme];

/** @param {Window & typeof globalThis} win */
function start(win) {
  const doc = win.document;
  const meta = doc.querySelector('meta[name="htmx-rt"]');
  const htmx = /** @type {any} */ (win).htmx;
  if (!meta || !htmx) return console.error(`htmx-rt: not started, ${meta ? "htmx is not on this page" : "rt.head() is missing"}`);
  /** @type {Config} */
  const config = { v: 1, prefix: PREFIX, ...JSON.parse(meta.getAttribute("content") || "{}") };
  const env = browserEnv(win);
  const events = createEvents();
  const tab = createTab(env);
  const tabs = createTabs(env);
  /** @type {Map<string, number>} */
  const positions = new Map();
  // Subscriptions listen first: a hello settles the positions before anybody else looks at them.
  const subscriptions = createSubscriptions({ doc, events, positions, tab, refresh: () => connection.refresh() });
  const connection = createConnection({ env, events, tabs, url: `${config.prefix}/stream`, body: subscriptions.body });
  const cursor = () => connection.cursor;
  const bridge = createBridge({ htmx, events, tab, cursor });
  const apply = createApply({ bridge, events, positions, cursor });
  /** @type {Runtime} */
  const rt = { config, win, doc, env, events, tab, tabs, positions, subscriptions, connection, bridge, apply };
  const stops = FEATURES.map((feature) => feature.mount(rt));
  stops.push(mountCalls(rt), mountResync(rt));
  if (config.debug) htmxRt.rt = rt;

  htmxRt.retry = connection.retry;
  htmxRt.simulateDisconnect = (on = true) => connection.simulate(on);
  htmxRt.stop = () => {
    connection.stop();
    subscriptions.stop();
    for (const stop of [...stops, apply.stop, bridge.stop, tab.stop]) stop();
  };
  Object.defineProperties(htmxRt, {
    state: { get: () => connection.state, configurable: true },
    theme: {
      get: () => doc.documentElement.getAttribute("data-rt-theme") || "system",
      set: (choice) => events.emit("theme", choice),
      configurable: true,
    },
  });
  connection.start();
}

/**
 * The public door, `window.htmxRt`.
 *
 * @typedef {object} HtmxRt
 * @property {string} version
 * @property {string} state  as in `<html data-rt>`, or "idle" on a page without streams
 * @property {string} theme  "light", "dark" or "system"; may be set
 * @property {(name: string, fn: (detail: any, event: Event) => void) => () => void} on  an `rt:*` event of the page; the answer ends it
 * @property {() => void} retry  connect now
 * @property {(on?: boolean) => void} simulateDisconnect  for development: cuts the stream, and only the stream, until called with false
 * @property {() => void} stop  ends everything, for good
 * @property {Runtime} [rt]  the parts, with `debug` only
 */

/** @type {HtmxRt} */
const fresh = {
  version: __VERSION__,
  state: "idle",
  theme: "system",
  on(name, fn) {
    const listener = (/** @type {Event} */ event) => fn(/** @type {CustomEvent} */ (event).detail, event);
    document.addEventListener(name, listener);
    return () => document.removeEventListener(name, listener);
  },
  retry() {},
  simulateDisconnect() {},
  stop() {},
};

const host = /** @type {{htmxRt?: HtmxRt}} */ (/** @type {unknown} */ (window));
const first = !host.htmxRt; // a boosted page runs its scripts again
export const htmxRt = (host.htmxRt ??= fresh);

if (first) {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => start(window), { once: true });
  else start(window);
}
