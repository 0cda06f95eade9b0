// `rt-upload`: files that are sent in chunks before the form is, with progress, and go on after a line that dropped.

/** @type {import("../index.js").Feature[]} */
export const features = [];
