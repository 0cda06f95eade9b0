// Copies the htmx builds that `{{ rt.head(htmx=4) }}` can serve out of their npm packages, with
// licence, version and checksum. `--check` compares instead of writing.
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const js = dirname(fileURLToPath(import.meta.url));
const out = join(js, "..", "htmx_rt", "static", "vendor");

/** @type {Map<string, Buffer>} */
const files = new Map();
const versions = ["# file  package  version  sha256"];
for (const [alias, major] of [["htmx4", 4], ["htmx2", 2]]) {
  const from = join(js, "node_modules", String(alias));
  const { name, version } = JSON.parse(await readFile(join(from, "package.json"), "utf8"));
  const code = await readFile(join(from, "dist", "htmx.min.js"));
  const file = `htmx${major}.min.js`;
  files.set(file, code);
  files.set(`LICENSE.htmx${major}`, await readFile(join(from, "LICENSE")));
  versions.push(`${file}  ${name}  ${version}  ${createHash("sha256").update(code).digest("hex")}`);
}
files.set("VERSIONS", Buffer.from(versions.join("\n") + "\n"));

await mkdir(out, { recursive: true });
for (const [name, contents] of files) {
  if (!process.argv.includes("--check")) {
    await writeFile(join(out, name), contents);
    continue;
  }
  const present = await readFile(join(out, name)).catch(() => null);
  if (present && present.equals(contents)) continue;
  console.error(`vendor/${name} is not what npm ships: run "npm --prefix js run vendor"`);
  process.exitCode = 1;
}
