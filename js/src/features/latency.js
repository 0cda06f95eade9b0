// How far away the server is: `<html data-rt-latency="low|mid|high">`, so that a page can choose its feedback by CSS.
// For development: a slower line, and a list of the actions that would be better optimistic.

const SAMPLES = 5; // of which the shortest counts: the rest of the time is the server's own
const LOW = 100; // ms
const HIGH = 300; // ms
const COUNTED = 20; // times of an action that are kept
const ENOUGH = 5; // times after which it is judged

/** @param {number} ms */
export const levelOf = (ms) => (ms < LOW ? "low" : ms <= HIGH ? "mid" : "high");

/** @param {number[]} times */
export const p95 = (times) => times.slice().sort((a, b) => a - b)[Math.ceil(times.length * 0.95) - 1];

/** Addresses of one kind. @param {string} path */
export const patternOf = (path) => path.replace(/\/(\d+|[0-9a-f]{8,}|[0-9a-f-]{36})(?=\/|$)/gi, "/…");

/** @type {import("../index.js").Feature} */
export const latency = {
  name: "latency",
  mount({ config, door, doc, win, env, events }) {
    const root = doc.documentElement;
    /** @type {number[]} */
    let samples = [];
    /** @type {WeakMap<object, number>} when each left */
    const left = new WeakMap();
    /** @type {Map<string, number[]>} */
    const actions = new Map();
    /** @type {Set<string>} */
    const listed = new Set();
    let restore = () => {};

    /** @param {number} ms */
    function sample(ms) {
      samples = [...samples, ms].slice(-SAMPLES);
      root.setAttribute("data-rt-latency", levelOf(Math.min(...samples)));
    }

    /** @param {import("../bridge/index.js").Request} request @param {number} ms */
    function list({ elt, method, path = "" }, ms) {
      if (elt.closest("[rt-optimistic],[rt-confirm-first],[rt-move]")) return;
      const name = `${method} ${patternOf(path)}`;
      const times = [...(actions.get(name) ?? []), ms].slice(-COUNTED);
      actions.set(name, times);
      if (listed.has(name) || times.length < ENOUGH || p95(times) <= HIGH) return;
      listed.add(name);
      console.info(`htmx-rt: ${name} takes ${Math.round(p95(times))} ms (95th percentile) and is not optimistic`);
    }

    /** @param {number} ms */
    function simulate(ms) {
      restore();
      samples = [];
      if (ms > 0) restore = delay(win, ms);
    }

    const [page] = /** @type {PerformanceNavigationTiming[]} */ (win.performance.getEntriesByType("navigation"));
    if (page?.responseStart && page.requestStart) sample(page.responseStart - page.requestStart);
    door.simulateLatency = simulate;
    const offs = [
      events.on("request:start", ({ request }) => void left.set(request, env.now())),
      events.on("request:answered", ({ request }) => {
        const ms = env.now() - (left.get(request) ?? NaN);
        if (!(ms >= 0)) return;
        if (request.safe) sample(ms);
        else if (config.debug && request.status < 400) list(request, ms);
      }),
    ];
    return () => {
      restore();
      for (const off of offs) off();
      root.removeAttribute("data-rt-latency");
    };
  },
};

/** Everything the page asks for leaves later. @param {any} win @param {number} ms @returns {() => void} ends it */
function delay(win, ms) {
  const { fetch } = win;
  const { send, abort } = win.XMLHttpRequest.prototype;
  /** @type {WeakMap<XMLHttpRequest, () => void>} */
  const waiting = new WeakMap();
  win.fetch = async (/** @type {any} */ input, /** @type {RequestInit} */ init) => {
    await new Promise((go) => win.setTimeout(go, ms));
    return fetch.call(win, input, init);
  };
  win.XMLHttpRequest.prototype.send = function (/** @type {any} */ body) {
    const go = () => {
      win.clearTimeout(timer);
      waiting.delete(this);
      send.call(this, body);
    };
    const timer = win.setTimeout(go, ms);
    waiting.set(this, go);
  };
  win.XMLHttpRequest.prototype.abort = function () {
    waiting.get(this)?.(); // what has not left tells nobody that it was aborted
    abort.call(this);
  };
  return () => {
    win.fetch = fetch;
    Object.assign(win.XMLHttpRequest.prototype, { send, abort });
  };
}
