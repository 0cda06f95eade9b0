// `htmx-rt-dev.mjs`, for development: a slower line, and a list of the actions that would be better optimistic.

const HIGH = 300; // ms
const COUNTED = 20; // times of an action that are kept
const ENOUGH = 5; // times after which it is judged

/** @param {number[]} times */
export const p95 = (times) => times.slice().sort((a, b) => a - b)[Math.ceil(times.length * 0.95) - 1];

/** Addresses of one kind. @param {string} path */
export const patternOf = (path) => path.replace(/\/(\d+|[0-9a-f]{8,}|[0-9a-f-]{36})(?=\/|$)/gi, "/…");

/** Takes the time of each action, and says once of those that are slow. */
export function createList() {
  /** @type {Map<string, number[]>} */
  const actions = new Map();
  /** @type {Set<string>} */
  const listed = new Set();

  /** @param {import("./bridge/index.js").Request} request @param {number} ms */
  return ({ elt, method, path = "" }, ms) => {
    if (elt.closest("[rt-optimistic],[rt-confirm-first],[rt-move]")) return;
    const name = `${method} ${patternOf(path)}`;
    const times = [...(actions.get(name) ?? []), ms].slice(-COUNTED);
    actions.set(name, times);
    if (listed.has(name) || times.length < ENOUGH || p95(times) <= HIGH) return;
    listed.add(name);
    console.info(`htmx-rt: ${name} takes ${Math.round(p95(times))} ms (95th percentile) and is not optimistic`);
  };
}

/** Everything the page asks for leaves later. @param {any} win @param {number} ms @returns {() => void} ends it */
export function delay(win, ms) {
  const { fetch } = win;
  const { send, abort } = win.XMLHttpRequest.prototype;
  /** @type {WeakMap<XMLHttpRequest, () => void>} */
  const waiting = new WeakMap();
  win.fetch = async (/** @type {any} */ input, /** @type {RequestInit} */ init) => {
    await new Promise((go) => {
      win.setTimeout(go, ms);
      init?.signal?.addEventListener("abort", go);
    });
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
