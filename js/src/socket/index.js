// Lines that are WebSockets, by choice or where streams do not get through. Loaded before the first line opens where
// the page is known to need it, and otherwise as soon as it looks so.

/** @param {import("../index.js").Runtime} _rt @returns {() => void} ends it */
export function wire(_rt) {
  return () => {};
}
