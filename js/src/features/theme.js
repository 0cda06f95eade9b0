// Light, dark or as the system says: kept in a cookie so that the server writes `data-rt-theme` before the
// first paint, and the same in every tab.

const COOKIE = "rt-theme";
const CHOICES = ["light", "dark", "system"];
const YEAR = 31_536_000; // s

/** @type {import("../index.js").Feature} */
export const theme = {
  name: "theme",
  mount({ doc, win, env, events, tabs, door }) {
    const root = doc.documentElement;

    const chosen = () => new RegExp(`(?:^|; )${COOKIE}=(\\w+)`).exec(doc.cookie)?.[1] || "";
    // Written by the page and chosen by nobody: a page that knows only one theme says so.
    const own = (!chosen() && root.getAttribute("data-rt-theme")) || "system";

    function read() {
      const choice = chosen();
      return CHOICES.includes(choice) ? choice : own;
    }

    /** @param {string} choice */
    function show(choice) {
      if (choice === "system") root.removeAttribute("data-rt-theme");
      else root.setAttribute("data-rt-theme", choice);
      for (const button of doc.querySelectorAll("button[rt-theme]")) {
        button.setAttribute("aria-pressed", String(button.getAttribute("rt-theme") === choice));
      }
    }

    /** @param {string} choice */
    function choose(choice) {
      if (!CHOICES.includes(choice)) return;
      const secure = win.location.protocol === "https:" ? "; Secure" : "";
      doc.cookie = `${COOKIE}=${choice}; Path=/; Max-Age=${choice === "system" ? 0 : YEAR}; SameSite=Lax${secure}`;
      show(choice);
      tabs.send("theme", choice);
      root.dispatchEvent(new CustomEvent("rt:theme", { bubbles: true, detail: { theme: choice } }));
    }

    /** @param {MouseEvent} event */
    function press({ target }) {
      const button = target instanceof win.Element && target.closest("button[rt-theme]");
      if (button) choose(button.getAttribute("rt-theme") || "");
    }

    // "light", "dark" or "system"; what was set before this file came counts.
    const early = door.theme;
    Object.defineProperty(door, "theme", {
      configurable: true,
      get: () => root.getAttribute("data-rt-theme") || "system",
      set: choose,
    });
    if (early) choose(early);

    const again = () => show(read());
    const offs = [
      events.on("theme", choose),
      events.on("swap", again),
      // The word of the other tab, not the cookie: that may take longer to get here.
      tabs.on("theme", (choice) => CHOICES.includes(choice) && show(choice)),
      env.on("pageshow", again),
    ];
    doc.addEventListener("click", press);
    again();
    return () => {
      for (const off of offs) off();
      doc.removeEventListener("click", press);
    };
  },
};
