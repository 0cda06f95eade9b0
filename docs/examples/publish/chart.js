document.addEventListener("oven:sample", (event) => {
  draw(event.detail.degrees);
});
