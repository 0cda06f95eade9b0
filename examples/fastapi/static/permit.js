// "Continue" and "Back" press the tab of that step; the extension shows it and writes it into the address.
document.addEventListener("click", ({ target }) => {
  const step = target.closest?.("[data-step]")?.dataset.step;
  if (!step) return;
  document.getElementById(`tab-${step}`).click();
  const panel = document.getElementById(`step-${step}`);
  panel.focus({ preventScroll: true });
  document.getElementById("permit").scrollIntoView({ block: "start" });
});
