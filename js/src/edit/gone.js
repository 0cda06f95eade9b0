// The record was deleted or archived elsewhere: who only reads is told and taken to the list, and what somebody is
// writing is never taken away from them. Fetched when that has happened.
import { ACTION, PROBLEM, TAB, VERSION_FIELD } from "../protocol.js";
import { randomUUID } from "../ids.js";
import { reasonOf } from "../reason.js";
import { spell } from "./values.js";

const READ = 2_500; // ms to read why, before the page goes

/** @typedef {import("./form.js").Guarded} Guarded */
/** @typedef {{why: string, who: import("./form.js").Who | null, to: string | null, create: string | null, by?: string}} Gone */

/** @param {import("../index.js").Runtime} rt @param {import("./form.js").Forms} forms @param {import("./notes.js").Notes} notes */
export function createGone({ win, env, events, tab, bridge }, forms, notes) {
  const { edit } = forms;

  /** A path of this site, or nothing. @param {string | null | undefined} to */
  const path = (to) => (typeof to === "string" && /^\/(?![/\\])/.test(to) ? new URL(to, win.location.href) : null);

  /** @param {Guarded} g @param {string} kind */
  const words = (g, kind) => {
    const { why, who } = g.gone;
    return edit.say(g, `edit.${kind}.${why === "archived" ? why : "deleted"}`, { name: notes.nameOf(g, who) });
  };

  /** @param {Guarded} g @param {Gone} call */
  function gone(g, call) {
    if (g.gone) return;
    g.gone = call;
    g.chips = {}; // nothing is left to choose from
    forms.carry(g);
    notes.draw(g);
    if (draw(g)) return;
    const text = words(g, "gone");
    notes.line(g, text);
    if (call.by !== tab.id) events.emit("toast", { key: `gone:${g.resource}`, level: "warning", text });
    const to = path(call.to);
    if (to) env.after(() => void (g.el.isConnected && !draw(g) && win.location.assign(to.href)), READ);
  }

  /** @param {Guarded} g @returns {boolean} is there something to keep? */
  function draw(g) {
    const { form, panel } = g;
    if (!g.gone || !form) return false;
    if (panel || form.querySelector(".rt-gone")) return true;
    if (!edit.dirty(g).length) return false;
    const text = words(g, "lost");
    const box = notes.make("section", "rt-gone", notes.make("p", "rt-gone-head", text), notes.make("p", "rt-gone-note", edit.say(g, "edit.kept")));
    const [create, to] = [path(g.gone.create), path(g.gone.to)];
    const actions = notes.make("div", "rt-gone-actions", notes.button(g, "copy", "rt-button rt-button-strong", () => copy(g, box)));
    if (create) actions.append(notes.button(g, "create", "rt-button", () => restore(g, box, create)));
    if (to) actions.append(notes.button(g, "leave", "rt-button", () => win.location.assign(to.href)));
    box.append(actions);
    box.setAttribute("aria-label", text);
    notes.line(g, "");
    notes.steady(() => form.prepend(box));
    events.emit("announce", { text: `${text} ${edit.say(g, "edit.kept")}`, assertive: true });
    return true;
  }

  /** @param {HTMLElement} box @param {string} text */
  function say(box, text) {
    const said = box.querySelector(".rt-gone-said") ?? notes.make("p", "rt-gone-said");
    said.setAttribute("role", "status");
    box.append(said);
    said.textContent = text;
  }

  /** @param {Guarded} g @param {HTMLElement} box */
  async function copy(g, box) {
    const text = g.names.flatMap((name) => {
      const fields = edit.fields(g, name);
      const value = fields.length ? spell(fields, edit.value(g, name), (one) => edit.say(g, `edit.${one}`)) : "";
      return value ? [`${notes.labelOf(g, name)}: ${value}`] : [];
    }).join("\n\n");
    try {
      await win.navigator.clipboard.writeText(text);
      say(box, edit.say(g, "edit.copied"));
    } catch {
      // No clipboard here: to be copied by hand.
      const area = /** @type {HTMLTextAreaElement} */ (box.querySelector(".rt-gone-text") ?? notes.make("textarea", "rt-gone-text"));
      Object.assign(area, { value: text, readOnly: true, rows: 6 });
      area.setAttribute("aria-label", edit.say(g, "edit.copy"));
      box.append(area);
      area.focus();
      area.select();
    }
  }

  /** As a new record: posted as the form would be, and then to wherever that leads. @param {Guarded} g @param {HTMLElement} box @param {URL} url */
  async function restore(g, box, url) {
    const { form } = g;
    const record = (g.gone ??= {});
    if (!form || record.busy) return;
    record.busy = true;
    const values = new FormData(form);
    for (const name of [...values.keys()]) if (name === VERSION_FIELD || name.startsWith("rt-")) values.delete(name);
    try {
      const answer = await env.fetch(url.href, {
        method: "POST",
        body: form.enctype === "multipart/form-data" ? values : new URLSearchParams(/** @type {any} */ (values)),
        headers: { Accept: "text/html", [TAB]: tab.id, [ACTION]: (record.action ??= randomUUID()) },
      });
      const { headers, ok, redirected } = answer;
      if (!ok) throw new RangeError(reasonOf(await answer.text(), headers.get("Content-Type") ?? "", headers.get(PROBLEM), bridge.parse));
      const to = redirected ? answer.url : path(headers.get("HX-Redirect") ?? headers.get("Location") ?? record.to)?.href;
      return win.location.assign(to ?? url.href);
    } catch (error) {
      const reason = error instanceof RangeError && error.message;
      say(box, `${edit.say(g, "edit.not-saved")}${reason ? `: ${reason}` : ""}`);
    }
    record.busy = false;
  }

  return {
    gone, draw,

    /** A button in a panel. @param {Guarded} g @param {HTMLElement} button */
    pressed(g, button) {
      const box = /** @type {HTMLElement} */ (button.closest(".rt-conflict") ?? g.panel?.root);
      const url = path(button.getAttribute("formaction"));
      if (url) restore(g, box, url);
      else if (!button.hasAttribute("formaction")) copy(g, box);
    },
  };
}

/** @typedef {ReturnType<typeof createGone>} Leaving */
