// What the tabs of a browser ask for, made into one order. Pure.
import { parseCursor } from "../cursor.js";

/**
 * @typedef {object} TabOrder  what one tab asks for; `protocol.md` §2
 * @property {string} id
 * @property {number} gen
 * @property {boolean} vis
 * @property {string[]} grants  resume from the cursor
 * @property {string[]} fresh  start where they were written
 *
 * @typedef {object} Wanted
 * @property {string} page  whose
 * @property {number} n  the newest number of its order
 * @property {TabOrder} tab
 * @property {string | null} cursor
 */

const MOST_TABS = 32; // as the server has it
const MOST_BYTES = 60_000; // of the 65 536 that the server reads

/**
 * The cursor is one for all, so it is that of the tab that is farthest behind; the others skip what they have. Offsets
 * of two epochs do not compare: who stands in another one starts where its grants were written, and the server tells
 * it what to fetch again.
 * @param {Wanted[]} wanted
 * @returns {{body: object, covered: Wanted[], left: Wanted[]}} left: those there was no room for
 */
export function combine(wanted) {
  const places = wanted.filter(({ tab }) => tab.grants.length).map(({ cursor }) => ({ cursor, at: parseCursor(cursor) }));
  const epoch = places.at(-1)?.at?.epoch; // of who came last, and knows best
  let oldest = places.at(-1);
  for (const place of places) {
    if (place.at && oldest?.at && place.at.epoch === epoch && place.at.offset < oldest.at.offset) oldest = place;
  }
  const tabs = [];
  const covered = [];
  const left = [];
  let size = 0;
  for (const one of wanted) {
    const { grants, fresh } = one.tab;
    const same = !grants.length || parseCursor(one.cursor)?.epoch === epoch;
    const tab = same ? one.tab : { ...one.tab, grants: [], fresh: [...grants, ...fresh] };
    size += JSON.stringify(tab).length;
    if (tabs.length && (size > MOST_BYTES || tabs.length >= MOST_TABS)) left.push(one);
    else {
      tabs.push(tab);
      covered.push(one);
    }
  }
  return { body: { v: 1, cursor: oldest?.cursor ?? null, tabs }, covered, left };
}
