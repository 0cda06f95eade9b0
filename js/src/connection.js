// The life of a page's connection: when a stream is opened, given up, tried again. `protocol.md` §2, "Client".
import { createBackoff } from "./backoff.js";
import { parseCursor } from "./cursor.js";
import { BYE, HELLO, STOP } from "./protocol.js";

/**
 * @typedef {"idle" | "connecting" | "connected" | "moving" | "disconnected" | "offline" | "refused"} State
 *   idle: the page has nothing to listen to
 *
 * @typedef {object} Line  one stream and what is held back of its replay
 * @property {import("./stream.js").Stream} stream
 * @property {{event: string, data: any}[] | null} replay  null once the replay was handed on
 *
 * @typedef {object} Connection
 * @property {State} state
 * @property {string | null} cursor  the place in the log up to which everything was handed on
 * @property {() => void} tell  says the state again, to who came late
 * @property {() => void} start
 * @property {() => void} stop
 * @property {() => void} retry  try now, whatever was planned
 * @property {() => void} refresh  the page's topics changed: open anew, keeping the old stream until then
 * @property {() => void} drop  as if the line had broken
 */

export const HEALTHY = 10_000; // ms a stream must live before the backoff starts again
export const DEBOUNCE = 100; // ms in which changes of the page's topics are gathered
export const HIDDEN = 30_000; // ms after which a hidden tab gives its HTTP/1 connection back
export const GRACE = 2_000; // ms after the first refused try during which a move is not yet an outage
const SPREAD = 1_000; // ms added at random to what Retry-After says

const FINAL = [0, 200, 204, 400, 401, 403, 413, 415]; // answers that another try alone will not change
const STEADY = ["connected", "moving", "idle"];

/**
 * @param {object} options
 * @param {import("./env.js").Env} options.env
 * @param {import("./events.js").Events} options.events
 * @param {string} options.url
 * @param {(cursor: string | null) => object | null} options.body  what to ask for; null when there is nothing
 * @param {import("./stream.js").Lines} options.lines  what opens a line, asked each time
 * @returns {Connection}
 */
export function createConnection({ env, events, url, body, lines }) {
  const backoff = createBackoff({ random: env.random });
  /** @type {State} */
  let state = "idle";
  let since = 0;
  let why = "";
  let nextTry = 0;
  let notBefore = 0; // the server asked to be left alone until then
  let refusedAt = 0; // first failed try of a move
  let suspended = true; // not started, or in the back/forward cache
  let away = false; // hidden for long enough
  /** @type {string | null} */
  let cursor = null;
  /** @type {Line | null} */
  let line = null; // the stream that delivers
  /** @type {Line | null} */
  let opening = null; // the one that is to take its place
  /** @type {Record<string, () => void>} */
  const timers = {};
  /** @type {(() => void)[]} */
  let offs = [];

  /** @param {string} name @param {number} ms @param {() => void} fn */
  function timer(name, ms, fn) {
    timers[name]?.();
    timers[name] = env.after(fn, ms);
  }
  /** @param {...string} names */
  function clear(...names) {
    for (const name of names) timers[name]?.();
  }

  /** @param {State} to @param {{why?: string, since?: number}} [more] */
  function become(to, more = {}) {
    const previous = state;
    if (more.since) since = more.since;
    // An outage is counted from where it began, whatever it is called meanwhile.
    else if (STEADY.includes(to) || STEADY.includes(previous)) since = env.now();
    state = to;
    why = more.why || "";
    tell(previous);
  }

  function tell(previous = state) {
    events.emit("stream:state", { state, previous, since, nextTry, why });
  }

  function closeAll() {
    line?.stream.close();
    opening?.stream.close();
    line = opening = null;
    clear(...Object.keys(timers));
    nextTry = refusedAt = 0;
  }

  /** @param {number} wait  milliseconds until the next try */
  function plan(wait) {
    nextTry = env.now() + wait;
    timer("try", wait, open);
  }

  function open() {
    if (suspended || away) return;
    clear("try", "refresh");
    nextTry = 0;
    opening?.stream.close();
    opening = null;
    const wanted = body(cursor);
    if (!wanted) return void (line || become("idle"));
    if (state === "idle") become("connecting");
    /** @type {Line} */
    const mine = { replay: [], stream: lines.open(env, url, wanted, (event) => receive(mine, event), (ending) => ended(mine, ending)) };
    opening = mine;
  }

  /** @param {Line} from @param {import("./stream.js").Event} event */
  function receive(from, { event, data, id }) {
    if (event === HELLO) return hello(from, data);
    if (event === BYE) return moved(data.at ?? data.in * env.random());
    if (event === STOP) {
      if (from !== line || !opening) return refuse(data.why);
      from.stream.close(); // "too many" may mean this one and its successor: what that is told counts
      return ended(from, {});
    }
    if (from !== line || data === undefined) return;
    if (from.replay) {
      // Messages without an id are the replay; the first id ends it. A cut before that forgets the buffer.
      if (id === null) return void from.replay.push({ event, data });
      const held = from.replay;
      from.replay = null;
      for (const message of held) events.emit("stream:message", { ...message, id: null, replayed: true });
      if (data === null) cursor = id;
      events.emit("stream:replayed", { cursor });
    }
    if (id !== null) cursor = id;
    if (data !== null) events.emit("stream:message", { event, data, id, replayed: false });
    else if (id !== null) events.emit("stream:checkpoint", { cursor });
  }

  /** @param {Line} from @param {any} data */
  function hello(from, data) {
    if (from !== opening) return;
    line?.stream.close(); // from here on the new one has everything, by replay
    line = from;
    opening = null;
    notBefore = refusedAt = 0;
    clear("try", "grace");
    nextTry = 0;
    timer("health", HEALTHY, backoff.reset);
    const before = parseCursor(cursor)?.epoch;
    const newEpoch = before !== undefined && before !== parseCursor(data.cursor)?.epoch;
    events.emit("stream:open", { hello: data, cursor, newEpoch });
    become("connected");
  }

  /** @param {Line} from @param {import("./stream.js").Ending} ending */
  function ended(from, ending) {
    if (from === line) {
      line = null;
      clear("health");
      if (opening) return lost();
    } else if (from === opening) opening = null;
    failed(ending);
  }

  /** @param {import("./stream.js").Ending} ending */
  function failed({ status, problem, retryAfter = 0 }) {
    const final = status !== undefined && FINAL.includes(status);
    if (line && final) return; // the old stream goes on; the new topics were refused
    if (final) return refuse(problem || (status === 204 ? "stopped" : String(status)));
    if (retryAfter) notBefore = env.now() + retryAfter + SPREAD * env.random();
    plan(Math.max(backoff.next(), notBefore - env.now()));
    if (line) return;
    if (state !== "moving") return lost();
    if (refusedAt) return;
    refusedAt = env.now();
    timer("grace", GRACE, () => lost({ since: refusedAt }));
  }

  /** @param {{since?: number}} [more] */
  function lost(more) {
    become(env.offline() ? "offline" : "disconnected", { why: refusedAt ? "moving" : "", ...more });
  }

  /** @param {number} wait  milliseconds */
  function moved(wait) {
    closeAll();
    plan(wait);
    become("moving");
  }

  /** @param {string} reason */
  function refuse(reason) {
    closeAll();
    become("refused", { why: reason });
  }

  /** Something suggests that a try would succeed now. */
  function hint() {
    line?.stream.check();
    if (line || opening || state === "moving" || state === "idle") return;
    if (state !== "refused" && env.now() < notBefore) return;
    open();
  }

  function visibility() {
    if (env.hidden()) {
      if (!env.http1()) return;
      return timer("hidden", HIDDEN, () => {
        if (state === "refused" || state === "idle") return;
        closeAll();
        away = true;
        become("connecting");
      });
    }
    clear("hidden");
    if (!away) return hint();
    away = false;
    become("connecting", { since: env.now() });
    open();
  }

  function offline() {
    if (suspended || away || state === "refused" || state === "idle") return;
    // The line may be half open for a long time: leave it, and find out by trying.
    closeAll();
    failed({});
  }

  function suspend() {
    suspended = true;
    away = false;
    closeAll();
  }

  function resume() {
    suspended = false;
    if (state !== "idle" && state !== "refused") become("connecting", { since: env.now() });
    open();
  }

  return {
    tell,
    get state() {
      return state;
    },
    get cursor() {
      return cursor;
    },
    start() {
      if (offs.length) return;
      offs = [
        env.on("online", hint),
        env.on("offline", offline),
        env.on("visibilitychange", visibility),
        env.on("pagehide", suspend),
        env.on("pageshow", (event) => event.persisted && resume()),
      ];
      resume();
      if (env.hidden()) visibility();
    },
    stop() {
      for (const off of offs) off();
      offs = [];
      suspend();
      become("idle");
    },
    retry() {
      away = false;
      if (!line && !opening) open();
    },
    refresh() {
      timer("refresh", DEBOUNCE, () => (line || opening || state === "idle" || state === "refused") && open());
    },
    drop() {
      closeAll();
      failed({});
    },
  };
}
