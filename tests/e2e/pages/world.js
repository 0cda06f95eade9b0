// A server in miniature: three lists and a counter, a log of what was published, and two people who change things.

const LISTS = ["todo", "done", "sorted"];
export const TOPIC = "board:7";

export function createWorld(random) {
  let ids = 0;
  const log = []; // {o, ops}
  const lists = { todo: [], done: [], sorted: [] };
  const count = { v: 1, n: 0 };

  const make = (list) => ({ id: `i${++ids}`, v: 1, pos: list === "sorted" ? random.below(100) * 1000 + ids : 0 });
  for (const name of LISTS) for (let n = 0; n < 3; n++) lists[name].push(make(name));

  const order = () => lists.sorted.sort((a, b) => a.pos - b.pos);
  order();
  const item = (it) => `<li id="${it.id}" rt-version="${it.v}" data-pos="${it.pos}" class="c${it.v % 3}">${it.id} v${it.v}<b id="${it.id}-b">${it.v}</b></li>`;
  const items = (name) => lists[name].map(item).join("");
  const counter = () => `<p id="count" rt-version="${count.v}">${count.n}</p>`;
  const stream = `rt-stream="${TOPIC}"`;
  const list = (name, oob = "") =>
    `<ul id="${name}" ${stream} ${name === "sorted" ? 'rt-sort="data-pos"' : ""} ${oob}>${items(name)}</ul>`;
  const board = () => `${LISTS.map((name) => list(name)).join("")}${counter()}`;
  const page = () => `<div id="board" ${stream}>${board()}</div>`;

  const publish = (...ops) => {
    log.push({ o: log.length + 1, ops });
    return log.length;
  };
  const place = () => random.pick(["todo", "done"]);
  const some = (name) => (lists[name].length ? random.pick(lists[name]) : null);
  const tick = (it) => {
    it.v++;
    return it;
  };
  const bump = () => {
    count.v++;
    count.n += random.between(1, 5);
    return ["replace", "#count", counter()];
  };

  /** Kinds of change; each returns its operations, or nothing where it found nothing to change. */
  const changes = {
    append(name = place(), it = make(name)) {
      lists[name].push(it);
      if (name === "sorted") order();
      return [["append", `#${name}`, item(it)]];
    },
    prepend(name = place(), it = make(name)) {
      lists[name].unshift(it);
      return [["prepend", `#${name}`, item(it)]];
    },
    before(name = place()) {
      const anchor = some(name);
      if (!anchor) return null;
      const it = make(name);
      lists[name].splice(lists[name].indexOf(anchor), 0, it);
      return [["before", `#${anchor.id}`, item(it)]];
    },
    after(name = place()) {
      const anchor = some(name);
      if (!anchor) return null;
      const it = make(name);
      lists[name].splice(lists[name].indexOf(anchor) + 1, 0, it);
      return [["after", `#${anchor.id}`, item(it)]];
    },
    edit(name = random.pick(LISTS)) {
      const it = some(name);
      return it && [["replace", `#${it.id}`, item(tick(it))]];
    },
    editByAppend(name = random.pick(LISTS)) {
      const it = some(name);
      return it && [["append", `#${name}`, item(tick(it))]];
    },
    remove(name = random.pick(LISTS)) {
      const it = some(name);
      if (!it) return null;
      lists[name].splice(lists[name].indexOf(it), 1);
      return [["remove", `#${it.id}`]];
    },
    move() {
      const [from, to] = random.chance(0.5) ? ["todo", "done"] : ["done", "todo"];
      const it = some(from);
      if (!it) return null;
      lists[from].splice(lists[from].indexOf(it), 1);
      lists[to].push(tick(it));
      return [["append", `#${to}`, item(it)]];
    },
    toEnd(name = place()) {
      const it = some(name);
      if (!it) return null;
      lists[name].splice(lists[name].indexOf(it), 1);
      lists[name].push(tick(it));
      return [["remove", `#${it.id}`], ["append", `#${name}`, item(it)]];
    },
    update(name = random.pick(LISTS)) {
      return [["update", `#${name}`, items(name)]];
    },
    replaceList(name = random.pick(LISTS)) {
      return [["replace", `#${name}`, list(name)]];
    },
    updateBoard: () => [["update", "#board", board()]],
    count: () => [bump()],
    reorder() {
      const it = some("sorted");
      if (!it) return null;
      it.pos = random.below(100) * 1000 + ++ids;
      tick(it);
      order();
      return [["replace", `#${it.id}`, item(it)]];
    },
    moveBack: () => changes.move(),
    toEndAgain: () => changes.toEnd(),
    addSorted: () => changes.append("sorted"),
    batch() {
      const ops = [...changes.append(), ...(changes.edit() ?? []), bump()];
      return ops;
    },
  };

  return { log, lists, count, item, items, list, board, page, counter, publish, changes, head: () => log.length, some, tick, make, place };
}

/** What a person sees: ids in order, versions, texts, classes. */
export function picture(root) {
  return [...root.querySelectorAll("ul, #count")].map((el) => {
    const one = (part) => `${part.id} ${part.getAttribute("rt-version")} ${part.className.replace(/\bhtmx-\S+/g, "").trim()} ${part.textContent}`;
    return el.id === "count" ? one(el) : `${el.id}: ${[...el.children].map(one).join(", ")}`;
  });
}
