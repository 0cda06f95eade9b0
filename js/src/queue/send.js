// One try to send a kept action: our own fetch, with the same id and fresh secrets. Nothing of an answer is shown here.
import { ACTION, PROBLEM, QUEUED, TAB } from "../protocol.js";

const PATIENCE = 30_000; // ms without an answer
const PANEL = 256 * 1024; // characters of a panel that are kept
const SECRET = /csrf|xsrf|authenticity.?token/i;

/** @param {string} name of a header or a field */
export const isToken = (name) => SECRET.test(name);

/** @typedef {import("./queue.js").Entry} Entry */
/** @typedef {import("./queue.js").Answer & {header: (name: string) => string | null, whole?: boolean}} Given */

/** @param {Pick<import("../index.js").Runtime, "env" | "doc" | "tab" | "bridge">} rt */
export function createSend({ env, doc, tab, bridge }) {
  /** @param {string} url @param {RequestInit} init @param {AbortSignal} signal @returns {Promise<{response: Response, body: string}>} */
  async function ask(url, init, signal) {
    const control = new AbortController();
    const stop = () => control.abort();
    const cancel = env.after(stop, PATIENCE);
    signal.addEventListener("abort", stop);
    try {
      const response = await env.fetch(url, { ...init, credentials: "same-origin", cache: "no-store", signal: control.signal });
      return { response, body: await response.text() };
    } finally {
      cancel();
      signal.removeEventListener("abort", stop);
    }
  }

  /** The page the action was made on, where this one has no token. @param {Entry} entry @param {AbortSignal} signal */
  const pageOf = async ({ page }, signal) =>
    bridge.parseDocument((await ask(page, { headers: { Accept: "text/html", [TAB]: tab.id } }, signal)).body);

  /** @param {Entry} entry @param {(name: string, header: boolean) => string | null} token */
  function request(entry, token) {
    /** @type {Record<string, string>} */
    const headers = { ...entry.headers, [ACTION]: entry.action, [QUEUED]: entry.who, [TAB]: tab.id };
    for (const name in headers) if (isToken(name)) headers[name] = token(name, true) ?? "";
    const body = entry.encoding === "multipart" ? new FormData() : new URLSearchParams();
    for (const [name, value] of entry.pairs) body.append(name, isToken(name) ? (token(name, false) ?? "") : value);
    return { method: entry.method, headers, ...(entry.encoding !== "query" && { body }) };
  }

  /** @param {Entry} entry @param {AbortSignal} signal @returns {Promise<Given>} */
  return async function send(entry, signal) {
    try {
      /** @param {Document} from */
      const within = (from) => (/** @type {string} */ name, /** @type {boolean} */ header) => tokenOf(from, entry, name, header);
      const secrets = [...Object.keys(entry.headers).map((name) => /** @type {const} */ ([name, true])), ...entry.pairs.map(([name]) => /** @type {const} */ ([name, false]))]
        .filter(([name]) => isToken(name));
      let token = within(doc);
      let fresh = secrets.some(([name, header]) => token(name, header) === null);
      for (;;) {
        if (fresh) token = within(await pageOf(entry, signal));
        const { response, body } = await ask(entry.url, request(entry, token), signal);
        const refused = response.status === 403 && !response.headers.get(PROBLEM);
        if (refused && secrets.length && !fresh) fresh = true; // the token of a page that is hours old
        else return given(response, body, entry);
      }
    } catch {
      return { status: 0, header: () => null };
    }
  };

  /** @param {Response} response @param {string} body @param {Entry} entry @returns {Given} */
  function given(response, body, entry) {
    const { status, headers } = response;
    const header = (/** @type {string} */ name) => headers.get(name);
    const type = header("Content-Type") ?? "";
    const html = /^text\/html/.test(type) ? body : "";
    // Followed to a whole page: to sign in, unless it is a page of this person.
    const whole = status < 400 && /^\s*(<!doctype|<html)/i.test(html);
    return {
      status,
      header,
      whole,
      login: whole && configOf(bridge.parseDocument(html)).who !== entry.who,
      problem: header(PROBLEM) ?? "",
      wait: waitOf(header("Retry-After"), env.now()),
      text: status < 400 ? "" : reasonOf(body, type, bridge.parseDocument),
      html: html.length > PANEL && status >= 400 ? "" : html,
    };
  }

  /** @param {Document} from @param {Entry} entry @param {string} name @param {boolean} header */
  function tokenOf(from, entry, name, header) {
    const meta = () => from.querySelector('meta[name="csrf-token"]')?.getAttribute("content") ?? null;
    const field = () => [...from.getElementsByName(name)].map((el) => /** @type {HTMLInputElement} */ (el).value).find(Boolean) ?? null;
    if (!header) return field() ?? meta();
    const start = from.getElementById(entry.source)?.closest("[hx-headers]") ?? from.querySelector("[hx-headers]");
    for (let el = start; el; el = el.parentElement?.closest("[hx-headers]") ?? null) {
      const found = new RegExp(`"${name.replace(/\W/g, "\\$&")}"\\s*:\\s*"([^"]+)"`, "i").exec(el.getAttribute("hx-headers") ?? "");
      if (found) return found[1];
    }
    return meta();
  }
}

/** What `rt.head()` wrote. @param {Document} doc @returns {any} */
export function configOf(doc) {
  try {
    return JSON.parse(doc.querySelector('meta[name="htmx-rt"]')?.getAttribute("content") ?? "{}");
  } catch {
    return {};
  }
}

/** Seconds or a date, as ms from now. @param {string | null} value @param {number} now */
export function waitOf(value, now) {
  if (!value) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return ms > 0 ? ms : undefined;
}

/** In the server's own words, if there are some for people. @param {string} body @param {string} type @param {(html: string) => Document} parse */
function reasonOf(body, type, parse) {
  let text = "";
  try {
    if (/json/.test(type)) {
      const { detail, title } = JSON.parse(body);
      text = detail || title || "";
    } else if (/^text\/plain/.test(type)) text = body;
    else if (/^text\/html/.test(type)) {
      const said = [...parse(body).querySelectorAll('[role="alert"],.errorlist,.error,.invalid-feedback')];
      text = [...new Set(said.map((el) => el.textContent?.trim()))].join(" ");
    }
  } catch {
    // Not what it says it is.
  }
  return String(text).replace(/\s+/g, " ").trim().slice(0, 300);
}
