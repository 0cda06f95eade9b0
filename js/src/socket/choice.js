// Which kind of line is opened, and what is known of that from before. Twice in a row without success is a failure;
// what works instead is kept for a day for the pages of this browser.

/** @typedef {"sse" | "socket"} Kind */

const KEY = "rt-transport";
const KEPT = 86_400_000; // ms for which a browser keeps to what worked
export const DEAD = 600_000; // ms in which a page does not go back to sockets that failed
const STRIKES = 2;

/**
 * @param {Pick<import("../env.js").Env, "local" | "now">} env
 * @param {boolean} [wish]  sockets: true by choice, false never
 */
export function createChoice(env, wish) {
  const first = wish ? "socket" : "sse";
  /** @type {Record<Kind, number>} tries in a row that failed */
  const strikes = { sse: 0, socket: 0 };
  let dead = 0; // until when sockets are not tried again
  /** @type {Kind} */
  let now = read() ?? first;

  /** @returns {Kind | undefined} */
  function read() {
    const [, kind, until] = /^(sse|socket) (\d+)$/.exec(env.local()?.getItem(KEY) ?? "") ?? [];
    const left = Number(until) - env.now();
    if (left > 0 && left <= KEPT && allowed(/** @type {Kind} */ (kind))) return /** @type {Kind} */ (kind);
    keep(first);
    return undefined;
  }

  /** What the page begins with anyway needs no memory. @param {Kind} kind */
  function keep(kind) {
    try {
      if (kind === first) env.local()?.removeItem(KEY);
      else env.local()?.setItem(KEY, `${kind} ${env.now() + KEPT}`);
    } catch {
      // No storage: each page finds out for itself.
    }
  }

  /** @param {Kind} kind */
  function allowed(kind) {
    return kind === "sse" || (wish !== false && typeof WebSocket === "function");
  }

  /** What may be tried instead. @param {Kind} kind @returns {Kind | undefined} */
  function other(kind) {
    const next = kind === "sse" ? "socket" : "sse";
    return allowed(next) && (next === "sse" || dead <= env.now()) ? next : undefined;
  }

  return {
    kind: () => now,
    other,

    /** A line of this kind has brought its first event. @param {Kind} kind */
    worked(kind) {
      strikes[kind] = 0;
      if (kind === now && kind !== read()) keep(kind);
    },

    /** One did not; true when the other kind is next. @param {Kind} kind @param {boolean} [sure] no second try is needed */
    failed(kind, sure) {
      strikes[kind] += 1;
      const next = other(kind);
      if (kind !== now || (strikes[kind] < STRIKES && !sure) || !next) return false;
      strikes[kind] = 0;
      if (kind === "socket") dead = env.now() + DEAD;
      now = next;
      return true;
    },
  };
}
