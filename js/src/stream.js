// One open stream: a POST whose answer is read as it comes. What happens after it ended is not decided here.
import { PROBLEM } from "./protocol.js";
import { createParser } from "./sse.js";
import { createWatchdog } from "./watchdog.js";

/**
 * @typedef {object} Event
 * @property {string} event
 * @property {any} data  null when there is none, undefined when it is no JSON
 * @property {string | null} id
 *
 * @typedef {object} Ending  why a stream ended by itself
 * @property {number} [status]  of an answer that is no stream; 0 for a redirect; none when the line broke
 * @property {string} [problem]  its `RT-Problem`
 * @property {number} [retryAfter]  milliseconds
 *
 * @callback Open  opens a line; what it is made of is its own affair
 * @param {import("./env.js").Env} env
 * @param {string} url
 * @param {any} body  what is asked for, as `POST /_rt/stream` takes it
 * @param {(event: Event) => void} onEvent
 * @param {(ending: Ending) => void} onEnd  at most once, never after `close()`, and never before the opener has returned
 * @returns {Stream}
 *
 * @typedef {object} Lines  what opens lines; files loaded before the first is opened put themselves in front
 * @property {Open} open  what the connection calls
 * @property {Open} [real]  where `open` only hands out parts of another line: what opens that one
 * @property {boolean} [shared]  whether `open` does so now
 * @property {() => "sse" | "socket"} [kind]  what is opened next; there with socket/index.js
 *
 * @typedef {object} Stream
 * @property {() => void} close  ends it without a word
 * @property {() => void} check  ends it if nothing came for too long: a sleeping machine stops its timers
 */

/** @type {Open} */
export function openStream(env, url, body, onEvent, onEnd) {
  const abort = new AbortController();
  let open = true;
  const dog = createWatchdog(env, () => finish({}));

  function close() {
    open = false;
    dog.stop();
    abort.abort();
  }

  /** @param {Ending} ending */
  function finish(ending) {
    if (!open) return;
    close();
    onEnd(ending);
  }

  async function read() {
    const response = await env.fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "text/event-stream" },
      body: JSON.stringify(body),
      cache: "no-store",
      redirect: "manual", // a login page is not a stream: stop there, do not follow
      signal: abort.signal,
    });
    const type = response.headers.get("Content-Type") || "";
    if (response.status !== 200 || !type.startsWith("text/event-stream") || !response.body) {
      return finish({
        status: response.status,
        problem: response.headers.get(PROBLEM) || "",
        retryAfter: retryAfter(response.headers.get("Retry-After"), env.now()),
      });
    }
    const parser = createParser(({ event, data, id }) => open && onEvent({ event, data: parse(data), id }));
    const reader = response.body.getReader();
    while (open) {
      const { done, value } = await reader.read();
      if (done) break;
      dog.heard();
      parser.push(value);
    }
    finish({});
  }

  read().catch(() => finish({}));
  return { close, check: () => open && dog.check() };
}

/**
 * @param {string | null} value  seconds or an HTTP date
 * @param {number} now
 * @returns {number} milliseconds, 0 when there is none, at most 10 minutes
 */
export function retryAfter(value, now) {
  if (!value) return 0;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Math.min(Math.max(ms || 0, 0), 600_000);
}

/** @param {string | null} text @returns {any} */
function parse(text) {
  if (text === null) return null;
  try {
    return JSON.parse(text);
  } catch {
    console.error("htmx-rt: the stream is not JSON");
    return undefined;
  }
}
