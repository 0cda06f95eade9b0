// The one line of a form that says how its text is kept, with what can be done about it.

/** @typedef {{word: string, values?: Record<string, string>, acts?: [string, () => void][], loud?: boolean, state?: string}} Said */

// Where neither rt.toasts() nor rt.draft() is on the page.
const ENGLISH = { restored: "Your unsaved text was restored", discard: "Discard" };

/** @param {import("../index.js").Runtime} rt */
export function createLine({ doc, env, events, config }) {
  /** @type {Map<string, Record<string, string>>} */
  const catalogues = new Map();

  /** @param {Element | null | undefined} el @param {string} name @param {Record<string, string>} [values] */
  function word(el, name, values = {}) {
    const json = el?.getAttribute("data-words") ?? "";
    if (!catalogues.has(json)) catalogues.set(json, JSON.parse(json || "{}"));
    const own = catalogues.get(json) ?? {};
    const text = own[`draft.${name}`] ?? own[`draft.text-${name}`] ?? doc.getElementById("rt-confirm")?.getAttribute(`data-${name}`) ??
      /** @type {Record<string, string>} */ (ENGLISH)[name] ?? "";
    return text.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
  }

  return {
    word,

    /** Today a time, else a day, too. @param {number} ms Unix */
    time(ms) {
      const at = new Date(ms);
      const day = at.toDateString() === new Date(env.now()).toDateString() ? {} : /** @type {const} */ ({ day: "numeric", month: "short" });
      return new Intl.DateTimeFormat(config.lang || undefined, { ...day, hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(at);
    },

    /** @param {any} rec @param {Said | null} said */
    show(rec, said) {
      rec.said = said;
      let el = rec.server?.el ?? rec.line;
      if (!said) {
        if (!el) return;
        const inside = el.contains(doc.activeElement);
        if (rec.server) el.replaceChildren();
        else el.remove();
        if (inside) [...rec.form.elements].find((field) => field.offsetParent && !field.disabled && field.type !== "hidden")?.focus({ preventScroll: true });
        return void delete el.dataset.state;
      }
      if (!el?.isConnected) {
        el = rec.line = doc.createElement("div");
        el.className = "rt-draft";
        rec.form.prepend(el); // at its end nobody would see it on a long form
      }
      const text = word(el, said.word, said.values);
      const central = doc.getElementById("rt-live");
      // What is said every few seconds is to be seen, not to be heard.
      el.setAttribute("role", "status");
      el.setAttribute("aria-live", central || !said.loud ? "off" : "polite");
      el.dataset.state = said.state ?? said.word;
      const active = /** @type {HTMLElement | null} */ (el.contains(doc.activeElement) ? doc.activeElement : null);
      const line = doc.createElement("span");
      line.className = "rt-draft-text";
      line.textContent = text;
      const buttons = (said.acts ?? []).map(([name, run]) => {
        const old = [...el.querySelectorAll("button")].find((button) => button.dataset.act === name);
        const button = old ?? doc.createElement("button");
        if (!old) Object.assign(button, { type: "button", className: "rt-button", textContent: word(el, name) });
        button.dataset.act = name;
        button.onclick = run;
        return button;
      });
      for (const child of [...el.childNodes]) if (!buttons.includes(/** @type {any} */ (child))) child.remove();
      el.prepend(line);
      for (const button of buttons) if (button.parentNode !== el) el.append(button);
      if (active && !active.isConnected) (buttons[0] ?? rec.form.querySelector("input:not([type=hidden]),textarea,select"))?.focus({ preventScroll: true });
      if (said.loud && central) events.emit("announce", { text });
    },
  };
}

/** @typedef {ReturnType<typeof createLine>} Line */
