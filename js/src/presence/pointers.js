// What people point at and select: a file of its own, for pages with `rt-cursors`.
import { createCarets } from "./carets.js";
import { createCursors } from "./cursors.js";

/** @param {import("../index.js").Runtime} rt @param {import("./signals.js").Signals} signals @param {import("./layer.js").Layer} layer */
export const createPointers = (rt, signals, layer) => [createCursors(rt, signals, layer), createCarets(rt, signals, layer)];
