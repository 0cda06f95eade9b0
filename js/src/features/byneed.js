// Files that only some pages need: each is fetched when the first of its attributes is there, at the start or after
// any change of the page.

/**
 * @typedef {object} Part
 * @property {string} file
 * @property {string} selector
 * @property {(rt: import("../index.js").Runtime) => boolean} [also]  other reasons to fetch it at the start
 */

/** @type {Part[]} */
const PARTS = [
  { file: "htmx-rt-presence.mjs", selector: "[rt-here],[rt-view],[rt-typing],[rt-cursors]" },
  { file: "htmx-rt-optimistic.mjs", selector: "[rt-optimistic],[rt-move]" },
  {
    file: "htmx-rt-queue.mjs",
    selector: "[rt-queue]",
    also: ({ env }) => Object.keys(env.local() ?? {}).some((key) => key.startsWith("rt-queue:")), // kept from before
  },
];

/** @type {import("../index.js").Feature} */
export const byneed = {
  name: "byneed",
  mount(rt) {
    let stopped = false;
    let wanted = PARTS.filter(({ also }) => !also?.(rt));
    /** @type {(() => void)[]} */
    const stops = [];

    /** @param {Part} part */
    async function fetch({ file }) {
      const { features } = await rt.load(file);
      if (!stopped) for (const feature of features) stops.push(feature.mount(rt));
    }

    function look() {
      if (!wanted.length) return;
      const here = wanted.filter(({ selector }) => rt.doc.querySelector(selector));
      wanted = wanted.filter((part) => !here.includes(part));
      here.forEach(fetch);
    }

    const off = rt.events.on("swap", look);
    PARTS.filter((part) => !wanted.includes(part)).forEach(fetch);
    look();
    return () => {
      stopped = true;
      off();
      for (const stop of stops) stop();
    };
  },
};
