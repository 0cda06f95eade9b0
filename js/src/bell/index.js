// `rt-bell`: notifications, and how many are unread.

/** @type {import("../index.js").Feature[]} */
export const features = [];
