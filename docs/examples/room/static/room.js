const said = document.querySelector("output");

htmxRt.on("room:7", "wave", ({ hand }, { from }) => {
  said.textContent = `${from?.n ?? "The server"}: ${hand}`;
});

document.getElementById("wave").addEventListener("click", async () => {
  const { sent, why } = await htmxRt.signal("room:7", "wave", { hand: "left" });
  if (!sent) said.textContent = `Not sent: ${why}`;
});

const { granted, why } = await htmxRt.join("room:7");
if (!granted) said.textContent = `Nobody can be heard here: ${why}`;
