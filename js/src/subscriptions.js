// What this page listens to: the grants written into it, which of them the server has taken up, and from
// where each topic goes on. A topic is *fresh* (asked for from its own `rt-at`) until a replay that held it
// ended; from then on it resumes from the page's cursor with the grant of the last hello.
import { parseCursor } from "./cursor.js";
import { words } from "./dom.js";
import { RESYNC, REVOKED, VERSION } from "./protocol.js";

/**
 * @typedef {object} Entry
 * @property {string} written  the grant in the page
 * @property {string} grant  the newest one: of the page, then of each hello
 * @property {string} epoch  of its position
 * @property {"fresh" | "accepted" | "live" | "refused"} state  accepted: in a hello whose replay has not ended;
 *   live: resumes from the cursor; refused: not asked for again until the page holds another grant
 *
 * @typedef {object} Subscriptions
 * @property {(cursor: string | null) => object | null} body  of the next open; null when nothing is listened to
 * @property {() => void} stop
 *
 * @param {object} options
 * @param {Document} options.doc
 * @param {import("./events.js").Events} options.events
 * @param {Map<string, number>} options.positions  per topic the offset applied last; shared with apply
 * @param {import("./tab.js").Tab} options.tab
 * @param {() => void} options.refresh  asks the connection to open for new topics
 * @returns {Subscriptions}
 */
export function createSubscriptions({ doc, events, positions, tab, refresh }) {
  /** @type {Map<string, Entry>} */
  const entries = new Map();
  let head = 0;

  /** Per topic the grant with the earliest position: what was rendered first has most to catch up with. One that shows
   * the reader to the others and one that does not go together, as each may allow what the other does not. */
  function written() {
    /** @type {Map<string, {grant: string, state: string | null, epoch: string, offset: number}>} */
    const found = new Map();
    for (const element of doc.querySelectorAll("[rt-stream]")) {
      const state = element.getAttribute("rt-here");
      const grants = words(element, "rt-grant");
      const at = parseCursor(element.getAttribute("rt-at"));
      words(element, "rt-stream").forEach((topic, index) => {
        if (!grants[index] || !at) return;
        const other = found.get(topic);
        if (!other || (other.epoch === at.epoch && other.offset > at.offset)) found.set(topic, { grant: grants[index], state, ...at });
        else if (other.state !== state && !other.grant.includes(" ")) other.grant += ` ${grants[index]}`;
      });
    }
    return found;
  }

  /** @param {ReturnType<typeof written>} found */
  function take(found) {
    let changed = false;
    for (const [topic, { grant, epoch, offset }] of found) {
      const entry = entries.get(topic);
      if (entry && (entry.written === grant || entry.state === "live" || entry.state === "accepted")) continue;
      if (entry?.state !== "fresh") changed = true;
      entries.set(topic, { written: grant, grant, epoch, state: "fresh" });
      positions.set(topic, offset);
    }
    return changed;
  }

  /** @param {string[]} topics */
  function refuse(topics) {
    for (const topic of topics) {
      const entry = entries.get(topic);
      if (entry) entry.state = "refused";
    }
  }

  const offs = [
    events.on("stream:open", ({ hello }) => {
      const at = parseCursor(hello.cursor);
      head = at ? at.offset : 0;
      for (const [topic, grant] of Object.entries(hello.grants)) {
        const entry = entries.get(topic);
        if (!entry) continue;
        entry.grant = grant;
        if (entry.state !== "live") entry.state = "accepted";
        // Offsets of another log mean nothing here; what lies between is fetched again (rt:resync).
        if (at && entry.epoch !== at.epoch) {
          entry.epoch = at.epoch;
          positions.set(topic, head);
        }
      }
      refuse(hello.refused);
    }),
    events.on("stream:replayed", () => {
      for (const entry of entries.values()) if (entry.state === "accepted") entry.state = "live";
    }),
    events.on("stream:message", ({ event, data }) => {
      if (event === REVOKED) refuse(data.topics);
      if (event !== RESYNC) return;
      if (data.why === "grant") refuse(data.topics); // the page fetched next brings another one
      // The log is behind what the page believed: from here on its own offsets count.
      if (data.why === "ahead") for (const topic of data.topics) positions.set(topic, head);
      events.emit("resync", data);
    }),
    events.on("swap", () => void (take(written()) && refresh())),
  ];

  return {
    body(cursor) {
      const found = written();
      for (const topic of entries.keys()) {
        if (found.has(topic)) continue;
        entries.delete(topic);
        positions.delete(topic);
      }
      take(found);
      const grants = [];
      const fresh = [];
      for (const { state, grant, written } of entries.values()) {
        if (state === "live" && cursor) grants.push(grant);
        else if (state !== "refused") fresh.push(...written.split(" "));
      }
      if (!grants.length && !fresh.length) return null;
      return { v: VERSION, cursor, tabs: [{ id: tab.id, gen: tab.connect(), vis: !doc.hidden, grants, fresh }] };
    },

    stop() {
      for (const off of offs) off();
    },
  };
}
