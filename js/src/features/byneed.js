// Files that only some pages need: each is fetched when the first of its attributes is there, at the start or after
// any change of the page; that of the drafts at the first key in a form, too.

/** @type {import("../index.js").Feature} */
export const byneed = {
  name: "byneed",
  mount(rt) {
    const { doc, env, events } = rt;
    let stopped = false;
    rt.typed = new WeakSet();
    /** Or something was kept before. @param {string} name @param {string} selector @returns {[string, string]} */
    const kept = (name, selector) =>
      [name, Object.keys(env.local() ?? {}).some((key) => key.startsWith(`rt-${name}:`)) ? "html" : selector];
    /** @type {[string, string][]} */
    let wanted = [
      ["presence", "[rt-here],[rt-view],[rt-typing],[rt-cursors]"],
      ["optimistic", "[rt-optimistic],[rt-move]"],
      kept("queue", "[rt-queue]"),
      kept("drafts", "[rt-draft],[rt-recover]"),
      ["place", "[rt-url],[rt-place]"],
    ];

    /** @param {string} name */
    async function fetch(name) {
      const { features } = await rt.load(`htmx-rt-${name}.mjs`);
      if (!stopped) for (const feature of features) stops.push(feature.mount(rt));
    }

    function look() {
      wanted = wanted.filter(([name, selector]) => !doc.querySelector(selector) || void fetch(name));
    }

    /** @type {(() => void)[]} */
    const stops = [
      events.on("swap", look),
      env.on("input", ({ target }) => {
        rt.typed?.add(target);
        if (!target.form) return;
        wanted = wanted.map(([name, selector]) => [name, name === "drafts" ? "html" : selector]);
        look();
      }),
    ];
    look();
    return () => {
      stopped = true;
      for (const stop of stops) stop();
    };
  },
};
