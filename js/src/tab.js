// Who this tab is. The id lies in sessionStorage only while no page of the tab is open: a page takes it out
// when it starts and puts it back on `pagehide`. A duplicated tab copies the storage of a page that is open,
// finds nothing and makes a new id, so two tabs never share one; a reload finds its own again.

import { randomHex } from "./ids.js";

const KEY = "rt-tab";

/**
 * @typedef {object} Tab
 * @property {string} id  128 bits, 32 hex digits; may differ after the page was in the back/forward cache
 * @property {number} gen  the number of the newest connection
 * @property {() => number} connect  the number of the next connection, growing for as long as the tab lives
 * @property {() => void} stop
 *
 * @param {Pick<import("./env.js").Env, "session" | "on">} env
 * @returns {Tab}
 */
export function createTab(env) {
  const tab = {
    id: "",
    get gen() {
      return gen;
    },
    connect: () => (gen += 1),
    stop() {
      leave();
      for (const off of offs) off();
    },
  };
  let gen = 0;

  function enter() {
    const store = env.session();
    const [, id, last] = /^([0-9a-f]{32}) (\d+)$/.exec(store?.getItem(KEY) || "") || [];
    store?.removeItem(KEY);
    if (id) {
      tab.id = id;
      gen = Number(last);
    } else tab.id ||= randomHex();
  }

  function leave() {
    try {
      env.session()?.setItem(KEY, `${tab.id} ${gen}`);
    } catch {
      // The storage is full: the next page of this tab counts as a new tab, which is safe.
    }
  }

  enter();
  const offs = [env.on("pagehide", leave), env.on("pageshow", (event) => event.persisted && enter())];
  return tab;
}
