// The line that says who is editing: a face, words, and at most two things to press. Its nodes stay as long as the
// status element does, so that focus on a button of it is not lost when the words change.
import { apart, firstName } from "../presence/words.js";

const ACTS = ["ask", "here", "give", "keep", "take", "show"];

/**
 * @typedef {object} Picture
 * @property {string} role "mine", "theirs", "free"
 * @property {import("./calls.js").Person | null} face whose disc is shown
 * @property {string} text
 * @property {string[]} more quieter, after it
 * @property {string} time of a countdown
 * @property {string[]} acts
 * @property {boolean} unsure
 */

/** The name in a sentence. @param {import("./calls.js").Person | null} person @param {string} visitor a word for who has none */
export const nameOf = (person, visitor) => apart(firstName(person?.n ?? "", visitor));

/** @param {string} name */
const letters = (name) => (name.match(/^\s*\S|\s\S(?=\S*\s*$)/gu) ?? ["?"]).join("").replace(/\s/g, "").toUpperCase();

/** @typedef {ReturnType<typeof createLine>} Line */

/** @param {Document} doc @param {Element} el the status element */
export function createLine(doc, el) {
  /** @param {string} tag @param {string} name */
  const make = (tag, name) => Object.assign(doc.createElement(tag), { className: name });
  const root = /** @type {HTMLElement} */ (el.querySelector(".rt-lease") ?? make("span", "rt-lease"));
  const face = make("span", "rt-avatar");
  const text = make("span", "rt-lease-text");
  const more = make("span", "rt-lease-more");
  const time = make("span", "rt-lease-time");
  const buttons = ACTS.map((act) => {
    const button = /** @type {HTMLButtonElement} */ (make("button", "rt-button rt-lease-act"));
    button.type = "button";
    button.dataset.act = act;
    return button;
  });
  const actions = make("span", "rt-lease-actions");
  let key = "";
  face.setAttribute("aria-hidden", "true"); // the words say the name
  time.setAttribute("aria-hidden", "true"); // and nobody wants to hear twenty numbers
  root.tabIndex = -1;
  // What is worth saying is said once, by the page's live region.
  if (doc.getElementById("rt-live")) root.setAttribute("aria-live", "off");
  actions.append(...buttons);
  root.replaceChildren(face, text, more, time, actions);
  if (!root.parentNode) el.prepend(root);

  return {
    root,

    /** @param {Picture} picture @param {(key: string) => string} word */
    show({ role, face: person, text: says, more: rest, time: left, acts, unsure }, word) {
      const now = JSON.stringify([role, person, says, rest, left, acts, unsure]);
      if (now === key) return;
      key = now;
      root.dataset.lease = role;
      root.classList.toggle("rt-unsure", unsure);
      root.classList.toggle("rt-asked", !!left);
      root.hidden = !says && !rest.length;
      face.hidden = !person;
      if (person && face.dataset.face !== person.k) {
        face.dataset.face = person.k;
        face.dataset.colour = root.dataset.colour = String(person.c);
        const picture = doc.querySelector(`.rt-avatar[data-key="${CSS.escape(person.k)}"] img`)?.cloneNode();
        const initials = make("span", "rt-avatar-letters");
        initials.textContent = letters(person.n);
        face.replaceChildren(picture ?? initials);
      }
      text.textContent = says;
      more.textContent = rest.join(" · ");
      more.hidden = !rest.length;
      time.textContent = left;
      time.hidden = !left;
      for (const button of buttons) {
        const act = /** @type {string} */ (button.dataset.act);
        if (!acts.includes(act) && button === doc.activeElement) root.focus({ preventScroll: true });
        button.hidden = !acts.includes(act);
        button.textContent = word(act);
      }
      actions.hidden = !acts.length;
    },
  };
}
