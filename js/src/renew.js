// `htmx-rt-renew.mjs`: what a page says that has outlived something. Another version of the app has been deployed since
// it was rendered, which it offers and never forces; or the sign-in has ended, and one can go on from here.
import { BUILD } from "./protocol.js";

export const SETTLE = 5_000; // ms in which nothing is heard of the page's own version
const MOST = 300_000; // ms, after a deploy that goes back and forth
const KEY = "rt-version";

/**
 * Decides when to speak of another version. Pure but for `after`.
 * @param {object} options
 * @param {string} options.build  of the page
 * @param {number} options.up  since when the worker that rendered it runs
 * @param {(fn: () => void, ms: number) => () => void} options.after
 * @param {(build: string) => void} options.show
 * @param {() => boolean} options.hide  it was not there; says whether a person had left it on the screen
 */
export function createNews({ build, up, after, show, hide }) {
  let newer = "";
  let told = "";
  let wait = SETTLE;
  let cancel = () => {};

  return {
    /** @param {string} other @param {number} since */
    hear(other, since) {
      if (other === build) {
        // In the middle of a deploy: a reload might bring the old one again.
        if (!newer) return;
        cancel();
        wait = Math.min(2 * wait, MOST);
        if (told === newer && hide()) told = "";
        newer = "";
      } else if (since > up && other !== newer && other !== told) {
        newer = other;
        cancel();
        cancel = after(() => show((told = other)), wait);
      }
    },
    stop: () => cancel(),
  };
}

/** @type {import("./index.js").Feature} */
const renew = {
  name: "renew",
  mount({ config, connection, doc, win, env, events, heard = "" }) {
    const word = (/** @type {string} */ name) => doc.getElementById("rt-toasts")?.getAttribute(`data-${name}`) ?? "";
    const news = createNews({
      build: config.build ?? "",
      up: config.up ?? 0,
      after: env.after,
      show: () => events.emit("toast", { key: KEY, level: "info", timeout: 0, text: word("version"), action: { word: "refresh", run: () => win.location.reload() } }),
      hide() {
        events.emit("toast:end", { key: KEY });
        return !!doc.querySelector(`[data-key="${KEY}"]`);
      },
    });

    /** @param {string | null} said */
    function hear(said) {
      const [, build = "", up = ""] = /^(\S+) (\d+)$/.exec(said ?? "") ?? [];
      if (build) news.hear(build, Number(up));
    }

    /** @param {{state: string, why: string}} status */
    function line({ state, why }) {
      const button = /** @type {HTMLElement | null} */ (doc.querySelector("#rt-banner [rt-sign-in]"));
      if (button) button.hidden = state !== "refused" || why !== "signed-out";
    }

    /** In a tab of its own, so that what was typed stays. This page goes on when it hears of that, or is looked at again. @param {MouseEvent} event */
    function press({ target }) {
      if (!(/** @type {Element} */ (target).closest?.("[rt-sign-in]"))) return;
      const { pathname, search } = win.location;
      win.open((config.signIn ?? "{path}").replace("{path}", config.signIn ? encodeURIComponent(pathname + search) : pathname + search), "_blank");
    }

    hear(heard);
    const offs = [
      events.on("stream:open", ({ hello }) => hear(`${hello.build} ${hello.up}`)),
      events.on("request:answered", ({ request }) => hear(request.header(BUILD))),
      events.on("stream:state", line),
    ];
    doc.addEventListener("click", press);
    connection.tell();
    return () => {
      news.stop();
      doc.removeEventListener("click", press);
      for (const off of offs) off();
    };
  },
};

export const features = [renew];
