// Told when something is kept for later. Used by docs/howto/offline.md.
document.addEventListener("rt:queued", (event) => {
  console.info("kept for later:", event.detail.resource);
});
