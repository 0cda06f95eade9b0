// Counts what failed. Used by docs/howto/errors.md.
const report = (kind, status) => console.info("failed:", kind, status);

document.addEventListener("rt:error", (event) => {
  report(event.detail.kind, event.detail.status);
});
