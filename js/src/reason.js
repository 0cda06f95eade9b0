// Why the server has refused, in its own words where it has some for people.

const MOST = 200; // characters
// What frameworks say where an app has said nothing.
const STANDARD = /^(bad request|unauthorized|forbidden|not found|method not allowed|not acceptable|conflict|gone|unprocessable (entity|content)|too many requests|there was an error parsing the body)$/i;

/**
 * @param {string} body
 * @param {string} type  its media type
 * @param {string | null | undefined} problem  `RT-Problem`: what the kit's own answers say is said in words that a page can translate
 * @param {(html: string) => ParentNode} parse
 * @returns {string} "" where it has none
 */
export function reasonOf(body, type, problem, parse) {
  let text;
  try {
    if (/json/.test(type)) {
      const { detail, title } = JSON.parse(body);
      text = title && title === problem ? "" : detail || title;
    } else if (/^text\/plain/.test(type)) text = body;
    else if (/^text\/html/.test(type)) text = [...parse(body).querySelectorAll('[role="alert"],.errorlist,.invalid-feedback')].map((el) => el.textContent).join(" ");
  } catch {
    // Not what it says it is.
  }
  const line = typeof text === "string" ? text.replace(/\s+/g, " ").trim() : "";
  return line.length > MOST || STANDARD.test(line) ? "" : line;
}
