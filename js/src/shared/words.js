// What the tabs of a browser say to each other.

/**
 * @typedef {{k: string} & Record<string, any>} Word  always of `page` (who speaks) or of the leader's stream `s`
 */

// Of a tab:
export const ORDER = "order"; // {page, n, body}: this is what I ask for; n grows
export const DROP = "drop"; // {page, n}: no more
export const VISIBLE = "visible"; // {page, vis}
export const PING = "ping"; // is anybody there?
// Of the leader:
export const WHO = "who"; // I am new: tell me what you ask for
export const PULSE = "pulse";
export const HELLO = "hello"; // {s, lines, data}: my stream is s now; lines: page → n
export const EVENT = "event"; // {s, event, data, id}
export const END = "end"; // {lines, all, ending}: those orders came to nothing; all: and nobody has a stream now
export const ALONE = "alone"; // {lines}: there is no room for them
export const LEADS = [WHO, PULSE, HELLO, EVENT, END, ALONE];
