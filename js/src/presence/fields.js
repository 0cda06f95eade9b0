// Who is in which field: a ring in their colour, and a chip with their first name above it.
import { createLayer, firstName } from "./layer.js";
import { telling } from "./signals.js";

const GONE = 40_000; // ms without a word
const AGAIN = 15_000; // ms after which it is said again, for who came later

/** @typedef {{topic: string, field: string, from: import("./signals.js").Sender, chip: HTMLElement, cancel: () => void}} Shown */

/** @param {import("../index.js").Runtime} rt @param {import("./signals.js").Signals} signals */
export function createFields({ doc, win, env, events, config }, signals) {
  const layer = createLayer(doc);
  /** @type {Map<string, Shown>} by tab */
  const shown = new Map();
  let frame = 0;
  /** @type {{topic: string, field: string, cancel: () => void} | null} */
  let mine = null;

  const nameOf = (/** @type {any} */ field) => field.name || field.id || "";

  const tell = () => {
    if (!mine) return;
    signals.send(mine.topic, "field", { field: mine.field });
    mine.cancel = env.after(tell, AGAIN);
  };

  const onFocus = (/** @type {FocusEvent} */ event) => {
    const field = /** @type {any} */ (event.target);
    const place = field.closest?.("[rt-typing]");
    if (!place || !telling(field) || !nameOf(field)) return;
    mine = { topic: signals.topicOf(place.getAttribute("rt-typing") ?? ""), field: nameOf(field), cancel() {} };
    tell();
  };
  const onBlur = () => {
    if (!mine) return;
    mine.cancel();
    signals.send(mine.topic, "field", { field: null });
    mine = null;
  };

  /** @param {Shown} one @returns {HTMLElement | undefined} */
  const find = ({ topic, field }) => {
    const place = [...doc.querySelectorAll("[rt-typing]")].find((el) => signals.topicOf(el.getAttribute("rt-typing") ?? "") === topic);
    return place ? /** @type {any} */ ([...place.querySelectorAll("input,textarea,select,[contenteditable]")].find((el) => nameOf(el) === field)) : undefined;
  };

  const arrange = () => {
    frame = 0;
    /** @type {Map<Element, number>} */
    const beside = new Map();
    for (const el of doc.querySelectorAll(".rt-field-taken")) el.classList.remove("rt-field-taken");
    for (const one of shown.values()) {
      const field = find(one);
      const box = field?.getBoundingClientRect();
      one.chip.hidden = !box || (!box.width && !box.height);
      if (!field || !box) continue;
      const offset = beside.get(field) ?? 0;
      layer.place(one.chip, box.right - offset - one.chip.offsetWidth - 4, box.top - one.chip.offsetHeight / 2 - 4);
      beside.set(field, offset + one.chip.offsetWidth + 4);
    }
  };
  const later = () => {
    if (shown.size) frame ||= win.requestAnimationFrame(arrange);
  };

  const forget = (/** @type {string} */ tab) => {
    const one = shown.get(tab);
    if (!one) return;
    one.cancel();
    one.chip.remove();
    shown.delete(tab);
    later();
  };

  const offs = [
    signals.listen(({ topic, name, from, data }) => {
      if (name !== "field") return;
      forget(from.tab);
      if (!data?.field || shown.size > 50) return;
      const chip = layer.add("rt-field-chip", from, firstName(from.n, /** @type {any} */ (config).visitor ?? "?"));
      shown.set(from.tab, { topic, field: String(data.field), from, chip, cancel: env.after(() => forget(from.tab), GONE) });
      arrange();
    }),
    events.on("swap", later),
    env.on("resize", later),
  ];
  doc.addEventListener("focusin", onFocus);
  doc.addEventListener("focusout", onBlur);
  doc.addEventListener("scroll", later, { passive: true, capture: true });

  return {
    stop() {
      onBlur();
      win.cancelAnimationFrame(frame);
      doc.removeEventListener("focusin", onFocus);
      doc.removeEventListener("focusout", onBlur);
      doc.removeEventListener("scroll", later, { capture: true });
      for (const off of offs) off();
      for (const tab of [...shown.keys()]) forget(tab);
      layer.stop();
    },
  };
}
