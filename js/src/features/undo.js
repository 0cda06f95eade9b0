// Undo in a toast: what may still be taken back, until when, and taking it back. The time is the server's: it runs
// on under the pointer, and over a reload of the page.
import { TAB } from "../protocol.js";

const KEY = "rt-undo";
const MOST = 10;

/** @typedef {{id: string, text: string, level: string, until: number}} Offer */

/** @param {string} id the key of its toast */
export const keyOf = (id) => `undo:${id}`;

/** What may be taken back after a reload. @param {Pick<import("../env.js").Env, "session" | "now">} env */
export function createOffers(env) {
  /** @returns {Offer[]} */
  function all() {
    try {
      const kept = JSON.parse(env.session()?.getItem(KEY) || "[]");
      return kept.filter((/** @type {Offer} */ { until }) => until > env.now());
    } catch {
      return [];
    }
  }

  /** @param {Offer[]} offers */
  function write(offers) {
    try {
      if (offers.length) env.session()?.setItem(KEY, JSON.stringify(offers.slice(-MOST)));
      else env.session()?.removeItem(KEY);
    } catch {
      // Full or forbidden: it does not survive a reload.
    }
  }

  return {
    all,
    /** A page from a cache says what was left long ago: the first word counts. @param {Offer} offer @returns {number} ms left */
    add(offer) {
      const known = all().find(({ id }) => id === offer.id);
      if (!known) write([...all(), offer]);
      return (known ?? offer).until - env.now();
    },
    /** @param {string | undefined} gone */
    end: (gone) => write(all().filter(({ id }) => id !== gone)),
  };
}

/**
 * Asks the server to take it back. Says which words tell how that went, and whether to try again.
 * @param {Pick<import("../index.js").Runtime, "config" | "env" | "tab">} rt @param {string} id
 * @returns {Promise<{word: string, level: string, again?: boolean}>}
 */
export async function takeBack({ config, env, tab }, id) {
  const unsent = { word: "undoUnsent", level: "error", again: true };
  try {
    const { ok, status } = await env.fetch(`${config.prefix}/undo/${encodeURIComponent(id)}`, {
      method: "POST",
      headers: { Accept: "application/json", [TAB]: tab.id },
    });
    if (ok) return { word: "undone", level: "success" };
    if (status >= 500 || status === 429) return unsent;
    return status === 404 || status === 409 ? { word: "tooLate", level: "warning" } : { word: "undoFailed", level: "error" };
  } catch {
    return unsent;
  }
}
