const region = document.querySelector("[rt-grant]");
const tab = { fresh: region.getAttribute("rt-grant").split(" ") };
const answer = await fetch("/_rt/ticket", {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ v: 1, cursor: null, tabs: [tab] }),
});
const { ticket } = await answer.json();
const stream = document.getElementById("stream");
stream.setAttribute("hx-sse:connect", `/_rt/stream?format=html&ticket=${ticket}`); // htmx 4
htmx.process(stream);
