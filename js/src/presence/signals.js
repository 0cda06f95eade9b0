// Words for this moment only, from this page to the others on a topic: never while alone, hidden or not shown.
import { within, words } from "../dom.js";
import { SIGNAL } from "../protocol.js";
import { hereTopic } from "./views.js";
import { firstName, spoken } from "./words.js";

/** @typedef {{k: string, n: string, c: number, tab: string}} Sender person, name, colour, tab */
/** @typedef {{topic: string, name: string, from: Sender, data: any}} Heard */
/** @typedef {ReturnType<typeof createSignals>} Signals */
/** @typedef {{topic: string, name: string, make: () => any, due: number}} Waiting */

const ANSWER = 8_000; // ms
const GONE = "gone"; // takes back all that this tab said

/** Does a word take back all that its tab said? @param {Heard} heard */
const gone = ({ name }) => name === GONE;

/** What a field is called on every page that shows it. @param {any} field */
const keyOf = (field) => (field.id ? `#${field.id}` : field.name || "");

const FIELDS = "input,textarea,select,[contenteditable]";

/** The field of that name on this page. @param {Iterable<Element>} places @param {string} key @returns {any} */
const fieldOf = (places, key) => [...places].flatMap((place) => within(place, FIELDS)).find((field) => keyOf(field) === key);

/** May what happens in this field be told? @param {any} field */
function telling(field) {
  if (!field?.matches?.(FIELDS)) return false;
  if (/^(password|hidden|file|submit|button|image|reset)$/.test(field.type)) return false;
  if (/cc-|one-time-code|password/.test(field.autocomplete ?? "")) return false;
  return !field.closest("[rt-private]");
}

/** @param {import("../index.js").Runtime} rt @param {import("./views.js").Views} views */
export function createSignals({ doc, env, events, tab, config, connection }, views) {
  const me = /** @type {any} */ (config).who;
  /** @type {Set<(heard: Heard) => void>} */
  const listeners = new Set();
  /** @type {Map<string, string>} topic → the grant of the last hello */
  const grants = new Map();
  /** @type {Map<string, Waiting>} the newest of each kind, while it is too early to send it */
  const waiting = new Map();
  /** @type {Map<string, number>} when each kind was sent last; Infinity while it is on its way */
  const sent = new Map();
  /** @type {Set<string>} topics on which something was said that somebody may still see */
  const said = new Set();
  let cancel = () => {};

  const mine = (/** @type {string} */ topic) => doc.querySelector(`[rt-here][rt-stream~="${CSS.escape(topic)}"]`);

  /** May something be said here now? @param {string} topic */
  const heard = (topic) => connection.state === "connected" && !env.hidden() && views.count(topic) > 1 && !!mine(topic);

  /** @param {string} topic @param {string} name @param {any} data @param {boolean} [last] */
  async function post(topic, name, data, last) {
    const el = mine(topic);
    const grant = grants.get(topic) ?? (el && words(el, "rt-grant")[words(el, "rt-stream").indexOf(topic)]);
    if (!grant) return;
    await env.fetch(`${config.prefix}/signal`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      // In quotes: the build shortens names that our own modules share, and this one goes over the wire.
      body: JSON.stringify({ tab: tab.id, "grant": grant, name, data }),
      keepalive: last,
      signal: last ? undefined : AbortSignal.timeout(ANSWER),
    }).catch(() => null);
  }

  /** Send what is due; one of a kind at a time, so that none overtakes a newer one. */
  function pump() {
    cancel();
    const now = env.now();
    let next = Infinity;
    for (const [kind, { topic, name, make, due }] of [...waiting]) {
      const at = Math.max(due, (sent.get(kind) ?? 0));
      if (at > now) {
        next = Math.min(next, at);
        continue;
      }
      waiting.delete(kind);
      const data = make();
      if (data === undefined) continue;
      said.add(topic);
      sent.set(kind, Infinity);
      post(topic, name, data).then(() => {
        sent.set(kind, now);
        pump();
      });
    }
    if (next < Infinity) cancel = env.after(pump, next - now);
  }

  /** This page is left or hidden: the others see nothing of it any more. */
  function hush() {
    waiting.clear();
    for (const topic of said) post(topic, GONE, null, true);
    said.clear();
  }

  const offs = [
    events.on("stream:open", ({ hello }) => {
      for (const topic in hello.grants) grants.set(topic, hello.grants[topic]);
    }),
    events.on("stream:message", ({ event, data }) => {
      if (event !== SIGNAL || !data.from || data.from.k === me) return; // never oneself, in no tab
      for (const listener of listeners) listener({ topic: data.t, name: data.name, from: data.from, data: data.data });
    }),
    env.on("visibilitychange", () => env.hidden() && hush()),
    env.on("pagehide", hush),
  ];

  return {
    /** @param {Element} el @param {string} attribute without a value: the topic on which the page shows who looks at it */
    topicOf(el, attribute) {
      const name = el.getAttribute(attribute);
      return name ? hereTopic(name) : (views.tracked()[0] ?? "");
    },
    count: views.count,
    gone,
    keyOf,
    fieldOf,
    telling,
    /** The name on a chip. @param {Sender} from */
    label: (from) => firstName(from.n, spoken(doc)["here.visitor"]),

    /** @param {(heard: Heard) => void} fn */
    listen: (fn) => void listeners.add(fn),

    /**
     * Say something; what nobody hears is not sent. Of several words of a kind the newest is.
     * @param {string} topic @param {string} name
     * @param {() => any} make what to say, when it is said; undefined for nothing
     * @param {number} every ms between two
     */
    say(topic, name, make, every) {
      const kind = `${topic}\n${name}`;
      if (!heard(topic)) return void waiting.delete(kind);
      const before = sent.get(kind) ?? 0;
      waiting.set(kind, { topic, name, make, due: (before < Infinity ? before : env.now()) + every });
      pump();
    },

    /** Take back what was said, if anything was. @param {string} topic @param {string} name @param {any} data */
    unsay(topic, name, data) {
      const kind = `${topic}\n${name}`;
      const early = waiting.delete(kind) && !sent.has(kind);
      if (early || !said.has(topic) || connection.state !== "connected") return;
      waiting.set(kind, { topic, name, make: () => data, due: 0 });
      pump();
    },

    hush,

    stop() {
      cancel();
      hush();
      for (const off of offs) off();
    },
  };
}
