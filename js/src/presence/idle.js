// Does anybody do anything? Input in any tab of this browser counts for all of them.
const IDLE = 60_000; // ms without input
const SHARE = 5_000; // ms between two words to the other tabs
// What people do, and nothing that pages do by themselves, as scrolling is.
const INPUT = ["pointerdown", "pointermove", "keydown", "wheel", "touchmove"];

/** @param {import("../index.js").Runtime} rt @param {() => void} changed */
export function createIdle({ doc, env, config }, changed) {
  const shared = `rt-input:${/** @type {any} */ (config).name}`;
  const after = Number(doc.documentElement.getAttribute("rt-idle-after")) * 1000 || IDLE;
  let last = env.now();
  let told = 0;
  let idle = false;
  let cancel = () => {};

  function look() {
    cancel();
    const there = Number(env.local()?.getItem(shared)) || 0;
    const now = env.now();
    // A clock that was turned back must not keep anybody busy.
    const rest = Math.max(last, there > now ? 0 : there) + after - now;
    if (rest > 0) cancel = env.after(look, rest);
    if (rest <= 0 === idle) return;
    idle = !idle;
    changed();
  }

  function input() {
    last = env.now();
    if (idle) look();
    if (last - told < SHARE) return;
    told = last;
    try {
      env.local()?.setItem(shared, String(last));
    } catch {
      // Full or forbidden: each tab then looks after itself.
    }
  }

  for (const type of INPUT) doc.addEventListener(type, input, { passive: true, capture: true });
  const off = env.on("storage", ({ key }) => key === shared && look());
  look();

  return {
    get idle() {
      return idle;
    },
    stop() {
      cancel();
      off();
      for (const type of INPUT) doc.removeEventListener(type, input, { capture: true });
    },
  };
}
