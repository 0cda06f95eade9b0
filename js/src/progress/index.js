// `rt-progress`: long operations, as everybody on their topic sees them.
import { createSay } from "./say.js";

/** @typedef {import("./say.js").Task} Task */
/** @typedef {Task & {topic: string, heard: number}} Placed */

const SHOWN = 8; // on a topic
const KEPT = 600_000; // ms that it is shown how one ended
const AGE = 15_000; // ms between two looks at how long ago that was
const EVERY = 3_000; // ms between two announcements
const KNOWN = 64; // tasks that a page remembers
const ANSWER = 10_000; // ms
const STORE = "rt-dismissed"; // ids, in localStorage
const PREFIX = "progress:"; // of keys of toasts

/** @type {import("../index.js").Feature} */
const progress = {
  name: "progress",
  mount(rt, early = []) {
    const { doc, win, env, events, config } = rt;
    const say = createSay(config.lang || "en");
    /** @type {Map<string, Placed>} */
    const tasks = new Map();
    /** @type {Set<string>} that this page has asked to end */
    const pressed = new Set();
    /** @type {Map<string, string>} */
    const grants = new Map();
    /** @type {Map<string, string>} what is to be said, by task */
    const news = new Map();
    let quiet = 0;
    let cancelNews = () => {};
    let cancelAge = () => {};

    const slots = () => /** @type {HTMLElement[]} */ ([...doc.querySelectorAll("[rt-progress]")]);
    const topicOf = (/** @type {Element} */ slot) => slot.getAttribute("rt-progress") ?? "";
    const itemsOf = (/** @type {Element} */ slot) => /** @type {HTMLElement[]} */ ([...slot.querySelectorAll("[data-task]")]);

    /** @param {HTMLElement | undefined} slot @returns {Record<string, any>} */
    const wordsOf = (slot) => JSON.parse(slot?.dataset.words || "{}");
    const slotOf = (/** @type {Placed} */ task) => slots().find((slot) => topicOf(slot) === task.topic);
    const dismissed = () => (env.local()?.getItem(STORE) ?? "").split(" ");

    /** The newest of what is known counts. @param {string} topic @param {Task & {ago?: number}} told @param {boolean} [live] */
    function take(topic, told, live) {
      const { id, n, state, ended, ago, percent = 0 } = told;
      const old = tasks.get(id);
      if (old && old.n >= n) return;
      const over = state !== "running";
      const now = env.now();
      // When it ended by this page's clock, which may differ: not before it was last heard to go on.
      let since = ago !== undefined ? ago * 1000 : Math.max(0, now - (ended ?? 0) * 1000);
      if (old && old.state === "running") since = Math.min(since, now - old.heard);
      tasks.delete(id); // to the end, as the youngest
      tasks.set(id, { ...told, topic, heard: now, ...(over && { at: now - since }) });
      for (const key of [...tasks.keys()].slice(0, -KNOWN)) tasks.delete(key);
      if (over) pressed.delete(id);
      if (!live) return;
      const quarter = Math.floor(percent / 25) * 25;
      if (over && old?.state === "running") announce(id);
      else if (!over && quarter > Math.floor((old?.percent ?? 0) / 25) * 25) announce(id, quarter);
    }

    /** @param {string} id @param {number} [part] */
    function announce(id, part) {
      const task = tasks.get(id);
      const slot = task && slotOf(task);
      if (!slot) return;
      news.set(id, say.said(wordsOf(slot), task, part));
      cancelNews();
      cancelNews = env.after(speak, quiet - env.now());
    }

    function speak() {
      quiet = env.now() + EVERY;
      events.emit("announce", { text: [...news.values()].join(" ") });
      news.clear();
    }

    /** Read what the server has written, and write what is known. */
    function draw() {
      cancelAge();
      const now = env.now();
      const away = dismissed();
      let waits = false;
      for (const slot of slots()) {
        const topic = topicOf(slot);
        for (const item of itemsOf(slot)) {
          if (item.dataset.record) take(topic, JSON.parse(item.dataset.record));
          delete item.dataset.record;
        }
        const shown = [...tasks.values()]
          .filter((task) => task.topic === topic && !away.includes(task.id) && (task.at === undefined || now - task.at < KEPT))
          .sort((a, b) => a.started - b.started || (a.id < b.id ? -1 : 1))
          .slice(-SHOWN);
        const active = doc.activeElement;
        const inside = slot.contains(active);
        const items = shown.map((task) => {
          const item = itemsOf(slot).find(({ dataset }) => dataset.task === task.id) ?? copy(slot, task);
          if (item) write(item, task, wordsOf(slot), now);
          return item;
        });
        for (const item of itemsOf(slot)) if (!items.includes(item)) item.remove();
        let before = slot.firstElementChild;
        for (const item of items) {
          if (item && item !== before?.nextElementSibling) before?.after(item);
          before = item ?? before;
        }
        // What has vanished must not take the focus with it.
        if (inside && !active?.isConnected) {
          slot.tabIndex = -1;
          (/** @type {HTMLElement | null} */ (slot.querySelector("form:not([hidden]) button")) ?? slot).focus({ preventScroll: true });
        }
        waits ||= shown.some((task) => task.at !== undefined);
      }
      if (waits) cancelAge = env.after(draw, AGE);
    }

    /** @param {Element} slot @param {Task} task */
    function copy(slot, task) {
      const item = /** @type {HTMLElement | undefined} */ (slot.querySelector("template")?.content.firstElementChild?.cloneNode(true));
      if (!item) return;
      item.dataset.task = task.id;
      item.id = `rt-task-${task.id}`;
      slot.append(item);
      return item;
    }

    /** @param {HTMLElement} item @param {Task} task @param {Record<string, any>} words @param {number} now */
    function write(item, task, words, now) {
      const { id, title, state, percent, by, who, cancel } = task;
      const text = (/** @type {string} */ name, /** @type {string} */ value) => {
        const el = item.querySelector(`.rt-task-${name}`);
        if (el && el.textContent !== value) el.textContent = value;
      };
      const over = state !== "running";
      const mine = who === /** @type {any} */ (config).who;
      const part = say.percent(words, task);
      const note = say.note(words, task, now);
      item.dataset.state = state;
      text("title", title);
      text("by", by && !mine ? say.word(words, "by", { name: by }) : "");
      text("percent", part);
      text("note", note);
      const bar = item.querySelector("progress");
      if (bar) {
        if (percent === undefined) bar.removeAttribute("value");
        else bar.value = percent;
        bar.setAttribute("aria-label", title);
        bar.setAttribute("aria-valuetext", [part, note.replaceAll(" · ", ", ")].filter(Boolean).join(", "));
      }
      const form = item.querySelector("form");
      const button = form?.querySelector("button");
      if (!form || !button) return;
      const wanted = !over && (task.cancelling || pressed.has(id));
      form.hidden = !over && cancel !== "all" && !(cancel === "owner" && mine);
      form.action = `${config.prefix}/progress/${id}`;
      button.value = over ? "dismiss" : "cancel";
      const name = over ? "dismiss" : wanted ? "cancelling" : "cancel";
      const label = say.word(words, name);
      if (button.textContent !== label) button.textContent = label;
      if (wanted) button.setAttribute("aria-disabled", "true");
      else button.removeAttribute("aria-disabled");
      button.setAttribute("aria-label", `${label}: ${title}`);
    }

    /** @param {Event} event */
    function submit(event) {
      const form = /** @type {HTMLElement} */ (event.target);
      const item = /** @type {HTMLElement | null} */ (form.closest?.("[rt-progress] [data-task]"));
      const task = item && tasks.get(item.dataset.task ?? "");
      if (!task) return;
      event.preventDefault();
      event.stopImmediatePropagation(); // a boosted page would send the form
      if (task.state !== "running") dismiss(task);
      else if (!task.cancelling && !pressed.has(task.id)) end(task);
    }

    /** @param {Placed} task */
    async function end(task) {
      pressed.add(task.id);
      draw();
      const response = await post(task, "cancel");
      if (response?.ok || response?.status === 409 || !pressed.delete(task.id)) return; // 409: it has ended
      draw();
      events.emit("toast", { level: "error", text: say.word(wordsOf(slotOf(task)), "not-cancelled") });
    }

    /** @param {Placed} task */
    function dismiss(task) {
      tasks.set(task.id, { ...task, at: -KEPT });
      draw();
      post(task, "dismiss");
      env.local()?.setItem(STORE, [...dismissed(), task.id].slice(-KNOWN).join(" "));
    }

    /** @param {Placed} task @param {string} act */
    function post(task, act) {
      return env.fetch(`${config.prefix}/progress/${task.id}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        // In quotes: the build shortens names that our own modules share, and this one goes over the wire.
        body: JSON.stringify({ topic: task.topic, act, "grant": grants.get(task.topic) ?? slotOf(task)?.getAttribute("rt-grant") }),
        keepalive: true,
        signal: AbortSignal.timeout(ANSWER),
      }).catch(() => null);
    }

    /** A toast says what stands on the screen already. @param {Event} event */
    function toast(event) {
      const key = String(/** @type {CustomEvent} */ (event).detail?.key ?? "");
      const item = key.startsWith(PREFIX) && doc.getElementById(`rt-task-${key.slice(PREFIX.length)}`);
      if (!item || !item.closest("[rt-progress]")) return;
      const { top, bottom, height } = item.getBoundingClientRect();
      if (height && top < win.innerHeight && bottom > 0) event.preventDefault();
    }

    const offs = [
      events.on("call", ({ t, name, args }) => {
        if (name !== "progress") return;
        take(t, args, true);
        draw();
      }),
      events.on("stream:open", ({ hello }) => {
        for (const [topic, grant] of Object.entries(hello.grants)) grants.set(topic, grant);
      }),
      events.on("swap", () => (slots()[0] || tasks.size) && draw()),
    ];
    doc.addEventListener("rt:toast", toast);
    win.addEventListener("submit", submit, true);
    for (const { t, name, args } of early) if (name === "progress") take(t, args);
    draw();
    return () => {
      cancelNews();
      cancelAge();
      doc.removeEventListener("rt:toast", toast);
      win.removeEventListener("submit", submit, true);
      for (const off of offs) off();
    };
  },
};

export const features = [progress];
