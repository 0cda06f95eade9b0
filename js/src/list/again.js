// A list that is fetched again is fetched with all its pages: the first one alone would leave a gap before the next.
import { createBackoff } from "../backoff.js";
import { RESYNC } from "../protocol.js";
import { nextOf } from "./pages.js";

/**
 * @param {import("../index.js").Runtime} rt
 * @param {any} lists  what more.js knows of them
 */
export function createAgain({ doc, win, env, events, apply }, { pages, all, listOf, stateOf, take, watch }) {
  const backoff = createBackoff({ random: env.random });

  /** @param {Element} target @returns {Element[]} whose list is part of it, and would end too early */
  const concerned = (target) => all().filter((/** @type {Element} */ el) => {
    const list = listOf(el);
    return list && target.contains(list) && (stateOf(el).pages || !target.contains(el));
  });

  /** @param {Event} event */
  function asked(event) {
    const target = /** @type {Element} */ (event.target);
    if (event.defaultPrevented || target.matches("[rt-load],[rt-every]") || !concerned(target).length) return;
    event.preventDefault();
    refetch(target, /** @type {CustomEvent} */ (event).detail.why);
  }

  /** @param {Element} target @param {string} why */
  async function refetch(target, why) {
    const src = target.getAttribute("rt-src");
    const cancel = new AbortController();
    const got = await pages.get(src ?? win.location.href.split("#")[0], cancel, src && { "HX-Request": "true" });
    const retry = () => void events.emit("resync", { topics: [], elements: [target], why, wait: backoff.next() });
    if (!target.isConnected) return;
    if (!got) return retry();
    const found = typeof got === "object" && (got.fresh.getElementById(target.id) ?? (src && got.fresh));
    if (!found) return void events.emit("stale");
    const whole = found === got.fresh;
    /** @type {[Element, Element | null][]} */
    const nexts = [];
    for (const el of concerned(target)) {
      const list = listOf(el);
      const fresh = whole || found.id !== list.id ? found.querySelector(`#${CSS.escape(list.id)}`) : found;
      let next = got.fresh.getElementById(el.id);
      for (let url; fresh && fresh.children.length < list.children.length && (url = nextOf(next)); ) {
        const page = await pages.next(url, cancel);
        const parts = page && typeof page === "object" && pages.parts(page.fresh, list, el);
        if (!parts) return page ? void events.emit("stale") : retry();
        const ids = new Set([...fresh.children].map(({ id }) => id));
        const rows = parts.rows.filter((/** @type {Element} */ row) => !row.id || !ids.has(row.id));
        if (el.getAttribute("data-at") === "start") fresh.prepend(...rows);
        else fresh.append(...rows);
        if (next.parentNode) next.replaceWith(...(parts.next ? [parts.next] : []));
        next = parts.next;
      }
      nexts.push([el, next]);
    }
    if (!target.isConnected) return;
    backoff.reset();
    apply.resync([{ target, source: found, inner: whole }], { at: got.at });
    for (const [el, next] of nexts) {
      if (!el.isConnected || nextOf(el) === nextOf(next)) continue;
      take(el, next);
      watch(el);
    }
  }

  doc.addEventListener(RESYNC, asked);
  return { stop: () => doc.removeEventListener(RESYNC, asked) };
}
