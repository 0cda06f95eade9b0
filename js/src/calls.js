// What the server may ask of a page besides changing its HTML. Apply hands calls on in log order.
import { carriersOf, carries } from "./dom.js";
import { ENTITY, SIGNAL, TOAST } from "./protocol.js";

const COALESCE = 150; // ms in which several changes of entities are one fetch
const SPREAD = 250; // ms over which the readers of a topic spread their fetches

/** @type {import("./index.js").Feature} */
export const calls = { name: "calls", mount };

/** @param {import("./index.js").Runtime} rt */
function mount({ win, doc, events, tab }) {
  /** @param {string} topic @param {string} name @param {any} detail */
  function dispatch(topic, name, detail) {
    for (const element of carriersOf(doc, topic)) element.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
  }

  /** For `htmxRt.on(topic, name, fn)`. @param {string} topic @param {string} name @param {any} detail @param {any} [from] */
  const tell = (topic, name, detail, from) =>
    doc.dispatchEvent(Object.assign(new CustomEvent(`${topic} ${name}`, { detail }), { from }));

  /** @type {Record<string, (args: any, call: {t: string, by?: string}) => void>} */
  const known = {
    toast(args, { by }) {
      // Who caused it has seen the answer to the action itself.
      if (!args.others || by !== tab.id) events.emit("toast", args);
    },

    redirect({ to }) {
      const url = new URL(to, win.location.href);
      if (typeof to === "string" && to[0] === "/" && url.origin === win.location.origin) win.location.assign(url.href);
      else console.error("htmx-rt: no path of this site:", to);
    },

    event({ name, data }, { t }) {
      dispatch(t, name, data);
      tell(t, name, data);
      if (name !== ENTITY) return;
      const elements = [...carriersOf(doc, t)].filter((element) => element.matches(`[rt-src][rt-on~="${t}"]`));
      if (elements.length) events.emit("resync", { topics: [], elements, why: "entity", wait: COALESCE, spread: SPREAD });
    },

    refresh({ target, spread = SPREAD }, { t }) {
      const elements = [...doc.querySelectorAll(target)].filter((element) => carries(element, t));
      if (elements.length) events.emit("resync", { topics: [], elements, why: "refresh", spread });
    },
  };

  const offs = [
    events.on("call", (call) => Object.hasOwn(known, call.name) && known[call.name](call.args || {}, call)),
    events.on("request:end", ({ header }) => toasts(header?.(TOAST)).forEach((args) => events.emit("toast", args))),
    events.on("stream:message", ({ event, data }) => {
      if (event !== SIGNAL) return;
      dispatch(data.t, SIGNAL, { topic: data.t, name: data.name, data: data.data });
      tell(data.t, data.name, data.data, data.from);
    }),
  ];
  return () => offs.forEach((off) => off());
}

/** @param {string | null | undefined} header @returns {any[]} */
function toasts(header) {
  try {
    return [].concat(JSON.parse(header || "[]"));
  } catch {
    console.error("htmx-rt: bad", TOAST, header);
    return [];
  }
}
