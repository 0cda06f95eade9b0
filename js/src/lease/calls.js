// What is said to the server about one record: one call at a time, in order, tried again until the line breaks.
const ANSWER = 8_000; // ms for an answer
const MOST = 6; // acts that wait
const SOON = 250; // ms until the second try, which double up to the last one, and as much again at random
const SLOW = 8_000; // ms

/**
 * @typedef {object} Person a tab that holds or asks: key, name, colour, public name of the tab
 * @property {string} k @property {string} n @property {number} c @property {string} tab
 *
 * @typedef {object} Told what the server says of a lease
 * @property {number} fence
 * @property {Person | null} holder
 * @property {(Person & {ms: number}) | null} ask
 * @property {string} [why]
 * @property {boolean} [mine] of an answer, as the others below
 * @property {string} [you] @property {number} [ttl] s @property {number} [beat] s
 */

/** @typedef {ReturnType<typeof createPost>} Post */

/** @param {import("../index.js").Runtime} rt @param {() => string | undefined} grantOf */
export function createPost({ env, tab, config }, grantOf) {
  /** @param {string} path below the prefix @param {object} what @param {boolean} [keepalive] it outlives the page @returns {Promise<Response | null>} null where nobody answered */
  return async (path, what, keepalive = false) => {
    const grant = grantOf();
    if (!grant || !tab.gen) return null;
    return env.fetch(`${config.prefix}/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      // In quotes: the build shortens names that our own modules share, and this one goes over the wire.
      body: JSON.stringify({ tab: tab.id, gen: tab.gen, "grant": grant, ...what }),
      keepalive,
      signal: AbortSignal.timeout(ANSWER),
    }).catch(() => null);
  };
}

/**
 * @param {import("../index.js").Runtime} rt @param {Post} post @param {string} resource
 * @param {(told: Told, act: string) => void} answer
 */
export function createCalls({ env }, post, resource, answer) {
  let pause = SOON;
  /** @type {string[]} */
  let waiting = [];
  let busy = false;
  let shut = false; // refused, until another stream brings another grant
  let round = 0; // calls of a line that is gone count no more
  let cancel = () => {};

  async function next() {
    cancel();
    if (busy || !waiting.length) return;
    busy = true;
    const [act] = waiting;
    const mine = round;
    const response = await post(`locks/${encodeURIComponent(resource)}`, { act, ...(env.hidden() && { hidden: true }) }, act === "release");
    const told = response?.ok ? await response.json().catch(() => null) : null;
    busy = false;
    if (mine !== round) return next();
    // What may be answered otherwise the next time.
    if (!told && (!response || response.status === 429 || response.status >= 500)) {
      const after = Number(response?.headers.get("Retry-After") ?? 0) * 1_000;
      cancel = env.after(next, Math.max(pause, after) + pause * env.random());
      pause = Math.min(SLOW, pause * 2);
      return;
    }
    pause = SOON;
    waiting.shift();
    shut = !told;
    if (shut) waiting = [];
    else if (!waiting.includes("release")) answer(told, act);
    next();
  }

  return {
    /** Are there calls without an answer? */
    get busy() {
      return waiting.length > 0;
    },

    /** Am I letting go? Then nothing said before counts. */
    get ending() {
      return waiting.includes("release");
    },

    /** @param {string} act as `LEASE_ACTS` */
    say(act) {
      if (shut) return;
      // To let go takes back what was not yet sent; the same twice is once.
      if (act === "release") waiting = busy ? waiting.slice(0, 1) : [];
      if (waiting.indexOf(act, busy ? 1 : 0) >= 0 || waiting.length >= MOST) return;
      waiting.push(act);
      next();
    },

    open: () => void (shut = false),

    /** The line is gone, and with it what was to be said over it. */
    drop() {
      round += 1;
      waiting = [];
      cancel();
      pause = SOON;
    },
  };
}
