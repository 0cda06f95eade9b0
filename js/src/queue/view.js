// The bar "3 changes waiting" and the panel that lists them. All its words are in the template, which a site may
// override; without the template on the page a toast says the most of it.
import { isDirty } from "../fields.js";
import { leave } from "../features/leave.js";
import { others, states } from "./queue.js";
import { isToken } from "./send.js";

const SENT = 2_000; // ms the bar says that all is sent

/** Without the template. @type {Record<string, string>} */
const WORDS = {
  waitingOne: "1 change waiting to be sent", waitingOther: "{n} changes waiting to be sent",
  attentionOne: "1 change needs you", attentionOther: "{n} changes need you",
  signIn: "Sign in again to send them.", sent: "All changes are sent.",
  othersOne: "1 change is kept for {name}.", othersOther: "{n} changes are kept for {name}.", somebody: "somebody else",
  files: "You are offline, and files cannot be kept. Send it again when you are back.",
  secret: "You are offline, and this holds a password, which is not kept. Send it again when you are back.",
  many: "Not kept: too many changes are waiting already.", big: "Not kept: too much is waiting already.",
  disk: "Not kept: this browser allows no room on the device.",
};

/** @typedef {import("./queue.js").Entry} Entry */
/** @typedef {import("./queue.js").State} State */
/**
 * @param {import("../index.js").Runtime} rt
 * @param {object} act
 * @param {(entry?: Entry) => void} act.retry
 * @param {(entry: Entry, outcome: string) => Promise<void>} act.discard
 * @param {(entry: Entry) => void} act.bring
 * @param {(entry: Entry, place: Element) => Promise<Element | null>} act.review
 */
export function createView({ doc, win, env, events }, act) {
  /** @type {{entries: Entry[], who: string, now: number, sending: string, signedOut: boolean}} */
  let shown = { entries: [], who: "", now: 0, sending: "", signedOut: false };
  let opened = false;
  let hidden = false; // the person has seen that something is kept for others
  let sentUntil = 0;
  let spoken = "";
  let cancel = () => {};
  /** @type {EventTarget | null} */
  let before = null; // had the focus before it came here
  /** @type {Map<string, Entry>} taken out, and can be put back while the panel is open */
  const trash = new Map();
  /** @type {Map<string, string>} action → its values as text */
  const copies = new Map();

  const box = () => doc.getElementById("rt-queue");
  const part = (/** @type {string} */ name, /** @type {any} */ root = box()) => /** @type {HTMLElement | null} */ (root?.querySelector(`[rt-queue-${name}]`) ?? null);
  const word = (/** @type {string} */ name) => box()?.dataset[name] ?? WORDS[name] ?? "";
  const lang = () => doc.documentElement.lang || undefined;

  /** @param {string} name @param {number} n */
  function count(name, n) {
    const rule = new Intl.PluralRules(lang()).select(n);
    return (word(name + rule[0].toUpperCase() + rule.slice(1)) || word(`${name}Other`)).replace("{n}", String(n));
  }

  /** @param {Element | null} element @param {string} text */
  function put(element, text) {
    if (!element) return;
    if (element.textContent !== text) element.textContent = text;
    /** @type {HTMLElement} */ (element).hidden = !text;
  }

  /** @param {typeof shown} next */
  function render(next) {
    shown = next;
    cancel();
    const rows = states(shown.entries, shown);
    const need = rows.filter(({ state }) => ["paused", "refused", "old"].includes(state)).length;
    const wait = rows.length - need;
    const kept = others(shown.entries, shown.who);
    const sent = !rows.length && sentUntil > env.now();
    const text = [
      wait && count("waiting", wait), need && count("attention", need), sent && word("sent"),
      !rows.length && !sent && kept.map(({ name, count: n }) => count("others", n).replace("{name}", name || word("somebody"))).join(" "),
    ].filter(Boolean).join(" · ");
    const line = text + (wait && shown.signedOut ? `. ${word("signIn")}` : "");
    const on = !!text && !(hidden && !rows.length && !sent);
    const tone = need || (wait && shown.signedOut) ? "warn" : sent ? "ok" : "calm";
    if (sent) cancel = env.after(() => render({ ...shown, now: env.now() }), sentUntil - env.now());
    say(sent ? word("sent") : rows.length ? line : "");
    const root = box();
    if (!root) return toast(on && !sent ? line : "", tone);
    for (const name of ["warn", "calm", "ok"]) root.classList.toggle(`rt-${name}`, name === tone);
    if (on) {
      root.hidden = false;
      root.classList.remove("rt-leaving");
      put(part("text"), line);
    } else hide(root);
    if (!rows.length && !trash.size && !kept.length) opened = false;
    button("toggle", !!rows.length || !!kept.length || !!trash.size);
    button("send", !!wait && !shown.signedOut && !need);
    button("hide", !rows.length && !!kept.length);
    part("toggle")?.setAttribute("aria-expanded", String(opened));
    const panel = part("panel");
    if (panel) {
      if (!opened) giveBack(panel);
      panel.hidden = !opened;
      put(part("note"), rows.length ? word(shown.signedOut ? "noteSignIn" : env.offline() ? "noteOffline" : "note") : "");
      put(part("others"), kept.map(({ name, count: n }) => `${count("others", n)} ${word("othersHow")}`.replaceAll("{name}", name || word("somebody"))).join(" "));
      list(rows);
    }
  }

  /** @param {{entry: Entry, state: State}[]} rows */
  function list(rows) {
    const place = part("list");
    const template = /** @type {HTMLTemplateElement | null} */ (doc.getElementById("rt-queue-item"));
    if (!place || !template || !opened) return;
    const all = [...rows, ...[...trash.values()].map((entry) => ({ entry, state: "discarded" }))].sort((a, b) => a.entry.seq - b.entry.seq);
    const old = new Map([...place.children].map((item) => [/** @type {HTMLElement} */ (item).dataset.action, item]));
    const focused = /** @type {HTMLElement | null} */ (doc.activeElement?.closest("[data-action]"));
    const index = focused ? [...place.children].indexOf(focused) : -1;
    all.forEach(({ entry, state }, position) => {
      const item = /** @type {HTMLElement} */ (old.get(entry.action) ?? template.content.firstElementChild?.cloneNode(true));
      old.delete(entry.action);
      item.dataset.action = entry.action;
      paint(item, entry, state);
      if (place.children[position] !== item) place.insertBefore(item, place.children[position] ?? null);
    });
    for (const item of old.values()) item.remove();
    place.hidden = !all.length;
    if (!focused || doc.activeElement !== doc.body) return;
    // Its item went, or its button: the next thing to press, else the panel.
    const stay = focused.isConnected ? focused : place.children[Math.min(index, place.children.length - 1)];
    (/** @type {HTMLElement | null} */ (stay?.querySelector("button:not([hidden])")) ?? part("panel"))?.focus({ preventScroll: true });
  }

  /** @param {HTMLElement} item @param {Entry} entry @param {string} state */
  function paint(item, entry, state) {
    const { action, reason } = entry;
    item.dataset.state = state;
    const what = part("what", item);
    put(what, entry.what || word("change"));
    if (what) what.id = `rt-queue-${action}`;
    put(part("detail", item), entry.detail);
    const when = part("when", item);
    const at = new Date(entry.at);
    const today = at.toDateString() === new Date(shown.now).toDateString();
    put(when, new Intl.DateTimeFormat(lang(), { timeStyle: "short", ...(!today && { dateStyle: "medium" }) }).format(at));
    when?.setAttribute("datetime", at.toISOString());
    put(part("state", item), word(state === "sign-in" ? "stateSignIn" : `state${state[0].toUpperCase()}${state.slice(1)}`));
    const problem = (reason?.problem ?? "").replace(/-(.)/g, (_, letter) => letter.toUpperCase());
    const kind = problem && `why${problem[0].toUpperCase()}${problem.slice(1)}`;
    const why = reason && (reason.text || (kind && box()?.dataset[kind]) || word((reason.status >= 500 ? "whyServer" : "why")));
    put(part("reason", item), state === "old" ? word("whyOld") : state === "refused" || state === "paused" ? why || "" : "");
    const copy = /** @type {HTMLTextAreaElement | null} */ (part("copy", item));
    const text = copies.get(action) ?? "";
    if (copy) {
      copy.hidden = !text;
      if (copy.value !== text) copy.value = text;
      copy.setAttribute("aria-label", word("copyLabel"));
    }
    const link = /** @type {HTMLAnchorElement | null} */ (part("page", item));
    if (link) {
      link.hidden = !text || entry.page === win.location.pathname + win.location.search;
      link.href = new URL(entry.page, win.location.origin).href;
    }
    const still = state !== "sending" && state !== "discarded";
    button("review", state === "paused" && !!reason?.html, item);
    button("retry", (state === "refused" || state === "paused") && !reason?.final, item);
    button("edit", still && !!entry.pairs.length && !text, item);
    button("copied", !!text, item);
    button("discard", still, item);
    button("back", state === "discarded", item);
    for (const one of item.querySelectorAll("button")) one.setAttribute("aria-describedby", `rt-queue-${action}`);
  }

  /** @param {string} name @param {boolean} on @param {any} [root] */
  function button(name, on, root) {
    const element = part(name, root);
    if (element) element.hidden = !on;
  }

  /** @param {HTMLElement} root */
  async function hide(root) {
    if (root.hidden || root.classList.contains("rt-leaving")) return;
    giveBack(root);
    if (!(await leave(root))) return;
    root.hidden = true;
    put(part("text"), "");
  }

  /** What is about to vanish must not take the focus with it. @param {Element} element */
  function giveBack(element) {
    if (!element.contains(doc.activeElement) || /** @type {HTMLElement} */ (element).hidden) return;
    const to = element === part("panel") && part("toggle");
    if (to && !to.hidden) to.focus({ preventScroll: true });
    else if (before instanceof win.HTMLElement) before.focus({ preventScroll: true });
  }

  /** @param {string} text @param {string} tone */
  function toast(text, tone) {
    if (text) events.emit("toast", { key: "rt-queue", level: tone === "warn" ? "warning" : "info", text, timeout: 0 });
    else events.emit("toast:end", { key: "rt-queue" });
  }

  /** @param {string} text */
  function say(text) {
    if (spoken === text) return;
    spoken = text;
    if (text && box()) events.emit("announce", { text });
  }

  /** @param {boolean} open */
  function open(open) {
    opened = open;
    if (!open) {
      trash.clear();
      copies.clear();
    }
    render({ ...shown, now: env.now() });
    if (open) part("panel")?.focus({ preventScroll: true });
  }

  /** @param {Entry} entry @param {string} outcome */
  async function remove(entry, outcome) {
    copies.delete(entry.action);
    if (outcome === "discarded") trash.set(entry.action, entry);
    await act.discard(entry, outcome);
  }

  /** @param {Entry} entry */
  async function edit(entry) {
    const form = formOf(entry);
    if (!form || !fill(form, entry)) {
      copies.set(entry.action, textOf(entry));
      render({ ...shown, now: env.now() });
      return /** @type {HTMLTextAreaElement | null} */ (doc.querySelector(`[data-action="${entry.action}"] [rt-queue-copy]`))?.select();
    }
    opened = false;
    await remove(entry, "edited");
    const field = [...form.elements].find((one) => !/^(hidden|submit|button|fieldset)$/.test(/** @type {any} */ (one).type));
    if (field instanceof win.HTMLElement) field.focus();
  }

  /** The form that made it: by its id, or the only one that sends to the same place. @param {Entry} entry @returns {HTMLFormElement | null} */
  function formOf({ page, source, url }) {
    if (page !== win.location.pathname + win.location.search) return null;
    const known = source && doc.getElementById(source);
    if (known) return known.closest("form");
    const same = (/** @type {string | null} */ to) => to !== null && new URL(to, doc.baseURI).href === new URL(url, doc.baseURI).href;
    const found = [...doc.querySelectorAll("[rt-queue]")].filter((el) =>
      ["hx-post", "hx-put", "hx-patch", "hx-delete", "data-hx-post", "action"].some((name) => same(el.getAttribute(name))));
    return found.length === 1 ? found[0].closest("form") : null;
  }

  /** Never over what was typed since. @param {HTMLFormElement} form @param {Entry} entry */
  function fill(form, { pairs }) {
    const fields = /** @type {any[]} */ ([...form.elements].filter((el) => /** @type {any} */ (el).name && !isToken(/** @type {any} */ (el).name)));
    const of = (/** @type {string} */ name) => pairs.filter(([one]) => one === name).map(([, value]) => value);
    const mine = (/** @type {any} */ field) => /^(checkbox|radio)$/.test(field.type) || field.options || !field.value || of(field.name).includes(field.value);
    if (fields.some((field) => isDirty(field) && !mine(field))) return false;
    /** @type {Record<string, number>} */
    const at = {};
    for (const field of fields) {
      const values = of(field.name);
      if (/^(checkbox|radio)$/.test(field.type)) field.checked = values.includes(field.value);
      else if (field.options) for (const option of field.options) option.selected = values.includes(option.value);
      else if (!/^(submit|button|file|fieldset)$/.test(field.type)) field.value = values[(at[field.name] = (at[field.name] ?? -1) + 1)] ?? "";
      else continue;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
    return true;
  }

  /** @param {Entry} entry */
  const textOf = ({ pairs }) => pairs.filter(([name, value]) => value && !isToken(name)).map(([name, value]) => `${name}: ${value}`).join("\n");

  /** @param {Entry} entry */
  async function review(entry) {
    const place = part("review");
    if (!place) return;
    const shownAt = /** @type {HTMLElement | null} */ (await act.review(entry, place));
    if (shownAt) {
      open(false);
      shownAt.scrollIntoView({ block: "nearest" });
    }
    const first = /** @type {HTMLElement | null} */ ((shownAt ?? place).querySelector("input:not([type=hidden]),textarea,select,button,a[href]"));
    first?.focus();
  }

  /** @type {Record<string, (entry: Entry) => any>} */
  const presses = {
    review, edit, retry: act.retry,
    discard: (entry) => remove(entry, "discarded"),
    back(entry) {
      trash.delete(entry.action);
      act.bring(entry);
    },
    copied(entry) {
      win.navigator.clipboard?.writeText(copies.get(entry.action) ?? "").catch(() => {});
      /** @type {HTMLTextAreaElement | null} */ (doc.querySelector(`[data-action="${entry.action}"] [rt-queue-copy]`))?.select();
    },
  };

  /** @param {Event} event */
  function listen(event) {
    const target = event.target instanceof win.Element ? event.target : null;
    const root = box();
    if (!target || !root?.contains(target)) return;
    if (event.type === "keydown") {
      if (/** @type {KeyboardEvent} */ (event).key === "Escape" && opened) open(false);
    } else if (event.type === "focusin") {
      const from = /** @type {FocusEvent} */ (event).relatedTarget;
      if (!root.contains(/** @type {Node | null} */ (from))) before = from;
    } else if (target.closest("[rt-queue-toggle]")) open(!opened);
    else if (target.closest("[rt-queue-close]")) open(false);
    else if (target.closest("[rt-queue-send]")) act.retry();
    else if (target.closest("[rt-queue-hide]")) {
      hidden = true;
      open(false);
    } else {
      const action = /** @type {HTMLElement | null} */ (target.closest("[data-action]"))?.dataset.action ?? "";
      const name = Object.keys(presses).find((one) => target.closest(`[rt-queue-${one}]`));
      const entry = shown.entries.find((one) => one.action === action) ?? trash.get(action);
      if (name && entry) presses[name](entry);
    }
  }

  const types = ["click", "keydown", "focusin"];
  for (const type of types) doc.addEventListener(type, listen);

  return {
    render,
    remove,
    /** Perhaps the bar is new. */
    found() {
      const root = box();
      if (root && shown.entries.length && root.hidden && !root.classList.contains("rt-leaving")) render({ ...shown, now: env.now() });
    },
    /** One was sent; when it was the last one, that is said. */
    sent() {
      sentUntil = env.now() + SENT;
    },
    /** Why something was not kept. @param {string} name @param {any} request */
    tell(name, request) {
      request.handled = true;
      events.emit("failure", { request, kind: "network", text: word(name), place: request.elt });
    },
    stop() {
      cancel();
      for (const type of types) doc.removeEventListener(type, listen);
    },
  };
}
