// The public name of an action id, as the frames of the stream carry it.

/**
 * FNV-1a, 64 bits, as 16 hex digits; `action_key` in `htmx_rt/frames.py` says why.
 * Source: http://www.isthe.com/chongo/tech/comp/fnv/
 * @param {string} action
 */
export function actionKey(action) {
  let value = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(action)) value = BigInt.asUintN(64, (value ^ BigInt(byte)) * 0x100000001b3n);
  return value.toString(16).padStart(16, "0");
}
