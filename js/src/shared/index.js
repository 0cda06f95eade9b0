// One stream for all tabs of a browser, over HTTP/1, where a seventh one could not even load. Each tab keeps its own
// connection, over a line that is virtual: one tab leads, holds the real stream, and hands on what it brings.
import { parseCursor } from "../cursor.js";
import { randomHex } from "../ids.js";
import { BYE, HELLO as OPENED, RESYNC, REVOKED, STOP } from "../protocol.js";
import { createElection } from "./election.js";
import { createLeader, DEBOUNCE } from "./leader.js";
import { ALONE, DROP, END, EVENT, HELLO, LEADS, ORDER, PING, PULSE, VISIBLE, WHO } from "./words.js";

/**
 * @typedef {object} Virtual  one line of this tab's connection
 * @property {object} body  what it asked for last
 * @property {number} n  the newest number of its order
 * @property {Set<number>} asked  all of them
 * @property {string} s  the leader's stream that it hears; "" before the first hello
 * @property {Set<string>} topics  that it was granted
 * @property {any[] | null} held  of a replay that is to be handed on as one
 * @property {import("../stream.js").Stream | null} own  a real one after all
 * @property {(event: import("../stream.js").Event) => void} onEvent
 * @property {(ending: import("../stream.js").Ending) => void} onEnd
 */

const BEAT = 500; // ms between two looks whether anybody leads
const ASK = 2; // looks without a word from the leader, after which it is asked
const PAST = 20; // streams that are remembered
const DEAD = 4; // and after which it is passed by

/** Nothing is shared with pages of somebody else, of another release, or in another language. @param {import("../index.js").Config} config */
const nameOf = ({ name, build, who, lang }) =>
  ["htmx-rt", name, build, who, lang, new URL(import.meta.url).pathname].join(":");

/**
 * @param {import("../index.js").Runtime} rt
 * @returns {() => void} ends it
 */
export function wire(rt) {
  const { config, win, doc, env, events, positions, subscriptions, connection, tab } = rt;
  const { lines: seam } = rt;
  const { locks } = win.navigator;
  /** Whatever opens lines at that moment. @type {import("../stream.js").Open} */
  const real = (...order) => (seam.real ?? seam.open)(...order);
  const url = `${config.prefix}/stream`;
  const name = nameOf(config);
  /** @type {Virtual[]} */
  let mine = [];
  /** @type {BroadcastChannel | null} */
  let channel = null;
  /** @type {ReturnType<typeof createLeader> | null} */
  let leader = null;
  let page = ""; // of this tab among the others, for as long as it is among them
  let joined = false; // the others can tell when this page is gone
  let heard = false; // somebody else has led
  let solo = false; // the page has streams of its own
  let current = ""; // the leader's stream, as far as is known
  /** @type {Set<string>} those before it, of which something may still come */
  const past = new Set();
  let quiet = 0;
  let leave = () => {};
  let cancelLook = () => {};

  if (!locks || !win.BroadcastChannel || !config.who) {
    if (config.debug) console.info("htmx-rt: one stream a tab, as this page has no Web Locks (they need https) or no BroadcastChannel");
    seam.shared = false;
    return () => {};
  }

  // Speaking and hearing

  /** @param {import("./words.js").Word} word  to all tabs, this one too */
  function say(word) {
    channel?.postMessage(word);
    hear(word);
  }

  /** @param {import("./words.js").Word} word */
  function hear(word) {
    if (LEADS.includes(word.k)) quiet = 0;
    if (word.k === ORDER) {
      if (leader) watch(word.page);
      leader?.take(word.page, word.n, word.body);
    } else if (word.k === DROP) leader?.drop(word.page, word.n);
    else if (word.k === VISIBLE) leader?.look(word.page, word.vis);
    else if (word.k === PING && leader) {
      leader.check();
      say({ k: PULSE });
    } else if (word.k === WHO) again();
    else if (word.k === HELLO) opened(word);
    else if (word.k === EVENT) receive(word);
    else if (word.k === END) ended(word);
    else if (word.k === ALONE) for (const line of asked(word.lines)) alone(line);
  }

  /** The lines of this tab that are meant. @param {Record<string, number>} lines */
  const asked = (lines) => mine.filter((line) => line.asked.has(lines[page]));

  // The lines of this tab

  /** @type {import("../stream.js").Open} */
  function open(env, url, body, onEvent, onEnd) {
    if (solo) return real(env, url, body, onEvent, onEnd);
    /** @type {Virtual} */
    const line = { body, n: 0, asked: new Set(), s: "", topics: new Set(), held: null, own: null, onEvent, onEnd };
    mine.push(line);
    join();
    send(line);
    look();
    return {
      close: () => close(line),
      check: () => (line.own ? line.own.check() : say({ k: PING })),
    };
  }

  /** @param {Virtual} line */
  function send(line) {
    const { tabs } = /** @type {{tabs: import("./order.js").TabOrder[]}} */ (line.body);
    line.n = tabs[0].gen;
    line.asked.add(line.n);
    if (joined && !line.own) say({ k: ORDER, page, n: line.n, body: line.body });
  }

  /** Asks again: what this page needs now, if it has been heard before. */
  function again() {
    const line = mine.at(-1);
    const body = line?.s && subscriptions.body(connection.cursor);
    if (line && body) line.body = body;
    if (line) send(line);
  }

  /** @param {Virtual} line */
  function close(line) {
    mine = mine.filter((other) => other !== line);
    line.own?.close();
    say({ k: DROP, page, n: line.n });
  }

  /** @param {Virtual} line @param {import("../stream.js").Ending} ending */
  function finish(line, ending) {
    close(line);
    line.onEnd(ending);
  }

  /** What the leader cannot do for this tab, the server is asked by itself. @param {Virtual} line */
  function alone(line) {
    only();
    if (line.s) return finish(line, {}); // its connection opens the next
    say({ k: DROP, page, n: line.n });
    line.own = real(env, url, line.body, line.onEvent, (/** @type {any} */ ending) => finish(line, ending));
  }

  // What the leader says

  /** @param {import("./words.js").Word} word */
  function opened({ s, lines, data }) {
    hears(s);
    const { tabs, ...all } = data;
    for (const line of asked(lines)) take(line, s, { ...all, ...tabs?.[tab.id] });
    const last = mine.at(-1);
    if (last?.s && last.s !== s) again(); // the leader has lost sight of it
    // Whoever waits for another try need wait no longer.
    if (!last && ["disconnected", "moving"].includes(connection.state)) connection.retry();
  }

  /** @param {string} s */
  function hears(s) {
    if (current) past.add(current);
    if (past.size > PAST) past.delete([...past][0]);
    current = s;
  }

  /** @param {Virtual} line @param {string} s @param {any} hello */
  function take(line, s, { again: fetched = [], ...hello }) {
    const topics = Object.keys(hello.grants);
    // Why it may read nothing, only the server can tell.
    if (!topics.length && hello.refused.length) return alone(line);
    const before = line.s;
    line.s = s;
    line.topics = new Set(topics);
    if (!before) line.onEvent({ event: OPENED, data: hello, id: null });
    else {
      // Its connection knows of one stream only, and need not know of the next.
      const at = parseCursor(connection.cursor)?.epoch;
      line.held = [];
      events.emit("stream:open", { hello, cursor: connection.cursor, newEpoch: at !== undefined && at !== parseCursor(hello.cursor)?.epoch });
    }
    if (fetched.length) deliver(line, { event: RESYNC, data: { topics: fetched, why: "grant", spread: 0 }, id: null });
  }

  /** @param {import("./words.js").Word} word */
  function receive({ s, event, data, id }) {
    if (s !== current && !past.has(s)) {
      // The debugger, for one, swallows words: of a stream whose hello did not come this page is no part.
      hears(s);
      again();
    }
    for (const line of mine) {
      if (line.s !== s || line.own) continue;
      if (event === REVOKED) for (const topic of data.topics) line.topics.delete(topic);
      const own = narrowed(line, event, data);
      if (own) deliver(line, { event, data: own, id });
      else if (id !== null) deliver(line, { event: "message", data: null, id });
    }
  }

  /** What of it is for this tab. @param {Virtual} line @param {string} event @param {any} data */
  function narrowed({ topics }, event, data) {
    if (!data) return null;
    if (event === RESYNC || event === REVOKED) {
      const own = data.topics.filter((/** @type {string} */ topic) => positions.has(topic));
      return own.length ? { ...data, topics: own } : null;
    }
    return data.t === undefined || topics.has(data.t) ? data : null;
  }

  /** @param {Virtual} line @param {import("../stream.js").Event} event */
  function deliver(line, event) {
    const { held } = line;
    if (!held || event.event === BYE || event.event === STOP) return line.onEvent(event);
    if (event.id === null) return void held.push(event);
    line.held = null;
    for (const one of held) line.onEvent(one);
    line.onEvent(event);
    events.emit("stream:replayed", { cursor: connection.cursor });
  }

  /** @param {import("./words.js").Word} word */
  function ended({ lines, all, ending }) {
    const over = new Set(asked(lines));
    if (all) for (const line of mine) if (line.s && !line.own) over.add(line);
    for (const line of over) finish(line, ending);
    const last = mine.at(-1);
    if (last?.s && last.s !== current) again();
  }

  // Leading

  function won() {
    cancelLook();
    leader = createLeader({ env, say, ready, open: (body, onEvent, onEnd) => real(env, url, body, onEvent, onEnd) });
    leader.plan(heard ? DEBOUNCE : 0);
    say({ k: WHO });
  }

  /** Who is seen leads rather than who is not: browsers let hidden pages sleep. */
  function ready() {
    if (!env.hidden() || !leader?.others(page)) return true;
    resign();
    election.stand();
    return false;
  }

  function resign() {
    leader?.close();
    leader = null;
    election.withdraw();
    for (const stop of watched.values()) stop();
    watched.clear();
    look();
  }

  /** @type {Map<string, () => void>} pages whose end is waited for */
  const watched = new Map();

  /** A page that crashed says no goodbye, but it lets go of its lock. @param {string} other */
  function watch(other) {
    if (other === page || watched.has(other)) return;
    const abort = new AbortController();
    watched.set(other, () => abort.abort());
    locks.request(`${name}:${other}`, { signal: abort.signal }, () => {
      watched.delete(other);
      leader?.drop(other);
    }).catch(() => {});
  }

  const election = createElection({
    locks,
    name,
    won,
    lost() {
      heard = true;
      leader?.close();
      leader = null;
      look();
      again();
    },
    failed: give,
  });

  /** The browser gives no locks here after all. @param {any} error */
  function give(error) {
    if (config.debug) console.info("htmx-rt: one stream a tab:", error);
    for (const line of mine) alone(line);
    part();
    only();
  }

  /** From here on the page opens streams of its own. */
  function only() {
    solo = true;
    seam.shared = false;
    env.http1 = () => true;
  }

  /** Looks after the leader, as long as somebody looks at this page. */
  function look() {
    cancelLook();
    quiet = 0;
    if (!joined || leader || env.hidden() || !mine.length || solo) return;
    const beat = () => {
      cancelLook = env.after(beat, BEAT * (1 + env.random() / 4));
      quiet += 1;
      if (quiet === ASK) say({ k: PING });
      if (quiet < DEAD) return;
      quiet = 0;
      election.steal();
    };
    cancelLook = env.after(beat, BEAT);
  }

  // Coming and going

  function join() {
    if (channel) return;
    const here = (page = randomHex());
    try {
      channel = new win.BroadcastChannel(name);
    } catch (error) {
      return give(error);
    }
    channel.onmessage = ({ data }) => {
      if (!data?.k) return;
      heard = true;
      hear(data);
    };
    locks.request(`${name}:${here}`, () => {
      if (page !== here) return;
      joined = true;
      again();
      election.stand();
      look();
      return new Promise((done) => (leave = () => done(0)));
    }).catch((error) => page === here && give(error));
  }

  /** Nothing is left that would keep a page out of the back/forward cache, or others waiting for a page that sleeps. */
  function part() {
    if (!channel) return;
    cancelLook();
    say({ k: DROP, page });
    resign();
    cancelLook();
    channel.close();
    channel = null;
    page = "";
    joined = false;
    leave();
  }

  /** After it was frozen. */
  function wake() {
    if (channel || !mine.length || solo) return;
    join();
  }

  const offs = [
    env.on("pagehide", part),
    env.on("visibilitychange", () => {
      if (joined) say({ k: VISIBLE, page, vis: !env.hidden() });
      look();
    }),
  ];
  doc.addEventListener("freeze", part);
  doc.addEventListener("resume", wake);
  Object.assign(seam, { real: seam.open, open, shared: true });
  env.http1 = () => false; // a hidden page need not give back what costs nobody anything

  return () => {
    for (const off of offs) off();
    doc.removeEventListener("freeze", part);
    doc.removeEventListener("resume", wake);
    part();
    only();
  };
}
