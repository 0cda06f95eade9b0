// A word to the other tabs of this browser, through `storage` events: unlike an open BroadcastChannel they
// neither reach a page in the back/forward cache nor throw it out of there.

const KEY = "htmx-rt";

/**
 * @typedef {object} Tabs
 * @property {(name: string, value?: string) => void} send
 * @property {(name: string, fn: (value: string) => void) => () => void} on
 *
 * @param {Pick<import("./env.js").Env, "local" | "on" | "now" | "random">} env
 * @returns {Tabs}
 */
export function createTabs(env) {
  return {
    send(name, value = "") {
      try {
        // The stamp makes the value differ from the last one, or no event would be sent.
        env.local()?.setItem(KEY, JSON.stringify([name, value, env.now() + env.random()]));
      } catch {
        // No storage: the other tabs find out by themselves.
      }
    },
    on: (name, fn) =>
      env.on("storage", (/** @type {StorageEvent} */ event) => {
        if (event.key !== KEY || !event.newValue) return;
        try {
          const [said, value] = JSON.parse(event.newValue);
          if (said === name) fn(String(value));
        } catch {
          // Not ours.
        }
      }),
  };
}
