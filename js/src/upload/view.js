// The list below a field for files: a line for each, with what can be done about it.
import { sized } from "./files.js";

const LARGEST = 20_000_000; // bytes of a picture that is drawn small
const SIDE = 80; // pixels

/** @param {string} tag @param {string} name @param {string} [text] @returns {any} */
function make(tag, name, text) {
  const el = document.createElement(tag);
  el.className = name;
  if (text) el.textContent = text;
  return el;
}

/** What screen readers say. @param {Element} el @param {string} name */
const call = (el, name) => el.setAttribute("aria-label", name);

/** @param {string} text @param {() => void} run */
function button(text, run) {
  const el = make("button", "rt-button", text);
  el.type = "button";
  el.onclick = run;
  return el;
}

/** Small pictures, one after the other: each is decoded whole. @type {Promise<any>} */
let drawn = Promise.resolve();

/** A canvas needs no `blob:` in the page's policy, and nothing to revoke. @param {HTMLCanvasElement} canvas @param {File} file */
async function draw(canvas, file) {
  if (!canvas.isConnected) return;
  const picture = await createImageBitmap(file);
  const { width, height } = picture;
  const side = Math.min(width, height);
  canvas.width = canvas.height = SIDE;
  canvas.getContext("2d")?.drawImage(picture, (width - side) / 2, (height - side) / 2, side, side, 0, 0, SIDE, SIDE);
  picture.close();
  canvas.dataset.drawn = "";
}

/** @param {import("./send.js").Item} item @param {(name: string, values?: any) => string} say @param {string | undefined} lang @param {(item: any) => void} remove @param {(item: any) => void} retry */
export function createView(item, say, lang, remove, retry) {
  const { file } = item;
  const el = make("li", "rt-upload-file");
  const canvas = make("canvas", "rt-upload-thumb");
  const name = make("bdi", "rt-upload-name", file.name);
  const note = make("span", "rt-upload-note");
  const bar = make("progress", "rt-upload-bar");
  bar.max = file.size || 1;
  call(bar, file.name);
  const again = button(say("retry"), () => retry(item));
  const away = button("", () => remove(item));
  const hidden = make("input", "");
  hidden.type = "hidden";
  el.append(canvas, name, make("span", "rt-upload-size", sized(file.size, lang)), note, bar, again, away);
  const label = (/** @type {any} */ control, /** @type {string} */ word) => {
    control.textContent = say(word);
    call(control, `${say(word)}: ${file.name}`);
  };
  label(again, "retry");

  return {
    el,
    away,
    update() {
      const { state, sent, note: why } = item;
      const percent = file.size ? Math.floor((100 * sent) / file.size) : 100;
      const busy = state === "sending";
      const bad = state === "failed" || state === "refused";
      const word = bad ? why : state === "done" ? "ready" : busy ? why : "waiting";
      el.dataset.state = state;
      note.textContent = word ? say(word, { percent, size: sized(item.field.largest, lang) }) : `${percent} %`;
      bar.value = sent;
      bar.hidden = !busy && state !== "waiting";
      if (again.hidden !== (state !== "failed")) {
        if (!again.hidden && again === document.activeElement) away.focus();
        again.hidden = state !== "failed";
      }
      label(away, busy ? "cancel" : "remove");
      if (state === "done") {
        Object.assign(hidden, { name: item.field.name, value: item.handle });
        if (!hidden.isConnected) el.append(hidden);
      } else hidden.remove();
    },
    /** Once it is on the page. */
    picture() {
      if (/^image\//.test(file.type) && file.size <= LARGEST) drawn = drawn.then(() => draw(canvas, file)).catch(() => {});
    },
  };
}

export { button, make };
