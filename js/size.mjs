// The size gate: what a page downloads before anything works must stay small.
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const files = join(dirname(fileURLToPath(import.meta.url)), "..", "htmx_rt", "static");
const limits = { "htmx-rt.js": 12_288, "htmx-rt.mjs": 12_288, "htmx-rt-more.mjs": 6_144, "htmx-rt.css": 4_096 }; // bytes, min + gzip -9

for (const [name, limit] of Object.entries(limits)) {
  const size = gzipSync(await readFile(join(files, name)), { level: 9 }).length;
  const verdict = size <= limit ? "ok" : "TOO LARGE";
  console.log(`${name}  ${size} of ${limit} B min+gzip  ${verdict}`);
  if (size > limit) process.exitCode = 1;
}
