// Files that only some pages need: each is fetched when the first of its attributes is there, at the start or after
// any change of the page.

const MOST = 256; // calls

/** @type {import("../index.js").Feature} */
export const byneed = {
  name: "byneed",
  mount(rt) {
    const { doc, env, events } = rt;
    let stopped = false;
    let wanted = Object.entries({
      presence: "[rt-here],[rt-view],[rt-typing],[rt-cursors]",
      optimistic: "[rt-optimistic],[rt-move]",
      edit: "[rt-edit]",
      // Or something was kept before.
      queue: Object.keys(env.local() ?? {}).some((key) => key.startsWith("rt-queue:")) ? "html" : "[rt-queue]",
    });
    /** @type {any[]} what is said of records before the part that listens to it is there */
    let early = [];

    /** @param {string} name */
    async function fetch(name) {
      const { features } = await rt.load(`htmx-rt-${name}.mjs`);
      if (!stopped) for (const feature of features) stops.push(feature.mount(rt, early));
      if (name === "edit") offs.pop()?.(), (early = []);
    }

    function look() {
      wanted = wanted.filter((part) => !doc.querySelector(part[1]) || void fetch(part[0]));
    }

    /** @type {(() => void)[]} */
    const stops = [];
    const offs = [
      events.on("swap", look),
      events.on("call", (call) => call.t.startsWith("edit:") && (early = [...early, call].slice(-MOST))),
    ];
    look();
    return () => {
      stopped = true;
      for (const stop of [...offs, ...stops]) stop();
    };
  },
};
