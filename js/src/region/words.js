// What a region says of itself: that it failed, or how old what it shows is, with Retry.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** @param {import("../index.js").Runtime} rt @param {(region: any) => void} retry */
export function createSaying({ doc, env, events, config, win }, retry) {
  /** @param {Element} el @param {string} name @param {Record<string, string>} [values] */
  function word(el, name, values = {}) {
    const words = JSON.parse(el.getAttribute("data-words") || "{}");
    return String(words[name] ?? "").replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
  }

  /** @param {Element} el @param {number} since Unix ms */
  function age(el, since) {
    const ms = env.now() - since;
    if (ms < MINUTE) return word(el, "now");
    const [size, unit] = ms < HOUR ? /** @type {const} */ ([MINUTE, "minute"]) : /** @type {const} */ ([HOUR, "hour"]);
    return new Intl.RelativeTimeFormat(config.lang).format(-Math.floor(ms / size), unit);
  }

  const signIn = () => {
    const { pathname, search } = win.location;
    return config.signIn?.replace("{path}", encodeURIComponent(pathname + search));
  };

  /** A line and its buttons; they stay the same ones, so that the focus does. @param {any} region @param {string} name @param {string} text */
  function say(region, name, text) {
    const { el } = region;
    let { box } = region;
    if (!box?.isConnected) {
      box = region.box = doc.createElement("div");
      const button = doc.createElement("button");
      Object.assign(button, { type: "button", className: "rt-button", textContent: word(el, "retry") });
      button.addEventListener("click", () => button.getAttribute("aria-disabled") !== "true" && retry(region));
      box.append(doc.createElement("p"), button);
      // In these nothing but items and rows may stand.
      if (el.matches("ul,ol,dl,table,thead,tbody,tr")) el.closest("ul,ol,dl,table").after(box);
      else el.append(box);
    }
    box.className = name;
    box.firstChild.textContent = text;
    const link = box.querySelector("a");
    const to = region.failed === "signed-out" && signIn();
    if (to && !link) box.lastChild.before(Object.assign(doc.createElement("a"), { href: to, className: "rt-button", textContent: word(el, "sign-in") }));
    else if (!to) link?.remove();
  }

  return {
    word,

    /** @param {any} region */
    failed(region) {
      const { el, failed, loaded } = region;
      const label = el.getAttribute("aria-label") || "";
      const why = word(el, failed);
      region.tick();
      if (loaded) {
        const show = () => {
          say(region, "rt-region-aged", word(el, "aged", { age: age(el, region.updated) }) + (failed === "signed-out" ? ` ${why}` : ""));
          region.tick = env.after(show, MINUTE);
        };
        show();
      } else say(region, "rt-region-failed", `${word(el, "failed", { label })} ${why}`);
      if (region.told !== failed) events.emit("announce", { text: `${loaded ? label : ""} ${region.box.firstChild.textContent}`.trim() });
      region.told = failed;
    },

    /** While it is tried again. @param {any} region @param {boolean} busy */
    busy(region, busy) {
      const button = region.box?.lastChild;
      if (!button) return;
      for (const name of ["aria-busy", "aria-disabled"]) {
        if (busy) button.setAttribute(name, "true");
        else button.removeAttribute(name);
      }
    },

    /** It works again. Tells whether the focus was in what is taken away. @param {any} region @returns {boolean} */
    clear(region) {
      const { box } = region;
      region.tick();
      region.told = "";
      const had = !!box?.contains(doc.activeElement);
      box?.remove();
      region.box = null;
      return had;
    },
  };
}
