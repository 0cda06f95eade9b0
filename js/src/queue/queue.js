// What happens to an action that is kept for later: when it may be sent, what an answer makes of it. Pure.

export const MOST = 200; // entries of one person
export const BYTES = 5 * 1024 * 1024; // of one person's entries
export const AGE = 24 * 3600_000; // ms; the server knows a repeated action for as long, and no longer
const TRIES = 3; // answers like 500 before the person is asked
const FIRST = 1_000; // ms until a second try, doubling
const LONGEST = 60_000; // ms

/**
 * @typedef {object} Entry  an action as it is kept on the device
 * @property {number} seq  order of keeping, given by the store
 * @property {string} action  its id: the server does it once however often it is sent
 * @property {string} who  whose it is, as the server names people to pages
 * @property {string} name  the same for people, may be ""
 * @property {number} at  Unix ms
 * @property {string} resource  entries of one are sent in order
 * @property {string} method
 * @property {string} url
 * @property {Record<string, string>} headers
 * @property {[string, string][]} pairs  the form
 * @property {string} encoding  "" form, "multipart", or "query" where the values are in the address
 * @property {string} page  path and query of the page it was made on
 * @property {string} tab
 * @property {string} source  id of the element that made it
 * @property {string} target  selector of where the answer goes, "" where nothing can be said
 * @property {string} swap
 * @property {string} optimistic  its `rt-optimistic`
 * @property {string} what  in words
 * @property {string} detail  what was typed, shortened
 * @property {number} size  bytes
 * @property {"" | "paused" | "refused"} state  "" waits
 * @property {Reason | null} reason
 * @property {number} tries
 * @property {number} after  Unix ms before which it is not sent again
 * @property {boolean} line  that wait is for everything: the server is away or busy
 * @property {boolean} firm  that wait was asked for by the server
 *
 * @typedef {object} Reason  what the server said
 * @property {number} status
 * @property {string} problem
 * @property {string} text
 * @property {string} html  a panel to be shown, "" where there is none
 * @property {boolean} final  sending the same again would not help
 *
 * @typedef {object} Answer
 * @property {number} status  0: none came
 * @property {string} [problem]
 * @property {number} [wait]  ms, of `Retry-After`
 * @property {boolean} [login]  a page to sign in, in place of an answer
 * @property {string} [text]
 * @property {string} [html]
 *
 * @typedef {"waiting" | "behind" | "sending" | "paused" | "refused" | "old" | "sign-in"} State
 */

/** Why one more cannot be kept. @param {Entry[]} entries @param {{who: string, size: number}} entry @returns {"many" | "big" | null} */
export function full(entries, { who, size }) {
  const own = entries.filter((entry) => entry.who === who);
  if (own.length >= MOST) return "many";
  return own.reduce((sum, entry) => sum + entry.size, size) > BYTES ? "big" : null;
}

/** @param {Entry} entry @param {number} now */
export const isOld = (entry, now) => now - entry.at >= AGE;

/** Is it one that will be sent? @param {Entry} entry @param {number} now */
const open = (entry, now) => entry.state === "" && !isOld(entry, now);

/** Must a new action wait for those before it? @param {Entry[]} entries @param {string} who @param {string} resource @param {number} now */
export const holds = (entries, who, resource, now) =>
  entries.some((entry) => entry.who === who && entry.resource === resource && (open(entry, now) || entry.state === "paused"));

/** Entries of `who` in order, those that another one of their resource blocks left out. @param {Entry[]} entries @param {string} who @param {number} now */
function heads(entries, who, now) {
  const taken = new Set();
  return entries
    .filter((entry) => entry.who === who)
    .sort((a, b) => a.seq - b.seq)
    .filter((entry) => {
      const blocks = open(entry, now) || entry.state === "paused";
      const first = blocks && !taken.has(entry.resource);
      if (blocks) taken.add(entry.resource);
      return first && entry.state === "";
    });
}

/**
 * What to send now, or in how many ms there may be something (0: nothing by itself).
 * @param {Entry[]} entries @param {string} who @param {number} now @returns {{entry: Entry | null, wait: number}}
 */
export function next(entries, who, now) {
  const ready = heads(entries, who, now);
  const line = Math.max(0, ...ready.map((entry) => (entry.line ? entry.after : 0)));
  const due = (/** @type {Entry} */ entry) => Math.max(entry.after, line) - now;
  const entry = ready.find((one) => due(one) <= 0) ?? null;
  return { entry, wait: entry || !ready.length ? 0 : Math.max(1, Math.min(...ready.map(due))) };
}

/** @param {number} tries @param {() => number} random */
const pause = (tries, random) => (0.5 + random() / 2) * Math.min(LONGEST, FIRST * 2 ** tries);

/**
 * What an answer makes of an entry: null when it is done with, "sign-in" when it waits for that, else its fields.
 * @param {Entry} entry @param {Answer} answer @param {number} now @param {() => number} random
 * @returns {Partial<Entry> | "sign-in" | null}
 */
export function judge(entry, answer, now, random) {
  const { status, problem = "", wait, login, text = "", html = "" } = answer;
  const tries = entry.tries + 1;
  const later = (/** @type {boolean} */ line) => ({ tries, line, firm: !!wait, after: now + (wait ?? 0) + (wait ? random() * FIRST : pause(entry.tries, random)) });
  const said = (/** @type {"paused" | "refused"} */ state, final = false) =>
    ({ tries, state, after: 0, line: false, firm: false, reason: { status, problem, text, html, final } });

  if (login || status === 401) return "sign-in";
  if (!status || [408, 425, 429, 502, 503, 504].includes(status)) return later(true);
  if (status < 400) return null;
  if (problem === "running") return later(false);
  if (problem === "already-done") return said("refused", true);
  if (["unknown-outcome", "key-mismatch", "bad-request"].includes(problem)) return said("refused", true);
  if ([409, 412, 423, 428].includes(status)) return said("paused");
  if (status >= 500 && tries < TRIES) return later(false);
  return said("refused", [404, 405, 410, 413].includes(status) || problem === "forbidden");
}

/** As it was when it was new, to be sent again. @param {Entry} entry @returns {Entry} */
export const again = (entry) => ({ ...entry, state: "", reason: null, tries: 0, after: 0, line: false, firm: false });

/**
 * What is shown of each entry of `who`, in order.
 * @param {Entry[]} entries @param {{who: string, now: number, sending?: string, signedOut?: boolean}} of
 * @returns {{entry: Entry, state: State}[]}
 */
export function states(entries, { who, now, sending, signedOut = false }) {
  const blocked = new Set();
  return entries
    .filter((entry) => entry.who === who)
    .sort((a, b) => a.seq - b.seq)
    .map((entry) => {
      if (entry.state === "paused") blocked.add(entry.resource);
      const waits = signedOut ? "sign-in" : blocked.has(entry.resource) ? "behind" : "waiting";
      const state = entry.state || (entry.action === sending ? "sending" : isOld(entry, now) ? "old" : waits);
      return { entry, state: /** @type {State} */ (state) };
    });
}

/** Others whose entries are kept here: names, and how many. @param {Entry[]} entries @param {string} who @returns {{name: string, count: number}[]} */
export function others(entries, who) {
  /** @type {Map<string, {name: string, count: number}>} */
  const people = new Map();
  for (const entry of entries) {
    if (entry.who === who) continue;
    const person = people.get(entry.who) ?? { name: entry.name, count: 0 };
    people.set(entry.who, { name: entry.name || person.name, count: person.count + 1 });
  }
  return [...people.values()];
}
