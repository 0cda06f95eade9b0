// Builds htmx_rt/static/{htmx-rt.js,htmx-rt.mjs,htmx-rt.css} from js/src and js/css.
// `node js/build.mjs` writes; `--check` builds in memory and fails when a committed file differs.
import { readFile, writeFile, mkdir } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const out = join(root, "htmx_rt", "static");
const { version } = JSON.parse(await readFile(join(root, "js", "package.json"), "utf8"));
const banner = `/*! htmx-rt ${version} | MIT */`;

/** @type {import("esbuild").BuildOptions} */
const common = {
  absWorkingDir: root, // the output must not depend on where the build was started
  bundle: true,
  minify: true,
  charset: "utf8",
  legalComments: "none",
  write: false,
  // The browsers the kit promises (architecture.md); anything older gets plain htmx.
  target: ["chrome110", "firefox115", "safari16.4"],
  define: { __VERSION__: JSON.stringify(version) },
};

const builds = [
  { ...common, entryPoints: ["js/src/index.js"], format: "iife", outfile: join(out, "htmx-rt.js"), banner: { js: banner } },
  { ...common, entryPoints: ["js/src/index.js"], format: "esm", outfile: join(out, "htmx-rt.mjs"), banner: { js: banner } },
  { ...common, entryPoints: ["js/css/htmx-rt.css"], outfile: join(out, "htmx-rt.css"), banner: { css: banner } },
];

const check = process.argv.includes("--check");
let stale = 0;
await mkdir(out, { recursive: true });
for (const options of builds) {
  const result = await build(/** @type {any} */ (options));
  for (const file of result.outputFiles ?? []) {
    const name = relative(root, file.path);
    if (!check) {
      await writeFile(file.path, file.contents);
      console.log(`${name}  ${file.contents.length} B`);
      continue;
    }
    const committed = await readFile(file.path).catch(() => null);
    if (committed && Buffer.compare(committed, Buffer.from(file.contents)) === 0) continue;
    console.error(`${name} differs from its sources: run "npm --prefix js run build" and commit the result`);
    stale = 1;
  }
}
process.exitCode = stale;
