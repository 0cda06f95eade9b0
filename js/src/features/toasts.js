// Messages at the edge: at most three to be seen, the newest nearest the edge; older ones wait behind them.
// The time left is the animation of a hairline, so pausing the one pauses the other.
import { TOAST_LEVELS } from "../protocol.js";
import { leave } from "./leave.js";
import { createOffers, keyOf, takeBack } from "./undo.js";

const VISIBLE = 3;
const VISIBLE_UNDO = 5; // what can be taken back does not hide behind what comes after it
const KEPT = 30; // more than that nobody reads: the oldest go
const TIME = { info: 5_000, success: 5_000, warning: 8_000, error: 0 }; // ms; 0 stays until dismissed

/**
 * @typedef {object} ToastArgs
 * @property {keyof typeof TIME} level
 * @property {string} text
 * @property {string} [key]  a second toast with the same key changes the first in place
 * @property {number} [timeout]  ms, 0 to stay
 * @property {{id: string, left: number}} [undo]  what may be taken back, for `left` ms
 * @property {{word: string, run: () => void}} [action]  one thing to press; `word` is a `data-*` of the place
 */

/** @type {import("../index.js").Feature} */
export const toasts = {
  name: "toasts",
  mount(rt) {
    const { doc, win, env, events } = rt;
    /** @type {WeakMap<Element, Animation | null>} */
    const clocks = new WeakMap();
    /** @type {WeakMap<Element, () => void>} */
    const actions = new WeakMap();
    const offers = createOffers(env);
    /** @type {Element | null} */
    let known = null; // the place, which a boosted page brings anew
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
      if (detail.undo) detail.key = keyOf(detail.undo.id);
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
      delete toast.dataset.undo;
      act(toast, detail.action);
      if (detail.undo) offer(toast, detail.undo.id, detail.undo.left);
      else start(toast, detail.timeout ?? TIME[level]);
      if (level !== "error") events.emit("announce", { text: detail.text, key: detail.key });
      arrange();
    }

    function create() {
      const template = /** @type {HTMLTemplateElement | null} */ (doc.getElementById("rt-toast"));
      const toast = template?.content.firstElementChild?.cloneNode(true);
      return /** @type {HTMLElement | undefined} */ (toast);
    }

    /** @param {HTMLElement} toast @param {ToastArgs["action"]} action */
    function act(toast, action) {
      const form = /** @type {HTMLElement | null} */ (toast.querySelector("form"));
      if (!form) return;
      const button = form.querySelector("button");
      if (!action && form.contains(doc.activeElement)) giveBack(toast, true);
      form.hidden = !action;
      button?.removeAttribute("aria-disabled");
      if (!action) return void actions.delete(toast);
      if (button) button.textContent = box()?.dataset[action.word] ?? "";
      actions.set(toast, action.run);
    }

    /** @param {HTMLElement} toast @param {string} id @param {number} left */
    function offer(toast, id, left) {
      const text = toast.querySelector("[rt-toast-text]")?.textContent ?? "";
      toast.dataset.key = keyOf(id);
      toast.dataset.undo = id;
      act(toast, { word: "undo", run: () => undo(toast, id, text) });
      start(toast, Math.max(1, offers.add({ id, text, level: toast.dataset.level ?? "info", until: env.now() + left })));
    }

    /** @param {HTMLElement} toast @param {string} id @param {string} text */
    async function undo(toast, id, text) {
      const button = toast.querySelector("[rt-toast-action]");
      if (button?.getAttribute("aria-disabled")) return;
      button?.setAttribute("aria-disabled", "true");
      clocks.get(toast)?.pause(); // it stays until the server has said what became of it
      const { word, level, again } = await takeBack(rt, id);
      if (!again) offers.end(id);
      if (!toast.isConnected) return;
      const said = box()?.dataset[word] ?? "";
      events.emit("toast", {
        key: keyOf(id), level, text: again ? `${text} · ${said}` : said,
        ...(again && { action: { word: "retry", run: () => undo(toast, id, text) } }),
      });
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
      offers.end(toast.dataset.undo);
      if (toast.contains(doc.activeElement)) giveBack(toast);
      if (await leave(toast)) toast.remove();
      arrange();
    }

    /** What is about to vanish must not take the focus with it. @param {HTMLElement} toast @param {boolean} [here] the toast itself stays */
    function giveBack(toast, here = false) {
      const others = here ? [toast] : all().filter((other) => other !== toast && !other.hidden);
      const next = others.at(-1)?.querySelector("[rt-dismiss]") || before;
      if (next instanceof win.HTMLElement) next.focus({ preventScroll: true });
    }

    function arrange() {
      const toasts = all();
      for (const old of toasts.splice(0, toasts.length - KEPT)) old.remove();
      toasts.forEach((toast, index) => {
        const { undo, left, timeout, level } = toast.dataset;
        if (!clocks.has(toast)) {
          if (undo) offer(toast, undo, Number(left));
          else start(toast, Number(timeout ?? TIME[/** @type {"info"} */ (level)] ?? 0));
        }
        toast.hidden = index < toasts.length - (undo ? VISIBLE_UNDO : VISIBLE);
        if (actions.has(toast) && toast.querySelector("[rt-toast-action][aria-disabled]")) return;
        if (!undo && (over || inside || doc.hidden || toast.hidden)) clocks.get(toast)?.pause();
        else clocks.get(toast)?.play();
      });
      if (known === (known = box())) return;
      for (const { id, until, ...offered } of offers.all()) {
        if (!keyed(keyOf(id))) show({ .../** @type {ToastArgs} */ (/** @type {unknown} */ (offered)), undo: { id, left: until - env.now() } });
      }
    }

    /** @param {Event} event */
    function submit(event) {
      const toast = /** @type {HTMLElement} */ (event.target).closest?.(".rt-toast");
      const run = toast && box()?.contains(toast) && actions.get(toast);
      if (!run) return;
      event.preventDefault();
      event.stopImmediatePropagation(); // a boosted page would send the form
      run();
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
    win.addEventListener("submit", submit, true);
    return () => {
      win.removeEventListener("submit", submit, true);
      for (const type of types) doc.removeEventListener(type, listen);
      for (const off of offs) off();
      for (const toast of all()) clocks.get(toast)?.cancel();
    };
  },
};
