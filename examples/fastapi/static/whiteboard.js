// Notes are where they are put at once, by dragging or by their buttons; the server's answer has the last word.
const WAYS = { left: [-1, 0], up: [0, -1], down: [0, 1], right: [1, 0] };
const COLUMNS = 6;
const ROWS = 4;
const within = (value, most) => Math.min(Math.max(value, 1), most);

/** Shows a note elsewhere; returns what takes that back. */
function put(note, column, row) {
  const { column: left, row: top } = note.dataset;
  note.dataset.column = within(column, COLUMNS);
  note.dataset.row = within(row, ROWS);
  return () => {
    note.dataset.column = left;
    note.dataset.row = top;
  };
}

/** A refused move is taken back; the page says why by itself. */
function takeBackIfRefused(source, back) {
  source.addEventListener("rt:error", back, { once: true });
  setTimeout(() => source.removeEventListener("rt:error", back), 30_000);
}

document.addEventListener("submit", ({ target, submitter }) => {
  const note = target.closest("#wall > .sticky");
  const way = WAYS[submitter?.value];
  if (!note || !way) return;
  takeBackIfRefused(target, put(note, Number(note.dataset.column) + way[0], Number(note.dataset.row) + way[1]));
});

let drag = null;

document.addEventListener("pointerdown", (event) => {
  const note = event.target.closest("#wall > .sticky[id]");
  // Fingers scroll; on the narrow page the wall is a list.
  if (!note || event.button || event.pointerType === "touch" || event.target.closest("button")) return;
  if (getComputedStyle(note).gridColumnStart === "auto") return;
  event.preventDefault();
  drag = { id: note.id, x: event.clientX, y: event.clientY };
  note.setPointerCapture(event.pointerId);
  note.classList.add("is-held");
});

document.addEventListener("pointermove", (event) => {
  const note = drag && document.getElementById(drag.id);
  if (note) note.style.transform = `translate(${event.clientX - drag.x}px, ${event.clientY - drag.y}px)`;
});

function drop(event) {
  const note = drag && document.getElementById(drag.id);
  drag = null;
  if (!note) return;
  note.classList.remove("is-held");
  note.style.transform = "";
  if (event.type === "pointercancel") return;
  const box = document.getElementById("wall").getBoundingClientRect();
  const column = within(Math.ceil(((event.clientX - box.left) / box.width) * COLUMNS), COLUMNS);
  const row = within(Math.ceil(((event.clientY - box.top) / box.height) * ROWS), ROWS);
  if (column === Number(note.dataset.column) && row === Number(note.dataset.row)) return;
  takeBackIfRefused(note, put(note, column, row));
  const id = note.id.replace("note-", "");
  htmx.ajax("POST", `/whiteboard/notes/${id}/place`, { source: note, target: note, swap: "outerHTML", values: { column, row } });
}
document.addEventListener("pointerup", drop);
document.addEventListener("pointercancel", drop);
