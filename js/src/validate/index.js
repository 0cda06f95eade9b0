// Fields are checked while somebody types, by the route that the form is sent to: those touched, in one request, and
// the latest answer counts. A form that was refused says everything at once.
import { unswapped } from "../bridge/unswapped.js";
import { VALIDATE } from "../protocol.js";

const PAUSE = 300; // ms after the last key
const GAP = 250; // ms between two checks at least
const REST = 2_000; // ms after one that failed
const PATIENCE = 10_000; // ms without an answer
const MOST = 200; // fields

/**
 * @typedef {object} State  of a form
 * @property {HTMLFormElement} form
 * @property {Set<string>} touched  fields that a person has changed
 * @property {Map<string, string>} asked  with which values it was asked last
 * @property {Map<string, string>} wrong  what stands at which field
 * @property {Set<any>} sending  requests that send it
 * @property {number} next  no check before, Unix ms
 * @property {() => void} cancel  of the check that is planned
 * @property {boolean} planned
 * @property {AbortController | null} flight
 */

/** @type {import("../index.js").Feature} */
const validate = {
  name: "validate",
  mount({ doc, win, env, events }) {
    /** @type {Map<HTMLFormElement, State>} */
    const states = new Map();
    let composing = false;

    /** @param {any} field @returns {HTMLFormElement | null} */
    const formOf = (field) => {
      const form = field.form ?? field.closest?.("form");
      return form?.hasAttribute("rt-validate") ? form : null;
    };
    const named = (/** @type {State} */ { form }, /** @type {string} */ name) =>
      /** @type {any[]} */ ([...form.elements]).filter((field) => field.name === name && field.type !== "hidden");
    const placeOf = (/** @type {State} */ { form }, /** @type {string} */ name) =>
      [...doc.querySelectorAll(`[rt-field-error="${win.CSS.escape(name)}"]`)].find((el) => (el.closest("form") ?? form) === form);

    /** @param {State} state @param {string} name */
    const valueOf = ({ form }, name) => new FormData(form).getAll(name).join("\0");
    const addressOf = (/** @type {HTMLFormElement} */ form) =>
      new URL(form.getAttribute("rt-validate") || form.getAttribute("hx-post") || form.getAttribute("action") || "", doc.baseURI);

    /** @param {HTMLFormElement} form @returns {State} */
    function stateOf(form) {
      let state = states.get(form);
      if (!state) {
        state = { form, touched: new Set(), asked: new Map(), wrong: new Map(), sending: new Set(), next: 0, cancel: () => {}, planned: false, flight: null };
        states.set(form, state);
      }
      return state;
    }

    /** @param {State} state @param {number} wait */
    function plan(state, wait) {
      state.cancel();
      state.planned = true;
      state.cancel = env.after(() => check(state), Math.max(wait, state.next - env.now()));
    }

    /** @param {State} state */
    function halt(state) {
      state.cancel();
      state.planned = false;
      state.flight?.abort();
      state.flight = null;
    }

    /** @param {Event} event */
    function typed({ type, target }) {
      const field = /** @type {any} */ (target);
      const form = field.name && formOf(field);
      if (!form || field.type === "file" || !/^(input|select|textarea)$/i.test(field.tagName)) return;
      const state = stateOf(form);
      // Leaving a field says again what its last key has said.
      if (type === "change" && !state.planned && state.asked.get(field.name) === valueOf(state, field.name)) return;
      state.touched.add(field.name);
      if (composing) return state.cancel();
      const wrong = state.wrong.has(field.name) || field.getAttribute("aria-invalid") === "true";
      plan(state, type === "change" || wrong ? 0 : PAUSE);
    }

    /** @param {Event} event */
    function left({ target }) {
      const state = states.get(/** @type {any} */ (formOf(target)));
      if (state?.planned && !composing) plan(state, 0);
    }

    /** Asks about all that was touched, as one field may make another one wrong. @param {State} state */
    async function check(state) {
      const { form, touched } = state;
      halt(state);
      const names = [...touched].filter((name) => named(state, name).length).slice(0, MOST);
      if (!names.length || !form.isConnected || state.sending.size || env.offline()) return;
      const url = addressOf(form);
      if (url.origin !== win.location.origin) return console.error("htmx-rt: no address of this site:", url.href);
      const asked = (state.asked = new Map(names.map((name) => [name, valueOf(state, name)])));
      const flight = (state.flight = new AbortController());
      const cancel = env.after(() => flight.abort(), PATIENCE);
      state.next = env.now() + GAP;
      try {
        const response = await env.fetch(url.href, {
          method: "POST",
          headers: { ...headersOf(form), [VALIDATE]: names.map(encodeURIComponent).join(",") },
          body: new URLSearchParams([...new FormData(form)].flatMap(([name, value]) => (typeof value === "string" ? [[name, value]] : []))),
          redirect: "manual",
          cache: "no-store",
          signal: flight.signal,
        });
        if (!response.ok || !response.headers.has(VALIDATE)) throw response;
        const answer = (await response.json())["errors"];
        // What was typed in since is asked about by a check of its own.
        for (const name of names) if (asked.get(name) === valueOf(state, name)) mark(state, name, answer[name], true);
      } catch {
        // It is no more than a help: nobody is told, and the form can be sent.
        if (state.flight !== flight) return;
        state.next = env.now() + REST;
        state.asked.clear();
      } finally {
        cancel();
        if (state.flight === flight) state.flight = null;
      }
    }

    /** @param {State} state @param {string} name @param {string[]} [texts] none: it is right @param {boolean} [aloud] @returns {boolean} whether there is a place for it */
    function mark(state, name, texts, aloud) {
      const place = placeOf(state, name);
      const text = texts?.join(" ") ?? "";
      if (!place) return !text;
      const fields = name ? named(state, name) : [];
      if (place.textContent !== text) {
        place.textContent = text;
        if (aloud) events.emit("announce", { text: text && `${labelOf(fields)} ${text}`.trim(), key: place.id });
      }
      if (text) state.wrong.set(name, text);
      else state.wrong.delete(name);
      for (const field of fields) {
        if (text) field.setAttribute("aria-invalid", "true");
        else field.removeAttribute("aria-invalid");
        const told = (field.getAttribute("aria-describedby") ?? "").split(/\s+/);
        if (text && place.id && !told.includes(place.id)) field.setAttribute("aria-describedby", [...told, place.id].join(" ").trim());
      }
      return true;
    }

    /** @param {{request: any}} detail */
    function start({ request }) {
      const { elt, safe, path } = request;
      const form = !safe && formOf(elt);
      if (!form || (elt !== form && path !== addressOf(form).pathname)) return; // another button in it
      const state = stateOf(form);
      halt(state);
      state.sending.add(request);
      request.checked = { state, sent: new Map([...new FormData(form).keys()].map((name) => [name, valueOf(state, name)])) };
    }

    /** @param {{request: any}} detail */
    function answered({ request }) {
      if (!request.checked || request.problem !== "validation" || !/json/.test(request.header("Content-Type") ?? "")) return;
      request.refused = true;
      unswapped(request);
    }

    /** @param {any} detail */
    function ending({ request, outcome }) {
      if (!request.checked) return;
      const { state, sent } = request.checked;
      state.sending.delete(request);
      if (outcome === "ok") return forgive(state);
      // What was typed in since.
      const newer = new Set([...state.touched].filter((name) => (sent.get(name) ?? "") !== valueOf(state, name)));
      if (request.refused) refuse(state, newer, request);
      // A page of the app's own, with the errors in it.
      else if (request.status === 422) env.after(() => focus(doc.querySelector("form[rt-validate] [aria-invalid=true]")), 0);
      if (newer.size) plan(state, PAUSE);
    }

    /** Everything at once. @param {State} state @param {Set<string>} newer @param {any} request */
    function refuse(state, newer, request) {
      const { title, errors } = problemOf(request.text());
      if (!errors) return;
      const { form, touched } = state;
      const places = [...doc.querySelectorAll("[rt-field-error]:not(:empty)")].map((el) => el.getAttribute("rt-field-error") ?? "");
      const homeless = [];
      for (const name of new Set([...Object.keys(errors), ...places])) {
        if (newer.has(name)) continue;
        if (errors[name] && name) touched.add(name);
        if (!mark(state, name, errors[name])) homeless.push(...errors[name]);
      }
      if (homeless.length) events.emit("failure", { request, kind: "validation", text: homeless.join(" "), place: form });
      request.handled = true;
      events.emit("announce", { text: title, assertive: true });
      focus(/** @type {any[]} */ ([...form.elements]).find((field) => field.name && state.wrong.has(field.name) && field.type !== "hidden"));
    }

    /** It was taken in: what stood at its fields before is of before. @param {State} state */
    function forgive(state) {
      halt(state);
      state.touched.clear();
      state.asked.clear();
      for (const [name, text] of [...state.wrong]) if (placeOf(state, name)?.textContent === text) mark(state, name);
      state.wrong.clear();
    }

    /** @param {Event} event */
    function reset({ target }) {
      const state = states.get(/** @type {any} */ (target));
      if (state) forgive(state);
    }

    /** @param {any} field */
    function focus(field) {
      if (!field || field.closest("[inert]")) return;
      field.focus();
    }

    /** A form that was replaced goes on where it was; what was written over is asked about again. */
    function swapped() {
      for (const [form, state] of [...states]) {
        const now = form.isConnected ? form : form.id && doc.getElementById(form.id);
        if (now !== form) {
          states.delete(form);
          halt(state);
          if (!(now instanceof win.HTMLFormElement) || !formOf(now)) continue;
          state.form = now;
          states.set(now, state);
        }
        const lost = [...state.wrong].filter(([name, text]) => placeOf(state, name)?.textContent !== text);
        for (const [name] of lost) state.wrong.delete(name);
        if (lost.length && !state.sending.size) plan(state, PAUSE);
      }
    }

    /** @param {Event} event */
    function compose({ type, target }) {
      composing = type === "compositionstart";
      const state = states.get(/** @type {any} */ (formOf(target)));
      if (composing) state?.cancel();
      else if (state?.touched.has(/** @type {any} */ (target).name)) plan(state, PAUSE);
    }

    /** @type {[string, (event: any) => void][]} */
    const listeners = [["input", typed], ["change", typed], ["focusout", left], ["reset", reset], ["compositionstart", compose], ["compositionend", compose]];
    for (const [type, fn] of listeners) doc.addEventListener(type, fn);
    const offs = [
      events.on("request:start", start),
      events.on("request:answered", answered),
      events.on("request:ending", ending),
      events.on("swap", swapped),
    ];
    // A page that came with errors in it, as it was refused.
    if (doc.activeElement === doc.body) focus(doc.querySelector("form[rt-validate] [aria-invalid=true]"));
    return () => {
      for (const [type, fn] of listeners) doc.removeEventListener(type, fn);
      for (const off of offs) off();
      for (const state of states.values()) halt(state);
    };
  },
};

/** What people call it. @param {any[]} fields of one name */
function labelOf([field, another]) {
  const label = (another && field.closest("fieldset")?.querySelector("legend")) ?? field?.labels?.[0];
  // Its own words, and not what stands in it beside the field.
  const own = [...(label?.childNodes ?? [])].find((node) => node.nodeType === 3 && node.data.trim());
  return ((own ?? label)?.textContent.trim() || field?.getAttribute("aria-label")) ?? "";
}

/** Secrets that a framework wants with every request. @param {Element} form @returns {Record<string, string>} */
function headersOf(form) {
  try {
    return JSON.parse(form.closest("[hx-headers]")?.getAttribute("hx-headers") ?? "{}");
  } catch {
    return {};
  }
}

/** @param {string} text @returns {any} */
function problemOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

export const features = [validate];
