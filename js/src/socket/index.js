// Lines that are WebSockets: by choice, or because streams do not get through here. The file is loaded before the first
// line opens where the page is known to need it, and otherwise as soon as it looks so (features/lines.js).
import { createChoice } from "./choice.js";
import { openSocket } from "./line.js";
import { createUp } from "./up.js";

/** @typedef {import("../stream.js").Stream} Stream */
/** @typedef {import("../stream.js").Ending} Ending */

export const FIRST = 5_000; // ms until the first event of a line; the server sends it within 1 s
const SILENT = 39_000; // ms without an event after which it was the watchdog that ended a line

/**
 * Whether somebody between us and the server has answered: not with a stream, and not as the server refuses one.
 * While it restarts, a proxy answers for it, with a 5xx.
 * @param {Ending} ending
 */
export const foreign = ({ status, problem }) => status !== undefined && !problem && status !== 204 && status !== 429 && status < 500;

/**
 * @param {import("../index.js").Runtime} rt
 * @param {boolean} [late]  a line is open already, or tries to be
 * @returns {() => void} ends it
 */
export function wire(rt, late) {
  const { config, doc, env, lines, connection } = rt;
  const slot = lines.real ? "real" : "open";
  const stream = /** @type {import("../stream.js").Open} */ (lines[slot]);
  const choice = createChoice(env, config["socket"]);
  const up = createUp(rt);
  let silences = 0; // lines in a row that brought their first events and nothing after

  /** @type {import("../stream.js").Open} */
  function open(given, url, body, onEvent, onEnd) {
    const kind = choice.kind();
    let over = false;
    let greeted = 0; // when the first event came
    let heard = env.now();

    function close() {
      over = true;
      cancel();
      line.close();
    }

    /** @param {Ending} ending */
    function finish(ending) {
      if (over) return;
      close();
      onEnd(ending);
    }

    /** It did not get through, or so it seems. @param {boolean} [sure] */
    function fail(sure) {
      if (choice.failed(kind, sure) && config.debug) console.info(`htmx-rt: from ${kind} to ${choice.kind()}, as it does not get through here`);
    }

    /** @param {import("../stream.js").Event} event */
    function receive(event) {
      cancel();
      heard = env.now();
      if (!greeted) {
        greeted = heard;
        choice.worked(kind);
        doc.documentElement.setAttribute("data-rt-line", kind);
      } else if (heard - greeted > FIRST) silences = 0;
      onEvent(event);
    }

    /** @param {Ending} ending */
    async function ended(ending) {
      cancel();
      if (kind === "sse") {
        if (!greeted && foreign(ending) && choice.other(kind)) {
          fail(true);
          return finish({});
        }
        if (greeted && env.now() - heard >= SILENT && (silences += 1) > 1) fail(true);
      } else if (!greeted && ending.status === undefined) {
        // A script is not told why there is no socket. Where the server is up, it is the socket that is refused.
        const health = await env.fetch(`${config.prefix}/health`, { cache: "no-store", signal: AbortSignal.timeout(FIRST) }).catch(() => null);
        if (over) return;
        if (health?.ok) fail();
      }
      finish(ending);
    }

    const cancel = env.after(() => {
      if (!env.offline()) fail();
      finish({});
    }, FIRST);
    /** @type {Stream} */
    const line = kind === "sse" ? stream(given, url, body, receive, ended) : openSocket(given, url, body, receive, ended, up);
    return { close, check: line.check };
  }

  lines[slot] = open;
  lines.kind = choice.kind;
  if (late) {
    // What has hung until now has done so for almost as long as it may.
    if (connection.state === "connecting" && choice.kind() === "sse") choice.failed("sse");
    else if (connection.state === "refused") choice.failed("sse", true);
    if (connection.state === "refused") connection.retry();
    else if (connection.state !== "connected") connection.refresh();
  }
  return () => {
    lines[slot] = stream;
    lines.kind = undefined;
    up.stop();
  };
}
