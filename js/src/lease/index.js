// Locks and ownership of the records on this page. Loaded by the edit part, for its forms with the presets lock and owner.
import { createPost } from "./calls.js";
import { createFields } from "./fields.js";
import { createHold } from "./hold.js";

const LEFT = 1_000; // ms a form may be out of the page, while a swap puts another one there

/** @typedef {import("./hold.js").Place} Place */

/** @param {import("../index.js").Runtime} rt @param {import("../edit/form.js").Edit} edit @returns {() => void} */
export function mount(rt, edit) {
  const { doc, env, events, connection } = rt;
  /** @type {Map<string, import("./hold.js").Hold>} by resource */
  const holds = new Map();
  /** @type {Map<string, string>} topic → the grant of the last hello */
  const grants = new Map();
  let state = connection.state;
  let stopped = false;
  /** @type {Promise<any> | undefined} */
  let loading;
  /** @type {typeof import("./work.js").createWork | undefined} */
  let createWork;

  const places = () => /** @type {Place[]} */ (edit.forms().filter(({ form, preset }) => form && (preset === "lock" || preset === "owner")));
  const placeOf = (/** @type {any} */ el) => places().find(({ form }) => form === (el?.form ?? el?.closest?.("form")));
  const fields = createFields(rt, (form) => !!holdOf(placeOf(form))?.refuses());

  /** @param {Place | undefined} place */
  const holdOf = (place) => holds.get(place?.resource ?? "");

  /** What an app's button is about: what it names, else its form, else the only one there is. @param {Element} el @param {string} attribute */
  const meant = (el, attribute) =>
    holds.get(el.getAttribute(attribute) || (placeOf(el)?.resource ?? "")) ?? (holds.size === 1 ? [...holds.values()][0] : undefined);

  /** @param {Place} place */
  function grantOf({ el, topic }) {
    const [topics, written] = ["rt-stream", "rt-grant"].map((name) => (el.getAttribute(name) ?? "").split(/\s+/));
    return grants.get(topic) ?? written[topics.indexOf(topic)];
  }

  function look() {
    /** @type {Map<string, Place[]>} */
    const now = new Map();
    for (const place of places()) now.set(place.resource, [...(now.get(place.resource) ?? []), place]);
    for (const [resource, hold] of holds) {
      if (now.has(resource)) continue;
      env.after(() => {
        if (places().some((place) => place.resource === resource) || !holds.delete(resource)) return;
        hold.stop();
      }, LEFT);
    }
    for (const [resource, here] of now) {
      const known = holds.get(resource);
      if (known) {
        known.stands(here);
        continue;
      }
      const owner = here[0].preset === "owner";
      if (owner && !createWork) {
        loading ??= rt.load("htmx-rt-work.mjs").then((part) => {
          createWork = part.createWork;
          if (!stopped) look();
        });
        continue;
      }
      const hold = createHold(rt, edit, createPost(rt, () => grantOf(here[0])), fields, here, owner ? createWork : undefined);
      holds.set(resource, hold);
      for (const call of edit.kept()) hear(call, hold);
      hold.line(state);
    }
  }

  /** @param {any} call @param {import("./hold.js").Hold} [only] */
  function hear({ t, name, args }, only) {
    for (const hold of only ? [only] : holds.values()) {
      if (hold.topic !== t) continue;
      if (name === "lease") hold.hear(args);
      else if (name === "work") hold.work?.hear(args);
    }
  }

  /** @param {Event} event */
  function listen({ type, target }) {
    const el = /** @type {any} */ (target);
    if (type === "click") return click(el);
    const place = placeOf(el);
    if (type === "focusout") holdOf(place)?.blurred();
    else if (place && el.matches("input,textarea,select")) holdOf(place)?.touch(place, false);
  }

  /** @param {Element} el */
  function click(el) {
    const act = /** @type {HTMLElement | null} */ (el.closest?.(".rt-lease-act"));
    const status = act?.closest("[rt-edit]")?.getAttribute("rt-edit");
    if (act) return void holds.get(status ?? "")?.press(act.dataset.act ?? "");
    const ask = el.closest?.("[rt-ask]");
    if (ask) meant(ask, "rt-ask")?.press("ask");
    const done = /** @type {any} */ (el.closest?.("[rt-release]"));
    // What sends something lets go once that has succeeded.
    if (done && !(done.form && done.type === "submit") && !/hx-(post|put|patch|delete)/.test(done.getAttributeNames())) meant(done, "rt-release")?.release();
  }

  /** @param {string} what @param {any} detail */
  function told(what, detail) {
    if (what === "forms") return look();
    const hold = holds.get(detail.form?.resource);
    if (!hold) return;
    if (what === "input") hold.touch(detail.form, true);
    else if (what === "saved" || what === "done") hold.saved();
    else if (what === "panel") hold.paint();
    if (what === "done" && detail.ok && detail.submitter?.matches("[rt-release]")) hold.release();
  }

  const all = (/** @type {(hold: import("./hold.js").Hold) => void} */ fn) => [...holds.values()].forEach(fn);
  const offs = [
    events.on("stream:open", ({ hello }) => {
      for (const topic in hello.grants) grants.set(topic, hello.grants[topic]);
      all((hold) => hold.opened());
    }),
    events.on("stream:state", (now) => {
      state = now.state;
      all((hold) => hold.line(state));
    }),
    events.on("call", (call) => hear(call)),
    events.on("swap", look),
    events.on("settled", look), // htmx 2 has written the attributes as they came
    events.on("request:end", ({ request, outcome }) => {
      const el = request.elt;
      // A button of its own; a form's save is told by the edit part.
      if (outcome === "ok" && el.matches?.("[rt-release]:not(form)")) meant(el, "rt-release")?.release();
    }),
    edit.on(told),
    ...["visibilitychange", "online"].map((type) => env.on(type, () => all((hold) => hold.look()))),
  ];
  const types = ["focusin", "focusout", "pointerdown", "keydown", "click"];
  for (const type of types) doc.addEventListener(type, listen);
  look();

  return () => {
    stopped = true;
    for (const type of types) doc.removeEventListener(type, listen);
    for (const off of offs) off();
    all((hold) => hold.stop());
    holds.clear();
    fields.stop();
  };
}
