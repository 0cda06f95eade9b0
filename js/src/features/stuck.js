// No stream comes, or something answers that is not the server: perhaps a WebSocket gets through.

const LONG = 4_000; // ms without a line; the file is there when the first try has had its time

/** @type {import("../index.js").Feature} */
export const stuck = {
  name: "stuck",
  mount(rt) {
    const { config, env, events, lines } = rt;
    let stop = () => {};
    /** @type {(() => void) | undefined} */
    let cancel;

    const off = events.on("stream:state", ({ state, why }) => {
      const foreign = state === "refused" && /^\d/.test(why);
      if (!foreign && state !== "connecting" && state !== "disconnected") {
        cancel?.();
        cancel = undefined;
      } else if (!lines.kind && config.socket !== false) {
        cancel ??= env.after(async () => {
          const { wire } = await rt.load("htmx-rt-socket.mjs");
          if (cancel && !lines.kind) stop = wire(rt, true);
        }, foreign ? 0 : LONG);
      }
    });
    return () => {
      cancel?.();
      cancel = undefined;
      off();
      stop();
    };
  },
};
