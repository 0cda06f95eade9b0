// `insert:#template`: a picture of what is being sent. It stands until the server's own takes its place; where the
// server refuses, it stays with the reason, and the person chooses.

import { PENDING, classes } from "./ops.js";
import { HARMFUL, fill } from "./grammar.js";

// A picture does nothing, is no part of a form, and nobody refers to it.
const ALIVE = /^(on|(data-)?hx-|(data-)?rt-(?!handle$)|form|action$|id$|for$|name$|aria-(labelled|described)by$|aria-controls$|autofocus$)/i;
const ROW = /^(TABLE|TBODY|THEAD|TFOOT|TR)$/;

/** @typedef {ReturnType<typeof createItem>} Item */

/** The one element of a template. @param {Element | null} template @returns {Element} @throws {Error} */
export function rootOf(template) {
  const roots = template instanceof HTMLTemplateElement ? [...template.content.children] : [];
  if (roots.length !== 1) {
    throw new Error(template instanceof HTMLTemplateElement ? `its <template> holds ${roots.length} elements; it takes one` : "there is no such <template>");
  }
  return roots[0];
}

/**
 * @param {object} options
 * @param {Element} options.root
 * @param {FormData | null} options.values
 * @param {string} options.action
 * @param {(name: string) => string} options.word
 * @param {(what: "retry" | "discard") => void} options.chosen
 */
export function createItem({ root, values, action, word, chosen }) {
  const el = /** @type {Element} */ (root.cloneNode(true)); // nothing in it lives before it is cleaned
  for (const part of [el, ...el.querySelectorAll("*")]) {
    for (const { name, value } of [...part.attributes]) {
      if (ALIVE.test(name)) part.removeAttribute(name);
      else if (!HARMFUL.test(name) && value.includes("{")) part.setAttribute(name, fill(value, values));
    }
    for (const node of part.childNodes) if (node.nodeType === 3) node.nodeValue = fill(node.nodeValue ?? "", values);
    if (part.matches("a,button,input,select,textarea,summary,[tabindex]")) part.setAttribute("inert", "");
  }
  el.setAttribute("rt-tmp", action);

  const note = el.querySelector(".rt-note") ?? document.createElement("span");
  note.classList.add("rt-note");
  if (!note.parentNode) (ROW.test(el.tagName) ? el.querySelector("tr > :last-child, :scope > td:last-child") ?? el : el).append(note);
  const actions = document.createElement("span");
  actions.className = "rt-actions";
  for (const what of /** @type {const} */ (["retry", "discard"])) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = word(what);
    button.className = `rt-${what}`;
    button.addEventListener("click", (event) => {
      event.stopPropagation(); // the row around it may be a link, or have a click of its own
      chosen(what);
    });
    actions.append(button);
  }
  /** @type {() => void} */
  let undo = () => {};

  /** @param {string[]} names @param {string} text @param {boolean} [choice] */
  const show = (names, text, choice = false) => {
    undo();
    undo = classes(el, names);
    note.textContent = text;
    if (choice) note.after(actions);
    else actions.remove();
  };

  return {
    el,
    sending: () => show([PENDING], word("sending")),
    waiting: () => show([PENDING, "rt-waiting"], word("waiting")),
    failed: (/** @type {string} */ reason) => show(["rt-failed"], reason, true),

    /** The server has agreed and sent nothing in its place. */
    real() {
      undo();
      note.remove();
      actions.remove();
      el.removeAttribute("rt-tmp");
      for (const part of el.querySelectorAll("[inert]")) part.removeAttribute("inert");
    },
  };
}
