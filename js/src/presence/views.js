// Pictures of who is here, drawn by the server: which of them this page shows, and how they come and go.
import { words } from "../dom.js";
import { VIEW } from "../protocol.js";
import { become } from "./picture.js";
import { say, spoken } from "./words.js";

const PREFIX = "here:"; // of presence topics, as the server has it
const STALE = 30_000; // ms without a line, after which who is here is no longer known
const MOST = 32; // pictures of a page, as the server has it
const CROWD = 12; // people who come or go at once: then nobody is shown coming or going
const LEAVE = 200; // ms at most
const SHOWS = "[rt-view],[rt-typing-line],[rt-cursors]";

/** @typedef {ReturnType<typeof createViews>} Views */

/** Presence topics of an element. @param {Element} el */
const hereTopics = (el) => words(el, "rt-stream").filter((topic) => topic.startsWith(PREFIX));

/** As grants name it. @param {string} name */
export const hereTopic = (name) => (name.startsWith(PREFIX) ? name : PREFIX + name);

/** @param {import("../index.js").Runtime} rt */
export function createViews(rt) {
  const { doc, win, env, events, bridge, config } = rt;
  /** @type {Map<string, number>} how many people are on a topic */
  const counts = (rt.counts = new Map());
  /** @type {WeakSet<Element>} those that have got their picture over this stream */
  let drawn = new WeakSet();
  let heard = env.now(); // when the line was last known to be up
  let down = false;
  let cancel = () => {};
  const still = win.matchMedia("(prefers-reduced-motion: reduce)");

  /** What the page shows: topic → names of views. "count" comes with any other picture, and alone where there is none. */
  function wanted() {
    /** @type {Record<string, string[]>} */
    const found = {};
    let rest = MOST;
    for (const el of doc.querySelectorAll(SHOWS)) {
      const view = el.getAttribute("rt-view");
      for (const topic of hereTopics(el)) {
        const views = (found[topic] ??= []);
        if (view && rest && !views.includes(view)) rest = rest - 1, views.push(view);
      }
    }
    for (const topic in found) if (!found[topic].length && rest) rest -= 1, found[topic].push("count");
    return found;
  }

  /** @param {Element} el @param {DocumentFragment} fragment */
  function redraw(el, fragment) {
    const before = new Map([...el.querySelectorAll("li[id]")].map((item) => [item.id, item]));
    const after = [...fragment.querySelectorAll("li[id]")].map(({ id }) => id);
    const coming = after.filter((id) => !before.has(id));
    const going = [...before].filter(([id]) => !after.includes(id));
    // A copy of who leaves stands where they stood until it has faded; it has no id, so nothing takes it for them.
    const ghosts = going.map(([, item]) => /** @type {const} */ ([item.previousElementSibling, item.parentElement, item.cloneNode(true)]));
    become(el, fragment);
    if (env.hidden() || still.matches || coming.length + going.length > CROWD) return;
    for (const id of coming) {
      const item = doc.getElementById(id);
      item?.classList.add("rt-arriving");
      item?.addEventListener("animationend", () => item.classList.remove("rt-arriving"), { once: true });
    }
    for (const [place, list, node] of ghosts) {
      const ghost = /** @type {HTMLElement} */ (node);
      if (!list?.isConnected) continue;
      for (const part of [ghost, ...ghost.querySelectorAll("[id]")]) part.removeAttribute("id");
      ghost.setAttribute("aria-hidden", "true");
      ghost.classList.add("rt-parting");
      if (place?.parentElement === list) place.after(ghost);
      else list.prepend(ghost);
      env.after(() => ghost.remove(), LEAVE);
    }
  }

  /** @param {any} data */
  function draw({ t, s, n, html }) {
    const grown = n > (counts.get(t) ?? 0);
    counts.set(t, n);
    for (const el of doc.querySelectorAll(SHOWS)) {
      const view = el.getAttribute("rt-view");
      if ((view && view !== s) || !hereTopics(el).includes(t)) continue;
      drawn.add(el);
      if (!view) continue;
      redraw(el, bridge.parse(html));
      mark(el, null);
      el.dispatchEvent(new CustomEvent("rt:presence", { bubbles: true, detail: { topic: t.slice(PREFIX.length), count: n } }));
    }
    events.emit("presence", { t, n, grown });
  }

  /** What was seen last is not what is. @param {Element} el @param {string | null} words */
  function mark(el, words) {
    el.classList.toggle("rt-stale", words !== null);
    if (words === null) el.removeAttribute("data-as-of");
    else el.setAttribute("data-as-of", words);
  }

  function age() {
    const lang = config.lang || "en";
    const time = new Date(heard).toLocaleTimeString(lang, { hour: "numeric", minute: "2-digit" });
    const words = say(lang, spoken(doc)["here.as-of"] ?? time, { time });
    for (const el of doc.querySelectorAll("[rt-view]")) mark(el, words);
  }

  const up = () => void (heard = env.now());
  const offs = [
    events.on("stream:message", ({ event, data }) => {
      up();
      if (event === VIEW) draw(data);
    }),
    events.on("stream:checkpoint", up),
    events.on("stream:open", () => {
      up();
      drawn = new WeakSet();
    }),
  ];

  return {
    wanted,
    /** Is there an element whose picture has not come yet? */
    owed: () => [...doc.querySelectorAll(SHOWS)].some((el) => !drawn.has(el) && hereTopics(el)[0]),
    /** Topics on which this page shows who looks at it. */
    tracked: () => [...doc.querySelectorAll("[rt-here]")].flatMap(hereTopics),
    /** @param {string} topic */
    count: (topic) => counts.get(topic) ?? 0,

    /** The line is up, or not. A picture counts as true again when it is drawn again. @param {boolean} now */
    line(now) {
      if (down === !now) return;
      down = !now;
      cancel();
      if (down) cancel = env.after(age, Math.max(0, heard + STALE - env.now()));
    },

    stop() {
      cancel();
      for (const off of offs) off();
    },
  };
}
