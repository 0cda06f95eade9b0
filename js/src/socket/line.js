// One open WebSocket, as a stream: `protocol.md` §2.
import { ANSWER, CLOSES, SUBPROTOCOL } from "../protocol.js";
import { createWatchdog } from "../watchdog.js";

/** @typedef {import("../stream.js").Ending} Ending */

/** The answers of HTTP that mean what a code says, where no `rt:answer` came before it. @type {Record<string, number>} */
const STATUS = {
  "too-large": 413,
  "bad-request": 400,
  draining: 503,
  limited: 503,
  "bad-version": 400,
  "signed-out": 401,
  "no-cookie": 401,
  forbidden: 403,
  "user-changed": 403,
  "too-many": 403,
};
const LATER = 5_000; // ms after which one comes back to a worker that is full, where it does not say when

/**
 * What a closed socket stands for.
 * @param {number} code @param {{status: number, title: string, retry?: number} | null} answer the last one that was about the socket
 * @returns {Ending}
 */
export function endingOf(code, answer) {
  if (answer) return { status: answer["status"], problem: answer["title"], retryAfter: (answer["retry"] ?? 0) * 1000 };
  const [problem] = Object.entries(CLOSES).find(([, one]) => one === code) ?? [];
  if (!problem) return {}; // a broken line
  const status = STATUS[problem];
  return { status, problem, ...(problem === "limited" && { retryAfter: LATER }) };
}

/** @param {string} url of the stream @param {string} page @returns {string} */
export function addressOf(url, page) {
  const address = new URL(url.replace(/stream$/, "socket"), page);
  address.protocol = address.protocol.replace("http", "ws");
  return address.href;
}

/**
 * @param {import("../env.js").Env} env
 * @param {string} url
 * @param {object} body
 * @param {(event: import("../stream.js").Event) => void} onEvent
 * @param {(ending: Ending) => void} onEnd
 * @param {import("./up.js").Up} up  what the page says on it
 * @returns {import("../stream.js").Stream}
 */
export function openSocket(env, url, body, onEvent, onEnd, up) {
  let open = true;
  const dog = createWatchdog(env, () => finish({}));
  /** @type {any} */
  let answer = null;
  /** @type {WebSocket | undefined} */
  let socket;

  function close() {
    open = false;
    dog.stop();
    if (!socket) return;
    up.lost(socket);
    socket.close();
  }

  /** @param {Ending} ending */
  function finish(ending) {
    if (!open) return;
    close();
    onEnd(ending);
  }

  /** @param {WebSocket} from @param {string} text  an event, or a list of them */
  function receive(from, text) {
    dog.heard();
    /** @type {any[]} */
    let frames;
    try {
      frames = [].concat(JSON.parse(text));
    } catch {
      return console.error("htmx-rt: the socket is not JSON");
    }
    for (const { event = "message", data = null, id = null } of frames) {
      if (!open) return; // what came before may have ended it
      if (event !== ANSWER) {
        up.found(from);
        onEvent({ event, data, id });
      } else if (data["n"] === undefined) answer = data;
      else up.answered(data);
    }
  }

  try {
    const made = (socket = new WebSocket(addressOf(url, document.baseURI), SUBPROTOCOL));
    made.onopen = () => made.send(JSON.stringify(body));
    made.onmessage = ({ data }) => {
      try {
        receive(made, data);
      } catch (error) {
        console.error("htmx-rt:", error);
        finish({}); // the rest of a list is not lost: it comes again, by the cursor, as it does over HTTP
      }
    };
    made.onclose = ({ code }) => finish(endingOf(code, answer));
  } catch {
    env.after(() => finish({}), 0); // something in this browser lets nobody have one
  }
  return { close, check: () => open && dog.check() };
}
