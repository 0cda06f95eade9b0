// Spoken once: one polite live region, at most one announcement in three seconds; what comes in between is
// said together in the next one.

export const EVERY = 3_000; // ms

/** @type {import("../index.js").Feature} */
export const announce = {
  name: "announce",
  mount({ doc, env, events }) {
    /** @type {Set<string>} */
    let waiting = new Set();
    let quietUntil = 0;
    let cancel = () => {};
    let cancelSay = () => {};

    function speak() {
      cancel();
      const wait = quietUntil - env.now();
      if (wait > 0) return void (cancel = env.after(speak, wait));
      const live = doc.getElementById("rt-live");
      if (!live || !waiting.size) return;
      const text = [...waiting].join(" ");
      waiting = new Set();
      quietUntil = env.now() + EVERY;
      live.textContent = ""; // the same words twice are a change only from nothing
      cancelSay = env.after(() => void (live.textContent = text), 20);
    }

    const off = events.on("announce", ({ text, assertive }) => {
      waiting.add(text);
      if (assertive) quietUntil = 0;
      speak();
    });
    return () => {
      cancel();
      cancelSay();
      off();
    };
  },
};
