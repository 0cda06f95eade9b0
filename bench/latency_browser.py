"""How long it takes until a published change is painted on somebody else's screen.

Two browser profiles look at one page, one with htmx 4, one with htmx 2. The first posts a change with plain
`fetch`; its time is taken just before. The other screen's time is taken in the frame after the one in which the row
appeared, that is, when it has been painted. Both clocks are the machine's own.

    python bench/latency_browser.py [count]
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import statistics
import sys
import threading

import jinja2
import uvicorn
from markupsafe import Markup
from playwright.sync_api import Browser, Page, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from htmx_rt import Realtime, RealtimeMiddleware

COUNT = 200
TARGET = 100.0  # milliseconds, median
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
PAGE = """<!doctype html><html lang="en"><head><title>Latency</title>{{ rt.head(htmx=htmx) }}</head>
<body><ul id="rows" rt-limit="50" {{ rt.stream("rows") }}></ul></body></html>"""

SEND = """async (number) => {
  const began = performance.timeOrigin + performance.now();
  await fetch(`/rows/${number}`, { method: "POST" });
  return began;
}"""
WATCH = """() => {
  window.painted = {};
  let waiting = () => {};
  window.seen = async (id) => {
    while (!(id in painted)) await new Promise((resolve) => { waiting = resolve; });
    return painted[id];
  };
  new MutationObserver((changes) => {
    const ids = changes.flatMap(({ addedNodes }) => [...addedNodes].map((node) => node.id));
    // The next frame begins when this one has been handed to the screen.
    requestAnimationFrame(() => requestAnimationFrame(() => {
      for (const id of ids) painted[id] = performance.timeOrigin + performance.now();
      waiting();
    }));
  }).observe(document.getElementById("rows"), { childList: true });
}"""


def make_app() -> Starlette:
    """The smallest page with a live list."""
    rt = Realtime(secret="a secret of thirty-two bytes or more", name="latency", identify=lambda request: None)
    environment = jinja2.Environment(autoescape=True)
    rt.install(environment)
    template = environment.from_string(PAGE)

    async def page(request: Request) -> Response:
        return HTMLResponse(template.render(htmx=int(request.query_params["htmx"])))

    async def add(request: Request) -> Response:
        number = request.path_params["number"]
        await rt.topic("rows").append("#rows", Markup('<li id="row-{0}">{0}</li>').format(number))
        return Response(status_code=204)

    app = Starlette(routes=[Route("/", page), Route("/rows/{number:int}", add, methods=["POST"])])
    app.add_middleware(RealtimeMiddleware, rt=rt)
    return app


def measure(browser: Browser, address: str, count: int, *, sender: int, reader: int) -> list[float]:
    """Return the milliseconds of `count` changes from a page with htmx `sender` to one with htmx `reader`."""
    contexts = [browser.new_context(), browser.new_context()]
    pages: list[Page] = []
    for context, version in zip(contexts, (sender, reader), strict=True):
        page = context.new_page()
        page.goto(f"{address}/?htmx={version}")
        page.wait_for_selector('html[data-rt="connected"]', state="attached")
        pages.append(page)
    mine, theirs = pages
    theirs.evaluate(WATCH)
    times: list[float] = []
    for number in range(count + 10):
        began = mine.evaluate(SEND, number)
        painted = theirs.evaluate("(id) => seen(id)", f"row-{number}")
        times.append(painted - began)
    for context in contexts:
        context.close()
    return times[10:]  # the first ones warm up


def main() -> int:
    """Print the figures; fail where the median misses the target."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        print("Chromium is not on the PATH; the latency in a browser was not measured.")
        return 0
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(make_app(), log_level="warning", ws="none"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    address = "http://{}:{}".format(*listener.getsockname())
    print(f"Published change to painted on the other screen, {count} each, milliseconds")
    print(f"{'from':>8} {'to':>8} {'min':>7} {'median':>7} {'p99':>7}")
    medians: list[float] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        for sender, reader in ((4, 2), (2, 4)):
            times = measure(browser, address, count, sender=sender, reader=reader)
            medians.append(statistics.median(times))
            p99 = statistics.quantiles(times, n=100)[98]
            print(f"{f'htmx {sender}':>8} {f'htmx {reader}':>8} {min(times):7.1f} {medians[-1]:7.1f} {p99:7.1f}")
        browser.close()
    server.should_exit = True
    thread.join(10)
    if max(medians) > TARGET:
        print(f"The median is over {TARGET:.0f} ms.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
