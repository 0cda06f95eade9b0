// What becomes of a page whose line does not come: it is told of other tabs, tries again after a refusal, and where
// streams do not get through, takes a WebSocket. What most pages never need is in files of its own.
import { createTabs } from "../tabs.js";

const LONG = 4_000; // ms without a line; the file is there when the first try has had its time

/** @type {import("../index.js").Feature} */
export const lines = {
  name: "lines",
  mount(rt) {
    const { config, env, events, connection, asked } = rt;
    const tabs = (rt.tabs = createTabs(env));
    /** @type {(() => void)[]} */
    const stops = [];
    let stopped = false;
    let cancel = () => {};
    let waiting = false;

    /** @param {string} name */
    async function fetch(name) {
      const { wire } = await rt.load(`htmx-rt-${name}.mjs`);
      if (!stopped) stops.push(wire(rt, true));
    }
    let again = () => {
      again = () => {};
      fetch("again");
    };

    // What scripts call, from the first call on.
    const script = async () => (await rt.load("htmx-rt-script.mjs")).take(rt);
    if (asked[0]) script();
    else asked.push = (call) => (script(), asked.splice(asked.length, 0, call).length); // in their order
    const word = () => tabs.send("open");
    stops.push(
      events.on("stream:open", word),
      events.on("stream:state", ({ state, why }) => {
        if (state === "refused") again();
        const foreign = state === "refused" && /^\d/.test(why); // no server of ours says so
        if (!foreign && state !== "connecting" && state !== "disconnected") {
          cancel();
          waiting = false;
        } else if (!waiting && !rt.lines.kind && config.socket !== false) {
          waiting = true;
          cancel = env.after(() => fetch("socket"), foreign ? 0 : LONG);
        }
      }),
    );
    if (connection.state === "connected") word();
    return () => {
      stopped = true;
      cancel();
      for (const stop of stops) stop();
    };
  },
};
