// `rt-optimistic` and `rt-move`.

/** @type {import("../index.js").Feature[]} */
export const features = [];
