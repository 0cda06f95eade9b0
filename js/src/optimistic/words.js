// Words of this half. `data-*` of #rt-toasts, where the server chooses the language, beats them; those about failures
// are there already.

import { failureOf } from "../features/failures.js";
import { reasonOf } from "../reason.js";

/** @type {Record<string, string>} */
const WORDS = {
  sending: "Sending…",
  waiting: "Waiting…",
  retry: "Retry",
  discard: "Discard",
  discarded: "Discarded.",
  kept: "Not saved. {reason}",
  abort: "This was stopped.",
  refused: "The server refused this.",
  grabbed: "{item} picked up. Place {place} of {count}. Arrow keys move it, Space puts it down, Escape puts it back.",
  moved: "Place {place} of {count}.",
  dropped: "{item} put down. Place {place} of {count}.",
  cancelled: "{item} is back in its place.",
  unmoved: "{item} could not be moved and is back in its place.",
};

/** @typedef {(name: string, values?: Record<string, string | number>) => string} Word */

/** @param {Document} doc @returns {Word} */
export const wording = (doc) => (name, values = {}) =>
  (doc.getElementById("rt-toasts")?.getAttribute(`data-${name}`) ?? WORDS[name] ?? "").replace(/\{(\w+)\}/g, (_, key) => String(values[key] ?? ""));

/**
 * Why it failed: in the server's own words where it has some for people, else in ours.
 * @param {{outcome: string, status?: number, problem?: string | null, text?: () => string, header: (name: string) => string | null}} end
 * @param {Word} word @param {(html: string) => DocumentFragment} parse
 */
export function whyOf({ outcome, status = 0, problem, text, header }, word, parse) {
  const kind = outcome === "abort" ? outcome : failureOf({ outcome, status, problem });
  const said = outcome === "status" && status < 500 && reasonOf(text?.() ?? "", header("Content-Type") ?? "", problem, parse);
  return said || word(kind) || word("refused");
}
