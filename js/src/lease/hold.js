// One record in this page: who edits it, what that means here, and what is said of it.
import { createCalls } from "./calls.js";
import { createLine, nameOf } from "./line.js";

const QUIET = 180_000; // ms without anything done, after which others may
const BLUR = 10_000; // ms after which a form that was left, and holds nothing unsaved, is free
const HIDDEN_BEAT = 60_000; // ms; browsers let hidden pages run no more often
const LOOK = 10_000; // ms between two questions whether it is free, of who comes into the form
const DOWN = 2_000; // ms of a broken line before anybody is told
const SPREAD = 300; // ms over which those who wait reach for what is free
const GONE = ["disconnected", "offline", "refused"];

/** @typedef {import("../edit/form.js").Guarded & {form: HTMLFormElement}} Place */
/** @typedef {ReturnType<typeof createHold>} Hold */

/**
 * @param {import("../index.js").Runtime} rt @param {import("../edit/form.js").Edit} edit @param {import("./calls.js").Post} post
 * @param {ReturnType<typeof import("./fields.js").createFields>} fields @param {Place[]} first
 * @param {typeof import("./work.js").createWork} [createWork] for ownership
 */
export function createHold(rt, edit, post, fields, first, createWork) {
  const { doc, env, events, config, connection, tab } = rt;
  const me = /** @type {any} */ (config).who;
  const { resource, topic } = first[0];
  const owner = !!createWork;
  /** @type {Place[]} */
  let places = first;
  /** @type {{fence: number, holder: import("./calls.js").Person | null, ask: (import("./calls.js").Person & {until: number}) | null}} */
  let lease = { fence: 0, holder: null, ask: null };
  let known = !owner; // a lock that nobody has told of is free
  let mine = false;
  let you = ""; // what others call this tab
  let ttl = 0; // ms
  let every = 0; // ms
  let confirmed = 0; // when the server last said that it is mine
  let done = false; // I let go on purpose
  let past = 0; // the fence of what I let go
  let given = false; // I am giving it away
  let active = env.now();
  let looked = -LOOK;
  let up = false;
  let wanted = false; // typed into while the line was down
  let bad = false; // the line is broken
  let broken = false; // and was so for long enough to say it
  let notice = ""; // what has just happened, until the next thing does
  /** @type {WeakMap<Element, import("./line.js").Line>} */
  const lines = new WeakMap();
  /** @type {Record<string, () => void>} */
  const timers = {};

  /** @param {string} name @param {number} ms @param {() => void} fn */
  function timer(name, ms, fn) {
    timers[name]?.();
    timers[name] = env.after(fn, ms);
  }

  const role = () => (!known ? "" : mine ? "mine" : lease.holder ? "theirs" : "free");
  const inside = () => places.some(({ form }) => form.contains(doc.activeElement));
  const dirty = () => places.some((place) => edit.dirty(place).length > 0);
  const enforced = (/** @type {Place} */ { el }) => el.hasAttribute("data-enforce");
  // A hidden page gives its stream back, and is here all the same.
  const alive = () => up || (env.hidden() && tab.gen > 0 && !["idle", "refused"].includes(connection.state));
  const unsure = () => known && (broken || (mine && env.now() >= confirmed + ttl));
  const called = (/** @type {import("./calls.js").Person | null} */ person) => nameOf(person, edit.say(places[0], "here.visitor") || "?");
  const word = (/** @type {string} */ key, values = {}) => edit.say(places[0], `lease.${key}`, { name: called(lease.holder), ...values });
  const speak = (/** @type {string} */ text, assertive = false) => void (text && up && events.emit("announce", { text, assertive }));

  const calls = createCalls(rt, post, resource, hear);
  const work = createWork?.(rt, edit, post, {
    resource,
    forms: () => places,
    sends: () => mine && up,
    edits: () => mine,
    known: () => known,
    fence: () => lease.fence,
    lost: () => calls.say("take"),
    changed: paint,
  });

  /** @param {import("./calls.js").Told} told @param {string} [act] that it answers; none where it came over the stream */
  function hear(told, act) {
    you = told.you ?? you;
    if (told.fence < lease.fence) return;
    // Mine from before a reload, or of another tab of mine: the answer will tell which.
    if (!you && told.holder?.k === me) return calls.say("take");
    const was = role();
    const before = lease;
    const own = act ? !!told.mine : told.holder?.tab === you;
    if (own && !act && (calls.ending || told.fence <= past)) return; // said before I let go
    if (!known) work?.begin(told.fence);
    if (own && !mine) work?.adopt();
    lease = { fence: told.fence, holder: told.holder, ask: told.ask ? { ...told.ask, until: env.now() + told.ask.ms } : null };
    known = true;
    mine = own;
    if (own && (act || was !== "mine")) {
      confirmed = env.now();
      ttl = (told.ttl ?? 4) * 1000;
      every = (told.beat ?? 1) * 1000;
      timer("doubt", ttl, paint);
    }
    if (mine && was !== "mine") gained(was, !act);
    else if (mine && before.fence !== lease.fence) work?.again();
    // Typed before it was known who edits, too.
    else if (!mine && (was === "mine" || (was !== "theirs" && lease.holder && dirty()))) left(told.why);
    else if (was === "theirs" && !lease.holder) freed();
    else if (before.holder?.tab !== lease.holder?.tab) notice = "";
    asks(before.ask, told.why);
    if (act === "give") given = false;
    plan();
    paint();
  }

  /** @param {string} was @param {boolean} promoted it was given to this page, which has to say that it is there */
  function gained(was, promoted) {
    done = given = false;
    notice = owner && was ? "now-mine" : "";
    speak(notice && word(notice), true);
    if (promoted) calls.say("take");
    work?.again();
  }

  /** @param {string} [why] */
  function left(why) {
    const moved = given || why === "here" || why === "given";
    work?.leave(moved);
    given = false;
    if (!lease.holder) return;
    notice = (work ? work.late : dirty()) ? "late" : "";
    speak(word(notice || "theirs"), !moved);
  }

  function freed() {
    notice = owner ? "" : "free-again";
    if (inside()) speak(word(notice));
    if (owner && !done) timer("reach", SPREAD * env.random(), look);
  }

  /** @param {typeof lease.ask} before @param {string} [why] */
  function asks(before, why) {
    if (lease.ask && before?.tab !== lease.ask.tab && mine) {
      speak(word("asks-spoken", { name: called(lease.ask), n: Math.round((lease.ask.until - env.now()) / 1000) }), true);
    }
    if (!lease.ask && before && before.tab === you && why === "kept") {
      notice = "kept";
      speak(word("kept"));
    }
  }

  /** Ask the server, if this page would edit. */
  function look() {
    if (alive() && !done && (mine || (owner && !env.hidden()))) calls.say("take");
  }

  function plan() {
    timers.beat?.();
    if (mine) timer("beat", env.hidden() ? Math.max(every, HIDDEN_BEAT) : every, renew);
  }

  function renew() {
    if (!owner && env.now() - active > QUIET) return void release("idle");
    look();
    plan();
  }

  /** @param {string} [why] */
  async function release(why = "") {
    if (!mine) return;
    given = true;
    await work?.flush();
    if (!mine) return;
    done = owner;
    past = lease.fence;
    notice = why;
    calls.say("release");
    hear({ fence: lease.fence, holder: null, ask: null });
  }

  /** @param {string} act a button's, or an app's */
  async function press(act) {
    if (act === "show" || notice === "kept") notice = "";
    if (act === "show") work?.yield();
    else if (act !== "ask" || role() === "theirs") {
      if (act === "take") done = false;
      given = act === "give";
      if (given) await work?.flush();
      calls.say(act);
    }
    paint();
  }

  /** Words, faces and buttons. @returns {import("./line.js").Picture} */
  function picture() {
    const now = role();
    const maybe = unsure();
    const { holder, ask } = lease;
    const others = (rt.counts?.get(`here:${topic}`) ?? 1) - 1;
    const here = owner && others > 0 ? [word("others", { n: others })] : [];
    const shown = { role: now, face: now === "theirs" ? holder : null, text: "", more: here, time: "", acts: /** @type {string[]} */ ([]), unsure: maybe };
    if (maybe) return { ...shown, face: null, text: now === "free" && !owner ? "" : word(mine || work?.late ? "unsure" : "unsure-reader"), more: [] };
    if (now === "mine" && ask) {
      const left = Math.max(0, Math.ceil((ask.until - env.now()) / 1000));
      if (left) timer("tick", 1_000, paint);
      return { ...shown, face: ask, more: [], text: word("asks", { name: called(ask) }), time: word("seconds", { n: left }), acts: ["give", "keep"] };
    }
    if (now === "mine") return { ...shown, text: word(notice || "mine") };
    if (now === "free") return { ...shown, text: notice ? word(notice) : done ? word("free") : "", acts: done ? ["take"] : [] };
    if (!holder) return shown;
    if (holder.k === me) return { ...shown, face: null, text: word("other-tab"), acts: ["here"] };
    const asked = ask?.tab === you;
    const more = [asked ? word("asked") : notice === "kept" ? word("kept") : notice !== "late" && work?.unsaved && word("unsaved"), ...here].filter(Boolean);
    const acts = [...(owner && !ask && up ? ["ask"] : []), ...(work?.late ? ["show"] : [])];
    const text = notice === "late" ? "late" : owner && places.some(enforced) ? "reader" : "theirs";
    return { ...shown, text: word(text), more: /** @type {string[]} */ (more), acts };
  }

  function paint() {
    const now = role();
    if (!now) return;
    for (const place of places) {
      const { form, el, panel } = place;
      form.dataset.lease = now;
      // What stands in the form instead of its fields is for the server to judge.
      fields.close(form, !panel && enforced(place) && (now === "theirs" || (owner && done && !mine)), late());
      stamp(form);
      let line = lines.get(el);
      if (!line || !el.contains(line.root)) lines.set(el, (line = createLine(doc, el)));
      line.show(picture(), word);
    }
  }

  const late = () => !!(work ? work.late : notice === "late" && dirty());

  /** Where the form says on which hold it was filled in. @param {HTMLFormElement} form */
  function stamp(form) {
    let input = /** @type {HTMLInputElement | null} */ (form.querySelector("input[name=rt-fence]"));
    if (mine) {
      if (!input) form.append((input = Object.assign(doc.createElement("input"), { type: "hidden", name: "rt-fence" })));
      input.value = String(lease.fence);
    } else if (!late()) input?.remove();
  }

  const off = events.on("presence", ({ t }) => t === `here:${topic}` && paint());

  return {
    topic,
    hear,
    work,
    press,
    release,
    paint,

    /** @param {Place[]} now its forms in this page */
    stands(now) {
      places = now;
      paint();
    },

    /** A stream is open: what was told over another one may be lost. */
    opened() {
      calls.open();
      look();
      if (mine) work?.again();
    },

    /** @param {string} state of the line */
    line(state) {
      const was = up;
      up = state === "connected";
      if (up && !was) {
        broken = false;
        look();
        if (wanted && inside()) calls.say("take");
        wanted = false;
        work?.push();
      }
      if (!up && was && !alive()) calls.drop();
      if (bad !== (bad = GONE.includes(state))) {
        timer("down", DOWN, () => {
          broken = bad;
          paint();
        });
      }
      paint();
    },

    look,

    /** A version was saved, by whomever. */
    saved() {
      work?.saved();
      if (notice === "late" && !late()) notice = "";
      paint();
    },

    /** Somebody does something in a form of it. @param {Place} form @param {boolean} changes */
    touch(form, changes) {
      active = env.now();
      if (notice === "now-mine" && changes) {
        notice = "";
        paint();
      }
      if (changes && mine) work?.typed(form);
      wanted = !up;
      if (owner || mine || !up || calls.busy || (lease.holder && active - looked < LOOK)) return;
      looked = active;
      calls.say("take");
    },

    /** The form was left. */
    blurred() {
      if (!owner) timer("blur", BLUR, () => mine && !inside() && !dirty() && release());
    },

    /** Is nothing to be sent from its forms? Then it says why. */
    refuses() {
      if (late()) return false;
      const text = word(lease.holder?.k === me ? "other-tab" : lease.holder ? "refused" : "free");
      events.emit("toast", { level: "warning", text, key: `lease:${resource}` });
      return true;
    },

    stop() {
      if (mine) calls.say("release");
      work?.stop();
      off();
      for (const cancel of Object.values(timers)) cancel();
      for (const { form } of places) {
        fields.close(form, false);
        delete form.dataset.lease;
      }
    },
  };
}
