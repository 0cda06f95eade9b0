// What the bar shows for a state of the connection at a moment. Pure.

export const QUIET = 2_000; // ms of an outage in which nothing is said
export const LONG = 15_000; // ms after which there is something to press

/**
 * @typedef {object} Status  what `stream:state` says
 * @property {string} state
 * @property {number} since  Unix ms
 * @property {number} nextTry  Unix ms, 0 when none is planned
 * @property {string} why
 *
 * @typedef {object} View
 * @property {string} word  which sentence of `words.js`
 * @property {"warn" | "calm" | "ok"} tone
 * @property {boolean} [kept]  says that unsaved work is kept
 * @property {number} [next]  seconds until the next try
 * @property {boolean} [retry]
 * @property {boolean} [reload]
 * @property {number} again  ms until the view changes by itself; 0 never
 */

/** @type {Record<string, string>} */
const REFUSED = { "signed-out": "signedOut", "user-changed": "userChanged", "too-many": "tooMany", forbidden: "forbidden" };
const RELOAD = ["signedOut", "userChanged"]; // a try alone would not help these

/**
 * @param {Status} status
 * @param {number} now
 * @param {boolean} stale  something on the page could not be fetched again
 * @returns {View | null}
 */
export function view({ state, since, nextTry, why }, now, stale) {
  if (state === "refused" && why !== "no-cookie") {
    const word = REFUSED[why] || "stopped";
    const reload = RELOAD.includes(word);
    return { word, tone: reload ? "warn" : "calm", retry: !reload, reload: reload || word === "stopped", again: 0 };
  }
  if (["connecting", "disconnected", "offline"].includes(state)) {
    const past = now - since;
    if (past < QUIET) return null;
    const word = state === "offline" ? "offline" : why === "moving" ? "moving" : "reconnecting";
    const tone = word === "moving" && past < LONG ? "calm" : "warn";
    if (past < LONG) return { word, tone, again: LONG - past };
    const next = nextTry > now ? Math.ceil((nextTry - now) / 1000) : 0;
    return { word, tone, kept: true, next, retry: true, reload: true, again: next ? (nextTry - now) % 1000 || 1000 : 0 };
  }
  return stale ? { word: "stale", tone: "calm", reload: true, again: 0 } : null;
}
