// `rt-move="/tasks/{id}/move"` on a list, `rt-handle` in its items: by pointer, touch or keyboard an item takes its new
// place at once; the server is told after which one it stands, and its word counts.

import { randomUUID } from "../ids.js";
import { actionKey } from "./key.js";
import { pull, slotAt } from "./slots.js";

const STILL_PX = 4; // a press that moves less is a click
const FLIP_MS = 160;
const NAME_LENGTH = 60;

/** @typedef {{list: Element, item: any, handle: any, layer: import("./layers.js").Layer, after: string | null, first: string, keyboard: boolean, x: number, y: number, dx: number, dy: number, moved: boolean}} Drag */

/** @param {Element} list */
const itemsOf = (list) => [...list.children].filter((child) => child.id && !child.hasAttribute("rt-tmp"));

/** @param {Element} list @param {Element} item id of the one it stands behind, or "" */
const afterOf = (list, item) => {
  const items = itemsOf(list);
  return items[items.indexOf(item) - 1]?.id ?? "";
};

/** What the server calls an item. @param {any} item @returns {string} */
const calledBy = (item) => item.dataset.id ?? item.id;

/** Its box, whatever is still gliding. @param {Element} el */
function boxOf(el) {
  const { left, top, width, height } = el.getBoundingClientRect();
  const { m41, m42 } = new DOMMatrixReadOnly(getComputedStyle(el).transform);
  return { left: left - m41, top: top - m42, width, height };
}

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Items that a change has moved glide there. @param {Element[]} items @returns {() => void} */
export function glide(items) {
  const before = items.map((el) => ({ el, box: el.getBoundingClientRect() }));
  return () => {
    if (calm()) return;
    for (const { el, box } of before) {
      const now = el.getBoundingClientRect();
      const [x, y] = [box.left - now.left, box.top - now.top];
      if ((x || y) && el.isConnected) el.animate([{ transform: `translate(${x}px,${y}px)` }, { transform: "none" }], { duration: FLIP_MS, easing: "ease-out" });
    }
  };
}

/**
 * @param {object} options
 * @param {import("../index.js").Runtime} options.rt
 * @param {import("./layers.js").Layers} options.layers
 * @param {import("./ledger.js").Ledger} options.ledger
 * @param {import("./words.js").Word} options.word
 */
export function mountMove({ rt: { doc, win, events, bridge }, layers, ledger, word }) {
  /** @type {Drag | null} */
  let drag = null;
  let frame = 0;
  /** @type {Map<string, string>} action of the move of each item that is on its way */
  const flying = new Map();
  /** @type {Map<string, {entry: import("./ledger.js").Entry, run: () => void}>} what is to be sent after it */
  const next = new Map();

  /** @param {string} name @param {Drag} of */
  const say = (name, { list, item }) => {
    const items = itemsOf(list);
    const text = (item.getAttribute("aria-label") ?? item.textContent ?? "").replace(/\s+/g, " ").trim().slice(0, NAME_LENGTH);
    events.emit("announce", { text: word(name, { item: text, place: items.indexOf(item) + 1, count: items.length }), assertive: true });
  };

  /** The list of an item, and where the item goes in it: behind the one that is called so. @param {Element} list @param {string} after */
  const behind = (list, after) => (/** @type {Element} */ el) => {
    const parent = list.isConnected ? list : doc.getElementById(list.id);
    if (!parent || el.parentNode !== parent) return null; // the server has taken it elsewhere
    const others = itemsOf(parent).filter((one) => one !== el);
    const last = others.find(({ id }) => id === after);
    return after && !last ? null : { parent, before: last ? last.nextSibling : others[0] ?? null };
  };

  /** @param {string} id @param {(el: Element) => any} where @returns {import("./layers.js").Effect} */
  const effect = (id, where) => ({ step: { verb: "move", value: "", at: "", where }, target: () => doc.getElementById(id) });

  /** @param {Element} handle @param {boolean} keyboard @param {{clientX: number, clientY: number}} [at] @returns {Drag | null} */
  function pick(handle, keyboard, at = { clientX: 0, clientY: 0 }) {
    const list = handle.closest("[rt-move]");
    const item = list && itemsOf(list).find((one) => one.contains(handle));
    if (!item) return null;
    const first = afterOf(list, item);
    const box = boxOf(item);
    const place = { x: at.clientX, y: at.clientY, dx: at.clientX - box.left, dy: at.clientY - box.top };
    return { list, item, handle, first, after: null, keyboard, moved: false, layer: { effects: [], marks: ["rt-dragging"] }, ...place };
  }

  /** @param {Drag} of */
  function lift(of) {
    of.moved = true;
    of.layer.effects = [effect(of.item.id, behind(of.list, of.first))];
    layers.add(of.layer);
    say("grabbed", of);
  }

  /** @param {number} slot among the others */
  function go(slot) {
    if (!drag) return;
    const { list, item, layer, handle } = drag;
    const others = itemsOf(list).filter((one) => one !== item);
    const after = others[Math.max(0, Math.min(others.length, slot)) - 1]?.id ?? "";
    if (after === afterOf(list, item)) return;
    drag.after = after;
    const slide = glide(others);
    layers.under(() => (layer.effects = [effect(item.id, behind(list, after))]));
    slide();
    if (doc.activeElement !== handle && drag.keyboard) handle.focus({ preventScroll: true });
    if (drag.keyboard) item.scrollIntoView({ block: "nearest" });
    say("moved", drag);
  }

  /** It is taken out of the hand: back where it was, or where it is to stay. @param {boolean} keep */
  function drop(keep) {
    const of = drag;
    drag = null;
    win.cancelAnimationFrame(frame);
    if (!of?.moved) return;
    const { list, item, layer, handle, after, first } = of;
    const stays = keep && after !== null && after !== first && doc.contains(item) && doc.contains(list);
    const slide = stays ? () => {} : glide(itemsOf(list));
    if (stays) say("dropped", of);
    layers.fail(layer);
    if (stays) send(list, item, after);
    else say("cancelled", of);
    slide();
    if (of.keyboard) handle.focus({ preventScroll: true });
  }

  /** @param {Element} list @param {any} item @param {string} after */
  function send(list, item, after) {
    const action = randomUUID();
    const values = new FormData();
    values.append("after", after && calledBy(doc.getElementById(after)));
    const url = (list.getAttribute("rt-move") ?? "").replace("{id}", encodeURIComponent(calledBy(item)));
    const failing = () => {
      const slide = glide(itemsOf(list));
      return () => {
        slide();
        say("unmoved", /** @type {any} */ ({ list, item }));
      };
    };
    const entry = { action, key: actionKey(action), layer: { effects: [effect(item.id, behind(list, after))] }, elt: item, items: [], failing };
    const waits = next.get(item.id);
    if (waits) ledger.fail(waits.entry); // never sent: this one says where it is to stand
    ledger.open(entry);
    const run = () => {
      flying.set(item.id, action);
      bridge.again(/** @type {any} */ ({ elt: item, method: "POST", url, values, action, trigger: "move", target: null, swapStyle: "none" }));
    };
    if (flying.has(item.id)) next.set(item.id, { entry, run });
    else run();
  }

  /** One move of an item at a time, in order. @param {{request: any}} detail */
  function ended({ request }) {
    const id = request.elt.id;
    if (!request.action || flying.get(id) !== request.action) return;
    flying.delete(id);
    next.get(id)?.run();
    next.delete(id);
  }

  /** Slot by where the pointer is. */
  function follow() {
    if (!drag) return;
    const { list, item, x, y, dx, dy } = drag;
    if (!item.isConnected) return drop(false);
    const boxes = itemsOf(list).map((el) => ({ el, box: boxOf(el) }));
    const index = boxes.findIndex(({ el }) => el === item);
    const [one, two] = boxes;
    const row = boxes.length > 1 && Math.abs(one.box.top - two.box.top) < Math.min(one.box.height, two.box.height) / 2;
    const span = (/** @type {ReturnType<typeof boxOf>} */ box) => (row ? { start: box.left, size: box.width } : { start: box.top, size: box.height });
    const others = boxes.filter(({ el }) => el !== item).map(({ box }) => span(box));
    const own = span(boxes[index].box);
    const below = others[index];
    const previous = others[index - 1];
    const room = below ? below.start - own.start : previous ? own.start + own.size - previous.start - previous.size : own.size;
    go(slotAt(others, index, room, row ? x - dx : y - dy));
  }

  /** Near an edge, what scrolls scrolls. */
  function scroll() {
    if (!drag) return;
    frame = win.requestAnimationFrame(scroll);
    /** @type {Element | null} */
    let scroller = drag.list;
    while (scroller && !(scroller.scrollHeight > scroller.clientHeight && /auto|scroll/.test(win.getComputedStyle(scroller).overflowY))) scroller = scroller.parentElement;
    const root = /** @type {Element} */ (doc.scrollingElement);
    const box = scroller?.getBoundingClientRect();
    const by = pull(drag.y, Math.max(0, box?.top ?? 0), Math.min(win.innerHeight, box?.bottom ?? win.innerHeight));
    if (!by) return;
    (scroller ?? root).scrollBy({ top: by, behavior: "instant" });
    follow();
  }

  /** @param {Event} event @returns {Element | null} */
  const handleOf = ({ target }) => (target instanceof win.Element ? target.closest("[rt-move] [rt-handle]") : null);

  /** @type {Record<string, (event: any) => void>} */
  const listeners = {
    pointerdown(event) {
      const handle = handleOf(event);
      if (!handle || event.button || !event.isPrimary || drag) return;
      drag = pick(handle, false, event);
    },
    pointermove(event) {
      if (!drag || drag.keyboard || !event.isPrimary) return;
      const far = Math.hypot(event.clientX - drag.x, event.clientY - drag.y) >= STILL_PX;
      if (!drag.moved && !far) return;
      Object.assign(drag, { x: event.clientX, y: event.clientY });
      if (!drag.moved) {
        lift(drag);
        scroll();
      }
      follow();
    },
    pointerup: () => drag && !drag.keyboard && drop(true),
    pointercancel: () => drag && !drag.keyboard && drop(false),
    selectstart: (event) => drag?.moved && event.preventDefault(),
    dragstart: (event) => handleOf(event) && event.preventDefault(),
    keydown(event) {
      const { key } = event;
      if (drag && (key === "Escape" || key === "Tab")) {
        if (key === "Escape") event.preventDefault();
        return drop(false);
      }
      const handle = handleOf(event);
      if (!handle || (drag && !drag.keyboard)) return;
      if (key === " " || key === "Enter") {
        event.preventDefault();
        if (drag) return drop(true);
        drag = pick(handle, true);
        if (drag) lift(drag);
        return;
      }
      if (!drag) return;
      const items = itemsOf(drag.list);
      const at = items.indexOf(drag.item);
      const to = /** @type {Record<string, number>} */ ({ ArrowUp: at - 1, ArrowLeft: at - 1, ArrowDown: at + 1, ArrowRight: at + 1, Home: 0, End: items.length })[key];
      if (to === undefined) return;
      event.preventDefault();
      go(to);
    },
    // The button under the handle was pressed by the same key or pointer.
    click: (event) => handleOf(event) && (drag || event.detail === 0) && event.preventDefault(),
  };
  for (const type in listeners) doc.addEventListener(type, listeners[type], true);
  const off = events.on("request:end", ended);
  return () => {
    off();
    for (const type in listeners) doc.removeEventListener(type, listeners[type], true);
    drop(false);
  };
}
