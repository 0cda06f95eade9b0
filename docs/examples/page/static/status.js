htmxRt.on("rt:state", ({ state, previous, why }) => {
  console.info(`${previous} → ${state}`, why);
});

htmxRt.on("rt:toast", (toast, event) => {
  if (toast.key === "upload") event.preventDefault(); // shown elsewhere on this page
});
