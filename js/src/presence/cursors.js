// Pointers of others inside `rt-cursors`: sent relative to the nearest element with an id, so that other layouts agree.

const EVERY = 100; // ms, in a room of up to twenty
const PER_PERSON = 5; // ms more for each person
const GONE = 10_000; // ms without a word
const FEW = 25; // of so many the pointers glide; more of them jump, which costs a third
const MOST = 100; // shown
const LABEL = 120; // px that a label may need

/** @typedef {{topic: string, at: [string, number, number], el: HTMLElement, heard: number, x?: number, y?: number}} Pointer */

/** How often to send in a room of this size. @param {number} count */
export const pace = (count) => Math.max(EVERY, PER_PERSON * count);

/** Is it the place of a pointer? @param {any} at @returns {at is [string, number, number]} */
export const isPlace = (at) =>
  Array.isArray(at) && typeof at[0] === "string" && [at[1], at[2]].every((one) => typeof one === "number" && one >= -1 && one <= 2);

/** @param {import("../index.js").Runtime} rt @param {import("./signals.js").Signals} signals @param {import("./layer.js").Layer} layer */
export function createCursors({ doc, win, env }, signals, layer) {
  /** @type {Map<string, Pointer>} by tab */
  const pointers = new Map();
  /** @type {{place: Element, target: Element, x: number, y: number} | null} where this pointer is */
  let mine = null;

  /** Measured when it is sent, not at each move. */
  function at() {
    if (!mine?.target.isConnected) return undefined;
    const { place, target, x, y } = mine;
    const anchor = /** @type {Element} */ (target.closest("[id]"));
    const near = anchor && place.contains(anchor) ? anchor : place;
    const box = near.getBoundingClientRect();
    if (!box.width || !box.height) return undefined;
    return { at: [near.id, +((x - box.left) / box.width).toFixed(4), +((y - box.top) / box.height).toFixed(4)] };
  }

  /** @param {PointerEvent} event */
  function onMove({ target, pointerType, clientX, clientY }) {
    const el = /** @type {Element} */ (target);
    const place = el.closest?.("[rt-cursors]");
    if (pointerType === "touch") return;
    if (!place || el.closest("[rt-private]")) return leave();
    if (mine && mine.place !== place) leave();
    mine = { place, target: el, x: clientX, y: clientY };
    const topic = signals.topicOf(place, "rt-cursors");
    signals.say(topic, "cursor", at, pace(signals.count(topic)));
  }
  function leave() {
    if (!mine) return;
    signals.unsay(signals.topicOf(mine.place, "rt-cursors"), "cursor", { at: null });
    mine = null;
  }
  const onOut = (/** @type {PointerEvent} */ event) => event.relatedTarget || leave(); // out of the window

  layer.part(
    () => {
      /** @type {Map<string, Element | null>} */
      const places = new Map();
      /** @type {Map<Element, DOMRect>} */
      const boxes = new Map();
      const boxOf = (/** @type {Element} */ el) => boxes.get(el) ?? (boxes.set(el, el.getBoundingClientRect()), /** @type {DOMRect} */ (boxes.get(el)));
      for (const el of doc.querySelectorAll("[rt-cursors]")) places.set(signals.topicOf(el, "rt-cursors"), el);
      const now = env.now();
      for (const [tab, pointer] of pointers) {
        if (now - pointer.heard > GONE) {
          forget(tab);
          continue;
        }
        const [id, x, y] = pointer.at;
        const place = places.get(pointer.topic);
        const near = id ? doc.getElementById(id) : place;
        pointer.x = undefined;
        if (!place || !near || !(near === place || place.contains(near))) continue;
        const box = boxOf(near);
        const room = boxOf(place);
        pointer.x = box.left + x * box.width;
        pointer.y = box.top + y * box.height;
        // What has scrolled out of the place is not over what stands beside it.
        if (!box.width || pointer.x < room.left || pointer.x > room.right || pointer.y < room.top || pointer.y > room.bottom) pointer.x = undefined;
      }
    },
    () => {
      const edge = win.innerWidth - LABEL;
      for (const { el, x, y = 0 } of pointers.values()) {
        el.hidden = x === undefined;
        if (x === undefined) continue;
        el.classList.toggle("rt-flip", x > edge);
        layer.place(el, x, y);
      }
    },
  );

  /** @param {string} tab */
  function forget(tab) {
    pointers.get(tab)?.el.remove();
    pointers.delete(tab);
  }

  /** @param {import("./signals.js").Sender} from */
  function draw(from) {
    const el = layer.add("rt-cursor", from);
    el.setAttribute("aria-hidden", "true");
    el.hidden = true;
    layer.add("rt-chip", from, el).textContent = signals.label(from);
    return el;
  }

  signals.listen((heard) => {
    const { topic, name, from, data } = heard;
    if (signals.gone(heard)) return forget(from.tab);
    if (name !== "cursor") return;
    if (!isPlace(data?.at)) return forget(from.tab);
    const known = pointers.get(from.tab);
    if (!known && pointers.size >= MOST) return;
    const pointer = known ?? { topic, at: data.at, el: draw(from), heard: 0 };
    pointer.topic = topic;
    pointer.at = data.at;
    pointer.heard = env.now();
    if (!known) pointers.set(from.tab, pointer);
    layer.move(pointers.size <= FEW);
  });
  doc.addEventListener("pointermove", onMove, { passive: true });
  doc.addEventListener("pointerout", onOut, { passive: true });

  return {
    stop() {
      doc.removeEventListener("pointermove", onMove);
      doc.removeEventListener("pointerout", onOut);
      for (const tab of [...pointers.keys()]) forget(tab);
    },
  };
}
