// `htmx-rt-script.mjs`: what scripts of the page say and wait for: `htmxRt.signal`, `htmxRt.join`; and playing a cut line.
import { words } from "./dom.js";
import { PROBLEM, REVOKED } from "./protocol.js";

const ANSWER = 8_000; // ms
const MOST = 1024; // bytes of what is said
const taken = new WeakSet();

/**
 * @typedef {object} Said  what became of a signal
 * @property {boolean} sent
 * @property {string} [why]  "no-grant", "too-large", "limited", "offline", or the problem that the server named
 * @property {number} [retry]  of "limited": milliseconds after which to try again
 *
 * @typedef {object} Joined
 * @property {boolean} granted
 * @property {string} [why]  "no-grant": this page holds none for the topic; "forbidden": it was refused or taken back;
 *   or why the page has no line: "signed-out", "no-cookie", "user-changed" …
 */

/** Takes up what was asked, and whatever will be. @param {import("./index.js").Runtime} rt */
export function take(rt) {
  if (taken.has(rt)) return;
  taken.add(rt);
  const parts = /** @type {Record<string, (...args: any[]) => any>} */ (createScript(rt));
  const answer = (/** @type {[string, any[], (value: any) => void]} */ [name, args, done]) => (done(parts[name](...args)), 0);
  for (const call of rt.asked.splice(0)) answer(call);
  rt.asked.push = answer;
}

/** @param {import("./index.js").Runtime} rt */
export function createScript({ config, doc, env, events, tab, subscriptions, connection, lines }) {
  /** @type {Map<string, string>} topic → the grant of the last hello */
  const grants = new Map();
  /** @type {Set<string>} */
  const refused = new Set();
  /** @type {Set<() => void>} */
  const waiting = new Set();
  let why = "";
  let hellos = 0;
  /** @type {typeof lines.open | null} */
  let real = null;
  let fail = () => {};

  const holds = (/** @type {string} */ topic) => doc.querySelector(`[rt-stream~="${CSS.escape(topic)}"]`);

  /** @param {string} topic */
  function grantOf(topic) {
    const el = holds(topic);
    return grants.get(topic) ?? (el ? words(el, "rt-grant")[words(el, "rt-stream").indexOf(topic)] : undefined);
  }

  /** What is known of a topic by now, if anything is. @param {string} topic @returns {Joined | undefined} */
  function outcome(topic) {
    if (!holds(topic)) return { granted: false, why: "no-grant" };
    if (grants.has(topic)) return { granted: true };
    if (refused.has(topic)) return { granted: false, why: "forbidden" };
    if (connection.state === "refused") return { granted: false, why };
    return undefined;
  }

  const look = () => [...waiting].forEach((fn) => fn());
  events.on("stream:open", ({ hello }) => {
    hellos += 1;
    for (const topic in hello.grants) {
      grants.set(topic, hello.grants[topic]);
      refused.delete(topic);
    }
    for (const topic of hello.refused) {
      refused.add(topic);
      grants.delete(topic);
    }
    look();
  });
  events.on("stream:message", ({ event, data }) => {
    if (event !== REVOKED) return;
    for (const topic of data.topics) {
      refused.add(topic);
      grants.delete(topic);
    }
  });
  events.on("stream:state", (status) => {
    why = status.why;
    look();
  });
  connection.tell();

  return {
    /** @param {string} topic @returns {Promise<Joined>} */
    join: (topic) =>
      new Promise((done) => {
        const before = hellos;
        let asked = -1; // at which hello
        const check = () => {
          // What the page does not ask for any more, or the server passes over, was taken from it. One hello more may be
          // on its way to an order that did not know of the topic yet.
          const gone = connection.state === "idle" || hellos > before + 1 || !subscriptions.body(connection.cursor);
          const known = outcome(topic) ?? (gone ? { granted: false, why: "forbidden" } : undefined);
          if (known) {
            waiting.delete(check);
            return done(known);
          }
          waiting.add(check);
          if (connection.state !== "connected" || asked === hellos) return;
          asked = hellos;
          connection.refresh();
        };
        check();
      }),

    /** @param {string} topic @param {string} name @param {any} [data] @returns {Promise<Said>} */
    async signal(topic, name, data = null) {
      const grant = grantOf(topic);
      if (!grant) return { sent: false, why: "no-grant" };
      if (new TextEncoder().encode(JSON.stringify(data)).length > MOST) return { sent: false, why: "too-large" };
      const answer = await env.fetch(`${config.prefix}/signal`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        // In quotes: the build shortens names that our own modules share, and this one goes over the wire.
        body: JSON.stringify({ tab: tab.id, "grant": grant, name, data }),
        signal: AbortSignal.timeout(ANSWER),
      }).catch(() => null);
      if (answer?.ok) return { sent: true };
      if (!answer) return { sent: false, why: "offline" };
      const retry = Number(answer.headers.get("Retry-After")) * 1000;
      return { sent: false, why: answer.headers.get(PROBLEM) ?? String(answer.status), ...(retry > 0 && { retry }) };
    },

    simulateDisconnect(cut = true) {
      if (cut && !real) {
        real = lines.open;
        lines.open = (_env, _url, _body, _event, end) => {
          const cancel = env.after(() => fail(), 0);
          fail = () => {
            fail = () => {};
            end({});
          };
          return { check() {}, close: () => (cancel(), void (fail = () => {})) };
        };
        connection.drop();
      } else if (!cut && real) {
        lines.open = real;
        real = null;
        fail(); // one that was about to
        connection.retry();
      }
    },
  };
}
