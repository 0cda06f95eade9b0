// `htmx-rt-confirm.mjs`: `hx-confirm` asks in the page instead of in a window of the browser's, which does until this
// is there. The focus is on the safe answer, Escape is the safe answer too, and afterwards it is where it was.

/** @type {import("./index.js").Feature} */
const confirm = {
  name: "confirm",
  mount({ doc, events, bridge }) {
    let last = Promise.resolve(false); // one question at a time
    /** @type {Set<HTMLDialogElement>} */
    const open = new Set();

    /** @param {HTMLTemplateElement} template @param {string} question @returns {Promise<boolean>} */
    const ask = (template, question) =>
      new Promise((resolve) => {
        const dialog = /** @type {HTMLDialogElement} */ (template.content.firstElementChild?.cloneNode(true));
        const before = /** @type {HTMLElement | null} */ (doc.activeElement);
        const text = dialog.querySelector("[rt-dialog-text]");
        if (text) text.textContent = question;
        dialog.addEventListener("click", (event) => {
          const button = /** @type {Element} */ (event.target).closest("button");
          if (button) dialog.close(button.value);
          else if (event.target === dialog) dialog.close(); // beside it
        });
        dialog.addEventListener("close", () => {
          open.delete(dialog);
          dialog.remove();
          if (before?.isConnected) before.focus({ preventScroll: true });
          resolve(dialog.returnValue === "yes");
        });
        doc.body.append(dialog);
        open.add(dialog);
        dialog.showModal();
      });

    /** @param {any} event */
    function listen(event) {
      const { ctx, question, etc, issueRequest, dropRequest } = event.detail;
      const words = ctx ? ctx.confirm : question;
      const template = /** @type {HTMLTemplateElement | null} */ (doc.getElementById("rt-confirm"));
      if (event.defaultPrevented || !words || !template || /^(js|javascript):/.test(words)) return;
      event.preventDefault();
      if (bridge.agreed(etc?.headers)) return issueRequest(true);
      const asked = (last = last.then(() => ask(template, words)));
      asked.then((yes) => (yes ? issueRequest(true) : dropRequest?.()));
    }

    // Whoever brings a dialog of their own hears it before us.
    doc.addEventListener("htmx:confirm", listen);
    const off = events.on("swap", () => {
      for (const dialog of open) if (!dialog.isConnected) dialog.dispatchEvent(new Event("close")); // the page went away under it
    });
    return () => {
      doc.removeEventListener("htmx:confirm", listen);
      off();
      for (const dialog of open) dialog.close();
    };
  },
};

export const features = [confirm];
