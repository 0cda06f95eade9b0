// `rt-validate`: fields that are checked by the server while somebody types.

/** @type {import("../index.js").Feature[]} */
export const features = [];
