// Carets and selections of others in the text fields inside `rt-cursors`: numbers of characters, never the text.
import { pace } from "./cursors.js";

const GONE = 30_000; // ms without a word
const MOST = 30; // shown
const LABEL = 2_500; // ms for which the name stands at a caret that has moved
// What decides where a character stands.
const STYLES = ("boxSizing width height paddingTop paddingRight paddingBottom paddingLeft borderTopWidth borderRightWidth " +
  "borderBottomWidth borderLeftWidth fontFamily fontSize fontStyle fontWeight fontStretch letterSpacing wordSpacing lineHeight " +
  "textAlign textIndent textTransform tabSize direction").split(" ");

/** @typedef {{topic: string, key: string, from: number, to: number, el: HTMLElement, cancel: () => void, rects?: DOMRect[], end?: DOMRect}} Caret */

/** Where the selection is, in characters. @param {any} field @returns {[number, number] | null} */
function selectionOf(field) {
  if (typeof field.value === "string") {
    try {
      return field.selectionStart === null ? null : [field.selectionStart, field.selectionEnd];
    } catch {
      return null; // a field that has none, such as a date
    }
  }
  const selection = field.ownerDocument.getSelection();
  if (!selection?.rangeCount || !field.contains(selection.anchorNode)) return null;
  const range = selection.getRangeAt(0);
  const before = range.cloneRange();
  before.setStart(field, 0);
  const to = before.toString().length;
  return [to - range.toString().length, to];
}

/** @param {Node} root @param {number} from @param {number} to */
function rangeOf(root, from, to) {
  const doc = /** @type {Document} */ (root.ownerDocument);
  const range = doc.createRange();
  range.selectNodeContents(root);
  range.collapse();
  const walker = doc.createTreeWalker(root, 4); // text
  let left = 0;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const length = /** @type {Text} */ (node).data.length;
    if (from >= left && from <= left + length) range.setStart(node, from - left);
    if (to >= left && to <= left + length) {
      range.setEnd(node, to - left);
      break;
    }
    left += length;
  }
  return range;
}

/** @param {import("../index.js").Runtime} rt @param {import("./signals.js").Signals} signals @param {import("./layer.js").Layer} layer */
export function createCarets({ doc, win, env }, signals, layer) {
  /** @type {Map<string, Caret>} by tab */
  const carets = new Map();
  /** @type {{topic: string, field: any} | null} */
  let mine = null;
  /** @type {HTMLElement | null} a copy of a field in which characters can be measured */
  let mirror = null;

  function now() {
    const selection = mine && selectionOf(mine.field);
    return mine && selection ? { field: signals.keyOf(mine.field), from: selection[0], to: selection[1] } : undefined;
  }
  function onSelect() {
    const field = /** @type {any} */ (doc.activeElement);
    const place = field?.closest("[rt-cursors]");
    if (!place || !signals.telling(field) || !signals.keyOf(field) || !selectionOf(field)) return leave();
    const topic = signals.topicOf(place, "rt-cursors");
    mine = { topic, field };
    signals.say(topic, "select", now, pace(signals.count(topic)));
  }
  function leave() {
    if (!mine) return;
    signals.unsay(mine.topic, "select", { field: null });
    mine = null;
  }

  /** @param {any} field */
  function mirrorOf(field) {
    mirror ??= layer.add("rt-mirror", { c: 0 });
    const style = win.getComputedStyle(field);
    for (const name of STYLES) /** @type {any} */ (mirror.style)[name] = /** @type {any} */ (style)[name];
    const wraps = field.tagName === "TEXTAREA";
    mirror.style.whiteSpace = wraps ? "pre-wrap" : "pre";
    mirror.style.height = wraps ? "auto" : style.height;
    if (!wraps) mirror.style.lineHeight = `${field.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom)}px`;
    mirror.textContent = `${field.value}\u200b`;
    return mirror;
  }

  layer.part(
    () => {
      const places = [...doc.querySelectorAll("[rt-cursors]")];
      /** @type {Map<Element, Caret[]>} */
      const byField = new Map();
      for (const caret of carets.values()) {
        caret.end = undefined;
        const field = signals.fieldOf(places.filter((place) => signals.topicOf(place, "rt-cursors") === caret.topic), caret.key);
        if (field) byField.set(field, [...(byField.get(field) ?? []), caret]);
      }
      for (const [el, all] of byField) {
        const field = /** @type {any} */ (el);
        const plain = typeof field.value === "string";
        const root = plain ? mirrorOf(field) : field;
        const box = field.getBoundingClientRect();
        const from = plain ? root.getBoundingClientRect() : box;
        const [dx, dy] = plain ? [box.left - from.left - field.scrollLeft, box.top - from.top - field.scrollTop] : [0, 0];
        const inside = (/** @type {DOMRect} */ r) => r.left + dx >= box.left - 1 && r.right + dx <= box.right + 1 && r.top + dy >= box.top - 1 && r.bottom + dy <= box.bottom + 1;
        const move = (/** @type {DOMRect} */ r) => new DOMRect(r.left + dx, r.top + dy, r.width, r.height);
        for (const caret of all) {
          const rects = caret.to > caret.from ? [...rangeOf(root, caret.from, caret.to).getClientRects()] : [];
          const end = rangeOf(root, caret.to, caret.to).getClientRects()[0];
          caret.rects = rects.filter(inside).map(move).slice(0, 50);
          caret.end = end && inside(end) ? move(end) : undefined;
        }
      }
    },
    () => {
      for (const { el, rects = [], end } of carets.values()) {
        el.hidden = !end && !rects.length;
        const [bar, ...marks] = /** @type {HTMLElement[]} */ ([...el.children]);
        bar.hidden = !end;
        if (end) {
          layer.place(bar, end.left, end.top);
          bar.style.height = `${end.height}px`;
        }
        for (const mark of marks.splice(rects.length)) mark.remove();
        rects.forEach((rect, index) => {
          const mark = marks[index] ?? layer.add("rt-selection", { c: Number(el.dataset.colour) }, el);
          mark.style.width = `${rect.width}px`;
          mark.style.height = `${rect.height}px`;
          layer.place(mark, rect.left, rect.top);
        });
      }
    },
  );

  /** @param {string} tab */
  function forget(tab) {
    const caret = carets.get(tab);
    caret?.cancel();
    caret?.el.remove();
    carets.delete(tab);
    if (carets.size) return;
    mirror?.remove();
    mirror = null;
  }

  signals.listen((heard) => {
    const { topic, name, from, data } = heard;
    if (!signals.gone(heard) && name !== "select") return;
    const fits = data?.field && [data.from, data.to].every((one) => Number.isInteger(one) && one >= 0) && data.from <= data.to;
    if (signals.gone(heard) || !fits) return forget(from.tab);
    const known = carets.get(from.tab);
    if (!known && carets.size >= MOST) return;
    known?.cancel();
    let el = known?.el;
    if (!el) {
      el = layer.add("rt-caret", from);
      el.setAttribute("aria-hidden", "true");
      const label = layer.add("rt-chip", from, layer.add("rt-caret-bar", from, el));
      label.textContent = signals.label(from);
    }
    el.querySelector(".rt-chip")?.animate([{ opacity: 1 }, { opacity: 1, offset: 0.9 }, { opacity: 0 }], { duration: LABEL, fill: "forwards" });
    carets.set(from.tab, { topic, key: String(data.field), from: data.from, to: data.to, el, cancel: env.after(() => forget(from.tab), GONE) });
    layer.later();
  });
  doc.addEventListener("selectionchange", onSelect);
  doc.addEventListener("input", onSelect);
  doc.addEventListener("focusin", onSelect);
  doc.addEventListener("focusout", leave);
  const off = env.on("visibilitychange", () => mine && onSelect());

  return {
    stop() {
      off();
      doc.removeEventListener("focusin", onSelect);
      doc.removeEventListener("selectionchange", onSelect);
      doc.removeEventListener("input", onSelect);
      doc.removeEventListener("focusout", leave);
      for (const tab of [...carets.keys()]) forget(tab);
    },
  };
}
