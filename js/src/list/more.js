// `{{ rt.more(url, "#list") }}`: the next page of a list, at the press of a button or when its end comes near.
import { createAgain } from "./again.js";
import { createKept } from "./kept.js";
import { createPages, nextOf } from "./pages.js";
import { beginAtEnd, focusOn, hold, scrollerOf } from "./scroll.js";
import { say } from "./words.js";

const NEAR = "200px 0px";
const AUTOS = 10; // pages that come by themselves, so that what stands below the list can be reached

/**
 * @typedef {object} State  of one `rt.more()`
 * @property {AbortController | null} asked  the request under way
 * @property {number} autos
 * @property {number} pages  that were added to the first one
 * @property {string} failed  why the last one did not come
 * @property {IntersectionObserver} [watch]
 * @property {Element | null} [row]  at the edge, when it began to watch
 */

/** @type {import("../index.js").Feature} */
export const more = {
  name: "more",
  mount(rt) {
    const { doc, env, events, config } = rt;
    const pages = createPages(rt);
    /** @type {WeakMap<Element, State>} */
    const states = new WeakMap();
    let focused = ""; // the button that had the focus before a swap

    const all = () => [...doc.querySelectorAll("[rt-more]")];
    const listOf = (/** @type {Element} */ el) => doc.querySelector(el.getAttribute("rt-more") || "_");
    const upwards = (/** @type {Element} */ el) => el.getAttribute("data-at") === "start";
    const stateOf = (/** @type {Element} */ el) => {
      let state = states.get(el);
      if (!state) states.set(el, (state = { asked: null, autos: 0, pages: 0, failed: "" }));
      return state;
    };
    const word = (/** @type {Element} */ el, /** @type {string} */ name, n = 0) => say(el, name, config.lang || "en", n);
    const tell = (/** @type {string} */ text) => events.emit("announce", { text });

    /** A button in the place of the link, and the line that says why nothing came. @param {Element} el */
    function dress(el) {
      const { asked, failed } = stateOf(el);
      const link = el.querySelector("a[href]");
      let button = el.querySelector("button");
      if (link) {
        if (!button) el.append((button = doc.createElement("button")));
        button.type = "button";
        button.className = link.className;
        button.setAttribute("data-next", /** @type {string} */ (link.getAttribute("href")));
        button.setAttribute("data-label", link.textContent ?? "");
        link.remove();
        if (focused === el.id && doc.activeElement === doc.body) button.focus({ preventScroll: true });
      }
      el.toggleAttribute("hidden", !button);
      if (!button) return;
      const text = asked ? word(el, "loading") : failed ? word(el, "retry") : button.getAttribute("data-label") ?? "";
      if (button.textContent !== text) button.textContent = text;
      button.setAttribute("aria-disabled", String(!!asked)); // one that is disabled would lose the focus
      let line = el.querySelector(".rt-more-failed");
      if (!failed || asked) return line?.remove();
      if (!line) {
        line = doc.createElement("span");
        line.className = "rt-more-failed";
        button.before(line);
      }
      line.textContent = word(el, failed);
    }

    const edgeOf = (/** @type {Element} */ el, /** @type {Element | null} */ list) => (upwards(el) ? list?.firstElementChild : list?.lastElementChild) ?? null;

    /** @param {Element} el */
    function watch(el) {
      const state = stateOf(el);
      const list = listOf(el);
      state.watch?.disconnect();
      if (!list || !nextOf(el) || state.asked || state.failed || state.autos >= AUTOS || !el.hasAttribute("data-auto")) return;
      const row = (state.row = edgeOf(el, list));
      // Where the list itself scrolls, what stands beside it is always near.
      const box = scrollerOf(row ?? el);
      const mark = row && !(box ?? doc).contains(el) ? row : el;
      state.watch = new IntersectionObserver(([entry]) => entry.isIntersecting && load(el, "auto"), { root: box, rootMargin: NEAR });
      state.watch.observe(mark);
    }

    /** @param {Element} el @param {"press" | "auto" | "kept"} how @returns {Promise<boolean>} */
    async function load(el, how) {
      const state = stateOf(el);
      const list = listOf(el);
      const url = nextOf(el);
      if (state.asked || !list || !url) return false;
      const cancel = (state.asked = new AbortController());
      state.failed = "";
      if (how === "press") state.autos = 0;
      else if (how === "auto") state.autos += 1;
      state.watch?.disconnect();
      list.setAttribute("aria-busy", "true");
      dress(el);
      const cursor = rt.connection.cursor;
      const got = await pages.next(url, cancel);
      if (state.asked !== cancel) return false; // called off
      state.asked = null;
      list.removeAttribute("aria-busy");
      if (!el.isConnected) return false;
      // Meanwhile the list may be another one, or begin anew.
      const parts = listOf(el) === list && nextOf(el) === url && got && typeof got === "object" ? pages.parts(got.fresh, list, el) : null;
      if (!parts || !got || typeof got !== "object") {
        const gone = listOf(el) !== list || nextOf(el) !== url;
        if (!gone) {
          state.failed = got === "signed-out" ? got : "failed";
          tell(word(el, state.failed));
        }
        dress(el);
        if (gone) watch(el);
        return false;
      }
      const pressed = how === "press" && el.contains(doc.activeElement);
      const rows = await put(list, parts.rows, upwards(el), { at: got.at, cursor });
      state.pages += 1;
      const back = hold(list); // above the last page no button is left
      take(el, parts.next);
      back();
      if (how !== "kept") {
        const end = nextOf(el) ? "" : ` ${word(el, "end")}`;
        if (rows.length) tell(`${word(el, "loaded", rows.length)}.${end}`.replace("..", "."));
        else if (end) tell(end.trim());
      }
      if (pressed) {
        // Upwards what comes next is the row just above what is read.
        const row = upwards(el) ? rows.at(-1) : rows[0];
        if (row ?? !nextOf(el)) focusOn(row ?? list.lastElementChild);
      }
      watch(el);
      kept.note();
      return true;
    }

    /** Through htmx, in step with what is pushed. @param {Element} list @param {Element[]} rows @param {boolean} start @param {object} position @returns {Promise<Element[]>} the rows that are new */
    async function put(list, rows, start, position) {
      const before = new Set(list.children);
      const ids = new Set([...before].map(({ id }) => id).filter(Boolean));
      // On a live list the newer copy of a row wins, and its place is the one it has; elsewhere the one on the page stays.
      const live = list.closest("[rt-stream]");
      const html = rows.filter(({ id }) => live || !ids.has(id)).map((row) => row.outerHTML).join("");
      const answer = { ...position, paged: true };
      const back = start && hold(list);
      /** @type {Element[]} */
      let added = [];
      const off = events.on("swap", ({ request }) => {
        if (request !== answer) return;
        added = [...list.children].filter((row) => !before.has(row));
        back && back();
      });
      if (html) await rt.bridge.swap(list, html, start ? "afterbegin" : "beforeend", answer);
      off();
      return added;
    }

    /** What the answer says of the page after it. @param {Element} el @param {Element | null} next */
    function take(el, next) {
      const link = next?.querySelector("a[href]");
      if (link) el.prepend(doc.importNode(link, true));
      else el.querySelector("button")?.remove();
      dress(el);
    }

    const kept = createKept(rt, {
      all: () => all().flatMap((el) => (stateOf(el).pages ? [[el, listOf(el)]] : [])),
      more: (el) => load(el, "kept"),
    });
    const again = createAgain(rt, { pages, all, listOf, stateOf, take, watch });

    function look() {
      for (const el of all()) {
        const fresh = !states.has(el);
        dress(el);
        if (fresh) {
          const list = listOf(el);
          if (list) beginAtEnd(list); // or its start would seem to be near
          const record = list && kept.find(el);
          if (record) kept.restore(el, list, record).finally(() => watch(el));
          else watch(el);
        } else if (!stateOf(el).asked && stateOf(el).row !== edgeOf(el, listOf(el))) watch(el);
      }
    }

    function callOff() {
      for (const el of all()) {
        const state = stateOf(el);
        if (!state.asked) continue;
        state.asked.abort();
        state.asked = null;
        listOf(el)?.removeAttribute("aria-busy");
        dress(el);
      }
    }

    /** @param {MouseEvent} event */
    function pressed({ target }) {
      const button = /** @type {Element} */ (target).closest?.("[rt-more] > button");
      if (button) load(/** @type {Element} */ (button.parentElement), "press");
    }

    look();
    doc.addEventListener("click", pressed);
    const offs = [
      events.on("coming", () => void (focused = doc.activeElement?.closest("[rt-more]")?.id ?? "")),
      events.on("swap", ({ request }) => request?.paged || look()),
      env.on("pagehide", callOff), // and a request would keep the page out of the browser's own cache
      env.on("pageshow", ({ persisted }) => persisted && all().forEach(watch)),
      env.on("online", () => {
        for (const el of all()) {
          stateOf(el).failed = "";
          dress(el);
          watch(el);
        }
      }),
    ];
    return () => {
      callOff();
      for (const el of all()) stateOf(el).watch?.disconnect();
      doc.removeEventListener("click", pressed);
      again.stop();
      kept.stop();
      for (const off of offs) off();
    };
  },
};
