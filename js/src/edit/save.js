// `rt-save="field"`: a field is saved when it was changed and left, one save of a form at a time. Fetched where a page
// has it.
import { reasonOf } from "../reason.js";
import { same } from "./values.js";

const START = 1_000; // ms in which a save should have begun

/** @typedef {import("./form.js").Guarded} Guarded */
/** @typedef {{names: string[], request: any}} Saving */

/** @param {import("../index.js").Runtime} rt @param {import("./form.js").Forms} forms @param {import("./notes.js").Notes} notes */
export function createSave({ doc, env, events, bridge }, forms, notes) {
  const { edit, isDirty } = forms;
  /** @type {WeakMap<Guarded, Set<string>>} */
  const pending = new WeakMap();
  /** @type {Map<Guarded, Saving>} */
  const saving = new Map();
  /** @type {Map<Guarded, number>} requests of the form on their way */
  const busy = new Map();
  /** @type {WeakMap<Guarded, Record<string, any>>} what could not be saved */
  const failed = new WeakMap();

  const waitingOf = (/** @type {Guarded} */ g) => pending.get(g) ?? (pending.set(g, new Set()), /** @type {Set<string>} */ (pending.get(g)));

  /** @param {Event} event */
  function left({ target }) {
    const field = /** @type {any} */ (target);
    const g = forms.of(field);
    const { name } = field;
    if (g?.form?.getAttribute("rt-save") !== "field" || g.panel || g.gone || !g.names.includes(name)) return;
    if (!isDirty(g, name) || g.chips[name] || field.readOnly || field.closest("[aria-disabled=true]")) return;
    if (same([field], failed.get(g)?.[name], edit.value(g, name))) return; // Retry is for that
    if (!field.checkValidity()) return notes.mark(g, [name], { text: field.validationMessage });
    waitingOf(g).add(name);
    flush(g);
  }

  /** @param {Guarded} g */
  function flush(g) {
    const wanted = waitingOf(g);
    if (!wanted.size || saving.has(g) || busy.get(g) || g.panel || !g.form?.isConnected) return;
    const names = [...wanted].filter((name) => isDirty(g, name));
    wanted.clear();
    if (!names.length) return;
    const { form } = g;
    const one = { names, request: null };
    saving.set(g, one);
    const { noValidate } = form;
    form.noValidate = true; // of the others, some may not be filled in yet
    form.requestSubmit();
    form.noValidate = noValidate;
    env.after(() => {
      if (saving.get(g) === one && !one.request) saving.delete(g); // somebody has prevented it
    }, START);
  }

  /** Whoever presses the button saves all of it. @param {SubmitEvent} event */
  function submit({ target, submitter }) {
    const g = forms.of(target);
    if (g && submitter) saving.delete(g);
  }

  const offs = [
    events.on("request:config", ({ elt, values }) => {
      const g = forms.of(elt);
      const one = g && saving.get(g);
      if (!g || !one || one.request || elt !== g.form) return;
      // What somebody is still writing is not sent yet.
      for (const name of g.names) {
        if (one.names.includes(name) || !(name in g.base) || !isDirty(g, name)) continue;
        values.delete(name);
        for (const text of [g.base[name]].flat()) values.append(name, text);
      }
    }),
    events.on("request:start", ({ request }) => {
      const g = forms.of(request.elt);
      if (!g || request.safe || request.elt !== g.form) return;
      busy.set(g, (busy.get(g) ?? 0) + 1);
      const one = saving.get(g);
      if (!one || one.request) return;
      one.request = request;
      notes.mark(g, one.names, null);
    }),
    events.on("request:ending", ({ request, outcome, status, problem, header }) => {
      const one = [...saving.values()].find((each) => each.request === request);
      if (!one || outcome === "ok" || request.resending || request.kept || request.handled || problem === "signed-out") return;
      request.handled = true; // said at the field
      const text = status ? reasonOf(request.text(), header("Content-Type") ?? "", problem, bridge.parse) : "";
      Object.assign(one, { failed: true, text });
    }),
    events.on("request:end", ({ request, outcome }) => {
      const g = forms.of(request.elt) ?? [...saving.keys()].find((each) => saving.get(each)?.request === request);
      if (!g || request.safe) return;
      if (busy.get(g)) busy.set(g, Number(busy.get(g)) - 1);
      const one = /** @type {any} */ (saving.get(g));
      if (one?.request === request) {
        saving.delete(g);
        if (request.resending) saving.set(g, { ...one, request: null });
        else queueMicrotask(() => ended(g, one, outcome === "ok"));
      }
      queueMicrotask(() => flush(g));
    }),
  ];

  /** @param {Guarded} g @param {any} one @param {boolean} ok */
  function ended(g, { names, failed: bad, text }, ok) {
    if (ok) {
      failed.delete(g);
      const clean = names.filter((/** @type {string} */ name) => !isDirty(g, name));
      if (clean.length) notes.mark(g, clean, { text: "" });
      if (!waitingOf(g).size) events.emit("announce", { text: edit.say(g, "edit.saved") });
    } else if (bad && !g.panel) {
      failed.set(g, { ...failed.get(g), ...Object.fromEntries(names.map((/** @type {string} */ name) => [name, edit.value(g, name)])) });
      const retry = () => {
        failed.delete(g);
        for (const name of names) waitingOf(g).add(name);
        notes.mark(g, names, null);
        flush(g);
      };
      notes.mark(g, names, { text: `${edit.say(g, "edit.not-saved")}${text ? `: ${text}` : ""}`, retry });
    }
  }

  const types = ["change", "focusout"];
  for (const type of types) doc.addEventListener(type, left);
  doc.addEventListener("submit", submit, true);
  const off = edit.on((what, { form: g, name, take }) => {
    if (what !== "decided" || take || g.form?.getAttribute("rt-save") !== "field") return;
    waitingOf(g).add(name);
    flush(g);
  });
  return () => {
    for (const type of types) doc.removeEventListener(type, left);
    doc.removeEventListener("submit", submit, true);
    for (const stop of [...offs, off]) stop();
  };
}
