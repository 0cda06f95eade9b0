// Spoken once: one polite live region, at most one announcement in three seconds; what comes in between is said
// together in the next one. Only what answers a key that was just pressed is said at once.

export const EVERY = 3_000; // ms
const MOST = 8; // texts in one announcement, the newest: nobody listens to more

/** @type {import("../index.js").Feature} */
export const announce = {
  name: "announce",
  mount({ doc, env, events }) {
    /** @type {Map<string, string>} by what it is about: of that, only the last word counts */
    let waiting = new Map();
    /** @type {Map<string, string>} on its way into the region */
    let taken = new Map();
    let quietUntil = 0;
    let cancel = () => {};
    let cancelSay = () => {};

    function speak() {
      cancel();
      const wait = quietUntil - env.now();
      // More than that is a clock that was set back.
      if (wait > 0 && wait <= EVERY) return void (cancel = env.after(speak, wait));
      const live = doc.getElementById("rt-live");
      if (!live || !waiting.size) return;
      cancelSay();
      taken = new Map([...taken, ...waiting]);
      waiting = new Map();
      quietUntil = env.now() + EVERY;
      live.textContent = ""; // the same words twice are a change only from nothing
      cancelSay = env.after(() => {
        live.textContent = [...taken.values()].join(" ");
        taken = new Map();
      }, 20);
    }

    const off = events.on("announce", ({ text, key = text, assertive }) => {
      waiting.delete(key);
      if (text) waiting.set(key, text); // without one it is so no more
      if (waiting.size > MOST) waiting.delete([...waiting.keys()][0]);
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
