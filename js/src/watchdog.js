// What ends a line that has gone quiet: the server sends something every 15 s, so silence means that it is dead.
export const WATCHDOG = 40_000; // ms without a byte

/**
 * @param {import("./env.js").Env} env
 * @param {() => void} bark  called once nothing was heard for too long, at the latest when asked to `check`
 */
export function createWatchdog(env, bark) {
  let at = env.now();
  let cancel = () => {};

  function check() {
    const idle = env.now() - at;
    if (idle >= WATCHDOG) return bark();
    cancel();
    cancel = env.after(check, WATCHDOG - idle);
  }

  check();
  return { heard: () => void (at = env.now()), check, stop: () => cancel() };
}
