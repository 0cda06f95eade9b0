// How long to wait before the next try: at once, then full jitter under a doubling ceiling, so that
// ten thousand pages that lost the same server do not come back together. Pure.

/**
 * @param {{random?: () => number, base?: number, cap?: number}} [options] base, cap: milliseconds
 */
export function createBackoff({ random = Math.random, base = 500, cap = 20_000 } = {}) {
  let tries = 0;
  return {
    /** @returns {number} milliseconds */
    next() {
      const ceiling = tries && Math.min(cap, base * 2 ** (tries - 1));
      tries += 1;
      return ceiling * random();
    },
    reset() {
      tries = 0;
    },
  };
}
