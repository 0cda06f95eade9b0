// Who is here: loaded where a page shows it (`rt-view`), or tells what people do (`rt-typing`, `rt-cursors`).
import { createFields } from "./fields.js";
import { createHere } from "./here.js";
import { createLayer } from "./layer.js";
import { createSignals } from "./signals.js";
import { createTyping } from "./typing.js";
import { createViews } from "./views.js";

/** @type {import("../index.js").Feature} */
const presence = {
  name: "presence",
  mount(rt) {
    const views = createViews(rt);
    const here = createHere(rt, views);
    const signals = createSignals(rt, views);
    const layer = createLayer(rt);
    const typing = createTyping(rt, signals);
    /** @type {{stop(): void}[]} the first to be stopped first */
    const parts = [createFields(rt, signals, layer, typing), typing, signals, here, views, layer];
    let asked = false;
    let stopped = false;

    async function look() {
      if (asked || !rt.doc.querySelector("[rt-cursors]")) return;
      asked = true;
      const { createPointers } = await rt.load("htmx-rt-pointers.mjs");
      if (!stopped) parts.unshift(...createPointers(rt, signals, layer));
    }
    const off = rt.events.on("swap", look);
    look();
    return () => {
      stopped = true;
      off();
      for (const part of parts) part.stop();
    };
  },
};

export const features = [presence];
