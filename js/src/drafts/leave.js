// Asks before a page goes away with text that is saved nowhere else: by the browser's own question where the document
// goes, by the kit's where htmx replaces the page or goes back in its history.

/**
 * @param {import("../index.js").Runtime} rt
 * @param {() => HTMLFormElement[]} unsaved
 * @param {() => string} question
 */
export function createLeave({ win, doc }, unsaved, question) {
  const navigation = /** @type {any} */ (win).navigation; // not in every browser: there, going back does not ask, and the text is kept
  let listening = false;
  let place = navigation?.currentEntry?.index ?? -1;
  const four = parseInt(/** @type {any} */ (win).htmx.version, 10) === 4;
  let own = ""; // a move of ours: "back" to where we were, "on" after all
  let wanted = 0;

  const leaving = (/** @type {BeforeUnloadEvent} */ event) => {
    if (doc.documentElement.hidden || !unsaved().length) return; // hidden: it is of another person (features/whose.js)
    event.preventDefault();
    event.returnValue = "";
  };

  /** Would the page, or its address, be another one? @param {any} elt @param {any} target @param {any} push */
  function replaces(elt, target, push) {
    const boosted = elt?.matches?.("a[href],form") && !elt.getAttributeNames().some((/** @type {string} */ name) => /^(data-)?hx-(get|post|put|patch|delete)$/.test(name));
    if (!boosted && (!push || push === "false")) return false;
    const own = elt.matches("form") ? elt : elt.matches("button,input") ? elt.form : null;
    return unsaved().some((form) => form !== own && !form.closest("[hx-preserve],[data-hx-preserve],[rt-keep]") &&
      (boosted || !(target instanceof win.Element) || target.contains(form)));
  }

  /** htmx 4 asks what is in `confirm`. @param {any} event */
  function configured({ target, detail: { ctx } }) {
    if (!ctx.confirm && replaces(ctx.sourceElement ?? target, ctx.target, ctx.push ?? ctx.replace)) ctx.confirm = question();
  }

  /** htmx 2 always asks whether to ask. @param {any} event */
  function asked({ detail }) {
    const { elt, target, question: words, ctx } = detail;
    const push = elt?.closest("[hx-push-url],[data-hx-push-url]");
    const address = push?.getAttribute("hx-push-url") ?? push?.getAttribute("data-hx-push-url");
    if (!ctx && elt && !words && replaces(elt, target, address)) detail.question = question();
  }

  const asks = (/** @type {number} */ steps) => !own && place >= 0 && steps !== 0 && unsaved().length > 0;

  /** The address has changed: is that not to be followed yet? */
  function moved() {
    const to = navigation?.currentEntry?.index ?? -1;
    const steps = to - place;
    if (own === "back") {
      own = "";
      ask(wanted);
      return true;
    }
    if (asks(steps) && win.history.state?.htmx) {
      own = "back";
      wanted = steps;
      win.history.go(-steps);
      return true;
    }
    own = "";
    place = to;
    return false;
  }

  const restoring = (/** @type {Event} */ event) => void (moved() && event.preventDefault());

  /** htmx 2 listens by this property, and whoever comes later in the same way. @param {PopStateEvent} event */
  function popped(event) {
    if (four || !moved()) before?.call(win, event);
  }

  /** In the dialog of `hx-confirm`, or in whatever the page has instead. @param {number} steps */
  function ask(steps) {
    const issueRequest = () => {
      own = "on";
      win.history.go(steps);
    };
    const detail = { question: question(), issueRequest, dropRequest() {} };
    const free = doc.body.dispatchEvent(new CustomEvent("htmx:confirm", { bubbles: true, cancelable: true, detail }));
    if (free && win.confirm(detail.question)) issueRequest();
  }

  const entered = () => void (place = navigation?.currentEntry?.index ?? -1);

  doc.addEventListener("htmx:config:request", configured, true);
  doc.addEventListener("htmx:confirm", asked, true);
  doc.addEventListener("htmx:before:history:restore", restoring, true);
  const before = win.onpopstate;
  win.onpopstate = popped;
  navigation?.addEventListener("currententrychange", changed);

  /** Pushed, not gone back to. @param {any} event */
  function changed({ navigationType }) {
    if (navigationType !== "traverse") entered();
  }

  return {
    /** Listening at all costs nothing only while there is nothing to lose. */
    update() {
      const wanted = unsaved().length > 0;
      if (wanted === listening) return;
      listening = wanted;
      if (wanted) win.addEventListener("beforeunload", leaving);
      else win.removeEventListener("beforeunload", leaving);
    },

    stop() {
      win.removeEventListener("beforeunload", leaving);
      doc.removeEventListener("htmx:config:request", configured, true);
      doc.removeEventListener("htmx:confirm", asked, true);
      doc.removeEventListener("htmx:before:history:restore", restoring, true);
      if (win.onpopstate === popped) win.onpopstate = before;
      navigation?.removeEventListener("currententrychange", changed);
    },
  };
}
