// A page that comes back from the back/forward cache is as it was left, though somebody else, or nobody, may use the
// browser by now. Which person the newest page was made for stands in the browser's storage: who comes back as
// another one is not shown, but asked for again.

/** @type {import("../index.js").Feature} */
export const whose = {
  name: "whose",
  mount({ config, doc, win, env }) {
    const { name, who } = /** @type {any} */ (config);
    const key = `rt-whose:${name}`;
    try {
      env.local()?.setItem(key, who);
    } catch {
      // Full: what stands there is of another page, and to ask again does no harm.
    }
    return env.on("pageshow", ({ persisted }) => {
      const local = env.local();
      if (!persisted || !local || local.getItem(key) === who) return;
      doc.documentElement.hidden = true;
      win.location.reload();
    });
  },
};
