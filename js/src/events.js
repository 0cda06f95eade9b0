// The one bus the parts of the extension talk over. A listener that throws never stops the others.

/**
 * @callback Listener
 * @param {any} detail
 * @returns {void}
 *
 * @typedef {object} Events
 * @property {(name: string, fn: Listener) => () => void} on  Listen; the answer takes the listener off again.
 * @property {(name: string, detail?: any) => void} emit
 */

/** @returns {Events} */
export function createEvents() {
  /** @type {Map<string, Set<Listener>>} */
  const listeners = new Map();

  return {
    on(name, fn) {
      let set = listeners.get(name);
      if (!set) listeners.set(name, (set = new Set()));
      set.add(fn);
      return () => void set.delete(fn);
    },

    emit(name, detail = {}) {
      for (const fn of [...(listeners.get(name) || [])]) {
        try {
          fn(detail);
        } catch (error) {
          console.error("htmx-rt:", name, error);
        }
      }
    },
  };
}
