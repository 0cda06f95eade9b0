// "Cut the line" in the strip at the top. No part of a real app.
const cut = document.getElementById("cut");

if (cut && window.htmxRt) {
  cut.hidden = false;
  cut.addEventListener("click", () => {
    const on = cut.getAttribute("aria-pressed") !== "true";
    window.htmxRt.simulateDisconnect(on);
    cut.setAttribute("aria-pressed", String(on));
    cut.textContent = on ? cut.dataset.on : cut.dataset.off;
  });
}
