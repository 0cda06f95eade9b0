// What floats over the page: chips and pointers of others. One layer, moved by transforms, never in the way.

/** @param {Document} doc */
export function createLayer(doc) {
  const layer = doc.createElement("div");
  layer.className = "rt-layer";
  layer.setAttribute("aria-hidden", "true");

  return {
    /** @param {string} kind @param {{n: string, c: number}} from @param {string} name */
    add(kind, from, name) {
      if (!layer.isConnected) doc.body.append(layer);
      const el = doc.createElement("div");
      el.className = kind;
      el.dataset.colour = String(from.c);
      const label = doc.createElement("span");
      label.className = "rt-chip";
      label.textContent = name;
      el.append(label);
      layer.append(el);
      return el;
    },

    /** @param {HTMLElement} el @param {number} x px of the viewport @param {number} y */
    place(el, x, y) {
      el.style.transform = `translate3d(${Math.round(x)}px, ${Math.round(y)}px, 0)`;
    },

    stop: () => layer.remove(),
  };
}

/** The first name, as chips show it. @param {string} name @param {string} visitor */
export const firstName = (name, visitor) => name.split(/\s+/)[0] || visitor;
