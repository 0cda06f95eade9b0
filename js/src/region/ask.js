// One request of a region, and what came of it.

import { AT, PROBLEM, REGION, TAB, TOAST } from "../protocol.js";
import { retryAfter } from "../stream.js";

const MOST = 2 * 1024 * 1024; // bytes of an answer

/** @type {Record<number, string>} */
const BY_STATUS = { 401: "signed-out", 403: "forbidden", 404: "gone", 410: "gone" };
const SIGNED_OUT = ["signed-out", "no-cookie", "user-changed"];

/**
 * @typedef {object} Answer
 * @property {string} kind  "ok", "same" (304), "abort", or why it failed
 * @property {number} [status]
 * @property {string | null} [problem]
 * @property {number} [wait]  ms before which it is not asked again
 * @property {string} [text]
 * @property {string | null} [at]
 * @property {string | null} [who]  was asking, as the server knows them
 * @property {string | null} [etag]
 */

/** @param {import("../index.js").Runtime} rt */
export function createAsk({ config, env, events, tab, win }) {
  const pathOf = (/** @type {string} */ address) => new URL(address, win.location.href).pathname;

  /** What the server says to whoever asked. @param {string | null} header */
  function toasts(header) {
    try {
      for (const args of [].concat(JSON.parse(header || "[]"))) events.emit("toast", args);
    } catch {
      console.error("htmx-rt: bad", TOAST, header);
    }
  }

  /** @param {Response} response @returns {Promise<Answer>} */
  async function read(response) {
    const { status, headers, redirected, url } = response;
    const problem = headers.get(PROBLEM);
    const said = { status, problem, at: headers.get(AT), who: headers.get(REGION), etag: headers.get("ETag"), wait: retryAfter(headers.get("Retry-After"), env.now()) };
    toasts(headers.get(TOAST));
    if (status === 304) return { ...said, kind: "same" };
    const away = redirected && config.signIn && pathOf(url) === pathOf(config.signIn.split(/[?{]/)[0]);
    if (away || SIGNED_OUT.includes(problem ?? "")) return { ...said, kind: "signed-out" };
    if (!response.ok) return { ...said, kind: BY_STATUS[status] ?? "server" };
    const text = await limited(response);
    if (text === null) return { ...said, kind: "large" };
    if (text.trim() && !/^text\/html/i.test(headers.get("Content-Type") ?? "")) return { ...said, kind: "page" };
    return { ...said, kind: "ok", text };
  }

  /** @param {string} address @param {string | null} etag @param {AbortSignal} signal @returns {Promise<Answer>} */
  return async function ask(address, etag, signal) {
    const url = new URL(address, win.location.href);
    if (url.origin !== win.location.origin) return { kind: "page" }; // never ours to fetch
    try {
      const headers = {
        Accept: "text/html", "HX-Request": "true", "HX-Current-URL": win.location.href, [TAB]: tab.id, [REGION]: "1",
        ...(etag && { "If-None-Match": etag }),
      };
      return await read(await env.fetch(url.href, { headers, mode: "same-origin", cache: "no-store", signal }));
    } catch {
      return { kind: signal.aborted ? signal.reason : "network" };
    }
  };
}

/** Its text, or null where there is too much of it. @param {Response} response */
async function limited(response) {
  const reader = response.body?.getReader();
  const parts = [];
  for (let size = 0; reader; ) {
    const { done, value } = await reader.read();
    if (done) break;
    if ((size += value.length) > MOST) return reader.cancel().then(() => null);
    parts.push(value);
  }
  return new Blob(parts).text();
}
