// `htmx-rt-again.mjs`: a page that was refused tries again, when somebody comes back to it, when another tab got in, and
// once a minute.

export const EVERY = 60_000; // ms between tries by itself
const QUIET = ["no-cookie", "too-many"]; // these wait for a person: trying by itself would help nobody

/** @param {Pick<import("./index.js").Runtime, "env" | "events" | "tabs" | "connection">} rt @returns {() => void} ends it */
export function wire({ env, events, tabs, connection }) {
  let why = "";
  let cancel = () => {};

  const plan = () => void (cancel = env.after(() => (env.hidden() ? plan() : connection.retry()), EVERY));
  const retry = () => void (connection.state === "refused" && connection.retry());

  const offs = [
    events.on("stream:state", (status) => {
      why = status.why;
      cancel();
      if (status.state === "refused" && !QUIET.includes(why)) plan();
    }),
    env.on("focus", retry),
    // "too-many" must not answer: the tabs of one browser would push each other out for ever.
    tabs.on("open", () => why !== "too-many" && retry()),
  ];
  connection.tell(); // why it was refused
  return () => {
    cancel();
    for (const off of offs) off();
  };
}
