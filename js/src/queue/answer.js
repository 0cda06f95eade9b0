// What becomes of the answer to an action that was sent later: into its target where that still stands, in the tab
// that made it, or, when that is gone, in the one that sent it. Parts for other places always.
import { AT, OWN, REPLAYED, TOAST } from "../protocol.js";

const SENT = 64 * 1024; // characters of an answer that go over to another tab

/** @typedef {import("./queue.js").Entry} Entry */
/**
 * @typedef {object} Said  an answer as it goes from tab to tab
 * @property {string} action
 * @property {string} outcome
 * @property {Pick<Entry, "page" | "target" | "swap" | "tab">} [entry]
 * @property {string} [html]
 * @property {string | null} [at]
 * @property {number} [own]
 * @property {boolean} [missing]  done, but what it would have shown is not here
 * @property {string | null} [toast]
 * @property {string | null} [trigger]
 */

/** @param {Entry} entry @param {import("./send.js").Given} answer @returns {Said} */
export function saidOf(entry, { status, header, html = "", whole }) {
  const { page, target, swap, tab } = entry;
  const shown = !whole && html.length <= SENT ? html : "";
  return {
    action: entry.action,
    outcome: "ok",
    entry: { page, tab, target: header("HX-Retarget") ?? target, swap: header("HX-Reswap") ?? swap },
    html: shown,
    at: header(AT),
    own: parseInt(header(OWN) ?? "-1", 36),
    missing: swap !== "none" && (shown !== html || (status === 204 && header(REPLAYED) === "true")),
    toast: header(TOAST),
    trigger: header("HX-Trigger"),
  };
}

/**
 * @param {import("../index.js").Runtime} rt
 * @param {Map<string, Element>} targets of actions made on this page: an element need not have an id
 */
export function createAnswers({ doc, win, events, bridge }, targets) {
  /** @param {Said} said */
  function targetOf({ action, entry }) {
    if (entry?.page !== win.location.pathname + win.location.search) return null;
    const known = targets.get(action);
    if (known && (known.isConnected || !known.id)) return known.isConnected ? known : null;
    return entry.target ? doc.querySelector(entry.target) : null;
  }

  /** @param {Said} said */
  return async function show(said) {
    const { action, outcome, html, at = null, own = -1, missing, toast, trigger } = said;
    let told = false;
    const tell = () => {
      off();
      if (!told) events.emit("queue:done", { action, outcome });
      told = true;
    };
    const target = targetOf(said);
    targets.delete(action);
    // With the layers of optimism lifted: a confirmed one is not put back.
    const off = html ? events.on("coming", tell) : () => {};
    if (html) {
      const style = target ? (said.entry?.swap ?? "none") : "none";
      await /** @type {any} */ (bridge).swap(target ?? doc.body, html, style, { at, own });
    }
    tell();
    if (missing && target) refetch(target);
    for (const args of parsed(toast)) events.emit("toast", args);
    for (const [name, detail] of triggers(trigger)) doc.body.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
  };

  /** @param {Element} target */
  function refetch(target) {
    const region = target.closest("[rt-src]");
    if (region) events.emit("resync", { topics: [], elements: [region], why: "queue" });
    else events.emit("stale");
  }
}

/** @param {string | null | undefined} header @returns {any[]} */
function parsed(header) {
  try {
    return [].concat(JSON.parse(header || "[]"));
  } catch {
    return [];
  }
}

/** @param {string | null | undefined} header @returns {[string, any][]} */
function triggers(header) {
  if (!header) return [];
  const [all] = header.startsWith("{") ? parsed(header) : [];
  return all ? Object.entries(all) : header.split(",").map((name) => [name.trim(), {}]);
}
