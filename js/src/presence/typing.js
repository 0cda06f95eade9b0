// "Ada is typing…": fields inside `rt-typing="<topic>"` tell it, the line of `rt.typing()` shows it.
import { telling } from "./signals.js";
import { typing } from "./words.js";

const AGAIN = 500; // ms between two words while typing
const QUIET = 3_000; // ms after the last key
const GONE = 5_000; // ms after which a word that was not taken back counts no more

/** @param {import("../index.js").Runtime} rt @param {import("./signals.js").Signals} signals */
export function createTyping({ doc, env, config }, signals) {
  /** @type {Map<string, Map<string, {name: string, cancel: () => void}>>} topic → tab → who */
  const typists = new Map();
  /** @type {{topic: string, field: string, at: number, cancel: () => void} | null} */
  let mine = null;

  const stopTyping = () => {
    if (!mine) return;
    mine.cancel();
    signals.send(mine.topic, "typing", { on: false });
    mine = null;
  };

  const onInput = (/** @type {Event} */ event) => {
    const field = /** @type {any} */ (event.target);
    const place = field.closest?.("[rt-typing]");
    if (!place || !telling(field)) return;
    const topic = signals.topicOf(place.getAttribute("rt-typing") ?? "");
    if (mine && mine.topic !== topic) stopTyping();
    mine?.cancel();
    const now = env.now();
    const due = !mine || now - mine.at >= AGAIN || mine.field !== field.name;
    if (due) signals.send(topic, "typing", { on: true, field: field.name || field.id });
    mine = { topic, field: field.name, at: due ? now : /** @type {any} */ (mine).at, cancel: env.after(stopTyping, QUIET) };
  };

  const show = (/** @type {string} */ topic) => {
    const who = new Map([...(typists.get(topic)?.values() ?? [])].map(({ name }) => [name, name]));
    for (const line of doc.querySelectorAll(`[rt-typing-line][rt-stream~="${CSS.escape(topic)}"]`)) {
      const words = JSON.parse(line.getAttribute("data-words") ?? "{}");
      const names = [...who.keys()].map((name) => name || line.getAttribute("data-visitor") || "");
      const text = line.querySelector(".rt-typing-text");
      const dots = /** @type {HTMLElement | null} */ (line.querySelector(".rt-typing-dots"));
      if (text) text.textContent = typing(config.lang || "en", words, names);
      if (dots) dots.hidden = !names.length;
    }
  };

  const forget = (/** @type {string} */ topic, /** @type {string} */ tab) => {
    typists.get(topic)?.get(tab)?.cancel();
    typists.get(topic)?.delete(tab);
    show(topic);
  };

  const offs = [
    signals.listen(({ topic, name, from, data }) => {
      if (name !== "typing") return;
      if (!data?.on) return forget(topic, from.tab);
      let all = typists.get(topic);
      if (!all) typists.set(topic, (all = new Map()));
      all.get(from.tab)?.cancel();
      if (all.size > 50) return;
      all.set(from.tab, { name: from.n, cancel: env.after(() => forget(topic, from.tab), GONE) });
      show(topic);
    }),
  ];
  const types = /** @type {const} */ (["focusout", "submit"]);
  doc.addEventListener("input", onInput);
  for (const type of types) doc.addEventListener(type, stopTyping);

  return {
    stop() {
      stopTyping();
      doc.removeEventListener("input", onInput);
      for (const type of types) doc.removeEventListener(type, stopTyping);
      for (const off of offs) off();
      for (const all of typists.values()) for (const { cancel } of all.values()) cancel();
    },
  };
}
