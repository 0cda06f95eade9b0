// How elements look: of the page, everything the browser computed; of the kit, what a framework could take from it.

window.measure = (() => {
  const KIT = {
    bar: "#rt-banner",
    dot: ".rt-banner-dot",
    sentence: ".rt-banner-text",
    button: "#rt-banner [rt-retry]",
    reload: "#rt-banner [rt-reload]",
    toast: ".rt-toast",
    icon: ".rt-toast-icon",
    drawing: ".rt-toast-icon path",
    text: ".rt-toast-text",
    level: "[rt-toast-level]",
    close: ".rt-toast-close",
    cross: ".rt-toast-close svg",
    control: "[rt-requires-connection]",
  };
  const SIDES = ["top", "right", "bottom", "left"];
  const SAME = [
    "display", "position", "color", "background-color", "background-image", "box-shadow", "opacity", "fill", "stroke",
    "text-align", "text-transform", "text-decoration-line", "letter-spacing", "white-space", "cursor",
    "outline-style", "border-top-left-radius", "border-bottom-right-radius",
    ...SIDES.flatMap((side) => [`margin-${side}`, `padding-${side}`, `border-${side}-width`]),
  ];
  const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);

  /** Every property of every element and of what stands before and after it; the kit's own ones paint nothing. */
  const all = () => [...document.querySelectorAll("*")].map((element) => {
    const styles = ["", "::before", "::after"].map((part) => {
      const style = getComputedStyle(element, part);
      return Object.fromEntries([...style].filter((name) => !name.startsWith("--rt-")).sort().map((name) => [name, style.getPropertyValue(name)]));
    });
    return [element, JSON.stringify(styles)];
  });
  let before = [];

  return {
    keep: () => void (before = all()),

    /** What looks different from before, of the elements that were there. */
    changed: () => {
      const now = new Map(all());
      return before.filter(([element, styles]) => now.get(element) !== styles).map(([element, styles]) => {
        const [was, is] = [JSON.parse(styles), JSON.parse(now.get(element) ?? "[{},{},{}]")];
        const names = Object.keys(was[0]).filter((name) => was.some((style, part) => style[name] !== is[part][name]));
        return `${element.tagName} ${names.map((name) => `${name}: ${was[0][name]} -> ${is[0][name]}`)}`;
      });
    },

    /** The bar and one toast of each level, as they are to be seen during an outage. */
    show: (kit) => {
      document.body.insertAdjacentHTML("beforeend", kit);
      const find = (selector) => document.querySelector(selector);
      for (const part of [find("#rt-banner"), ...document.querySelectorAll("#rt-banner button")]) part.hidden = false;
      find("[rt-banner-text]").textContent = "Reconnecting… Your unsaved work is kept.";
      for (const level of ["info", "success", "warning", "error"]) {
        const toast = find("#rt-toast").content.firstElementChild.cloneNode(true);
        toast.classList.replace("rt-toast-info", `rt-toast-${level}`);
        toast.querySelector("[rt-toast-text]").textContent = `This is ${level}`;
        toast.querySelector("[rt-dismiss]").hidden = false;
        find("#rt-toasts").append(toast);
      }
    },

    /** What the extension does to the controls that need a connection. */
    cut: () => document.querySelector("[rt-requires-connection]").setAttribute("aria-disabled", "true"),

    /** The look of each piece; sizes of letters as a part of the page's own. */
    look: () => Object.fromEntries(Object.entries(KIT).map(([name, selector]) => {
      const element = document.querySelector(selector);
      const style = getComputedStyle(element);
      if (name === "control") return [name, { opacity: style.opacity }];
      const look = Object.fromEntries(SAME.map((property) => [property, style.getPropertyValue(property)]));
      if (style.borderBottomWidth !== "0px") look["border-bottom"] = style.borderBottom;
      if (style.outlineStyle !== "none") look.outline = `${style.outline} ${style.outlineOffset}`;
      if (element.matches("button, .rt-banner, .rt-toast")) {
        look.weight = style.fontWeight;
        look.letters = (parseFloat(style.fontSize) / rem()).toFixed(3);
      }
      return [name, look];
    })),

    /** Width and height in px; `letters`: how large those of the page are, 1 for 16 px. */
    sizes: () => {
      const sizes = { letters: [rem() / 16, 1] };
      for (const [name, selector] of Object.entries(KIT)) {
        const { width, height } = document.querySelector(selector).getBoundingClientRect();
        if (name !== "control") sizes[name] = [width, height];
      }
      return sizes;
    },
  };
})();
