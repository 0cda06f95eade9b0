// Files that only some pages need: each is fetched when the first of its attributes is there, at the start or after
// any change of the page; that of the drafts at the first key in a form, too.

import { BUILD } from "../protocol.js";

const MOST = 256; // calls
const SLOW = 16; // ms that a frame's changes take where it is time for the pace, the third time
const EVERY = 1_000; // ms between looks at the whole page while it changes; at what changed, each time

/** @type {import("../index.js").Feature} */
export const byneed = {
  name: "byneed",
  mount(rt) {
    const { config, doc, env, events } = rt;
    let stopped = false;
    let due = 0;
    let began = 0;
    let slow = 0;
    rt.sent = new WeakMap();
    /** @type {any[]} what is said of records, and of what takes long, before the part that listens to it is there */
    let early = [];
    /** Or something was kept before. @param {string} name @param {string} selector @returns {[string, string]} */
    const kept = (name, selector) =>
      [name, Object.keys(env.local() ?? {}).some((key) => key.startsWith(`rt-${name}:`)) ? "html" : selector];
    /** @type {[string, string][]} */
    let wanted = [
      ["presence", "[rt-here],[rt-view],[rt-typing],[rt-cursors]"],
      ["optimistic", "[rt-optimistic],[rt-move]"],
      ["edit", "[rt-edit]"],
      kept("queue", "[rt-queue]"),
      kept("drafts", "[rt-draft],[rt-recover]"),
      ["place", "[rt-url],[rt-place]"],
      ["requires", "[rt-requires-connection]"],
      kept("region", "[rt-load],[rt-every]"),
      ["list", "[rt-more]"],
      ["news", "[rt-new]"],
      ["changes", "[rt-badge],[rt-flash]"],
      ["progress", "[rt-progress]"],
      ["bell", "[rt-bell]"],
      ["validate", "[rt-validate]"],
      ["upload", "[rt-upload]"],
      ["confirm", "#rt-confirm"],
    ];

    /** @param {string} name */
    async function fetch(name) {
      const { features } = await rt.load(`htmx-rt-${name}.mjs`);
      if (!stopped) for (const feature of features) stops.push(feature.mount(rt, early));
    }

    /** @param {Element[]} [roots] */
    function look(roots = [doc.documentElement]) {
      const any = wanted.map(([, selector]) => selector).join();
      if (!any || !roots.some((el) => el.matches(any) || el.querySelector(any))) return;
      wanted = wanted.filter(([name, selector]) => !doc.querySelector(selector) || void fetch(name));
    }

    /** A new version, or nobody signed in any more. @param {string | null} what */
    function news(what) {
      if (!what || rt.heard || what.startsWith(`${config.build} `)) return;
      rt.heard = what;
      fetch("renew");
    }

    /** Somebody types. @param {{target: any}} event */
    function typing({ target }) {
      for (const part of wanted) if (target.form && part[0] === "drafts") part[1] = "html";
      look();
    }

    /** @type {(() => void)[]} */
    const stops = [];
    const offs = [
      events.on("swap", ({ elements }) => {
        const whole = env.now() > due;
        if (whole) due = env.now() + EVERY;
        look(whole ? undefined : elements);
      }),
      events.on("coming", () => void (began = env.now())),
      events.on("applied", () => env.now() - began > SLOW && (slow += 1) === 3 && fetch("pace")),
      events.on("stream:open", ({ hello }) => news(`${hello.build} ${hello.up}`)),
      events.on("request:answered", ({ request }) => news(request.header(BUILD))),
      events.on("stream:state", ({ why }) => why === "signed-out" && news(why)),
      env.on("input", typing),
      events.on("request:start", ({ request }) => void (request.safe || rt.sent?.set(request.elt.closest("form") ?? doc, request))),
      events.on("call", (call) => {
        const { t, s, name } = call;
        if (name !== "progress" && !t.startsWith("edit:")) return;
        early = [...early.filter((old) => old.name !== "progress" || old.s !== s || old.t !== t), call].slice(-MOST);
      }),
    ];
    look();
    for (const target of doc.querySelectorAll("input,textarea,select,[contenteditable]")) if (rt.typed.has(target)) typing({ target });
    return () => {
      stopped = true;
      for (const stop of [...offs, ...stops]) stop();
    };
  },
};
