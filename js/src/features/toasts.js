// Messages at the edge: at most three to be seen, the newest nearest the edge; older ones wait behind them.
// The time left is the animation of a hairline, so pausing the one pauses the other.
import { TOAST_LEVELS } from "../protocol.js";
import { leave } from "./leave.js";

const VISIBLE = 3;
const KEPT = 30; // more than that nobody reads: the oldest go
const TIME = { info: 5_000, success: 5_000, warning: 8_000, error: 0 }; // ms; 0 stays until dismissed

/**
 * @typedef {object} ToastArgs
 * @property {keyof typeof TIME} level
 * @property {string} text
 * @property {string} [key]  a second toast with the same key changes the first in place
 * @property {number} [timeout]  ms, 0 to stay
 */

/** @type {import("../index.js").Feature} */
export const toasts = {
  name: "toasts",
  mount({ doc, win, env, events }) {
    /** @type {WeakMap<Element, Animation | null>} */
    const clocks = new WeakMap();
    /** @type {EventTarget | null} */
    let before = null; // had the focus before it came to the toasts
    let over = false;
    let inside = false;

    const box = () => doc.getElementById("rt-toasts");
    const all = () => /** @type {HTMLElement[]} */ ([...(box()?.querySelectorAll(".rt-toast:not(.rt-leaving)") || [])]);

    /** @param {string} [key] */
    const keyed = (key) => (key ? all().find((toast) => toast.dataset.key === key) : undefined);

    /** @param {ToastArgs} args */
    function show(args) {
      const level = TOAST_LEVELS.includes(args.level) ? args.level : "info";
      const detail = { ...args, level, text: String(args.text ?? "") };
      const place = box();
      const allowed = (place || doc.documentElement).dispatchEvent(
        new CustomEvent("rt:toast", { bubbles: true, cancelable: true, detail }),
      );
      if (!allowed || !place) return;
      const old = keyed(detail.key);
      const toast = old || create();
      if (!toast) return;
      for (const name of TOAST_LEVELS) toast.classList.toggle(`rt-toast-${name}`, name === level);
      toast.dataset.level = level;
      if (detail.key) toast.dataset.key = detail.key;
      if (level === "error") toast.setAttribute("role", "alert");
      else toast.removeAttribute("role");
      const spoken = toast.querySelector("[rt-toast-level]");
      if (spoken) spoken.textContent = place.dataset[level] ?? "";
      const body = toast.querySelector("[rt-toast-text]");
      if (body) body.textContent = detail.text;
      if (!old) place.append(toast);
      start(toast, detail.timeout ?? TIME[level]);
      if (level !== "error") events.emit("announce", { text: detail.text });
      arrange();
    }

    function create() {
      const template = /** @type {HTMLTemplateElement | null} */ (doc.getElementById("rt-toast"));
      const toast = template?.content.firstElementChild?.cloneNode(true);
      return /** @type {HTMLElement | undefined} */ (toast);
    }

    /** @param {HTMLElement} toast @param {number} timeout */
    function start(toast, timeout) {
      clocks.get(toast)?.cancel();
      const close = /** @type {HTMLElement | null} */ (toast.querySelector("[rt-dismiss]"));
      if (close) close.hidden = false; // without this script it could not be pressed
      const hairline = toast.querySelector(".rt-toast-time");
      toast.classList.toggle("rt-toast-stays", !timeout);
      if (!timeout) return void clocks.set(toast, null);
      const clock = (hairline || toast).animate(hairline ? { transform: ["scaleX(1)", "scaleX(0)"] } : [], timeout);
      clock.onfinish = () => dismiss(toast);
      clocks.set(toast, clock);
    }

    /** @param {HTMLElement} toast */
    async function dismiss(toast) {
      clocks.get(toast)?.cancel();
      if (toast.contains(doc.activeElement)) {
        const others = all().filter((other) => other !== toast && !other.hidden);
        const next = others.at(-1)?.querySelector("[rt-dismiss]") || before;
        if (next instanceof win.HTMLElement) next.focus({ preventScroll: true });
      }
      if (await leave(toast)) toast.remove();
      arrange();
    }

    function arrange() {
      const toasts = all();
      for (const old of toasts.splice(0, toasts.length - KEPT)) old.remove();
      toasts.forEach((toast, index) => {
        if (!clocks.has(toast)) start(toast, Number(toast.dataset.timeout ?? TIME[/** @type {"info"} */ (toast.dataset.level)] ?? 0));
        toast.hidden = index < toasts.length - VISIBLE;
        if (over || inside || doc.hidden || toast.hidden) clocks.get(toast)?.pause();
        else clocks.get(toast)?.play();
      });
    }

    /** @param {Event} event */
    function listen(event) {
      const place = box();
      const target = /** @type {Node | null} */ (event.target);
      const other = /** @type {Node | null} */ (/** @type {MouseEvent} */ (event).relatedTarget);
      const here = !!place?.contains(target);
      if (event.type === "click") {
        const toast = /** @type {Element} */ (target).closest?.("[rt-dismiss]")?.closest(".rt-toast");
        if (toast) dismiss(/** @type {HTMLElement} */ (toast));
      } else if (event.type === "keydown") {
        const toast = here && /** @type {Element} */ (target).closest(".rt-toast");
        if (toast && /** @type {KeyboardEvent} */ (event).key === "Escape") dismiss(/** @type {HTMLElement} */ (toast));
      } else if (event.type === "focusin") {
        if (here && !place?.contains(other)) before = other;
        if (inside !== (inside = here)) arrange();
      } else if (event.type === "focusout") {
        if (inside && !place?.contains(other)) {
          inside = false;
          arrange();
        }
      } else if (over !== (over = here && /** @type {PointerEvent} */ (event).pointerType === "mouse")) arrange();
    }

    const types = ["click", "keydown", "focusin", "focusout", "pointerover"];
    for (const type of types) doc.addEventListener(type, listen);
    const offs = [
      events.on("toast", show),
      events.on("toast:end", ({ key }) => {
        const toast = keyed(key);
        if (toast) dismiss(toast);
      }),
      events.on("swap", arrange),
      env.on("visibilitychange", arrange),
    ];
    arrange();
    return () => {
      for (const type of types) doc.removeEventListener(type, listen);
      for (const off of offs) off();
      for (const toast of all()) clocks.get(toast)?.cancel();
    };
  },
};
