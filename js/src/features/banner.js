// The bar at the top edge. It says nothing for two seconds, then one sentence; after fifteen it offers to try
// now or to reload and counts down; it leaves by itself with "Back online". It never takes the focus.
import { leave } from "./leave.js";
import { QUIET, view } from "./view.js";

const BACK = 1_500; // ms

/** @type {import("../index.js").Feature} */
export const banner = {
  name: "banner",
  mount({ doc, win, env, events, connection }) {
    /** @type {import("./view.js").Status} */
    let status = { state: "idle", since: 0, nextTry: 0, why: "" };
    let stale = false;
    let outage = false; // the bar has spoken of one
    let back = 0; // "Back online" stays until then
    /** @type {EventTarget | null} */
    let before = null; // had the focus before it came into the bar
    let cancel = () => {};
    let cancelText = () => {};

    function render() {
      cancel();
      const bar = doc.getElementById("rt-banner");
      if (!bar || doc.hidden) return; // a page nobody looks at has nothing to say
      const now = env.now();
      let shown = view(status, now, stale);
      if (status.state === "connected" && outage) {
        outage = false;
        back = now + BACK;
      }
      if (!shown && status.state === "connected" && back > now) shown = { word: "back", tone: "ok", again: back - now };
      if (!shown) {
        hide(bar);
        const wait = status.since + QUIET - now;
        if (wait > 0) cancel = env.after(render, wait);
        return;
      }
      if (shown.word !== "back") outage = status.state !== "connected";
      paint(bar, shown);
      if (shown.again) cancel = env.after(render, shown.again);
    }

    /** @param {HTMLElement} bar @param {import("./view.js").View} shown */
    function paint(bar, shown) {
      const word = (/** @type {string} */ name) => bar.dataset[name] || "";
      const text = word(shown.word) + (shown.kept ? ` ${word("long")}` : "");
      const count = !shown.kept ? "" : shown.next ? word("next").replace("{n}", String(shown.next)) : word("soon");
      for (const tone of ["warn", "calm", "ok"]) bar.classList.toggle(`rt-${tone}`, tone === shown.tone);
      put(bar, "[rt-banner-next]", count);
      toggle(bar, "[rt-retry]", shown.retry);
      toggle(bar, "[rt-reload]", shown.reload);
      cancelText();
      bar.classList.remove("rt-leaving");
      if (!bar.hidden) return put(bar, "[rt-banner-text]", text);
      bar.hidden = false;
      // A live region speaks of what changes in it while it is there, not of what it came with.
      cancelText = env.after(() => put(bar, "[rt-banner-text]", text), 20);
    }

    /** @param {HTMLElement} bar */
    async function hide(bar) {
      cancelText();
      if (bar.hidden || bar.classList.contains("rt-leaving")) return;
      giveBack(bar);
      if (!(await leave(bar))) return;
      bar.hidden = true;
      put(bar, "[rt-banner-text]", "");
    }

    /** What is about to vanish must not take the focus with it. @param {Element} element */
    function giveBack(element) {
      if (element.contains(doc.activeElement) && before instanceof win.HTMLElement) before.focus({ preventScroll: true });
    }

    /** @param {Element} bar @param {string} selector @param {boolean} [on] */
    function toggle(bar, selector, on = false) {
      const button = /** @type {HTMLElement | null} */ (bar.querySelector(selector));
      if (!button) return;
      if (!on) giveBack(button);
      button.hidden = !on;
    }

    /** @param {MouseEvent} event */
    function press({ target }) {
      if (!(target instanceof win.Element)) return;
      if (target.closest("[rt-retry]")) connection.retry();
      else if (target.closest("[rt-reload]")) win.location.reload();
    }

    /** @param {FocusEvent} event */
    function focus({ target, relatedTarget }) {
      const bar = doc.getElementById("rt-banner");
      if (bar?.contains(/** @type {Node} */ (target)) && !bar.contains(/** @type {Node | null} */ (relatedTarget))) before = relatedTarget;
    }

    const offs = [
      events.on("stream:state", (now) => {
        status = now;
        render();
      }),
      events.on("stale", () => {
        stale = true;
        render();
      }),
      events.on("swap", render), // the bar itself may be new
      env.on("visibilitychange", render),
    ];
    doc.addEventListener("click", press);
    doc.addEventListener("focusin", focus);
    return () => {
      cancel();
      cancelText();
      for (const off of offs) off();
      doc.removeEventListener("click", press);
      doc.removeEventListener("focusin", focus);
    };
  },
};

/** @param {Element} bar @param {string} selector @param {string} text */
function put(bar, selector, text) {
  const element = bar.querySelector(selector);
  if (element && element.textContent !== text) element.textContent = text;
}
