// What the connection needs of a browser, in one place, so that tests can give it another one.

/**
 * @typedef {object} Env
 * @property {typeof fetch} fetch
 * @property {() => number} now  Unix milliseconds
 * @property {() => number} random
 * @property {(fn: () => void, ms: number) => () => void} after  runs `fn` later; the answer cancels it
 * @property {(type: string, fn: (event: any) => void) => () => void} on  events of window and document
 * @property {() => boolean} hidden
 * @property {() => boolean} offline
 * @property {() => boolean} http1  the page came over HTTP/1, where a stream costs one of six connections
 * @property {() => Storage | null} session  sessionStorage, where it is allowed
 * @property {() => Storage | null} local  localStorage, where it is allowed
 */

/**
 * @param {Window & typeof globalThis} win
 * @returns {Env}
 */
export function browserEnv(win) {
  /** @param {"sessionStorage" | "localStorage"} kind */
  const storage = (kind) => {
    try {
      return win[kind];
    } catch {
      return null; // blocked by the browser's settings
    }
  };
  return {
    fetch: (input, init) => win.fetch(input, init),
    now: () => Date.now(),
    random: () => Math.random(),
    after(fn, ms) {
      const timer = win.setTimeout(fn, ms);
      return () => win.clearTimeout(timer);
    },
    on(type, fn) {
      win.addEventListener(type, fn); // those of the document bubble up to here
      return () => win.removeEventListener(type, fn);
    },
    hidden: () => win.document.hidden,
    offline: () => win.navigator.onLine === false,
    http1() {
      const [page] = /** @type {PerformanceNavigationTiming[]} */ (win.performance.getEntriesByType("navigation"));
      return /^http\/1/.test(page?.nextHopProtocol || "");
    },
    session: () => storage("sessionStorage"),
    local: () => storage("localStorage"),
  };
}
