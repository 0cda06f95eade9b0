// `<html data-rt="…">` and the DOM event `rt:state`.

/** @type {import("../index.js").Feature} */
export const status = {
  name: "status",
  mount({ doc, events }) {
    const root = doc.documentElement;
    let last = "";
    return events.on("stream:state", (detail) => {
      const { state, why } = detail;
      if (state === "idle") root.removeAttribute("data-rt");
      else root.setAttribute("data-rt", state);
      if (last === (last = `${state} ${why}`)) return; // only the time of the next try changed
      root.dispatchEvent(new CustomEvent("rt:state", { bubbles: true, detail }));
    });
  },
};
