// `rt-badge`, `rt-flash`: counts in badges and in the tab's title, and one flash for what others changed.

/** @type {import("../index.js").Feature[]} */
export const features = [];
