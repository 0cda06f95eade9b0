// Signs of life: this tab is seen, nobody touches it, it is looked away from, it is left.
import { createIdle } from "./idle.js";

const BEAT = 10_000; // ms between signs of life of a tab that is seen
const HIDDEN_BEAT = 60_000; // ms; browsers let hidden pages run no more often
const ANSWER = 8_000; // ms for an answer
const AGAIN = 30_000; // ms between two openings because the server knows nothing of this tab
const SOON = 50; // ms in which changes of the page are gathered

/** @typedef {ReturnType<typeof createHere>} Here */

/** @param {import("../index.js").Runtime} rt @param {import("./views.js").Views} views */
export function createHere(rt, views) {
  const { env, events, tab, connection, config } = rt;
  let asked = "";
  let open = false;
  let left = false;
  let busy = false;
  let again = false;
  let rejoined = -AGAIN;
  /** @type {string[]} topics on which this tab was shown when its stream opened */
  let joined = [];
  let cancelBeat = () => {};
  let cancelLook = () => {};
  const idle = createIdle(rt, () => env.hidden() || beat()); // away is away

  // A hidden page gives its stream back, and is here all the same.
  const alive = () => !left && (open || (env.hidden() && tab.gen > 0 && !["idle", "refused"].includes(connection.state)));

  /** @param {object} what @param {boolean} [last] outlives the page */
  const post = (what, last) =>
    env.fetch(`${config.prefix}/beat`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ tabs: [{ id: tab.id, gen: tab.gen, ...what }] }),
      keepalive: last || env.hidden(),
      signal: last ? undefined : AbortSignal.timeout(ANSWER),
    }).catch(() => null);

  /** One after the other, so that none overtakes another one. */
  async function beat() {
    cancelBeat();
    if (!alive()) return;
    if (busy) return void (again = true);
    busy = true;
    again = false;
    const here = views.tracked().length > 0;
    const wanted = views.wanted();
    const now = JSON.stringify(wanted);
    const tell = views.owed() || now !== asked;
    asked = now;
    const answer = await post({ vis: !env.hidden(), idle: idle.idle, here, ...(tell && { views: wanted }) });
    // In quotes: the build shortens names that our own modules share, and this one comes over the wire.
    const { "lost": lost = [] } = (answer?.ok && (await answer.json().catch(() => null))) || {};
    busy = false;
    // Nobody knows this tab: the server has forgotten, so it is told anew by opening again.
    if (lost.includes(tab.id) && open && env.now() - rejoined >= AGAIN) {
      rejoined = env.now();
      connection.refresh();
    }
    if (again) return beat();
    cancelBeat = env.after(beat, env.hidden() ? HIDDEN_BEAT : BEAT);
  }

  function bye() {
    cancelBeat();
    if (joined.length) post({ bye: true }, true);
  }

  /** Something on the page has changed. */
  function look() {
    const now = views.tracked();
    if (open && joined.some((topic) => !now.includes(topic))) {
      if (!now.length) bye(); // a boosted page without anybody: it may have no stream to say so by
      joined = now;
      connection.refresh();
    }
    if (open && views.owed()) beat();
  }

  /** @param {string} state */
  function state(state) {
    const was = open;
    open = state === "connected" || state === "moving";
    views.line(open);
    if (open && !was) beat();
  }

  const offs = [
    events.on("stream:open", () => {
      joined = views.tracked();
      if (open) beat(); // else it is about to be
    }),
    events.on("stream:state", ({ state: now }) => state(now)),
    events.on("swap", () => {
      cancelLook();
      cancelLook = env.after(look, SOON);
    }),
    env.on("visibilitychange", () => beat()),
    env.on("resume", () => beat()), // after it was frozen
    env.on("pagehide", () => {
      left = true; // it is hidden next, and is not to say so
      open = false;
      bye();
    }),
    env.on("pageshow", () => void (left = false)),
  ];
  joined = views.tracked();
  state(connection.state);

  return {
    stop() {
      cancelBeat();
      cancelLook();
      idle.stop();
      for (const off of offs) off();
    },
  };
}
