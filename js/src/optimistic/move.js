/** @param {any} _ */
export const mountMove = (_) => () => {};
