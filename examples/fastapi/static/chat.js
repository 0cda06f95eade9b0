// The kit does the rest: this keeps the newest message in sight, sends with Enter, and says what was read.
const scroll = document.getElementById("scroll");
const form = document.getElementById("say");
const text = document.getElementById("text");

const meant = document.getElementById(location.hash.slice(1)); // a notification leads to a message
if (meant) meant.scrollIntoView({ block: "center" });
else scroll.scrollTop = scroll.scrollHeight;

text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});

// As it is shown at once, there is room for the next one at once. Files leave the form when they have arrived.
form.addEventListener("rt:optimistic", () => setTimeout(() => (text.value = "")));

let planned = 0;

/** Whoever sees the end of the room has read it. */
function read() {
  clearTimeout(planned);
  planned = setTimeout(() => {
    const below = scroll.scrollHeight - scroll.clientHeight - scroll.scrollTop;
    if (document.hidden || below > 80) return;
    fetch(scroll.dataset.read, { method: "POST", keepalive: true }).catch(() => {}); // the next one says it, too
  }, 400);
}

document.addEventListener("visibilitychange", read);
document.getElementById("messages").addEventListener("rt:applied", read);
