// Who is here: loaded where a page shows it (`rt-view`), or tells what people do (`rt-typing`, `rt-cursors`).
import { createCursors } from "./cursors.js";
import { createFields } from "./fields.js";
import { createHere } from "./here.js";
import { createSignals } from "./signals.js";
import { createTyping } from "./typing.js";

/** @type {import("../index.js").Feature} */
const presence = {
  name: "presence",
  mount(rt) {
    const here = createHere(rt);
    const signals = createSignals(rt, here);
    const parts = [here, signals, createTyping(rt, signals), createFields(rt, signals), createCursors(rt, signals)];
    return () => parts.forEach((part) => part.stop());
  },
};

export const features = [presence];
