// Signs of life: this tab is seen, looked away from, left; and the pictures of who is here, drawn by the server.
import { words } from "../dom.js";
import { VIEW } from "../protocol.js";
import { morphChildren } from "../morph.js";

const BEAT = 10_000; // ms between signs of life of a tab that is seen
const HIDDEN_BEAT = 60_000; // ms; browsers let hidden pages run no more often
const IDLE = 60_000; // ms without input in any tab
const SHARE = 5_000; // ms between two words to the other tabs that there was input
const STALE = 30_000; // ms without a line, after which who is here is no longer known
const PREFIX = "here:";
const INPUT = ["pointerdown", "pointermove", "keydown", "wheel", "scroll", "touchstart"];

/** @typedef {ReturnType<typeof createHere>} Here */

/** Presence topics of an element. @param {Element} el */
export const hereTopics = (el) => words(el, "rt-stream").filter((topic) => topic.startsWith(PREFIX));

/** @param {import("../index.js").Runtime} rt */
export function createHere({ doc, env, events, tab, connection, config, bridge }) {
  const shared = `rt-input:${/** @type {any} */ (config).name}`; // when there was input, for all tabs of this browser
  const idleAfter = Number(doc.documentElement.getAttribute("rt-idle-after")) * 1000 || IDLE;
  /** @type {Map<string, number>} how many people are on a topic */
  const counts = new Map();
  let lastInput = env.now();
  let told = 0;
  let idle = false;
  let asked = "";
  let open = false;
  let cancelBeat = () => {};
  let cancelIdle = () => {};
  let cancelStale = () => {};

  function views() {
    /** @type {Record<string, string[]>} */
    const found = {};
    for (const el of doc.querySelectorAll("[rt-view],[rt-typing-line],[rt-cursors]")) {
      // "count" comes with every other picture's frame, and alone where there is none.
      for (const topic of hereTopics(el)) (found[topic] ??= []).push(el.getAttribute("rt-view") ?? "count");
    }
    for (const topic in found) found[topic] = [...new Set(found[topic])].slice(0, 8);
    return found;
  }

  /** @param {object} [more] */
  async function beat(more) {
    cancelBeat();
    if (!open && !more) return;
    const wanted = views();
    asked = JSON.stringify(wanted);
    const here = !!doc.querySelector("[rt-here]");
    const one = { id: tab.id, gen: tab.gen, vis: !env.hidden(), idle, here, views: wanted, ...more };
    cancelBeat = env.after(() => beat(), env.hidden() ? HIDDEN_BEAT : BEAT);
    const answer = await env.fetch(`${config.prefix}/beat`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ tabs: [one] }),
      keepalive: !!more || env.hidden(),
    }).catch(() => null);
    if (!answer?.ok || more) return;
    const { lost = [] } = await answer.json().catch(() => ({}));
    // Nobody knows this tab: the server has forgotten, so it is told anew by opening again.
    if (lost.includes(tab.id) && open) connection.refresh();
  }

  function input() {
    const now = env.now();
    lastInput = now;
    if (idle) {
      idle = false;
      beat();
    }
    if (now - told < SHARE) return;
    told = now;
    try {
      env.local()?.setItem(shared, String(now));
    } catch {
      // Full or forbidden: each tab then looks after itself.
    }
    look();
  }

  /** Nobody does anything any more? Looks again when that could be so. */
  function look() {
    cancelIdle();
    const last = Math.max(lastInput, Number(env.local()?.getItem(shared)) || 0);
    const rest = last + idleAfter - env.now();
    const now = rest <= 0;
    if (now !== idle) {
      idle = now;
      beat();
    }
    cancelIdle = env.after(look, Math.max(1_000, rest));
  }

  /** @param {any} data */
  function draw({ t, s, n, html }) {
    counts.set(t, n);
    for (const el of doc.querySelectorAll(`[rt-view="${CSS.escape(s)}"][rt-stream~="${CSS.escape(t)}"]`)) {
      const before = new Set([...el.querySelectorAll("[id]")].map(({ id }) => id));
      morphChildren(el, bridge.parse(html), { added() {}, rewired() {}, wrote() {} });
      for (const item of el.querySelectorAll("li[id]")) {
        if (before.has(item.id)) continue;
        item.classList.add("rt-arriving");
        item.addEventListener("animationend", () => item.classList.remove("rt-arriving"), { once: true });
      }
      el.dispatchEvent(new CustomEvent("rt:presence", { bubbles: true, detail: { topic: t.slice(PREFIX.length), count: n } }));
    }
    events.emit("presence", { topic: t, count: n });
  }

  /** What was seen last is not what is, once the line is down for long. @param {boolean} down */
  function age(down) {
    cancelStale();
    const mark = (/** @type {string | null} */ time) => {
      for (const el of doc.querySelectorAll("[rt-view]")) {
        el.classList.toggle("rt-stale", time !== null);
        if (time === null) el.removeAttribute("data-as-of");
        else el.setAttribute("data-as-of", time);
      }
    };
    if (!down) return mark(null);
    const at = new Date(env.now()).toLocaleTimeString(config.lang || "en", { hour: "2-digit", minute: "2-digit" });
    cancelStale = env.after(() => mark(at), STALE);
  }

  /** @param {string} state */
  function state(state) {
    const was = open;
    open = state === "connected" || state === "moving";
    if (open !== was) age(!open);
    if (open && !was) beat();
  }

  const bye = () => void beat({ bye: true });
  for (const type of INPUT) doc.addEventListener(type, input, { passive: true, capture: true });
  const offs = [
    events.on("stream:state", ({ state: now }) => state(now)),
    events.on("stream:open", () => void (open && beat())),
    events.on("stream:message", ({ event, data }) => event === VIEW && draw(data)),
    events.on("swap", () => void (open && JSON.stringify(views()) !== asked && beat())),
    env.on("visibilitychange", () => beat()),
    env.on("pagehide", bye),
    env.on("pageshow", ({ persisted }) => void (persisted && beat())),
  ];
  state(connection.state);
  look();

  return {
    /** Is anybody else there to be told? @param {string} topic */
    alone: (topic) => (counts.get(topic) ?? 2) < 2,
    /** @param {string} topic */
    count: (topic) => counts.get(topic) ?? 0,

    stop() {
      for (const cancel of [cancelBeat, cancelIdle, cancelStale]) cancel();
      for (const type of INPUT) doc.removeEventListener(type, input, { capture: true });
      for (const off of offs) off();
    },
  };
}
