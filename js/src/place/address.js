// `rt-url="[push:]name[=default]"`: what a field holds, which tab is chosen or whether something is open, as a
// parameter of the page's address. It is written when a person changes it, and read on a reload, on going back and for
// what a swap has brought.
//
// - The default, an empty field and an empty choice are left out of the address.
// - A chosen tab makes a new entry of the history, so that Back returns; all else changes the entry that is there,
//   unless `push:` stands before the name.
// - The address decides on tabs and on what is open; of fields what the server has rendered last.

/** @typedef {{el: any, name: string, none: string, push: boolean}} Part */

const WAIT = 300; // ms after the last key: browsers refuse more than a hundred changes in half a minute
const MOST = 2_000; // characters; longer text belongs into a draft

/** @param {string} text @returns {{name: string, none: string, push: boolean}} */
export function parse(text) {
  const [, push, name, none = ""] = /^(push:)?([^=]*)=?(.*)$/s.exec(text.trim()) ?? ["", "", "", ""];
  return { name, none, push: !!push };
}

const isTab = (/** @type {any} */ el) => el.getAttribute("role") === "tab";
const opens = (/** @type {any} */ el) => el.localName === "details";
const isChoice = (/** @type {any} */ el) => /^(checkbox|radio)$/.test(el.type);

/** What stands for it in the address. @param {any} el */
export function valueOf(el) {
  if (isTab(el)) return el.value || el.getAttribute("aria-controls") || el.id;
  return opens(el) ? el.id || "1" : el.value;
}

/** What it adds to the address now. @param {any} el @returns {string[]} */
export function held(el) {
  if (isTab(el)) return el.getAttribute("aria-selected") === "true" ? [valueOf(el)] : [];
  if (opens(el)) return el.open ? [valueOf(el)] : [];
  if (isChoice(el)) return el.checked ? [el.value] : [];
  return el.options ? [...el.selectedOptions].map((option) => option.value) : [el.value];
}

/** The query with `name` changed, in the order it had. @param {string} query @param {string} name @param {string[]} values @param {string} none */
export function changed(query, name, values, none) {
  const params = new URLSearchParams(query);
  const wanted = values.filter((value) => value && value.length <= MOST);
  params.delete(name);
  if (wanted.join() !== none) for (const value of wanted) params.append(name, value);
  // Nothing chosen where something is by default has to be said.
  if (none && !wanted.length) params.append(name, "");
  return `${params}`;
}

/** @type {import("../index.js").Feature} */
export const address = {
  name: "address",
  mount({ doc, win, env, events }) {
    let cancel = () => {};
    /** @type {Set<any>} fields that were typed in and are not written yet */
    const late = new Set();
    /** @type {WeakMap<Element, boolean>} was it open? Browsers tell of what the markup has opened, too */
    const known = new WeakMap();
    /** @type {Map<string, any>} tabs that were chosen where the address says nothing */
    const first = new Map();
    /** @type {Element[]} */
    const told = [];
    let path = win.location.pathname;

    /** @param {any} el @returns {Part} */
    const partOf = (el) => ({ el, ...parse(el.getAttribute("rt-url")) });
    /** @returns {Part[]} */
    const parts = () => [...doc.querySelectorAll("[rt-url]")].map(partOf).filter(({ name }) => name);
    const tabsOf = (/** @type {string} */ name) => parts().filter((part) => part.name === name && isTab(part.el)).map(({ el }) => el);
    const panelOf = (/** @type {Element} */ tab) => doc.getElementById(tab.getAttribute("aria-controls") ?? "");

    /** @param {Part} part */
    function write({ el, name, none, push }) {
      const { location, history } = win;
      const values = parts().filter((part) => part.name === name).flatMap((part) => held(part.el));
      const query = changed(location.search, name, [...new Set(values)], none);
      if (query === `${new URLSearchParams(location.search)}`) return;
      const url = `${location.pathname}${query && "?"}${query}${location.hash}`;
      // An entry that htmx does not know: going back to it changes what is here, and fetches no page.
      if (push || isTab(el)) history.pushState({ rt: path }, "", url);
      else history.replaceState(history.state, "", url);
      doc.documentElement.dispatchEvent(new CustomEvent("rt:url", { bubbles: true, detail: { name, values } }));
    }

    function flush() {
      cancel();
      const all = [...late];
      late.clear();
      for (const el of all) if (el.isConnected) write(partOf(el));
    }

    /** Makes a part what the address says. @param {Part} part @param {boolean} [back] what it does not name is as it was at first */
    function read({ el, name, none }, back) {
      const params = new URLSearchParams(win.location.search);
      const given = params.has(name) ? params.getAll(name) : back ? none.split(",") : null;
      if (isTab(el)) {
        const wanted = given?.includes(valueOf(el)) || (back && !none && !params.has(name) && first.get(name) === valueOf(el));
        if (!wanted || el.getAttribute("aria-selected") === "true") return;
        choose(el);
        if (back) el.click(); // what it shows may have to be fetched
        return;
      }
      if (!given) return;
      if (opens(el)) {
        el.open = given.includes(valueOf(el));
        return void known.set(el, el.open);
      }
      const before = held(el).join();
      if (isChoice(el)) el.checked = given.includes(el.value);
      else if (el.multiple && el.options) for (const option of el.options) option.selected = given.includes(option.value);
      else el.value = given[0] || !el.options ? given[0] : el.options[0]?.value;
      if (before !== held(el).join()) told.push(el);
    }

    /** Scripts and htmx hear of what was set when all of it is, as they send it together. */
    function tell() {
      for (const el of told.splice(0)) for (const type of ["input", "change"]) el.dispatchEvent(new Event(type, { bubbles: true }));
    }

    /** Chooses a tab and shows what it controls, where that is on the page. @param {Element} tab */
    function choose(tab) {
      const panel = panelOf(tab);
      for (const other of tabsOf(partOf(tab).name)) {
        other.setAttribute("aria-selected", String(other === tab));
        const theirs = panelOf(other);
        if (theirs) theirs.hidden = theirs !== panel;
      }
    }

    /** @param {any} event */
    function heard(event) {
      const el = event.target?.closest?.("[rt-url]");
      if (!el) return;
      const { type } = event;
      if (type === "click" || type === "keydown") {
        if (!isTab(el) || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
        if (type === "keydown") return arrow(event, el);
        if (!panelOf(el)) return; // a link to where it is
        event.preventDefault();
        choose(el);
      } else if (type === "input") {
        late.add(el);
        cancel();
        cancel = env.after(flush, WAIT);
        return;
      } else if (type === "toggle") {
        if (el !== event.target || !opens(el) || known.get(el) === el.open) return;
        known.set(el, el.open);
      } else if (el !== event.target) return;
      write(partOf(el));
    }

    /** Arrow keys go from tab to tab. @param {KeyboardEvent} event @param {any} tab */
    function arrow(event, tab) {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const tabs = tabsOf(partOf(tab).name);
      const back = win.getComputedStyle(tab).direction === "rtl" ? -1 : 1;
      const next = tabs[(tabs.indexOf(tab) + step * back + tabs.length) % tabs.length];
      event.preventDefault();
      next.focus();
      next.click();
    }

    /** What a swap has brought, or the page at its start. */
    function look() {
      const here = path === (path = win.location.pathname);
      for (const part of parts()) {
        const { el, name } = part;
        if (known.has(el)) {
          if (isTab(el) || opens(el)) read(part); // a swap in place may have changed it
          continue;
        }
        known.set(el, !!el.open);
        if (isTab(el) && held(el).length && !first.has(name)) first.set(name, valueOf(el));
        if (isTab(el) || opens(el) || starting) read(part);
        else if (here) write(part);
      }
      tell();
    }

    function back() {
      cancel();
      late.clear();
      const { state } = win.history;
      if (state?.htmx) return; // htmx shows the entries that are its own
      if (state?.rt && win.location.pathname !== path) return win.location.reload();
      for (const part of parts()) read(part, true);
      tell();
    }

    let starting = true;
    look();
    starting = false;
    const types = ["click", "keydown", "input", "change", "toggle"];
    for (const type of types) doc.addEventListener(type, heard, true);
    // Until it has settled, htmx has attributes of what was there before on what it has brought.
    const offs = [events.on("swap", look), events.on("settled", look), env.on("popstate", back), env.on("pagehide", flush)];
    return () => {
      flush();
      for (const type of types) doc.removeEventListener(type, heard, true);
      for (const off of offs) off();
    };
  },
};
