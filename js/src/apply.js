// What the stream brings, in order and one frame at a time; and what it takes to keep responses in step with it.

import { createAhead } from "./ahead.js";
import { parseCursor } from "./cursor.js";
import { createKeep } from "./keep.js";
import { copyAttributes } from "./morph.js";
import { createOrder } from "./order.js";
import { createPlaces } from "./places.js";
import { createRing } from "./ring.js";
import { CALL, OPS } from "./protocol.js";
import { createVerbs, inserts, rootsOf } from "./verbs.js";
import { createVersions, versionOf } from "./versions.js";

/** @typedef {import("./ring.js").Op} Op */
/** @typedef {{event: string, data: any, id: string | null, replayed?: boolean}} Message */
/** @typedef {{target: Element, source: Element | DocumentFragment, inner: boolean}} Pair */

const MOST_WAITING = 10_000;
const HIDDEN_MS = 100; // a hidden page draws no frames

/** With the next frame; where there is none, soon. @param {() => void} run */
const inFrame = (run) => {
  const go = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    run();
  };
  const frame = requestAnimationFrame(go);
  const timer = setTimeout(go, HIDDEN_MS);
};

/**
 * @param {object} options
 * @param {ReturnType<import("./bridge/index.js").createBridge>} options.bridge
 * @param {{on(name: string, fn: (detail: any) => void): () => void, emit(name: string, detail?: any): void}} options.events
 * @param {Map<string, number>} options.positions topic → offset of the newest message received
 * @param {() => string | null} options.cursor of the page
 * @param {Document} [options.doc]
 * @param {() => number} [options.clock]
 * @param {(run: () => void) => void} [options.schedule]
 */
export function createApply({ bridge, events, positions, cursor, doc = document, clock, schedule = inFrame }) {
  let head = 0;
  const ring = createRing();
  const versions = createVersions({ clock });
  const places = createPlaces({ head: () => head });
  const ahead = createAhead();
  const keep = createKeep({ doc });
  /** @type {Map<Element, Element>} attributes written while htmx has yet to settle: it would undo them */
  const written = new Map();
  const wrote = (/** @type {Element} */ el, /** @type {Element} */ source) => {
    if (bridge.settling()) written.set(el, /** @type {Element} */ (source.cloneNode(false)));
  };
  // Plain, until the features that may come a moment later bring transitions, and a pace for busy pages.
  const motion = {
    enter(/** @type {Element} */ _el) {},
    leave: (/** @type {Element} */ el) => el.remove(),
    /** Takes what may go on the page now. @type {(queue: any[], all?: unknown) => any[]} */
    pace: (queue) => queue.splice(0),
  };
  const verbs = createVerbs({ doc, versions, places, ahead, motion, parse: bridge.parse, wrote });
  const stale = (/** @type {string[]} */ topics, /** @type {Element[]} */ elements, why = "trimmed") =>
    events.emit("resync", { topics, why, spread: 0, elements });
  const order = createOrder({ doc, ring, versions, places, ahead, verbs, parse: bridge.parse, stale });

  /** @type {{t: string, o: number, op?: Op}[]} operations and calls */
  let queue = [];
  let scheduled = false;
  /** @type {Map<string, number>} newest offset of each state by topic and name */
  const states = new Map();

  const later = () => {
    if (scheduled) return;
    scheduled = true;
    schedule(flush);
  };

  const fire = (/** @type {Element} */ el, /** @type {string} */ name, /** @type {object} */ detail, cancelable = false) =>
    el.dispatchEvent(new CustomEvent(name, { bubbles: true, composed: true, cancelable, detail }));

  /** @param {Element[]} elements @param {object} [request] whose answer brought them @param {Element | null} [inner] they are all that is in it */
  const finish = (elements, request, inner) => {
    places.sort();
    for (const [el, anew] of verbs.takeChanged()) bridge.process(el, anew);
    events.emit("swap", { elements, request, inner });
  };

  /** Would the operation touch the field an input method is composing in? @param {Op} op @param {Element} field */
  const disturbs = (op, field) =>
    inserts(op) ? [...op.parsed?.children ?? []].some(({ id }) => doc.getElementById(id)?.contains(field))
      : verbs.targets(op).some((el) => el.contains(field));

  /** @param {unknown} [all] whatever time it takes */
  function flush(all) {
    scheduled = false;
    if (!queue.length) return;
    const now = motion.pace(queue, all);
    /** @type {Set<string>} topics that wait for an input method */
    const held = new Set();
    /** @type {Set<Element>} */
    const touched = new Set();
    const ops = now.flatMap((item) => item.op ?? []);
    const fragments = bridge.parseAll(ops.map(({ html }) => html));
    ops.forEach((op, index) => (op.parsed = fragments[index]));
    if (ops.length) events.emit("coming");
    for (const item of now) {
      const { t, o, op } = item;
      try {
        if (held.has(t) || (op && keep.composing && disturbs(op, keep.composing))) {
          held.add(t);
          queue.push(item);
          continue;
        }
        if (!op) {
          events.emit("call", item);
          continue;
        }
        op.live = true;
        const done = verbs.perform(op, undefined, (target) =>
          fire(target, "rt:before-apply", { topic: t, o, verb: op.verb, html: op.html || op.text }, true));
        for (const el of done) touched.add(el);
        events.emit("op", { op, elements: done });
      } catch (error) {
        // One bad selector must not cost the others; it is told, and the rest goes on.
        console.error("htmx-rt: failed", op?.verb, op?.target, error);
      }
    }
    if (!ops.length) return;
    const elements = [...touched].filter((el) => el.isConnected);
    finish(elements);
    events.emit("applied");
    for (const el of elements) fire(el, "rt:applied", {});
  }

  const begin = () => {
    for (const [topic, o] of positions) ring.begin(topic, o);
  };

  /** Take one message in: into the ring at once, onto the screen with the next frame. @param {Message} message */
  const receive = ({ event, data }) => {
    if (event !== OPS && event !== CALL) return;
    const { t, o, s } = data;
    const [seen, name] = s ? [states, `${t}\n${s}`] : [positions, t];
    if (o <= (seen.get(name) ?? -1)) return;
    ring.begin(t, positions.get(t) ?? o - 1);
    seen.set(name, o);
    positions.set(t, Math.max(o, positions.get(t) ?? o));
    head = Math.max(head, o);
    if (event === CALL) queue.push(data);
    for (const [verb, target, text = ""] of data.ops ?? []) {
      const op = { t, o, verb, target, html: verb === "text" ? "" : text, text: verb === "text" ? text : "" };
      ring.add(op);
      queue.push({ t, o, op });
    }
    if (queue.length > MOST_WAITING) {
      const topics = [...new Set(queue.map((item) => item.t))];
      queue = [];
      stale(topics, [], "limit");
    }
    later();
  };

  const offs = [
    events.on("stream:message", receive),
    events.on("stream:open", (/** @type {{newEpoch?: boolean, cursor: string | null}} */ { newEpoch, cursor: at }) => {
      if (newEpoch) {
        ring.clear();
        ahead.clear();
        states.clear();
        queue = [];
        head = parseCursor(at)?.offset ?? 0;
      }
      begin();
    }),
    events.on("resync", (/** @type {{topics?: string[], why?: string}} */ { topics, why }) => {
      const at = parseCursor(cursor());
      // A gap: the ring is whole again only from here.
      if (at && why !== "limit") for (const topic of topics ?? []) ring.begin(topic, at.offset, why !== "trimmed" || positions.get(topic) !== at.offset);
    }),
  ];
  const onCompositionEnd = () => void (queue.length && later());
  doc.addEventListener("compositionend", onCompositionEnd);

  bridge.use({
    sent(request) {
      begin();
      request.cursor = cursor();
      keep.submitted(request, request.elt);
    },
    coming(detail) {
      flush(true); // an operation may stand beside what the answer takes away
      events.emit("coming", detail);
    },
    admit: order.admit,
    capture: keep.capture,
    inserted(part, request, captured) {
      const roots = rootsOf(part);
      const here = parseCursor(cursor());
      const at = parseCursor(request?.at ?? request?.cursor);
      const foreign = !!at && !!here && at.epoch !== here.epoch;
      // Of unknown age: as if from before everything the page was sent.
      order.repair({ ...part, before: captured?.ids, at: foreign ? Infinity : at ? at.offset : -1, own: request?.own });
      if (captured) keep.restore(captured, roots.filter((root) => root.isConnected));
      if (foreign) stale(order.topicsOf(roots), roots, "epoch");
      finish(roots, request, part.inner);
    },
    settled() {
      const none = { added() {}, rewired() {}, wrote() {} };
      for (const [el, source] of written) if (el.isConnected) copyAttributes(el, source, none);
      if (!bridge.settling()) written.clear();
      events.emit("settled");
    },
    morph(old, fresh) {
      if (old.hasAttribute("rt-keep") || versionOf(fresh) < versionOf(old)) return false;
      wrote(old, fresh);
      return true;
    },
  });
  versions.note(doc.documentElement);

  return {
    receive, flush, motion,

    /** Fresh content from the server for whole regions. @param {Pair[]} pairs @param {{at?: string | null}} [options] @returns {Element[]} */
    resync(pairs, { at } = {}) {
      const from = parseCursor(at);
      events.emit("coming");
      for (const { target, source, inner } of pairs) {
        verbs.fresh(target, source, inner);
        order.repair({ inner: target, nodes: [], inserted: null, at: from ? from.offset : Infinity });
      }
      const targets = pairs.map(({ target }) => target);
      finish(targets);
      return targets;
    },

    stop() {
      for (const off of offs) off();
      doc.removeEventListener("compositionend", onCompositionEnd);
      keep.stop();
    },
  };
}
