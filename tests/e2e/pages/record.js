// What a test wants to know of a page's past: kept from the first byte on, so nothing can slip through between
// two looks from outside.

window.recorded = (() => {
  const started = Math.random(); // another page, another number: a reload shows
  const states = [];
  const bar = [];
  const opens = [];
  const samples = {};

  /** The connection's states, the looks of the bar, each with its time by the page's own clock. */
  const look = () => {
    const state = document.documentElement?.getAttribute("data-rt");
    if (state && state !== states.at(-1)?.state) states.push({ state, at: Date.now() });
    const banner = document.getElementById("rt-banner");
    if (!banner?.querySelector("[rt-reload]")) return; // not yet, or half parsed
    const shown = (selector) => banner.querySelector(selector)?.hidden === false;
    const now = {
      hidden: banner.hidden,
      text: banner.querySelector("[rt-banner-text]").textContent,
      retry: shown("[rt-retry]"),
      reload: shown("[rt-reload]"),
    };
    const { at, ...before } = bar.at(-1) ?? {};
    if (JSON.stringify(now) !== JSON.stringify(before)) bar.push({ ...now, at: Date.now() });
  };

  const check = () => {
    for (const [name, { read, seen }] of Object.entries(samples)) {
      const value = JSON.stringify(read() ?? null);
      if (value !== seen.at(-1)) seen.push(value);
    }
  };

  new MutationObserver(() => {
    look();
    check();
  }).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });

  // A fake clock must not stop this one.
  const frame = window.requestAnimationFrame.bind(window);
  const paint = () => {
    check();
    frame(paint);
  };
  frame(paint);

  const fetched = window.fetch;
  window.fetch = (...args) => {
    const url = String(args[0]?.url ?? args[0]);
    if (url.endsWith("/stream")) opens.push(Date.now());
    return fetched.apply(window, args);
  };

  return {
    started,
    states,
    bar,
    opens,
    /** From now on, keep each different value of `read()`, seen after any mutation and before any paint. */
    sample(name, read) {
      samples[name] = { read, seen: [] };
      check();
    },
    seen: (name) => samples[name].seen.map((value) => JSON.parse(value)),
  };
})();
