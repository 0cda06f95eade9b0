// How far away the server is: `<html data-rt-latency="low|mid|high">`, so that a page can choose its feedback by CSS.
// What is for development is in dev.js.

const SAMPLES = 5; // of which the shortest counts: the rest of the time is the server's own
const LOW = 100; // ms
const HIGH = 300; // ms

/** @param {number} ms */
export const levelOf = (ms) => (ms < LOW ? "low" : ms <= HIGH ? "mid" : "high");

/** @type {import("../index.js").Feature} */
export const latency = {
  name: "latency",
  mount({ config, door, doc, win, env, events, load }) {
    const root = doc.documentElement;
    /** @type {number[]} */
    let samples = [];
    /** @type {WeakMap<object, number>} when each left */
    const left = new WeakMap();
    let restore = () => {};
    let turn = 0;
    /** @type {ReturnType<typeof import("../dev.js").createList>} */
    let list = () => {};
    /** @returns {Promise<typeof import("../dev.js")>} */
    const dev = () => load("htmx-rt-dev.mjs");
    if (config.debug) dev().then((file) => (list = file.createList()));

    /** @param {number} ms */
    function sample(ms) {
      samples = [...samples, ms].slice(-SAMPLES);
      root.setAttribute("data-rt-latency", levelOf(Math.min(...samples)));
    }

    /** @param {number} ms */
    async function simulate(ms) {
      restore();
      restore = () => {};
      samples = [];
      const mine = (turn += 1);
      const { delay } = await dev();
      if (ms > 0 && mine === turn) restore = delay(win, ms);
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
        else if (request.status < 400) list(request, ms);
      }),
    ];
    return () => {
      turn += 1;
      restore();
      for (const off of offs) off();
      root.removeAttribute("data-rt-latency");
    };
  },
};
