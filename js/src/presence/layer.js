// What floats over the page: rings, chips, pointers and carets of others. One layer below the kit's own pieces, moved
// by transforms, never in the way. It stands beside <body>, where no swap and no snapshot of the page finds it.

/** @typedef {ReturnType<typeof createLayer>} Layer */

/** @param {import("../index.js").Runtime} rt */
export function createLayer({ doc, win, env, events }) {
  const layer = doc.createElement("div");
  layer.className = "rt-layer";
  /** @type {Set<{read: () => void, write: () => void}>} */
  const parts = new Set();
  let frame = 0;
  /** @type {(() => void) | null} */
  let cancel = null;

  // All reading comes before all writing: one layout a frame, however much floats.
  function draw() {
    frame = 0;
    if (!layer.firstChild) return;
    for (const { read } of parts) read();
    for (const { write } of parts) write();
    // What moves without a word: fonts, pictures, scripts of the page.
    cancel ??= env.after(() => {
      cancel = null;
      later();
    }, 500);
  }
  const later = () => void (frame ||= win.requestAnimationFrame(draw));
  /** The page moves: what lies over it must not trail behind. */
  const moved = (/** @type {any} */ event) => {
    if (layer.contains(event.target instanceof win.Node ? event.target : null)) return; // it moves by itself
    still(true);
    later();
  };
  const still = (/** @type {boolean} */ now) => {
    if (now !== isStill) layer.classList.toggle("rt-still", (isStill = now));
  };
  let isStill = false;
  const TYPES = ["scroll", "toggle", "load", "transitionend", "input"];
  for (const type of TYPES) doc.addEventListener(type, moved, { passive: true, capture: true });
  const offs = [events.on("swap", moved), env.on("resize", moved)];

  return {
    later,

    /** A word came: what moves now glides, unless there is too much of it. @param {boolean} glides */
    move(glides) {
      still(!glides);
      later();
    },

    /** @param {() => void} read @param {() => void} write both once a frame, while anything floats */
    part: (read, write) => void parts.add({ read, write }),

    /** @param {string} kind @param {{c: number}} from @param {Element} [inside] */
    add(kind, from, inside) {
      if (!layer.isConnected) {
        layer.style.fontFamily = win.getComputedStyle(doc.body).fontFamily; // not inherited out here
        doc.documentElement.append(layer);
      }
      const el = doc.createElement("div");
      el.className = kind;
      el.dataset.colour = String(from.c);
      (inside ?? layer).append(el);
      return el;
    },

    /** @param {HTMLElement} el @param {number} x px of the viewport @param {number} y */
    place(el, x, y) {
      el.style.transform = `translate3d(${Math.round(x)}px, ${Math.round(y)}px, 0)`;
    },

    stop() {
      win.cancelAnimationFrame(frame);
      cancel?.();
      for (const type of TYPES) doc.removeEventListener(type, moved, { capture: true });
      for (const off of offs) off();
      layer.remove();
    },
  };
}
