// What is kept for later has left the form: there is room for the next one.
document.addEventListener("rt:queued", ({ target }) => {
  if (target.matches?.("form.fields")) target.reset(); // the document, where the form has gone meanwhile
});
