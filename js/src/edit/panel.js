// A conflict that the server answers a save with, in place of what is in the form; the form itself, and all that was
// typed in it, stays. Back puts it there again as it was.
import { TAKE_FIELD } from "../protocol.js";

/**
 * @typedef {object} Panel
 * @property {HTMLElement} root
 * @property {any[]} fields  of the form before
 * @property {DocumentFragment} shelf  its children
 * @property {[Element, Comment][]} staying  what listens stays in the page; and where it was
 * @property {Element[]} outside  fields of the form that stand elsewhere on the page
 * @property {any} focus  had it before
 * @property {boolean} kept  the form had `rt-keep` already
 * @property {Record<string, string>} typed  into the merged fields, by hand
 */
/** @typedef {import("./form.js").Guarded} Guarded */

/** @param {import("../index.js").Runtime} rt @param {import("./form.js").Forms} forms @param {(g: Guarded) => void} closed
 * @param {(g: Guarded, button: HTMLElement) => void} pressed */
export function createPanels({ doc, win, events, bridge }, forms, closed, pressed) {
  const { edit, tell } = forms;

  /** @param {Guarded} g @param {string} html */
  function open(g, html) {
    const { form } = g;
    if (!form) return;
    const active = doc.activeElement;
    const inside = !active || active === doc.body || form.contains(active);
    const root = doc.createElement("div");
    root.className = "rt-panel";
    root.append(bridge.parse(html));
    if (g.panel) g.panel.root.replaceWith(root);
    else shelve(g, form, inside ? active : null);
    const panel = /** @type {Panel} */ (g.panel);
    Object.assign(panel, { root, typed: {} });
    form.append(root);
    for (const el of root.querySelectorAll(".rt-conflict-back,[data-rt-copy]")) /** @type {HTMLElement} */ (el).hidden = false;
    bridge.process(root);
    const first = /** @type {HTMLElement} */ (root.querySelector("h1,h2,h3") ?? root);
    first.tabIndex = -1;
    if (inside) {
      first.focus({ preventScroll: true });
      first.scrollIntoView({ block: "nearest" });
    }
    events.emit("swap", { elements: [form] });
    tell("panel", { form: g, open: true });
  }

  /** @param {Guarded} g @param {HTMLFormElement} form @param {Element | null} focus */
  function shelve(g, form, focus) {
    const fields = [...form.elements];
    const staying = [...form.querySelectorAll("[rt-edit],[rt-here]")].map((el) => /** @type {[Element, Comment]} */ ([el, doc.createComment("")]));
    for (const [el, place] of staying) el.replaceWith(place);
    const shelf = doc.createDocumentFragment();
    shelf.append(...form.childNodes);
    const outside = fields.filter((field) => !shelf.contains(field) && !form.contains(field));
    for (const field of outside) field.setAttribute("form", "");
    form.append(...staying.map(([el]) => el));
    g.panel = { root: /** @type {any} */ (null), fields, shelf, staying, outside, focus, typed: {}, kept: form.hasAttribute("rt-keep") };
    form.setAttribute("rt-keep", ""); // no push writes over a decision that is being made
  }

  /** The form as it was. @param {Guarded} g */
  function close(g) {
    const { form, panel } = g;
    if (!form || !panel) return;
    const { root, shelf, staying, outside, focus } = panel;
    const had = root.contains(doc.activeElement) || doc.activeElement === doc.body;
    for (const field of outside) field.setAttribute("form", form.id);
    release(g);
    g.panel = null;
    root.replaceWith(shelf);
    for (const [el, place] of staying) place.replaceWith(el);
    if (had) (focus?.isConnected && form.contains(focus) ? focus : /** @type {HTMLElement | null} */ (form.querySelector("[type=submit],button:not([type])")))?.focus();
    events.emit("swap", { elements: [form] });
    tell("panel", { form: g, open: false });
    closed(g);
  }

  /** Its own answer may write over it. @param {Guarded} g */
  function release({ form, panel }) {
    if (panel && !panel.kept) form?.removeAttribute("rt-keep");
  }

  /** A choice shows what it comes to, and what is typed there is another one. @param {Event} event */
  function choose({ type, target }) {
    const field = /** @type {any} */ (target);
    const g = forms.of(field);
    if (!g?.panel?.root.contains(field)) return;
    const { root, typed } = g.panel;
    const { name } = field;
    const find = (/** @type {string} */ one, rest = "") => /** @type {any} */ (root.querySelector(`[name="${CSS.escape(one)}"]${rest}`));
    if (type === "input" && !name.startsWith(TAKE_FIELD)) {
      typed[name] = field.value;
      const merged = find(TAKE_FIELD + name, "[value=merged]");
      if (merged) merged.checked = true;
    } else if (type === "change" && name.startsWith(TAKE_FIELD)) {
      const of = name.slice(TAKE_FIELD.length);
      const editor = find(of, ":not([type=hidden])");
      const text = (field.value === "merged" && typed[of]) || field.dataset.text;
      if (editor && text !== undefined) editor.value = text;
    }
  }

  /** @param {any} event */
  function press(event) {
    const { target, type, key } = event;
    const form = target.closest?.("form");
    const g = edit.forms().find((one) => one.panel && one.form === form);
    const back = target.closest?.(".rt-conflict-back");
    if (!g?.panel) return void (back && type === "click" && win.location.reload()); // the Back button brought the panel again
    const button = type === "click" && target.closest("[data-rt-copy],[formaction]");
    if (!button && (type === "click" ? !back : key !== "Escape" || event.isComposing || event.defaultPrevented)) return;
    event.preventDefault();
    if (button) pressed(g, button);
    // What was typed into the merge is not thrown away by a key.
    else if (type === "keydown" && Object.keys(g.panel.typed).length) /** @type {HTMLElement | null} */ (g.panel.root.querySelector(".rt-conflict-back"))?.focus();
    else close(g);
  }

  const listeners = Object.entries({ change: choose, input: choose, click: press, keydown: press });
  for (const [type, fn] of listeners) doc.addEventListener(type, fn);
  return {
    open, close, release,
    stop() {
      for (const [type, fn] of listeners) doc.removeEventListener(type, fn);
    },
  };
}
