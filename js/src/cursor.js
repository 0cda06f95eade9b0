// `1~<epoch>~<offset in base 36>`: a place in the server's log. Pure.

const FORM = /^1~([0-9A-Za-z]{1,32})~([0-9a-z]{1,11})$/;

/**
 * @param {string | null | undefined} text
 * @returns {{epoch: string, offset: number} | null} null for anything that is no cursor
 */
export function parseCursor(text) {
  const found = FORM.exec(text || "");
  return found && { epoch: found[1], offset: parseInt(found[2], 36) };
}
