// `rt-optimistic="…"`: what is shown before the server has answered. Text in, operations out; no DOM.
//
//   rule = op *(";" op)      op = verb[":"value] ["on" selector] ["at start"|"at end"]
//
// A value that holds `;`, ` on ` or ` at ` stands in double quotes. `{name}` takes what the form says.

/**
 * @typedef {object} Op
 * @property {string} verb
 * @property {string} value "" where the verb has none
 * @property {string} on a selector as in `hx-target`; "this" where none is given
 * @property {"start" | "end" | ""} at
 */

const NEEDS = ["add-class", "remove-class", "toggle-class", "text", "attr", "insert", "transition"];
const MAY = ["inc", "dec", "move"];
const NONE = ["show", "hide", "remove"];
export const VERBS = [...NEEDS, ...MAY, ...NONE];
const PLACED = ["insert", "move"];

/** What could run, load or send something: a rule, like a template, never writes it. */
export const HARMFUL = /^(on|(data-)?hx-|(data-)?rt-|form|style$|href$|src|xlink:|action$|data$|target$|id$)/i;

const QUOTED = /^"((?:[^"\\]|\\.)*)"\s*/s;

/**
 * Cut at semicolons that stand neither in quotes nor in brackets.
 * @param {string} text
 */
function split(text) {
  const parts = [""];
  let depth = 0;
  let quote = "";
  for (let index = 0; index < text.length; index += 1) {
    const letter = text[index];
    if (quote) {
      if (letter === "\\") parts[parts.length - 1] += text[index++];
      else if (letter === quote) quote = "";
    } else if (letter === '"' || (letter === "'" && depth)) quote = letter;
    else if ("([".includes(letter)) depth += 1;
    else if (")]".includes(letter)) depth -= 1;
    else if (letter === ";" && !depth) {
      parts.push("");
      continue;
    }
    parts[parts.length - 1] += text[index] ?? "";
  }
  if (quote) throw new Error(`a ${quote} is never closed`);
  return parts.map((part) => part.trim()).filter(Boolean);
}

/** @param {string} text @returns {Op} */
function operation(text) {
  const verb = /^[a-z-]*/.exec(text)?.[0] ?? "";
  if (!VERBS.includes(verb)) throw new Error(`"${verb || text}" is no operation; there are ${VERBS.join(", ")}`);
  let rest = text.slice(verb.length);
  /** @type {string | undefined} */
  let value;
  if (rest[0] === ":") {
    rest = rest.slice(1);
    const quoted = QUOTED.exec(rest);
    const plain = quoted ?? /^(.*?)(?=\s+on\s|\s+at\s+(?:start|end)\s*$|\s*$)/s.exec(rest);
    value = quoted ? quoted[1].replace(/\\(.)/gs, "$1") : plain?.[1].trim();
    rest = rest.slice(plain?.[0].length);
  }
  const [, on = "this", at = "", more] = /^\s*(?:\bon\s+(.+?))??\s*(?:\bat\s+(start|end))?\s*$/s.exec(rest) ?? ["", "", "", rest];
  if (more) throw new Error(`"${more.trim()}" is not understood in "${text}": expected "on <selector>", "at start" or "at end"`);
  if (NONE.includes(verb) && value !== undefined) throw new Error(`"${verb}" takes no value, but was given "${value}"`);
  if (NEEDS.includes(verb) && (value === undefined || (!value && verb !== "text"))) throw new Error(`"${verb}" needs a value: ${verb}:…`);
  if (at && !PLACED.includes(verb)) throw new Error(`"at ${at}" says nothing to "${verb}"; only ${PLACED.join(" and ")} have a place`);
  if (/^(inc|dec)$/.test(verb) && value && !/^-?\d+(\.\d+)?$/.test(value)) throw new Error(`"${verb}:${value}": "${value}" is no number`);
  if (verb === "attr") {
    const name = /^([^\s=]+)=/.exec(value ?? "")?.[1];
    if (!name) throw new Error(`"attr:${value}" is not of the form attr:name=value`);
    if (HARMFUL.test(name)) throw new Error(`"${name}" may not be written optimistically`);
  }
  return { verb, value: value ?? "", on, at: /** @type {Op["at"]} */ (at) };
}

/** @param {string} rule the attribute @returns {Op[]} @throws {Error} in words for the person who wrote it */
export function parseRule(rule) {
  const parts = split(rule);
  if (!parts.length) throw new Error("it is empty");
  return parts.map(operation);
}

/**
 * `{name}` becomes what the form says; several values of a name are joined with commas.
 * @param {string} text @param {FormData | null} values
 */
export const fill = (text, values) =>
  text.replace(/\{([^{}\s]+)\}/g, (_, name) => (values?.getAll(name) ?? []).filter((value) => typeof value === "string").join(", "));
