// Who is in which field: a ring in their colour, and above its right end a chip with their first name.
import { say, spoken } from "./words.js";

const GONE = 30_000; // ms without a word
const AGAIN = 10_000; // ms after which it is said again
const EVERY = 300; // ms between two fields
const FEW = 20; // people on a topic, up to which who comes is told at once
const MOST = 50; // shown
const BESIDE = 3; // chips at one field; then a number

/** @typedef {{topic: string, key: string, from: import("./signals.js").Sender, chip: HTMLElement, cancel: () => void}} Shown */
/** @typedef {{field: HTMLElement, people: Shown[], el: HTMLElement, chips: HTMLElement, box?: DOMRect, wide?: number, below?: boolean}} Ring */

/** @param {import("../index.js").Runtime} rt @param {import("./signals.js").Signals} signals
 * @param {import("./layer.js").Layer} layer @param {ReturnType<import("./typing.js").createTyping>} typing */
export function createFields({ doc, win, env, events, config }, signals, layer, typing) {
  /** @type {Map<string, Shown>} by tab */
  const shown = new Map();
  /** @type {Map<Element, Ring>} by field */
  const rings = new Map();
  /** @type {{topic: string, field: HTMLElement, cancel: () => void} | null} */
  let mine = null;

  function tell() {
    if (!mine) return;
    mine.cancel();
    mine.cancel = env.after(tell, AGAIN);
    signals.say(mine.topic, "field", () => mine ? { field: signals.keyOf(mine.field) } : undefined, EVERY);
  }

  /** @param {FocusEvent} event */
  function onFocus({ target }) {
    const field = /** @type {any} */ (target);
    const place = field.closest?.("[rt-typing]");
    if (!place || !signals.telling(field) || !signals.keyOf(field)) return;
    mine = { topic: signals.topicOf(place, "rt-typing"), field, cancel() {} };
    tell();
  }
  function onBlur() {
    if (!mine) return;
    mine.cancel();
    signals.unsay(mine.topic, "field", { field: null });
    mine = null;
  }

  /** Which fields wear a ring, and whose. */
  function match() {
    const places = [...doc.querySelectorAll("[rt-typing]")];
    /** @type {Map<Element, Shown[]>} */
    const wanted = new Map();
    for (const one of shown.values()) {
      const field = signals.fieldOf(places.filter((place) => signals.topicOf(place, "rt-typing") === one.topic), one.key);
      if (!field) continue;
      const people = wanted.get(field) ?? [];
      // A person is in a field once, in however many tabs.
      if (!people.some(({ from }) => from.k === one.from.k)) wanted.set(field, [...people, one]);
    }
    for (const [field, ring] of rings) {
      if (wanted.has(field)) continue;
      ring.el.remove();
      rings.delete(field);
    }
    for (const [field, people] of wanted) {
      let ring = rings.get(field);
      if (!ring) {
        const el = layer.add("rt-field", people[0].from);
        rings.set(field, (ring = { field: /** @type {HTMLElement} */ (field), people, el, chips: layer.add("rt-field-chips", people[0].from, el) }));
        el.style.borderRadius = win.getComputedStyle(field).borderRadius;
      }
      ring.people = people;
      ring.el.dataset.colour = String(people[0].from.c);
      const chips = people.slice(0, BESIDE).map(({ chip }) => chip);
      if (people.length > BESIDE) {
        const more = doc.createElement("span");
        more.className = "rt-chip rt-chip-more";
        more.textContent = `+${people.length - BESIDE}`;
        chips.push(more);
      }
      ring.chips.replaceChildren(...chips);
      for (const { chip, topic, from, key } of people) chip.classList.toggle("rt-is-typing", typing.into(topic, from.tab, key));
    }
  }

  layer.part(
    () => {
      for (const ring of rings.values()) {
        if (!ring.field.isConnected) return void match();
        ring.box = ring.field.getBoundingClientRect();
        ring.wide = ring.chips.offsetWidth;
        // Where words stand at that place, such as a long label, the chips go below.
        ring.below = [.../** @type {any} */ (ring.field).labels ?? []].some((label) => {
          const range = doc.createRange();
          range.selectNodeContents(label);
          return [...range.getClientRects()].some(({ right, bottom, top }) => {
            const box = /** @type {DOMRect} */ (ring.box);
            return right > box.right - /** @type {number} */ (ring.wide) && bottom > box.top - 18 && top < box.top && right <= box.right + 1;
          });
        }) || ring.box.top < 20;
      }
    },
    () => {
      for (const { el, chips, box, wide = 0, below } of rings.values()) {
        if (!box) continue;
        el.hidden = !box.width && !box.height;
        el.style.width = `${box.width}px`;
        el.style.height = `${box.height}px`;
        layer.place(el, box.left, box.top);
        layer.place(chips, box.width - wide, below ? box.height : -18);
        chips.classList.toggle("rt-below", below);
      }
    },
  );

  /** @param {string} tab */
  function forget(tab) {
    const one = shown.get(tab);
    if (!one) return;
    one.cancel();
    shown.delete(tab);
  }

  /** @param {import("./signals.js").Sender} from */
  function chipOf(from) {
    const words = spoken(doc);
    const chip = doc.createElement("span");
    chip.className = "rt-chip";
    chip.dataset.colour = String(from.c);
    chip.setAttribute("role", "img");
    const name = from.n || String(words["here.visitor"] ?? "");
    chip.setAttribute("aria-label", say(config.lang || "en", words["field.one"] ?? "{a}", { a: name }));
    const face = doc.querySelector(`.rt-avatar[data-key="${CSS.escape(from.k)}"] img`)?.cloneNode();
    const text = doc.createElement("span");
    text.textContent = signals.label(from);
    const dots = doc.createElement("span");
    dots.className = "rt-typing-dots";
    dots.append(...[0, 1, 2].map(() => doc.createElement("i")));
    chip.append(...(face ? [face] : []), text, dots);
    return chip;
  }

  signals.listen((heard) => {
    const { topic, name, from, data } = heard;
    const off = signals.gone(heard);
    if (!off && name !== "field") return;
    const known = shown.get(from.tab);
    forget(from.tab);
    if (!off && data?.field && shown.size < MOST) {
      const one = { topic, key: String(data.field), from, chip: known?.chip ?? chipOf(from), cancel: env.after(() => (forget(from.tab), match()), GONE) };
      shown.set(from.tab, one);
    }
    match();
    layer.later();
  });
  const offs = [
    events.on("swap", () => {
      if (mine && !mine.field.isConnected) onBlur();
      match();
    }),
    events.on("typing", () => shown.size && match()),
    env.on("visibilitychange", tell), // heard only while it can be seen
    // Who comes later learns who is where.
    events.on("presence", ({ t, n, grown }) => {
      if (!grown || n > FEW || mine?.topic !== t) return;
      mine?.cancel();
      if (mine) mine.cancel = env.after(tell, 1_000 * env.random());
    }),
  ];
  doc.addEventListener("focusin", onFocus);
  doc.addEventListener("focusout", onBlur);
  // Focus that was there before this file came.
  onFocus(/** @type {any} */ ({ target: doc.activeElement }));
  const offShow = env.on("focus", () => !mine && onFocus(/** @type {any} */ ({ target: doc.activeElement })));

  return {
    stop() {
      onBlur();
      doc.removeEventListener("focusin", onFocus);
      doc.removeEventListener("focusout", onBlur);
      for (const off of [...offs, offShow]) off();
      for (const tab of [...shown.keys()]) forget(tab);
    },
  };
}
