// The size gate: what a page downloads must stay small. Bytes, minified, gzip -9.
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const folder = join(dirname(fileURLToPath(import.meta.url)), "..", "htmx_rt", "static");

/** @type {[string, number, string[]][]} what, its limit, its files */
const gates = [
  ["core: connection, operations, never backwards, htmx 4", 12_288, ["htmx-rt.js"]],
  ["core as a module", 12_288, ["htmx-rt.mjs"]],
  ["htmx 2, before the stream opens", 2_112, ["htmx-rt-htmx2.mjs"]],
  ["bar, toasts, calls, refetch, motion, pending, failures; right after the start", 12_288, ["htmx-rt-more.mjs"]],
  ["by need: optimistic changes", 8_448, ["htmx-rt-optimistic.mjs"]],
  ["by need: lists whose items move", 2_816, ["htmx-rt-move.mjs"]],
  ["by need: the queue", 10_240, ["htmx-rt-queue.mjs"]],
  ["by need: who is here, who is typing, who is in which field", 6_144, ["htmx-rt-presence.mjs"]],
  ["by need: pointers and carets of others", 3_584, ["htmx-rt-pointers.mjs"]],
  ["by need: locks and ownership", 5_248, ["htmx-rt-lease.mjs"]],
  ["by need: what the owner types, for those who look on", 1_792, ["htmx-rt-work.mjs"]],
  ["by need: two people, one form", 7_424, ["htmx-rt-edit.mjs"]],
  ["by need: forms that save field by field", 2_048, ["htmx-rt-save.mjs"]],
  ["by need: a record that is gone", 2_048, ["htmx-rt-gone.mjs"]],
  ["by need: what was typed and is not sent", 7_552, ["htmx-rt-drafts.mjs"]],
  ["by need: drafts on the server", 3_072, ["htmx-rt-server.mjs"]],
  ["by need: state in the address, places kept", 3_072, ["htmx-rt-place.mjs"]],
  ["by need: a new version, a sign-in that ended", 1_280, ["htmx-rt-renew.mjs"]],
  ["by need: controls that need a connection", 1_024, ["htmx-rt-requires.mjs"]],
  ["by need: regions that load themselves", 4_608, ["htmx-rt-region.mjs"]],
  ["by need: what regions showed last", 896, ["htmx-rt-kept.mjs"]],
  ["by need: long lists", 4_352, ["htmx-rt-list.mjs"]],
  ["by need: what comes in beyond the edge of a list", 2_304, ["htmx-rt-news.mjs"]],
  ["by need: badges and highlights", 1_536, ["htmx-rt-changes.mjs"]],
  ["by need: long operations", 2_752, ["htmx-rt-progress.mjs"]],
  ["by need: notifications", 2_048, ["htmx-rt-bell.mjs"]],
  ["by need: fields checked while typing", 2_560, ["htmx-rt-validate.mjs"]],
  ["by need: uploads", 5_120, ["htmx-rt-upload.mjs"]],
  ["by need: questions", 768, ["htmx-rt-confirm.mjs"]],
  ["by need: pages that are sent more than they can draw", 768, ["htmx-rt-pace.mjs"]],
  ["by need, before the stream opens: WebSockets", 3_072, ["htmx-rt-socket.mjs"]],
  ["over HTTP/1, before the stream opens: one stream for all tabs", 5_632, ["htmx-rt-shared.mjs"]],
  ["by need: pages that were refused", 640, ["htmx-rt-again.mjs"]],
  ["by need: signals and topics of scripts", 1_280, ["htmx-rt-script.mjs"]],
  ["for development", 1_024, ["htmx-rt-dev.mjs"]],
  ["style sheet, of all parts", 9_728, ["htmx-rt.css"]],
  ["all scripts of a page with htmx 4", 24_576, ["htmx-rt.js", "htmx-rt-more.mjs"]],
  ["all scripts of a page with htmx 2", 26_688, ["htmx-rt.js", "htmx-rt-htmx2.mjs", "htmx-rt-more.mjs"]],
];

/** @param {string} name */
const sizeOf = async (name) => gzipSync(await readFile(join(folder, name)), { level: 9 }).length;

for (const [what, limit, names] of gates) {
  const size = (await Promise.all(names.map(sizeOf))).reduce((sum, one) => sum + one);
  console.log(`${String(size).padStart(6)} of ${String(limit).padStart(6)} B  ${names.join(" + ")}  (${what})${size > limit ? "  TOO LARGE" : ""}`);
  if (size > limit) process.exitCode = 1;
}
