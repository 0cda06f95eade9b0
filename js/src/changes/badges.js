// `rt-badge`: what is pushed is the number; here it becomes what is seen, what is read out, and part of the title.

// Ours ends in a space that no title has there, so that nothing else is ever taken off.
const PREFIX = /^\(\d+\)\u00a0/;

/** @type {import("../index.js").Feature} */
export const badges = {
  name: "badges",
  mount({ doc, win, events, config }) {
    const plurals = new Intl.PluralRules(config.lang || "en");

    /** @param {any} el */
    function draw(el) {
      const text = el.textContent.trim();
      // With elements in it, it is as the server has drawn it.
      if (el.firstElementChild || !/^\d+$/.test(text)) return;
      const count = Number(text);
      const most = Number(el.getAttribute("data-most") || 9);
      const label = JSON.parse(el.getAttribute("data-label") || "{}");
      const parts = ["aria-hidden", "class"].map((name, index) => {
        const part = doc.createElement("span");
        part.setAttribute(name, index ? "rt-visually-hidden" : "true");
        part.textContent = index ? String(label[plurals.select(count)] ?? label.other ?? "{n}").replace("{n}", String(count))
          : count > most ? `${most}+` : text;
        return part;
      });
      el.replaceChildren(...parts);
      el.setAttribute("rt-badge", String(count));
      el.toggleAttribute("hidden", !count);
    }

    function title() {
      const counts = [...doc.querySelectorAll("[rt-badge][data-title]")].map((el) => Number(el.getAttribute("rt-badge")));
      const sum = counts.reduce((all, one) => all + one, 0);
      const plain = doc.title.replace(PREFIX, "");
      const wanted = (sum ? `(${sum})\u00a0` : "") + plain;
      // A page without a title gets none of ours.
      if (plain && doc.title !== wanted) doc.title = wanted;
    }

    function look() {
      for (const el of doc.querySelectorAll("[rt-badge]")) draw(el);
      title();
    }

    // htmx writes the title of what it has brought after the swap.
    const observer = new win.MutationObserver(title);
    observer.observe(doc.head, { childList: true, subtree: true, characterData: true });
    look();
    const offs = [events.on("swap", look), events.on("settled", look)];
    return () => {
      observer.disconnect();
      for (const off of offs) off();
    };
  },
};
