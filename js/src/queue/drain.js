// Sends what is kept, in order, from one tab of a browser at a time. What is sent is known to the server by its id:
// a tab that dies in the middle, or a browser without locks, costs a second request and nothing else.
import { judge, next } from "./queue.js";

/** @typedef {import("./queue.js").Entry} Entry */
/** @typedef {import("./send.js").Given} Given */

/**
 * @param {object} options
 * @param {Pick<import("../env.js").Env, "now" | "random" | "after" | "offline">} options.env
 * @param {Pick<LockManager, "request"> | undefined} options.locks
 * @param {string} options.lock
 * @param {import("./idb.js").Store<Entry>} options.store
 * @param {() => string} options.who  may be sent for, now
 * @param {(entry: Entry, signal: AbortSignal) => Promise<Given>} options.send
 * @param {(entry: Entry, verdict: Partial<Entry> | null, answer: Given) => Promise<void>} options.settled  after it is stored
 * @param {() => void} options.changed  `sending` or `signedOut` did
 */
export function createDrain({ env, locks, lock, store, who, send, settled, changed }) {
  let control = new AbortController();
  let busy = false;
  let wanted = false; // once more when it is done
  let pressed = false; // waits of our own are over
  let cancel = () => {};

  const drain = {
    /** Id of the action under way. */
    sending: "",
    /** The server does not know this person any more. */
    signedOut: false,
    kick,
    /** The page goes, perhaps into the back/forward cache, where it must hold no lock. */
    suspend() {
      cancel();
      control.abort();
    },
    resume() {
      control = new AbortController();
      kick();
    },
  };

  /** @param {boolean} [now] whatever was planned: the line is back, or a person asks */
  async function kick(now = false) {
    if (now) {
      pressed = true;
      drain.signedOut = false;
    }
    if (drain.signedOut || env.offline() || control.signal.aborted) return;
    if (busy) {
      wanted = true;
      return;
    }
    busy = true;
    cancel();
    const { signal } = control;
    try {
      if (locks) await locks.request(lock, { signal }, () => run(signal));
      else await run(signal);
    } catch (error) {
      if (!signal.aborted) console.error("htmx-rt: queue", error);
    }
    busy = false;
    if (drain.sending) say("");
    if (wanted) {
      wanted = false;
      kick();
    }
  }

  /** @param {AbortSignal} signal */
  async function run(signal) {
    while (!signal.aborted) {
      const entries = await store.all();
      if (pressed) {
        pressed = false;
        for (const entry of entries) {
          if (entry.after && !entry.firm && entry.who === who()) await store.change(entry.seq, (one) => ({ ...one, after: 0, line: false }));
        }
        continue;
      }
      const { entry, wait } = next(entries, who(), env.now());
      if (!entry) {
        if (wait) cancel = env.after(kick, wait);
        return;
      }
      say(entry.action);
      const answer = await send(entry, signal);
      if (signal.aborted) return; // it stays as it was
      const verdict = judge(entry, answer, env.now(), env.random);
      if (verdict === "sign-in") {
        drain.signedOut = true;
        return say("");
      }
      await store.change(entry.seq, (one) => verdict && { ...one, ...verdict });
      drain.sending = "";
      await settled(entry, verdict, answer);
    }
  }

  /** @param {string} action */
  function say(action) {
    drain.sending = action;
    changed();
  }

  return drain;
}
