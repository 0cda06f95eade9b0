const samples = [];

function draw(degrees) {
  samples.push(degrees);
  document.getElementById("chart").textContent = samples.slice(-8).join(" · ");
}

document.addEventListener("oven:sample", (event) => {
  draw(event.detail.degrees);
});

document.addEventListener("rt:signal", (event) => {
  if (event.detail.name === "closing") draw(`closing in ${event.detail.data.in}`);
});
