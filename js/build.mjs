// Builds htmx_rt/static/{htmx-rt.js,htmx-rt.mjs,htmx-rt-*.mjs,htmx-rt.css} from js/src and js/css.
// `node js/build.mjs` writes; `--check` builds in memory and fails when a committed file differs.
import { readFile, writeFile, mkdir } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { minify } from "terser";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const out = join(root, "htmx_rt", "static");
const { version } = JSON.parse(await readFile(join(root, "js", "package.json"), "utf8"));
const banner = `/*! htmx-rt ${version} | MIT */`;

// What only our own modules say to each other, in all files the same. Never a name of the wire, of the DOM, of htmx,
// of an event's detail or of `htmxRt`.  The most used first, for they get the shortest.
const internal = (
  "hooks inner nodes epoch note covers inserted captured grant added ahead gone parsed places replay rewired " +
  "versions lost settling wrote asked begin forget ring touch verbs written admit composing created focused " +
  "inPlace islands newEpoch parseAll parseDocument perform raise repair resolved scrolled settled answered coming " +
  "configure effectOf elementsOf inherit reseat restore retryAfter submitted takeChanged topicsOf blurred refuses stands adopt quiet planned"
).split(" ");

/** Letters that are no names of the wire. @param {number} index */
const short = (index) => "abcdefghijklmpqruwxyz"[index % 21].repeat(1 + Math.floor(index / 21));

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
  mangleProps: new RegExp(`^(${internal.join("|")})$`),
  mangleCache: Object.fromEntries(internal.map((name, index) => [name, short(index)])),
};

// The core loads the others at run time, from beside itself.
const core = { ...common, entryPoints: ["js/src/index.js"] };
const builds = [
  { ...core, format: "iife", outfile: join(out, "htmx-rt.js") },
  { ...core, format: "esm", outfile: join(out, "htmx-rt.mjs") },
  ...Object.entries({ htmx2: "bridge/htmx2", more: "more", optimistic: "optimistic/index", move: "optimistic/move", queue: "queue/index", presence: "presence/index", pointers: "presence/pointers", edit: "edit/index", save: "edit/save", gone: "edit/gone", lease: "lease/index", work: "lease/work", drafts: "drafts/index", server: "drafts/server", place: "place/index", renew: "renew", pace: "pace", again: "again", script: "script", socket: "socket/index", shared: "shared/index", requires: "requires/index", region: "region/index", kept: "region/kept", list: "list/index", news: "list/news", changes: "changes/index", progress: "progress/index", bell: "bell/index", validate: "validate/index", upload: "upload/index", confirm: "confirm", dev: "dev" }).map(([name, entry]) =>
    ({ ...common, entryPoints: [`js/src/${entry}.js`], format: "esm", outfile: join(out, `htmx-rt-${name}.mjs`) })),
  { ...common, entryPoints: ["js/css/htmx-rt.css"], outfile: join(out, "htmx-rt.css"), banner: { css: banner } },
];

/**
 * A second minifier: it names variables by how often letters occur, which is worth 6 % after gzip.
 * @param {string} code @param {boolean} module
 */
async function smaller(code, module) {
  const options = { module, ecma: 2020, compress: { passes: 3, unsafe_arrows: true, pure_getters: true, keep_fargs: false } };
  const result = await minify(code, /** @type {any} */ (options));
  return `${banner}\n${result.code}\n`;
}

const check = process.argv.includes("--check");
let stale = 0;
await mkdir(out, { recursive: true });
for (const options of builds) {
  const result = await build(/** @type {any} */ (options));
  for (const file of result.outputFiles ?? []) {
    const name = relative(root, file.path);
    const contents = file.path.endsWith(".css") ? file.text : await smaller(file.text, options.format === "esm");
    if (!check) {
      await writeFile(file.path, contents);
      console.log(`${name}  ${Buffer.byteLength(contents)} B`);
      continue;
    }
    if ((await readFile(file.path, "utf8").catch(() => "")) === contents) continue;
    console.error(`${name} differs from its sources: run "npm --prefix js run build" and commit the result`);
    stale = 1;
  }
}
process.exitCode = stale;
