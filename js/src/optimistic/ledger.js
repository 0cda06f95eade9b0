// When an optimistic change is true, and when it never happened. The echo on the stream or the answer's own HTML
// confirms what it has written; the rest is confirmed by the answer, at the latest. No page and no clock of its own.

/** @typedef {import("./layers.js").Effect} Effect */

/**
 * @typedef {object} Entry an action and its layer
 * @property {string} action
 * @property {string} key its public name, as frames carry it
 * @property {import("./layers.js").Layer} layer
 * @property {any} [request] the last one that carried it
 * @property {boolean} [ok] the server has agreed
 * @property {boolean} [landed] its answer has been swapped in
 * @property {number} [own] where the log stands after the action's own publishes
 * @property {"landing" | "echo"} [waits] what is still to come after a good answer
 * @property {boolean} [failed] kept on the page for the person to decide
 * @property {boolean} [held] kept on the device, to be sent later
 * @property {() => void} [cancel] ends a wait
 *
 * @typedef {object} Touch elements that were written, while all layers were off
 * @property {Element[]} elements
 * @property {boolean} [inner] only what is in them was
 * @property {any} [request] the one whose answer brought them
 * @property {Map<string, [Element, boolean][]>} [keys] element and `inner`, by the action whose frames brought them
 */

export const ECHO_MS = 5_000; // a stream that is behind its answers for longer is not waited for
export const LANDING_MS = 1_000; // a delayed swap, or one under a view transition, comes after its request has ended

const CHILDREN = ["text", "inc", "dec"];

/** Has writing `el` decided what the operation says? @param {Effect} effect @param {Element} el @param {boolean} inner */
function decides({ step, target }, el, inner) {
  const now = target();
  if (!now || (el !== now && el.contains(now))) return true;
  if (step.verb === "insert") return el === now || (el.parentNode === now && !step.known?.has(el.id || el));
  if (el === now) return !inner || CHILDREN.includes(step.verb);
  return CHILDREN.includes(step.verb) && now.contains(el);
}

/**
 * @param {object} options
 * @param {import("./layers.js").Layers} options.layers
 * @param {() => number} options.position offset up to which the log is on the page
 * @param {(run: () => void, ms: number) => () => void} options.after
 * @param {(entry: Entry, what: "confirmed") => void} options.tell
 */
export function createLedger({ layers, position, after, tell }) {
  /** @type {Map<string, Entry>} */
  const entries = new Map();

  /** @param {Entry} entry */
  const close = (entry) => {
    entry.cancel?.();
    entries.delete(entry.action);
  };

  /** @param {Entry} entry */
  const confirm = (entry) => {
    close(entry);
    layers.confirm(entry.layer);
    tell(entry, "confirmed");
  };

  /** The server has agreed, and what its answer brought is here. @param {Entry} entry */
  const agreed = (entry) => {
    const open = entry.layer.effects.some(({ done }) => !done);
    if (!open || (entry.own ?? -1) <= position()) return confirm(entry);
    if (entry.waits === "echo") return;
    entry.waits = "echo";
    entry.cancel?.();
    entry.cancel = after(() => confirm(entry), ECHO_MS);
  };

  return {
    of: (/** @type {string | null | undefined} */ action) => entries.get(action ?? ""),
    all: () => [...entries.values()],
    close,

    /** @param {Entry} entry */
    open(entry) {
      entries.set(entry.action, entry);
      layers.add(entry.layer);
    },

    /** Somebody is about to write the page: what they find is what the server has said. */
    coming() {
      if (!layers.lying) return;
      layers.off();
      for (const { layer } of entries.values()) {
        for (const { step, target } of layer.effects) if (step.verb === "insert") step.known = childrenOf(target());
      }
    },

    /** Something was written. @param {Touch} touch */
    touched({ elements, inner = false, request, keys }) {
      for (const entry of entries.values()) {
        const mine = entry.ok && request && entry.request === request;
        if (mine) entry.landed = true;
        const written = /** @type {[Element, boolean][]} */ ([...keys?.get(entry.key) ?? []]);
        if (mine) written.push(...elements.map((el) => /** @type {[Element, boolean]} */ ([el, inner])));
        for (const effect of entry.layer.effects) effect.done ||= written.some(([el, only]) => decides(effect, el, only));
      }
    },

    /** All that comes in this task is here: who is confirmed by it, and what is still pending? */
    came() {
      for (const entry of entries.values()) if (entry.ok && (entry.landed || entry.waits === "echo")) agreed(entry);
      layers.on();
    },

    /** A good answer is complete. @param {Entry} entry @param {boolean} soon  its HTML may still be swapped in */
    ended(entry, soon) {
      if (entry.landed || !soon) return agreed(entry);
      entry.waits = "landing";
      entry.cancel = after(() => agreed(entry), LANDING_MS);
    },

    /** @param {Entry} entry */
    fail(entry) {
      close(entry);
      layers.fail(entry.layer);
    },
  };
}

/** @param {Element | null} el @returns {Set<string | Element>} */
const childrenOf = (el) => new Set([...el?.children ?? []].map((child) => child.id || child));
