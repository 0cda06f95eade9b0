// What is said at a field: that somebody has changed it, that it is saved, that it is not; and a quiet line in the
// status element. Drawn from what is known, so that a swap which takes it away costs nothing.
import { spell, write } from "./values.js";

const SHORT = 60; // characters of a value
const SEEN = 2_500; // ms for which "Saved" stays

/** @typedef {import("./form.js").Guarded} Guarded */
/** @typedef {import("./form.js").Who} Who */
/** @typedef {{text: string, retry?: () => void}} Mark  without `retry` and `text`: it is saved */
/** @typedef {ReturnType<typeof createNotes>} Notes */

/** @param {import("../index.js").Runtime} rt @param {import("./form.js").Forms} forms */
export function createNotes({ doc, win, env, events, config }, forms) {
  const { edit, carry, settle, tell } = forms;
  const me = /** @type {any} */ (config).who;

  /** @param {string} tag @param {string} name @param {...(string | Node)} content */
  function make(tag, name, ...content) {
    const el = doc.createElement(tag);
    el.className = name;
    el.append(...content);
    return el;
  }

  /** @param {Guarded} g @param {string} key @param {string} name @param {() => void} run */
  function button(g, key, name, run) {
    const el = /** @type {HTMLButtonElement} */ (make("button", name, edit.say(g, `edit.${key}`)));
    el.type = "button";
    el.addEventListener("click", run);
    return el;
  }

  const isMe = (/** @type {Who | null | undefined} */ who) => (who && who.k === me ? "-you" : "");
  const nameOf = (/** @type {Guarded} */ g, /** @type {Who | null | undefined} */ who) => who?.n || edit.say(g, "edit.somebody");

  /** What a field is called. @param {Guarded} g @param {string} name */
  function labelOf(g, name) {
    const [field] = edit.fields(g, name);
    const group = /^(checkbox|radio)$/.test(field?.type) && field.closest("fieldset")?.querySelector("legend");
    const label = group || field?.labels?.[0];
    const copy = label?.cloneNode(true);
    for (const part of copy?.querySelectorAll("input,select,textarea,button,.rt-at") ?? []) part.remove();
    return (field?.getAttribute("aria-label") || copy?.textContent || name).replace(/[\s:*]+/g, " ").trim();
  }

  /** @param {Guarded} g @param {string} name */
  function chip(g, name) {
    const { theirs, who } = g.chips[name];
    const value = spell(edit.fields(g, name), theirs, (one) => edit.say(g, `edit.${one}`));
    const line = value.replace(/\s+/g, " ").trim();
    const short = line.length > SHORT ? `${line.slice(0, SHORT)}…` : line;
    const key = `edit.${value ? "changed" : "cleared"}${isMe(who)}`;
    const said = edit.say(g, key, { name: nameOf(g, who), value: "\0" }).split("\0");
    const take = button(g, "take", "rt-button", () => decide(g, name, true));
    const keep = button(g, "keep", "rt-button", () => decide(g, name, false));
    const el = make("div", "rt-change",
      make("span", "rt-change-text", said[0], ...(value ? [make("q", "", short), said[1]] : [])),
      make("span", "rt-change-actions", take, keep),
      short === value ? "" : make("details", "rt-change-whole", make("summary", "", edit.say(g, "edit.whole")), make("div", "", value)));
    el.setAttribute("role", "group");
    el.setAttribute("aria-label", `${labelOf(g, name)}: ${said.join(short)}`);
    if (who) el.dataset.colour = String(who.c);
    return el;
  }

  /** @param {Guarded} g @param {string} name @param {boolean} take */
  function decide(g, name, take) {
    const { theirs } = g.chips[name] ?? {};
    if (theirs === undefined) return;
    const fields = edit.fields(g, name);
    fields[0]?.focus();
    if (take) write(fields, theirs);
    settle(g, name, theirs);
    carry(g);
    draw(g);
    tell("decided", { form: g, name, take });
    if (take) for (const type of ["input", "change"]) fields[0]?.dispatchEvent(new Event(type, { bubbles: true }));
  }

  /** @param {Mark} mark @param {Guarded} g */
  function mark({ text, retry }, g) {
    if (!text) return make("p", "rt-saved", edit.say(g, "edit.saved"));
    const el = make("p", "rt-failure", text);
    el.setAttribute("role", "alert");
    if (retry) el.append(" ", button(g, "retry", "rt-button", retry));
    return el;
  }

  /** What somebody types in does not move under them. @param {() => void} change */
  function steady(change) {
    const active = doc.activeElement;
    const top = () => active?.getBoundingClientRect().top ?? 0;
    const before = top();
    change();
    if (active?.isConnected) win.scrollBy({ top: top() - before, behavior: "instant" });
  }

  /** Brings what is said at the fields up to date. @param {Guarded} g */
  function draw(g) {
    const { form, panel, marks, chips } = g;
    if (form && !panel && Object.keys({ ...marks, ...chips }).length + form.querySelectorAll(".rt-at").length) steady(() => put(g, form));
  }

  /** @param {Guarded} g @param {HTMLFormElement} form */
  function put(g, form) {
    const { chips } = g;
    for (const name of g.names) {
      const said = g.marks[name];
      const [first, ...rest] = edit.fields(g, name);
      const change = chips[name] && !chips[name].quiet;
      const old = /** @type {any} */ (form.querySelector(`.rt-at[data-of="${CSS.escape(name)}"]`));
      const now = !first ? "" : change ? JSON.stringify(chips[name].theirs) : said ? `${said.text} ${!!said.retry}` : "";
      if (old && old.now === now) continue;
      if (old?.contains(doc.activeElement)) first?.focus({ preventScroll: true });
      old?.remove();
      if (!now) continue;
      const at = /** @type {any} */ (make("div", "rt-at", change ? chip(g, name) : mark(/** @type {Mark} */ (said), g)));
      at.dataset.of = name;
      at.now = now;
      const last = rest.pop();
      const group = last?.closest("fieldset");
      if (group && form.contains(group)) group.append(at);
      else ((last ?? first).closest("label") ?? last ?? first).after(at);
    }
  }

  return {
    draw, steady, make, button, labelOf, nameOf,

    /** Told politely, all at once. @param {Guarded} g @param {string[]} names @param {Who | null | undefined} who */
    updated(g, names, who) {
      const you = isMe(who);
      const tell = (/** @type {string} */ key, /** @type {string[]} */ all) => {
        const fields = new Intl.ListFormat(config.lang || "en").format(all.map((name) => labelOf(g, name)));
        if (fields) events.emit("announce", { text: edit.say(g, `edit.${key}${you}`, { name: nameOf(g, who), fields }) });
      };
      tell("updated", names);
      tell("asked", g.names.filter((name) => g.chips[name] && !g.chips[name].quiet));
    },

    /** @param {Guarded} g @param {string} text */
    line({ el }, text) {
      let line = /** @type {HTMLElement | null} */ (el.querySelector(".rt-edit-line"));
      if (!line && text) el.append((line = make("span", "rt-edit-line")));
      if (line && line.textContent !== text) line.textContent = text;
    },

    /** Somebody has saved, and this form does not follow; undefined: that is over. @param {Guarded} g @param {Who | null | undefined} who */
    stale(g, who) {
      this.line(g, who === undefined ? "" : edit.say(g, `edit.stale${isMe(who)}`, { name: nameOf(g, who) }));
    },

    /** @param {Guarded} g @param {string[]} names @param {Mark | null} said */
    mark(g, names, said) {
      for (const name of names) {
        if (said) g.marks[name] = said;
        else delete g.marks[name];
      }
      draw(g);
      if (said && !said.text) env.after(() => this.mark(g, names.filter((name) => g.marks[name] === said), null), SEEN);
    },
  };
}
