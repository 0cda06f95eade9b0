// `rt-progress`: long operations, as everybody on their topic sees them.

/** @type {import("../index.js").Feature[]} */
export const features = [];
