// What regions showed last, in this browser: of one person, for as long as the region says, without what only counted
// for the page it came with. Whoever else signs in here, or nobody, erases it.

const MOST = 20; // fragments
const LARGEST = 64 * 1024; // bytes of one
const TOTAL = 512 * 1024; // of all
const SECRETS = "script,noscript,[rt-private],[type=password],[type=hidden]";
const OF_THE_PAGE = ["rt-grant", "rt-at", "nonce", "data-base"];

/** @typedef {{who: string, html: string, at: number, until: number}} Copy  times in Unix ms */

/** @param {Pick<import("../index.js").Runtime, "env" | "doc" | "config">} rt */
export function createCopies({ env, doc, config }) {
  const prefix = `rt-region:${/** @type {any} */ (config).name ?? "app"}:`;
  const who = () => JSON.parse(doc.querySelector('meta[name="htmx-rt"]')?.getAttribute("content") ?? "{}").who;
  const store = () => env.local();

  /** @param {string} key @returns {Copy | null} */
  function get(key) {
    try {
      return JSON.parse(store()?.getItem(key) ?? "null");
    } catch {
      return null;
    }
  }

  /** What is too old, too much, or somebody else's goes; or all of it. @param {boolean} all */
  function prune(all) {
    const now = env.now();
    let size = 0;
    Object.keys(store() ?? {})
      .filter((key) => key.startsWith(prefix))
      .map((key) => /** @type {const} */ ([key, get(key)]))
      .sort((a, b) => (b[1]?.at ?? 0) - (a[1]?.at ?? 0))
      .forEach(([key, copy], index) => {
        size += sizeOf(store()?.getItem(key) ?? "");
        if (all || !copy || copy.who !== who() || !(copy.until > now && copy.at <= now) || index >= MOST || size > TOTAL) store()?.removeItem(key);
      });
  }

  return {
    prune,

    /** @param {string} key @param {number} life ms it may have been kept */
    read(key, life) {
      prune(false);
      const copy = get(prefix + key);
      return copy && copy.at + life > env.now() ? copy : null;
    },

    /** What came for somebody else, as another tab has signed in meanwhile, is theirs.
     * @param {string} key @param {number} life ms @param {Element | DocumentFragment} source @param {string | null} [whose] none: nobody's, and not kept */
    write(key, life, source, whose) {
      const box = doc.createElement("template");
      box.content.append(...source.childNodes);
      for (const el of box.content.querySelectorAll("*")) {
        if (el.matches(SECRETS)) el.remove();
        for (const name of OF_THE_PAGE) el.removeAttribute(name);
      }
      const now = env.now();
      const text = JSON.stringify({ who: whose, html: box.innerHTML, at: now, until: now + life });
      try {
        if (sizeOf(text) > LARGEST) store()?.removeItem(prefix + key);
        else store()?.setItem(prefix + key, text);
      } catch {
        // Full, or not allowed.
      }
      prune(false);
    },
  };
}

const sizeOf = (/** @type {string} */ text) => new TextEncoder().encode(text).length;
