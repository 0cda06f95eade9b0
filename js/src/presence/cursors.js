// Pointers of others inside `rt-cursors`: sent relative to the nearest element with an id, so that other layouts agree.
import { createLayer, firstName } from "./layer.js";

const EVERY = 100; // ms, in a room of up to twenty
const PER_PERSON = 5; // ms more for each person
const GONE = 10_000; // ms without a word

/** @typedef {{topic: string, at: [string, number, number], el: HTMLElement, cancel: () => void}} Pointer */

/** How often to send in a room of this size. @param {number} count */
export const pace = (count) => Math.max(EVERY, PER_PERSON * count);

/** @param {import("../index.js").Runtime} rt @param {import("./signals.js").Signals} signals */
export function createCursors({ doc, win, env, config }, signals) {
  const layer = createLayer(doc);
  /** @type {Map<string, Pointer>} by tab */
  const pointers = new Map();
  let frame = 0;
  /** @type {{topic: string, data: any} | null} the newest, while it is too early to send it */
  let waiting = null;
  let sentAt = 0;
  let cancel = () => {};

  const flush = () => {
    if (!waiting) return;
    const { topic, data } = waiting;
    waiting = null;
    sentAt = env.now();
    signals.send(topic, "cursor", data);
  };
  /** @param {string} topic @param {any} data */
  const say = (topic, data) => {
    if (signals.here.alone(topic)) return;
    const early = !!waiting;
    waiting = { topic, data };
    if (early) return;
    cancel = env.after(flush, Math.max(0, sentAt + pace(signals.here.count(topic)) - env.now()));
  };

  const onMove = (/** @type {PointerEvent} */ event) => {
    const target = /** @type {Element} */ (event.target);
    const place = target.closest?.("[rt-cursors]");
    if (!place || event.pointerType === "touch" || target.closest("[rt-private]")) return;
    const anchor = /** @type {Element} */ (target.closest("[id]"));
    const near = anchor && place.contains(anchor) ? anchor : place;
    const box = near.getBoundingClientRect();
    const x = box.width ? (event.clientX - box.left) / box.width : 0;
    const y = box.height ? (event.clientY - box.top) / box.height : 0;
    say(place.getAttribute("rt-cursors") ?? "", { at: [near.id, +x.toFixed(4), +y.toFixed(4)] });
  };
  const onLeave = (/** @type {PointerEvent} */ event) => {
    const place = /** @type {Element} */ (event.target).closest?.("[rt-cursors]");
    if (place && !(event.relatedTarget instanceof Node && place.contains(event.relatedTarget))) {
      say(place.getAttribute("rt-cursors") ?? "", { at: null });
    }
  };

  const draw = () => {
    frame = 0;
    for (const { topic, at: [id, x, y], el } of pointers.values()) {
      const place = doc.querySelector(`[rt-cursors="${CSS.escape(topic)}"]`);
      const near = (id && doc.getElementById(id)) || place;
      el.hidden = !place || !near || !(near === place || place.contains(near));
      if (!near || el.hidden) continue;
      const box = near.getBoundingClientRect();
      layer.place(el, box.left + x * box.width, box.top + y * box.height);
    }
  };
  const later = () => {
    if (pointers.size) frame ||= win.requestAnimationFrame(draw);
  };
  const forget = (/** @type {string} */ tab) => {
    const pointer = pointers.get(tab);
    if (!pointer) return;
    pointer.cancel();
    pointer.el.remove();
    pointers.delete(tab);
  };

  const off = signals.listen(({ topic, name, from, data }) => {
    if (name !== "cursor") return;
    const at = data?.at;
    if (!Array.isArray(at) || typeof at[0] !== "string" || !(at[1] >= -1 && at[1] <= 2 && at[2] >= -1 && at[2] <= 2)) return forget(from.tab);
    const known = pointers.get(from.tab);
    known?.cancel();
    if (!known && pointers.size >= 100) return;
    const el = known?.el ?? layer.add("rt-cursor", from, firstName(from.n, /** @type {any} */ (config).visitor ?? "?"));
    pointers.set(from.tab, { topic, at: [at[0], at[1], at[2]], el, cancel: env.after(() => forget(from.tab), GONE) });
    later();
  });
  const offResize = env.on("resize", later);
  doc.addEventListener("pointermove", onMove, { passive: true });
  doc.addEventListener("pointerout", onLeave, { passive: true });
  doc.addEventListener("scroll", later, { passive: true, capture: true });

  return {
    stop() {
      cancel();
      off();
      offResize();
      win.cancelAnimationFrame(frame);
      doc.removeEventListener("pointermove", onMove);
      doc.removeEventListener("pointerout", onLeave);
      doc.removeEventListener("scroll", later, { capture: true });
      for (const tab of [...pointers.keys()]) forget(tab);
      layer.stop();
    },
  };
}
