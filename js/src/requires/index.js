// `rt-requires-connection`: a control that is really off while there is no connection, says why in words, and is
// as it was afterwards. `aria-disabled` and a filter, not `disabled`, which would lose the focus for good.
import { REQUIRES } from "../words.js";

const NAME = "rt-requires-connection";
const SELECTOR = `[${NAME}]`;
const DOWN = ["disconnected", "offline", "refused"]; // moving and the first connecting take nothing away
const TYPES = ["click", "submit", "beforeinput", "mousedown", "keydown", "change"];
const ATTRIBUTES = ["aria-disabled", "aria-describedby", "title"];

/** @type {import("../index.js").Feature} */
export const requires = {
  name: "requires",
  mount({ doc, win, events, connection }) {
    let down = false;
    /** @type {Map<Element, (string | null)[]>} */
    const saved = new Map(); // the attributes as they were

    /** @param {Element} control */
    const reason = (control) => control.getAttribute(NAME) || doc.documentElement.getAttribute("data-rt-requires") || doc.getElementById("rt-toasts")?.getAttribute("data-requires") || REQUIRES;

    /** The id of an element that holds these words. @param {string} text */
    function described(text) {
      const known = [...doc.querySelectorAll(".rt-why")].find((element) => element.textContent === text);
      if (known) return known.id;
      const element = doc.createElement("span");
      element.id = `rt-why-${doc.querySelectorAll(".rt-why").length}`;
      element.className = "rt-why";
      element.hidden = true; // a description is read from a hidden element too, and nothing stands outside the landmarks
      element.textContent = text;
      doc.body.append(element);
      return element.id;
    }

    function update() {
      if (!down) {
        for (const [control, values] of saved) ATTRIBUTES.forEach((name, index) => write(control, name, values[index]));
        saved.clear();
        events.emit("toast:end", { key: NAME }); // it would not be true any more
        return;
      }
      for (const control of saved.keys()) if (!control.isConnected) saved.delete(control);
      for (const control of doc.querySelectorAll(SELECTOR)) {
        const text = reason(control);
        const id = described(text);
        const now = ATTRIBUTES.map((name) => control.getAttribute(name));
        if (now[1]?.split(" ").includes(id)) continue;
        saved.set(control, now); // new, or a swap has rewritten it
        write(control, "aria-disabled", "true");
        write(control, "aria-describedby", [now[1], id].filter(Boolean).join(" "));
        write(control, "title", text);
      }
    }

    /** @param {Event} event */
    function filter(event) {
      if (!down || !(event.target instanceof win.Element)) return;
      const { submitter } = /** @type {SubmitEvent} */ (event);
      const control = event.target.closest(SELECTOR) || submitter?.closest(SELECTOR);
      if (!control) return;
      // Only a list opens on a press or a key; everything else may still be focused and left by keyboard.
      if (event.type === "mousedown" && !event.target.matches("select")) return;
      if (event.type === "keydown" && !(event.target.matches("select") && /** @type {KeyboardEvent} */ (event).key !== "Tab")) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (event.type === "click" || event.type === "submit") events.emit("toast", { level: "warning", text: reason(control), key: NAME });
    }

    // On the window, so that nobody hears the event before.
    for (const type of TYPES) win.addEventListener(type, filter, true);
    const offs = [
      events.on("stream:state", ({ state, why }) => {
        down = DOWN.includes(state) && why !== "no-cookie";
        update();
      }),
      events.on("swap", () => down && update()),
      events.on("applied", () => down && update()),
    ];
    if (DOWN.includes(connection.state)) connection.tell(); // says why, too
    return () => {
      for (const type of TYPES) win.removeEventListener(type, filter, true);
      for (const off of offs) off();
      down = false;
      update();
    };
  },
};

/** @param {Element} element @param {string} name @param {string | null} value */
function write(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else element.setAttribute(name, value);
}

export const features = [requires];
