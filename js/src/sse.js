// Parser of `text/event-stream` (WHATWG HTML, 9.2.6), fed with bytes cut anywhere. Pure.
// One difference: a block with an `id` and no data is emitted too, because rt/1 uses it as a checkpoint,
// and `id` is that of the block itself, not the last one seen.

/**
 * @typedef {object} Block
 * @property {string} event  "message" when the block names none
 * @property {string | null} data  null when the block has no data line
 * @property {string | null} id  null when the block has no id line
 */

const LONGEST = 8 << 20; // characters of one unfinished block; the server sends at most 1 MiB

/**
 * @param {(block: Block) => void} emit
 * @returns {{push(bytes: Uint8Array): void}}
 */
export function createParser(emit) {
  const decoder = new TextDecoder(); // takes the BOM off, keeps half a character for the next chunk
  const lineEnd = /\r\n?|\n/g;
  let rest = "";
  let afterCR = false;
  let event = "";
  let id = /** @type {string | null} */ (null);
  /** @type {string[]} */
  let data = [];
  let size = 0;

  /** @param {string} text */
  function line(text) {
    if (!text) return dispatch();
    const colon = text.indexOf(":");
    if (!colon) return; // a comment
    const field = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(colon + (text[colon + 1] === " " ? 2 : 1));
    if (field === "data") {
      data.push(value);
      size += value.length;
    } else if (field === "event") event = value;
    else if (field === "id" && !value.includes("\0")) id = value;
  }

  function dispatch() {
    const block = { event: event || "message", data: data.length ? data.join("\n") : null, id };
    event = "";
    id = null;
    data = [];
    size = 0;
    if (block.data !== null || block.id !== null) emit(block);
  }

  return {
    push(bytes) {
      let text = decoder.decode(bytes, { stream: true });
      if (!text) return;
      if (afterCR && text[0] === "\n") text = text.slice(1);
      afterCR = false;
      lineEnd.lastIndex = rest.length; // what is left over holds no line end
      rest += text;
      let from = 0;
      for (let match; (match = lineEnd.exec(rest)); ) {
        line(rest.slice(from, match.index));
        from = lineEnd.lastIndex;
        afterCR = match[0] === "\r" && from === rest.length;
      }
      rest = rest.slice(from);
      if (rest.length + size > LONGEST) throw new Error("htmx-rt: event too long");
    },
  };
}
