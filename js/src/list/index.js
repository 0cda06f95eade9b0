// `rt-more`, `rt-new`: long lists, page by page, and what has come above or below while one was reading.

/** @type {import("../index.js").Feature[]} */
export const features = [];
