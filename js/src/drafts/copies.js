// Copies of what was typed, in this browser: in the tab's own storage for a reload, and in that of the browser for a
// tab that crashed. A copy belongs to a person, a page and a form, is bounded, and expires.

const LIFE = 7 * 24 * 3_600_000; // ms
const NOBODY = 30 * 60_000; // ms for which a signed-out page still holds what its person typed, in case they come back
const MOST = 50; // forms of this browser
const LARGEST = 512 * 1024; // characters of one
const TOTAL = 2 * 1024 * 1024; // characters of all

/**
 * @typedef {{v: string[], d: string[]}} Field  what was typed, and what the markup had said
 * @typedef {object} Copy
 * @property {string} who
 * @property {boolean} named  a person, not just a browser
 * @property {string} tab
 * @property {string} path
 * @property {string} form
 * @property {number} at  Unix ms
 * @property {Record<string, Field>} fields
 * @property {number} [sent]  when the browser itself sent the form, Unix ms
 * @property {number} [rev]  of the server's draft that it was typed on
 */

/** @param {Pick<import("../index.js").Runtime, "env" | "win" | "tab" | "config">} rt @param {() => {who: string, me: string}} person */
export function createCopies({ env, win, tab, config }, person) {
  const name = /** @type {any} */ (config).name ?? "app";
  const prefix = `rt-drafts:${name}:`;
  const { locks } = win.navigator;
  let letGo = () => {};
  let held = false;

  /** @param {Storage | null} store @returns {[string, Copy][]} */
  function all(store) {
    /** @type {[string, Copy][]} */
    const found = [];
    for (const key of Object.keys(store ?? {})) {
      if (!key.startsWith(prefix)) continue;
      try {
        const copy = JSON.parse(store?.getItem(key) ?? "");
        if (typeof copy.fields !== "object" || !(copy.at > 0)) throw 0;
        found.push([key, copy]);
      } catch {
        store?.removeItem(key); // damaged
      }
    }
    return found;
  }

  /** What nobody may have any more goes. @param {Storage | null} store */
  function prune(store) {
    const { who, me } = person();
    const now = env.now();
    let size = 0;
    all(store).sort((a, b) => b[1].at - a[1].at).forEach(([key, copy], index) => {
      size += store?.getItem(key)?.length ?? 0;
      const age = now - copy.at; // negative where the clock was wrong
      const others = copy.who !== who && ((copy.named && !!me) || age > NOBODY);
      if (others || age > LIFE || age < -LIFE || index >= MOST || size > TOTAL) store?.removeItem(key);
    });
  }

  /** @param {Storage | null} store @param {string} key @param {string} text */
  function put(store, key, text) {
    try {
      store?.setItem(key, text);
      return !!store;
    } catch {
      return false; // full, or not allowed
    }
  }

  const keyIn = (/** @type {string} */ path, /** @type {string} */ form) => `${prefix}${person().who}:${path}|${form}`;
  const keyOut = (/** @type {string} */ path, /** @type {string} */ form) => `${prefix}${person().who}:${path}|${form}|${tab.id}`;
  const lockOf = (/** @type {string} */ id) => `rt-drafts:${name}:${id}`;

  function hold() {
    if (held) return;
    held = true;
    locks?.request(lockOf(tab.id), () => new Promise((done) => (letGo = () => done(0)))).catch(() => {});
  }

  return {
    /** A page that may go into the back/forward cache holds no lock. */
    release() {
      held = false;
      letGo();
    },

    prune() {
      prune(env.session());
      prune(env.local());
    },

    /** Those of this tab and page. @param {string} path @returns {Copy[]} */
    mine(path) {
      const { who } = person();
      return all(env.session()).map(([, copy]) => copy).filter((copy) => copy.who === who && copy.path === path);
    },

    /**
     * Those of tabs of this person that are no more; `sure` where the browser can tell.
     * @param {string} path @returns {Promise<{copies: Copy[], sure: boolean}>}
     */
    async lost(path) {
      const { who } = person();
      const found = all(env.local()).map(([, copy]) => copy).filter((copy) => copy.who === who && copy.path === path);
      if (!found.length) return { copies: [], sure: true };
      const open = new Set((await locks?.query())?.held?.map((lock) => lock.name));
      const copies = found.filter((copy) => copy.tab === tab.id || !open.has(lockOf(copy.tab)));
      return { copies: copies.sort((a, b) => a.at - b.at), sure: !!locks };
    },

    /** @param {string} path @param {string} form @param {Record<string, Field>} fields @param {Partial<Copy>} [more] @returns {boolean} */
    write(path, form, fields, more = {}) {
      const { who, me } = person();
      const text = JSON.stringify({ who, named: !!me, tab: tab.id, path, form, at: env.now(), fields, ...more });
      if (text.length > LARGEST) return false;
      hold();
      const everywhere = () => {
        const here = put(env.session(), keyIn(path, form), text);
        return put(env.local(), keyOut(path, form), text) || here;
      };
      if (everywhere()) return true;
      const [oldest] = all(env.local()).sort((a, b) => a[1].at - b[1].at);
      if (oldest) env.local()?.removeItem(oldest[0]);
      return everywhere();
    },

    /** @param {string} path @param {string} form @param {{tab?: string, out?: boolean}} [which] `out`: only what outlives the tab */
    drop(path, form, { tab: id = tab.id, out = false } = {}) {
      if (!out) env.session()?.removeItem(keyIn(path, form));
      env.local()?.removeItem(keyOut(path, form).replace(/[^|]*$/, id));
    },
  };
}

/** @typedef {ReturnType<typeof createCopies>} Copies */
