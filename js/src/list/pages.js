// One page of a list: asked for, and taken apart.
import { AT, TAB } from "../protocol.js";

const TIMEOUT = 20_000; // ms
const MOST = 2 ** 21; // characters of an answer

/**
 * @typedef {object} Got  what an answer holds
 * @property {Document | DocumentFragment} fresh
 * @property {string | null} at  `RT-At`
 *
 * @typedef {{url: string, cancel: AbortController}} Asked
 */

/** @param {import("../index.js").Runtime} rt */
export function createPages({ env, win, bridge, tab }) {
  /** @param {string} address @param {AbortController} cancel @param {object} [headers] @returns {Promise<Got | "failed" | "signed-out" | null>} null: the line is gone */
  async function get(address, cancel, headers) {
    const url = new URL(address, win.location.href);
    if (url.origin !== win.location.origin) return "failed"; // never ours to fetch
    const stop = env.after(() => cancel.abort(), TIMEOUT);
    try {
      const response = await env.fetch(url.href, {
        headers: { Accept: "text/html", [TAB]: tab.id, ...headers }, mode: "same-origin", cache: "no-store", signal: cancel.signal,
      });
      const moved = response.redirected && new URL(response.url).pathname !== url.pathname;
      if (response.status === 401 || moved) return "signed-out";
      const html = response.ok && /^text\/html/.test(response.headers.get("Content-Type") ?? "") && await response.text();
      if (html === false || html.length > MOST) return "failed";
      const whole = /^\s*(<!doctype|<html)/i.test(html);
      return { fresh: whole ? bridge.parseDocument(html) : bridge.parse(html), at: response.headers.get(AT) };
    } catch {
      return null;
    } finally {
      stop();
    }
  }

  return {
    get,

    /** The next page, as htmx would ask for it. @param {string} url @param {AbortController} cancel */
    next: (url, cancel) => get(url, cancel, { "HX-Request": "true", "HX-Current-URL": win.location.href }),

    /** Its rows, and where the page after it is; null where there is no list in it.
     * @param {Document | DocumentFragment} fresh @param {Element} list @param {Element} more @returns {{rows: Element[], next: Element | null} | null} */
    parts(fresh, list, more) {
      const next = fresh.getElementById(more.id);
      const theirs = fresh.getElementById(list.id);
      next?.remove();
      if (!theirs && "body" in fresh) return null; // a whole page, and not ours
      return { rows: [...(theirs ?? fresh).children], next };
    },
  };
}

/** Where the next page is. @param {Element | null | undefined} more @returns {string} */
export const nextOf = (more) =>
  more?.querySelector("button")?.getAttribute("data-next") ?? more?.querySelector("a[href]")?.getAttribute("href") ?? "";
