// The one real stream of a browser, held by the tab that leads: for the orders of all, and handed on to all.
import { randomHex } from "../ids.js";
import { BYE, HELLO as OPENED } from "../protocol.js";
import { combine } from "./order.js";
import { ALONE, END, EVENT, HELLO } from "./words.js";

export const DEBOUNCE = 100; // ms in which orders are gathered
const BREATH = 100; // ms between a broken line and saying so: a page that is left loses its lines before it is told
const TIDY = 5_000; // ms after which the topics of a tab that has left are let go

/**
 * @typedef {object} Real  one stream
 * @property {string} s
 * @property {Record<string, number>} lines  page → the number of its order
 * @property {boolean} caughtUp  its replay has ended
 * @property {import("../stream.js").Stream} stream
 *
 * @typedef {import("./order.js").Wanted & {by: Real | null}} Held  by: the stream that answers it
 *
 * @param {object} options
 * @param {Pick<import("../env.js").Env, "after" | "random">} options.env
 * @param {(body: object, onEvent: (event: import("../stream.js").Event) => void, onEnd: (ending: import("../stream.js").Ending) => void) => import("../stream.js").Stream} options.open
 * @param {(word: import("./words.js").Word) => void} options.say  to all tabs, this one too
 * @param {() => boolean} options.ready  asked before a stream is opened; where false, nobody leads here any more
 */
export function createLeader({ env, open, say, ready }) {
  /** @type {Map<string, Held>} by page */
  const orders = new Map();
  /** @type {Real | null} */
  let live = null;
  /** @type {Real | null} */
  let opening = null;
  let dirty = false; // while a stream is being opened: there is more to ask for
  /** @type {string | null} */
  let cursor = null; // everything up to here was handed on
  let cancel = () => {};
  let pause = () => {};
  let due = Infinity; // ms, of what is planned

  /** @param {number} ms */
  function plan(ms) {
    if (opening) return void (dirty = true);
    if (ms >= due) return;
    cancel();
    due = ms;
    cancel = env.after(start, ms);
  }

  function unplan() {
    cancel();
    due = Infinity;
  }

  function start() {
    unplan();
    if (!ready()) return;
    if (!orders.size) return close();
    dirty = false;
    const { body, covered, left } = combine([...orders.values()].map(standing));
    for (const { page } of left) orders.delete(page);
    if (left.length) say({ k: ALONE, lines: numbers(left) });
    /** @type {Real} */
    const mine = (opening = { s: randomHex(), lines: numbers(covered), caughtUp: false, stream: { close() {}, check() {} } });
    mine.stream = open(body, (event) => receive(mine, event), (ending) => ended(mine, ending));
  }

  /** @param {import("./order.js").Wanted[]} wanted */
  const numbers = (wanted) => Object.fromEntries(wanted.map(({ page, n }) => [page, n]));

  /** Who reads through the stream has everything that it brought. @param {Held} one */
  function standing(one) {
    if (!one.by || one.by !== live || !live.caughtUp) return one;
    const { grants, fresh } = one.tab;
    one.tab = { ...one.tab, grants: [...grants, ...fresh], fresh: [] };
    one.cursor = cursor;
    return one;
  }

  /** @param {Real} from @param {import("../stream.js").Event} event */
  function receive(from, { event, data, id }) {
    if (event === OPENED) return opened(from, data);
    if (from !== live || data === undefined) return;
    if (id !== null) {
      cursor = id;
      from.caughtUp = true;
    }
    // All move at the same moment, or each would make the others open anew.
    if (event === BYE) data = { ...data, at: data.at ?? data.in * env.random() };
    say({ k: EVENT, s: from.s, event, data, id });
  }

  /** @param {Real} from @param {any} data */
  function opened(from, data) {
    if (from !== opening) return;
    live?.stream.close();
    live = from;
    opening = null;
    for (const one of orders.values()) one.by = from.lines[one.page] === one.n ? from : null;
    if (dirty) plan(DEBOUNCE);
    say({ k: HELLO, s: from.s, lines: from.lines, data });
  }

  /** @param {Real} from @param {import("../stream.js").Ending} ending */
  function ended(from, ending) {
    if (from === live) {
      live = null;
      if (opening) return; // which brings everybody what they miss, or ends them all
    } else if (from === opening) opening = null;
    else return;
    // Those that were only carried along still have the stream they had.
    const lost = [...orders.values()].filter((one) => from.lines[one.page] === one.n && (!live || one.by !== live));
    for (const { page } of lost) orders.delete(page);
    if (dirty) plan(DEBOUNCE);
    const tell = () => say({ k: END, lines: numbers(lost), all: !live, ending });
    if (ending.status === undefined && lost.length > 1) pause = env.after(tell, BREATH);
    else tell();
  }

  function close() {
    unplan();
    pause();
    live?.stream.close();
    opening?.stream.close();
    live = opening = null;
    dirty = false;
    orders.clear();
  }

  return {
    close,
    plan,

    /** @param {string} page @param {number} n @param {any} body */
    take(page, n, { cursor: from, tabs: [tab] }) {
      // The same tab after a reload: its last page is gone.
      for (const other of orders.values()) if (other.tab.id === tab.id) orders.delete(other.page);
      orders.set(page, { page, n, tab, cursor: from, by: null });
      plan(DEBOUNCE);
    },

    /** @param {string} page @param {number} [n]  without it, whatever it was */
    drop(page, n) {
      const one = orders.get(page);
      if (!one || (n !== undefined && one.n !== n)) return;
      orders.delete(page);
      if (orders.size) plan(TIDY);
      else close();
    },

    /** @param {string} page @param {boolean} vis */
    look(page, vis) {
      const one = orders.get(page);
      if (one) one.tab = { ...one.tab, vis };
    },

    /** Does any other tab see the light of day? @param {string} page */
    others: (page) => [...orders.values()].some((one) => one.page !== page && one.tab.vis),

    check() {
      live?.stream.check();
      opening?.stream.check();
    },
  };
}
