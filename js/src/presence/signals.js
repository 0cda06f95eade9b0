// Words for this moment only, from this page to the others on a topic: never while alone or hidden.
import { words } from "../dom.js";
import { SIGNAL } from "../protocol.js";
import { hereTopics } from "./here.js";

/** @typedef {{k: string, n: string, c: number, tab: string}} Sender */
/** @typedef {{topic: string, name: string, from: Sender, data: any}} Heard */
/** @typedef {ReturnType<typeof createSignals>} Signals */

/** @param {import("../index.js").Runtime} rt @param {import("./here.js").Here} here */
export function createSignals({ doc, env, events, tab, config, connection }, here) {
  const me = /** @type {any} */ (config).who;
  /** @type {Set<(heard: Heard) => void>} */
  const listeners = new Set();

  const off = events.on("stream:message", ({ event, data }) => {
    if (event !== SIGNAL || !data.from || data.from.k === me) return; // never oneself, in no tab
    for (const listener of listeners) listener({ topic: data.t, name: data.name, from: data.from, data: data.data });
  });

  /** The grant to speak on a presence topic. @param {string} topic */
  function grantOf(topic) {
    const el = doc.querySelector(`[rt-stream~="${CSS.escape(topic)}"]`);
    return el ? words(el, "rt-grant")[words(el, "rt-stream").indexOf(topic)] : undefined;
  }

  return {
    here,
    topicOf: (/** @type {string} */ name) => (name.startsWith("here:") ? name : `here:${name}`),
    topicsOf: hereTopics,

    /** @param {(heard: Heard) => void} fn */
    listen(fn) {
      listeners.add(fn);
      return () => void listeners.delete(fn);
    },

    /** Say something; what nobody hears is not sent. @param {string} topic @param {string} name @param {any} data */
    async send(topic, name, data) {
      if (connection.state !== "connected" || here.alone(topic) || env.hidden()) return;
      const grant = grantOf(topic);
      if (!grant) return;
      await env.fetch(`${config.prefix}/signal`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        // In quotes: the build shortens names that our own modules share, and this one goes over the wire.
        body: JSON.stringify({ tab: tab.id, "grant": grant, name, data }),
      }).catch(() => null);
    },

    stop: off,
  };
}

/** May what happens in this field be told? @param {any} field */
export function telling(field) {
  if (!field?.matches?.("input,textarea,select,[contenteditable]")) return false;
  if (/^(password|hidden|file|submit|button|image|reset)$/.test(field.type)) return false;
  if (/cc-|one-time-code|password/.test(field.autocomplete ?? "")) return false;
  return !field.closest("[rt-private]");
}
