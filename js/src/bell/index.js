// The bell: how much is unread, what there is, and that reading it here reads it everywhere.
import { say } from "../presence/words.js";
import { TAB } from "../protocol.js";

const TICK = 30_000; // ms between two looks at "3 min ago"
const AGAIN = 5_000; // ms until what could not be loaded is asked for again, at first
const MOST_AGAIN = 120_000;
/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", Infinity]];

/** @type {import("../index.js").Feature} */
const bell = {
  name: "bell",
  mount({ doc, env, events, bridge, config, tab }) {
    const lang = config.lang || "en";
    let rev = -1; // of the newest that was heard of
    let count = 0;
    let busy = false;
    let wait = 0; // ms, after a failure
    let cancelTick = () => {};
    let cancelAgain = () => {};

    const find = () => /** @type {HTMLDetailsElement | null} */ (doc.querySelector("[rt-bell]"));
    const panelOf = (/** @type {Element} */ el) => /** @type {HTMLElement} */ (el.lastElementChild);
    const shown = (/** @type {Element} */ el) => Number(el.querySelector("form")?.dataset.rev ?? -1);
    const idOf = (/** @type {Element | null} */ item) => item?.getAttribute("rt-bell-id") ?? "";

    /** A bell has come, or something was heard of. */
    function look() {
      const el = find();
      if (!el) return;
      const own = shown(el);
      if (own > rev) {
        rev = own;
        count = Number(el.querySelector("form")?.dataset.unread);
      }
      draw(el);
      if (own < 0 || (el.open && (wait || own < rev))) load();
      tick();
    }

    /** @param {Element} el */
    function draw(el) {
      const badge = /** @type {HTMLElement | null} */ (el.querySelector("[rt-badge]"));
      if (rev < 0 || !badge || badge.getAttribute("rt-badge") === String(count)) return;
      const { most, label = "" } = badge.dataset;
      badge.children[0].textContent = count > Number(most) ? `${most}+` : String(count);
      badge.children[1].textContent = say(lang, JSON.parse(label), { n: count });
      badge.hidden = count < 1;
      badge.setAttribute("rt-badge", String(count));
    }

    /** @param {Element} el @param {RequestInit} [init] @param {string} [type] */
    async function ask(el, init, type) {
      const response = await env.fetch(`${el.getAttribute("rt-bell")}&lang=${lang}`, {
        cache: "no-store", ...init, headers: { [TAB]: tab.id, ...(type && { "Content-Type": type }) },
      });
      if (!response.ok) throw response;
      return response.text();
    }

    async function load() {
      const el = find();
      if (busy || !el) return;
      busy = true;
      cancelAgain();
      const before = rev;
      try {
        fill(el, await ask(el));
        wait = 0;
        busy = false;
        // What was heard meanwhile is newer; but a server that has forgotten everything counts anew.
        if (before === rev) rev = -1;
        look();
      } catch (error) {
        busy = false;
        el.querySelector("[rt-bell-failed]")?.removeAttribute("hidden");
        again(error);
      }
    }

    /** @param {any} error an answer, or that there was none */
    function again({ status }) {
      wait = Math.min(MOST_AGAIN, 2 * wait || AGAIN);
      cancelAgain();
      if (status !== 401) cancelAgain = env.after(load, wait);
    }

    /** @param {Element} el @param {string} html */
    function fill(el, html) {
      const panel = panelOf(el);
      const active = panel.contains(doc.activeElement) && doc.activeElement;
      const top = panel.querySelector("ul")?.scrollTop ?? 0;
      panel.replaceChildren(...bridge.parse(html).childNodes);
      bridge.process(panel);
      panel.querySelector("ul")?.scrollTo(0, top);
      if (active) (doc.getElementById(active.id) ?? panel).focus({ preventScroll: true });
    }

    /** "3 min ago", for as long as it is seen. */
    function tick() {
      cancelTick();
      const el = find();
      if (!el?.open) return;
      const format = new Intl.RelativeTimeFormat(lang, { numeric: "auto", style: "short" });
      for (const time of panelOf(el).querySelectorAll("time")) {
        const at = new Date(time.dateTime);
        const seconds = Math.max(0, (env.now() - at.getTime()) / 1000);
        const [unit, length] = /** @type {(typeof UNITS)[0]} */ (UNITS.find(([, length]) => seconds >= length || length === Infinity));
        time.textContent = format.format(-Math.floor(seconds / length), unit);
        time.title = at.toLocaleString(lang);
      }
      cancelTick = env.after(tick, TICK);
    }

    /** Here at once, everywhere as soon as the server knows. @param {Element} el @param {object} which @param {string} [id] none: all */
    async function read(el, which, id) {
      for (const item of el.querySelectorAll(".rt-bell-unread")) {
        if (id && idOf(item) !== id) continue;
        item.classList.remove("rt-bell-unread");
        item.querySelector(".rt-bell-state")?.remove();
        count -= 1;
      }
      if (!id) count = 0;
      draw(el);
      try {
        // It leaves even where the page does.
        const answer = JSON.parse(await ask(el, { method: "POST", keepalive: true, body: JSON.stringify(which) }, "application/json"));
        if (answer["rev"] >= rev) {
          rev = answer["rev"];
          count = answer["unread"];
        }
        look();
      } catch (error) {
        again(/** @type {any} */ (error)); // the server says how it is
      }
    }

    /** @param {MouseEvent} event */
    function press({ target, type, button, ctrlKey, metaKey, shiftKey }) {
      const el = find();
      const at = /** @type {Element} */ (target);
      if (!el || (type !== "click" && button !== 1)) return;
      if (!el.contains(at)) return el.open && type === "click" ? close(el) : undefined;
      const link = at.closest("a");
      if (!link) return;
      const item = link.closest(".rt-bell-unread");
      if (item) read(el, { "ids": [idOf(item)] }, idOf(item));
      if (type === "click" && !ctrlKey && !metaKey && !shiftKey) el.open = false;
    }

    /** @param {SubmitEvent} event */
    function submit(event) {
      const el = find();
      const { target, submitter } = /** @type {{target: any, submitter: any}} */ (event);
      if (!el?.contains(target) || !submitter) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      const { name, value } = submitter;
      if (name === "ids") read(el, { "ids": [value] }, value);
      else read(el, { "all": Number(value) });
    }

    /** The focus goes back to the button, unless it has gone somewhere by itself. @param {HTMLDetailsElement} el */
    function close(el) {
      const lost = el.contains(doc.activeElement) || doc.activeElement === doc.body;
      el.open = false;
      if (lost) /** @type {HTMLElement} */ (el.firstElementChild).focus({ preventScroll: true });
    }

    /** @param {KeyboardEvent} event */
    function key(event) {
      const el = find();
      if (event.key !== "Escape" || !el?.open || event.defaultPrevented) return;
      if (el.contains(doc.activeElement) || doc.activeElement === doc.body) close(el);
    }

    /** @param {FocusEvent} event */
    function leave({ target, relatedTarget }) {
      const el = find();
      if (relatedTarget && el?.contains(/** @type {Node} */ (target)) && !el.contains(/** @type {Node} */ (relatedTarget))) el.open = false;
    }

    /** @param {Event} event */
    function toggled({ target }) {
      const el = find();
      if (!el || target !== el) return;
      el.classList.toggle("rt-bell-start", el.open && panelOf(el).getBoundingClientRect().left < 0);
      look();
    }

    /** @type {[string, (event: any) => void][]} */
    const listeners = [["click", press], ["auxclick", press], ["submit", submit], ["keydown", key], ["focusout", leave], ["toggle", toggled]];
    for (const [type, fn] of listeners) doc.addEventListener(type, fn, true);
    const offs = [
      events.on("call", ({ name, args }) => {
        if (name !== "notes" || args["rev"] <= rev) return;
        const words = find()?.dataset.news;
        if (rev >= 0 && args["text"] && words) events.emit("announce", { text: say(lang, words, args) });
        rev = args["rev"];
        count = args["unread"];
        look();
      }),
      events.on("swap", look),
      events.on("stream:open", () => wait && load()),
      // More was missed than is told again.
      events.on("resync", ({ topics }) => topics?.some((/** @type {string} */ topic) => topic.startsWith("user:")) && load()),
    ];
    look();
    return () => {
      for (const [type, fn] of listeners) doc.removeEventListener(type, fn, true);
      for (const off of offs) off();
      cancelTick();
      cancelAgain();
    };
  },
};

export const features = [bell];
