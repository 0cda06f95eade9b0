// "Ada is typing…": fields inside `rt-typing="<topic>"` tell it, the line of `rt.typing()` shows it.
import { spoken, typing } from "./words.js";

const EVERY = 500; // ms between two words at least
const AGAIN = 2_200; // ms after which it is said again while it goes on
const QUIET = 3_000; // ms after the last key
const GONE = 5_000; // ms after which a word that was not taken back counts no more
const MOST = 100; // of whom is told, on a topic

/** @typedef {{person: string, name: string, key: string, cancel: () => void}} Typist */

/** @param {import("../index.js").Runtime} rt @param {import("./signals.js").Signals} signals */
export function createTyping({ doc, win, env, events, config }, signals) {
  /** @type {Map<string, Map<string, Typist>>} topic → tab → who */
  const typists = new Map();
  /** @type {{topic: string, field: any, at: number, cancel: () => void} | null} */
  let mine = null;
  let frame = 0;

  function stopTyping() {
    if (!mine) return;
    mine.cancel();
    signals.unsay(mine.topic, "typing", { on: false });
    mine = null;
  }

  /** @param {Event} event */
  function onInput({ target }) {
    const field = /** @type {any} */ (target);
    const place = field.closest?.("[rt-typing]");
    if (!place || !signals.telling(field)) return;
    const topic = signals.topicOf(place, "rt-typing");
    if (mine && mine.topic !== topic) stopTyping();
    mine?.cancel();
    const now = env.now();
    const due = !mine || now - mine.at >= AGAIN || mine.field !== field;
    mine = { topic, field, at: due ? now : /** @type {any} */ (mine).at, cancel: env.after(stopTyping, QUIET) };
    if (due) signals.say(topic, "typing", () => mine ? { on: true, field: signals.keyOf(mine.field) } : undefined, EVERY);
  }

  function show() {
    frame = 0;
    const words = spoken(doc);
    for (const line of doc.querySelectorAll("[rt-typing-line]")) {
      const all = typists.get(line.getAttribute("rt-stream") ?? "");
      const names = [...new Map([...(all?.values() ?? [])].map(({ person, name }) => [person, name])).values()];
      const text = line.querySelector(".rt-typing-text");
      const dots = /** @type {HTMLElement | null} */ (line.querySelector(".rt-typing-dots"));
      const says = typing(config.lang || "en", words, names);
      if (text && text.textContent !== says) text.textContent = says;
      if (dots) dots.hidden = !says;
    }
    events.emit("typing");
  }
  const later = () => void (frame ||= win.requestAnimationFrame(show));

  /** @param {string} topic @param {string} tab */
  function quiet(topic, tab) {
    const all = typists.get(topic);
    all?.get(tab)?.cancel();
    if (all?.delete(tab)) later();
  }

  signals.listen((heard) => {
    const { topic, name, from, data } = heard;
    if (signals.gone(heard) || (name === "typing" && !data?.on)) return quiet(topic, from.tab);
    if (name !== "typing") return;
    let all = typists.get(topic);
    if (!all) typists.set(topic, (all = new Map()));
    const known = all.get(from.tab);
    if (!known && all.size >= MOST) return;
    known?.cancel();
    all.set(from.tab, { person: from.k, name: from.n, key: String(data.field ?? ""), cancel: env.after(() => quiet(topic, from.tab), GONE) });
    later();
  });
  const offs = [events.on("swap", () => {
    if (mine && !mine.field.isConnected) stopTyping();
    later();
  }), env.on("visibilitychange", () => env.hidden() && stopTyping())];
  const types = /** @type {const} */ (["focusout", "submit", "reset"]);
  doc.addEventListener("input", onInput);
  for (const type of types) doc.addEventListener(type, stopTyping);

  return {
    /** Is this tab typing into the field? @param {string} topic @param {string} tab @param {string} key */
    into: (topic, tab, key) => typists.get(topic)?.get(tab)?.key === key,

    stop() {
      stopTyping();
      win.cancelAnimationFrame(frame);
      doc.removeEventListener("input", onInput);
      for (const type of types) doc.removeEventListener(type, stopTyping);
      for (const off of offs) off();
      for (const all of typists.values()) for (const { cancel } of all.values()) cancel();
    },
  };
}
