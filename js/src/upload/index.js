// `rt-upload`: files that are sent in pieces before their form is, with progress, and go on after a line that dropped.
// The form carries a handle for each in place of the file; what asks for `change` hears of it when they are there.
import { say } from "../presence/words.js";
import { TAKEN } from "../protocol.js";
import { fits, percentOf } from "./files.js";
import { createSender } from "./send.js";
import { button, createView, make } from "./view.js";

const REQUEST = "[hx-post],[hx-put],[hx-patch],[data-hx-post],[data-hx-put],[data-hx-patch]";
const BUSY = ["waiting", "sending"];
const CHUNK = 1 << 20; // bytes, until the server says

/** @typedef {import("./send.js").Item} Item */
/**
 * @typedef {object} Field
 * @property {HTMLInputElement} input
 * @property {HTMLElement} root
 * @property {HTMLElement} list
 * @property {HTMLElement} line
 * @property {Item[]} items
 * @property {string} name  of what goes with the form
 * @property {number} most
 * @property {number} largest  bytes
 * @property {number} chunk  bytes
 * @property {boolean} required
 * @property {() => string} policy
 * @property {(name: string, values?: any) => string} text
 */

/** Other words on a button, until it is called without any. @param {any} el @returns {(text?: string) => void} */
function relabel(el) {
  const { value } = el;
  const was = [...el.childNodes];
  return (text) => (el.matches("input") ? (el.value = text ?? value) : el.replaceChildren(...(text ? [text] : was)));
}

/** @type {import("../index.js").Feature} */
const upload = {
  name: "upload",
  mount(rt) {
    const { doc, win, events, config } = rt;
    const lang = config.lang;
    /** @type {Map<Element, Field>} */
    const fields = new Map();
    /** @type {Map<HTMLFormElement, {element: any, go: () => void, label?: (text?: string) => void, said?: number}>} */
    const held = new Map();
    /** @type {any} what we send on ourselves */
    let passing;

    const sender = createSender(rt, (item) => {
      item.view.update();
      if (!BUSY.includes(item.state)) settled(item);
      wait(item.field.input.form);
    });
    const tell = (/** @type {string} */ text, assertive = false) => events.emit("announce", { text, assertive });
    const itemsOf = (/** @type {HTMLFormElement | null} */ form) => [...fields.values()].filter(({ input }) => input.form === form).flatMap(({ items }) => items);

    // Fields

    /** @param {HTMLInputElement} input @returns {Field} */
    function bind(input) {
      const root = /** @type {HTMLElement} */ (input.closest(".rt-upload") ?? input.parentElement);
      const { most, size, texts } = input.dataset;
      const words = JSON.parse(texts || "{}");
      const name = input.getAttribute("rt-upload") ?? "";
      /** @type {Field} */
      const field = {
        input, root, name, items: [], most: Number(most), largest: Number(size), chunk: CHUNK, required: input.required,
        list: make("ul", "rt-upload-list"), line: make("p", "rt-upload-line"),
        policy: () => /** @type {any} */ (root.querySelector(`[name="${CSS.escape(name)}"]`))?.value ?? "",
        text: (word, values = {}) => say(lang || "en", words[`upload.${word}`], values),
      };
      fields.set(input, field);
      return field;
    }

    function look() {
      for (const input of /** @type {NodeListOf<HTMLInputElement>} */ (doc.querySelectorAll("input[rt-upload]"))) {
        const field = fields.get(input) ?? bind(input);
        if (field.list.parentNode !== field.root) {
          for (const old of field.root.querySelectorAll(".rt-upload-list,.rt-upload-line")) old.remove(); // of a snapshot
          field.root.append(field.list, field.line);
        }
        if (!input.name) continue;
        field.root.classList.add("rt-upload-live");
        input.removeAttribute("name"); // the files go by themselves
        taken(field); // those that were chosen before this part was there
      }
      for (const [input, old] of fields) {
        if (input.isConnected) continue;
        fields.delete(input);
        // The same field, rendered again: with what was in it.
        const next = old.root.id && [...fields.values()].find(({ root, items }) => root.id === old.root.id && !items.length);
        for (const item of old.items) {
          if (next) {
            item.field = next;
            next.items.push(item);
            next.list.append(item.view.el);
          } else sender.drop(item);
        }
        if (next) refresh(next);
      }
    }

    /** @param {Field} field @param {string} [text] */
    function refresh(field, text = "") {
      field.input.required = field.required && !field.items.length;
      field.line.textContent = text;
    }

    // Files

    /** @param {Field} field */
    function taken(field) {
      take(field, field.input.files ?? []);
      field.input.value = "";
    }

    /** @param {Field} field @param {Iterable<File>} chosen */
    function take(field, chosen) {
      const files = [...chosen];
      if (!files.length || field.input.matches(":disabled")) return;
      for (const item of [...field.items]) if (item.state === "refused" || field.most === 1) remove(item, false);
      const room = Math.max(0, field.most - field.items.length);
      for (const file of files.slice(0, room)) {
        const note = !fits(field.input.accept, file) ? "type" : file.size > field.largest ? "size" : "";
        /** @type {Item} */
        const item = { file, field, note, sent: 0, state: note ? "refused" : "waiting", view: null };
        item.view = createView(item, (...said) => item.field.text(...said), lang, remove, sender.push);
        field.items.push(item);
        field.list.append(item.view.el);
        item.view.update();
        item.view.picture();
        if (!note) sender.push(item);
      }
      const n = files.length - room;
      refresh(field, n > 0 ? `${field.text("more", { n })}. ${field.text("count", { n: field.most })}.` : "");
      const [bad] = field.items.filter(({ state }) => state === "refused");
      if (bad) tell(`${bad.file.name}: ${bad.view.el.querySelector(".rt-upload-note").textContent}`, true);
      if (n > 0) tell(field.line.textContent ?? "", true);
    }

    /** @param {Item} item @param {boolean} [focus] */
    function remove(item, focus = true) {
      const { field } = item;
      const at = field.items.indexOf(item);
      field.items.splice(at, 1);
      const inside = focus && item.view.el.contains(doc.activeElement);
      sender.drop(item, true);
      item.view.el.remove();
      refresh(field);
      if (inside) (field.items[Math.min(at, field.items.length - 1)]?.view.away ?? field.input).focus();
      settled(item, false);
    }

    /** One has come to its end. @param {Item} item @param {boolean} [came] */
    function settled({ field, state, file, note }, came = true) {
      const { input, items } = field;
      if (came && state === "failed") tell(`${file.name}: ${field.text(note ?? "failed", { size: "" })}`, true);
      wait(input.form);
      if (items.some((/** @type {Item} */ one) => BUSY.includes(one.state))) return;
      const ready = items.filter((/** @type {Item} */ one) => one.state === "done").length;
      if (!came || !ready || state !== "done") return;
      tell(field.text("done", { n: ready }));
      passing = input;
      input.dispatchEvent(new Event("change", { bubbles: true }));
      passing = null;
    }

    // The form

    /** @param {HTMLFormElement | null} form */
    function wait(form) {
      const hold = form && held.get(form);
      const items = itemsOf(form);
      if (!hold) return;
      if (!form.isConnected || items.some(({ state }) => state === "failed")) return release(form), void blocked(items);
      if (items.some(({ state }) => BUSY.includes(state))) {
        const percent = percentOf(items);
        if (percent === hold.said) return;
        hold.label?.(items[0].field.text("sending", { percent }));
        hold.said = percent;
        return;
      }
      release(form);
      passing = form;
      hold.go();
      passing = null;
    }

    /** @param {HTMLFormElement} form */
    function release(form) {
      const hold = held.get(form);
      held.delete(form);
      hold?.label?.();
      hold?.element?.removeAttribute("aria-busy");
      for (const field of fields.values()) if (field.input.form === form) field.line.textContent = "";
    }

    /** @param {Item[]} items */
    function blocked(items) {
      const bad = items.find(({ state }) => state === "failed" || state === "refused");
      if (!bad) return false;
      const { field } = bad;
      refresh(field, field.text("blocked"));
      bad.view.away.focus();
      tell(field.text("blocked"), true);
      return true;
    }

    /** @param {Event} event @param {HTMLFormElement | null} form @param {any} element @param {() => void} go */
    function hold(event, form, element, go) {
      const items = form ? itemsOf(form) : [];
      if (!form || passing === form || !items.some(({ state }) => state !== "done")) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (held.has(form) || blocked(items)) return;
      held.set(form, { element, go, label: element && relabel(element) });
      element?.setAttribute("aria-busy", "true");
      const { field } = items[0];
      refresh(field, field.text("held"));
      field.line.append(button(field.text("stop"), () => {
        release(form);
        (element ?? field.input).focus();
      }));
      tell(field.text("held"));
      wait(form);
    }

    /** @type {Record<string, (event: any) => void>} */
    const handlers = {
      change(event) {
        const field = fields.get(event.target);
        if (!field || passing === field.input) return;
        event.stopImmediatePropagation(); // it is told when they are there
        taken(field);
      },

      submit: (event) => hold(event, event.target, event.submitter, () => event.target.requestSubmit(event.submitter)),

      click(event) {
        const el = event.target.closest?.(REQUEST);
        if (el && el.form && !el.matches("form")) hold(event, el.form, el, () => el.click());
      },

      reset({ target }) {
        for (const item of itemsOf(target)) remove(item, false);
      },

      paste(event) {
        const { clipboardData: data, target } = event;
        const all = [...fields.values()];
        const form = target.closest?.("form");
        const field = all.find(({ input }) => form && input.form === form) ?? (all.length === 1 ? all[0] : null);
        if (!field || !data?.files.length || (data.types.includes("text/plain") && target.matches("input,textarea,[contenteditable]"))) return;
        event.preventDefault();
        take(field, data.files);
      },

      dragover(event) {
        const field = fieldAt(event);
        if (event.defaultPrevented || !event.dataTransfer?.types.includes("Files") || (!field && event.target.type === "file")) return;
        event.preventDefault(); // beside it, the browser would go to the file
        event.dataTransfer.dropEffect = field ? "copy" : "none";
        over(field);
      },

      dragleave: ({ relatedTarget }) => relatedTarget || over(null),

      drop(event) {
        const field = fieldAt(event);
        over(null);
        if (!field || event.defaultPrevented || !event.dataTransfer?.files.length) return;
        event.preventDefault();
        take(field, event.dataTransfer.files);
      },
    };

    const fieldAt = (/** @type {any} */ { target }) => [...fields.values()].find(({ root }) => root.contains(target)) ?? null;

    /** @param {Field | null} field */
    function over(field) {
      for (const one of fields.values()) one.root.classList.toggle("rt-dropping", one === field);
    }

    /** What was handed over goes; where the answer was a refusal, it is sent once more. @param {any} detail */
    function answered({ request }) {
      const ids = request.header(TAKEN)?.split(" ") ?? [];
      for (const { items } of fields.values()) {
        for (const item of items.filter(({ id }) => id && ids.includes(id))) {
          sender.forget(item);
          if (request.status < 400) remove(item, false);
          else sender.push(item);
        }
      }
    }

    const names = Object.keys(handlers);
    for (const name of names) win.addEventListener(name, handlers[name], !name.startsWith("d"));
    const offs = [events.on("swap", look), events.on("settled", look), events.on("request:answered", answered)];
    look();
    return () => {
      for (const off of offs) off();
      for (const name of names) win.removeEventListener(name, handlers[name], !name.startsWith("d"));
      sender.stop();
      for (const form of [...held.keys()]) release(form);
    };
  },
};

export const features = [upload];
