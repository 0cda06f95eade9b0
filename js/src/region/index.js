// `rt-load`, `rt-every`: regions that fetch themselves, show a skeleton, say what went wrong, and keep what was there.

/** @type {import("../index.js").Feature[]} */
export const features = [];
