// What a page says goes over its socket while one is open: beats and signals, answered as `fetch` would be.
import { PROBLEM } from "../protocol.js";

/** @typedef {ReturnType<typeof createUp>} Up */

/** @param {import("../index.js").Runtime} rt */
export function createUp({ config, env }) {
  const { fetch } = env;
  /** @type {WebSocket | null} that is open, and has brought something */
  let socket = null;
  let count = 0;
  /** @type {Map<number, {on: WebSocket, done: (response: Response) => void, broken: (error: any) => void}>} */
  const waiting = new Map();
  /** @type {Map<string, string>} */
  const kinds = new Map(["signal", "beat"].map((kind) => [`${config.prefix}/${kind}`, kind]));

  env.fetch = (input, init) => {
    const kind = kinds.get(String(input));
    // What is said on leaving goes by a request that outlives the page.
    const on = socket;
    if (!kind || !init || init.keepalive || on?.readyState !== 1) return fetch(input, init);
    const n = (count += 1);
    const text = `{"${kind}":${init.body},"n":${n}}`;
    return new Promise((done, broken) => {
      waiting.set(n, { on, done, broken });
      init.signal?.addEventListener("abort", () => {
        waiting.delete(n);
        broken(init.signal?.reason);
      });
      on.send(text);
    });
  };

  return {
    /** @param {WebSocket} one */
    found(one) {
      socket = one;
    },

    /** @param {WebSocket} one */
    lost(one) {
      if (socket === one) socket = null;
      for (const [n, { on, broken }] of waiting) {
        if (on !== one) continue;
        waiting.delete(n);
        broken(new TypeError("the socket was closed"));
      }
    },

    /** @param {any} data of an `rt:answer` */
    answered(data) {
      const { "n": n, "status": status, "title": title, "retry": retry } = data;
      const call = waiting.get(n);
      waiting.delete(n);
      /** @type {Record<string, string>} */
      const headers = { "Content-Type": "application/json" };
      if (title) headers[PROBLEM] = title;
      if (retry) headers["Retry-After"] = String(retry);
      call?.done(new Response(status === 204 ? null : JSON.stringify(data), { status, headers }));
    },

    stop() {
      env.fetch = fetch;
    },
  };
}
