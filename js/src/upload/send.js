// Files on their way, two at a time: each in pieces, from the offset that the server knows, over whatever happens to
// the line, the server or the page. XHR, for fetch tells nothing of what has left.
import { createBackoff } from "../backoff.js";
import { PROBLEM, UPLOAD_OFFSET } from "../protocol.js";
import { keyOf } from "./files.js";

const AT_ONCE = 2;
const TRIES = 12; // without a byte of progress
const SILENCE = 30_000; // ms
const LIFE = 24 * 3600_000; // ms that the server keeps what nobody has claimed
const MOST = 64; // files remembered
const LEAST = 65_536; // bytes of a piece, where a proxy takes no larger ones
const STORE = "rt-uploads";
const FATAL = /** @type {Record<number, string>} */ ({ 401: "signed-out", 403: "unknown", 413: "size", 415: "type", 507: "full" });

/** @typedef {"waiting" | "sending" | "done" | "failed" | "refused"} State */
/**
 * @typedef {object} Item
 * @property {File} file
 * @property {State} state
 * @property {number} sent  bytes
 * @property {string} [note]  word that says why
 * @property {string} [id]
 * @property {string} [handle]
 * @property {string} [key]
 * @property {boolean} [again]  it failed with the line, and goes on with it
 * @property {XMLHttpRequest} [xhr]
 * @property {() => void} [free]
 * @property {any} field
 * @property {any} view
 */

/** @param {import("../index.js").Runtime} rt @param {(item: Item) => void} changed */
export function createSender({ env, win, config }, changed) {
  /** @type {Item[]} */
  const queue = [];
  /** @type {Set<Item>} */
  const alive = new Set();
  let active = 0;
  const url = `${config.prefix}/uploads`;

  /** @returns {Record<string, [string, string, number]>} id, handle and when, by key */
  function kept() {
    try {
      const all = JSON.parse(env.local()?.getItem(STORE) || "{}");
      return Object.fromEntries(Object.entries(all).filter(([, [, , at]]) => env.now() - at < LIFE).slice(-MOST));
    } catch {
      return {};
    }
  }

  /** @param {string | undefined} key @param {[string, string, number]} [value] */
  function keep(key, value) {
    const all = kept();
    if (!key) return;
    delete all[key];
    if (value) all[key] = value;
    try {
      env.local()?.setItem(STORE, JSON.stringify(all));
    } catch {
      // Full: after a reload it begins anew.
    }
  }

  /** Is it ours alone, in all tabs? @param {Item} item @returns {Promise<boolean>} */
  const own = (item) => new Promise((tell) => {
    if ([...alive].some((other) => other !== item && other.key === item.key)) return tell(false);
    if (!win.navigator.locks) return tell(true);
    win.navigator.locks.request(`${STORE}:${item.key}`, { ifAvailable: true }, (lock) => {
      tell(!!lock);
      return lock && new Promise((free) => (item.free = () => free(0)));
    }).catch(() => tell(true));
  });

  /** @param {Item} item @param {string} method @param {string} path @param {Record<string, string>} headers @param {any} [body] */
  const call = (item, method, path, headers = {}, body) => new Promise((/** @type {(xhr: XMLHttpRequest) => void} */ answered) => {
    const xhr = (item.xhr = new win.XMLHttpRequest());
    const { sent } = item;
    let cancel = () => {};
    const watch = () => {
      cancel();
      cancel = env.after(() => xhr.abort(), SILENCE);
    };
    xhr.open(method, path);
    for (const name in headers) xhr.setRequestHeader(name, headers[name]);
    if (method === "PATCH") {
      xhr.upload.onprogress = ({ loaded }) => {
        watch();
        item.sent = Math.min(sent + loaded, item.file.size);
        changed(item);
      };
    }
    xhr.onloadend = () => {
      cancel();
      item.xhr = undefined;
      answered(xhr);
    };
    watch();
    xhr.send(body);
  });

  function pump() {
    while (active < AT_ONCE && queue.length) {
      const item = /** @type {Item} */ (queue.shift());
      if (!alive.has(item) || item.state !== "waiting") continue;
      active += 1;
      run(item).catch(() => end(item, "failed", "failed")).finally(() => {
        active -= 1;
        pump();
      });
    }
  }

  /** @param {Item} item @param {State} state @param {string} [note] */
  function end(item, state, note) {
    if (!alive.has(item)) return;
    item.state = state;
    item.note = note;
    changed(item);
  }

  /** @param {Item} item */
  async function run(item) {
    const { file, field } = item;
    const backoff = createBackoff({ random: env.random });
    let tries = 0;
    let known = false; // do we know how much is there?
    let chunk = field.chunk;
    backoff.next();
    end(item, "sending");
    if (!item.key) {
      const key = keyOf(/** @type {any} */ (config).who, field.name, file);
      item.key = key;
      const [id, handle] = kept()[key] ?? [];
      if (!(await own(item))) item.key = undefined;
      else if (id) Object.assign(item, { id, handle, note: "resumed" });
    }
    while (alive.has(item)) {
      if (known && item.sent >= file.size) return end(item, "done");
      const at = item.sent;
      const piece = file.slice(at, at + chunk);
      // A folder that was dropped, or a file that has gone since, cannot be read.
      await piece.slice(0, 1).arrayBuffer();
      if (!alive.has(item)) return;
      const xhr = await (!item.id
        ? call(item, "POST", url, { "Content-Type": "application/json" }, JSON.stringify({ policy: field.policy(), name: file.name, size: file.size, type: file.type }))
        : known ? call(item, "PATCH", `${url}/${item.id}`, { "Content-Type": "application/offset+octet-stream", [UPLOAD_OFFSET]: String(at) }, piece)
          : call(item, "HEAD", `${url}/${item.id}`));
      if (!alive.has(item)) return;
      const { status } = xhr;
      const offset = xhr.getResponseHeader(UPLOAD_OFFSET);
      if (status === 201) {
        const said = JSON.parse(xhr.responseText);
        Object.assign(item, { id: said["id"], handle: said["handle"], sent: 0, note: undefined });
        field.chunk = chunk = said["chunk"];
        keep(item.key, [said["id"], said["handle"], env.now()]);
        known = true;
      } else if (offset !== null && (status < 300 || status === 409)) {
        if (Number(offset) > at || known) tries = 0;
        item.sent = Number(offset);
        if (status === 204) {
          item.note = undefined;
          backoff.reset();
        }
        known = true;
      } else if (status === 413 && !xhr.getResponseHeader(PROBLEM) && chunk > LEAST) {
        chunk = field.chunk = chunk / 4;
      } else if (!status || [404, 408, 423, 429].includes(status) || (status >= 500 && status !== 507)) {
        known = false;
        item.sent = at;
        if (status === 404) forget(item); // it begins anew
        if ((tries += 1) > TRIES) {
          item.again = true;
          return end(item, "failed", "failed");
        }
        item.note = "line";
        changed(item);
        const asked = Number(xhr.getResponseHeader("Retry-After")) * 1000 || 0; // a date counts for nothing
        await pause(Math.max(backoff.next(), Math.min(asked, SILENCE)));
        continue;
      } else {
        item.sent = 0;
        if (status === 415) forget(item);
        return end(item, "failed", FATAL[status] ?? "failed");
      }
      changed(item);
    }
  }

  /** Until then, or until the browser says that the line is back. @param {number} ms */
  const pause = (ms) => new Promise((over) => {
    const done = () => {
      cancel();
      off();
      over(0);
    };
    const cancel = env.after(done, ms);
    const off = env.on("online", done);
  });

  /** @param {Item} item */
  function forget(item) {
    keep(item.key);
    Object.assign(item, { id: undefined, handle: undefined, sent: 0, note: undefined });
  }

  /** @param {Item} item */
  function push(item) {
    alive.add(item);
    item.again = false;
    end(item, "waiting");
    queue.push(item);
    pump();
  }

  /** @param {Item} item @param {boolean} [all] what has arrived of it, too */
  function drop(item, all = false) {
    alive.delete(item);
    item.xhr?.abort();
    item.free?.();
    if (!all || !item.id) return;
    env.fetch(`${url}/${item.id}`, { method: "DELETE", keepalive: true }).catch(() => {});
    forget(item);
  }

  const off = env.on("online", () => {
    for (const item of alive) if (item.again) push(item);
  });
  return {
    push,
    drop,
    forget,
    stop() {
      off();
      for (const item of [...alive]) drop(item);
    },
  };
}
