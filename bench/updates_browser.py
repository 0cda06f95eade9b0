"""What a fast table costs a browser: 1000 updates a second into a table of 200 rows of five cells, for five seconds.

Each update is a message of its own: `value` writes the price of a row, `row` replaces a row, of which four cells are
others then. `htmx-rt` is a page of the kit as anybody writes it. `one swap each`, the baseline, is a page with htmx
alone which hears the same from an EventSource and hands each message to `htmx.swap()` as it comes. Both on htmx 4 and
2, with the processor as it is and slowed down six times. Frames are counted with requestAnimationFrame, over every half
second: the median, and what 95 % reach; long tasks (over 50 ms) as the browser counts them.

    python bench/updates_browser.py [seconds]

Fails where the kit draws fewer than 60 frames a second, or 30 when slowed down; and where its table does not
show in the end what was published last.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import statistics
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import product

import jinja2
import uvicorn
from markupsafe import Markup
from playwright.sync_api import Browser, Page, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.assets import HTMX, STATIC

SECONDS = 5.0
WARM = 1_000  # ms
RATE, ROWS = 1000, 200
BURST = 10  # messages every 10 ms
GATES = {
    ("value", 1): 60,
    ("row", 1): 60,
    ("value", 6): 30,
    ("row", 6): 30,
}  # frames a second, by what changes and how much slower
KIT, PLAIN = "htmx-rt", "one swap each"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
ROW = '<tr id="row-{0}"><th scope="row">Share {0}</th><td id="price-{0}">{1}</td><td class="{2}">{3:+}</td><td>{4}</td><td>{5}</td></tr>'
PAGES = {
    KIT: """<!doctype html><html lang="en"><head><title>Prices</title>{{ rt.head(htmx=htmx) }}</head>
<body>{{ rt.banner() }}<table><tbody id="rows" {{ rt.stream("prices") }}>{{ rows }}</tbody></table>{{ rt.toasts() }}</body></html>""",
    PLAIN: """<!doctype html><html lang="en"><head><title>Prices</title><script src="{{ script }}"></script></head>
<body><table><tbody id="rows">{{ rows }}</tbody></table></body></html>""",
}
LISTEN = """(until) => new Promise((open) => {
  const swap = parseInt(htmx.version) === 4
    ? (target, swap, text) => htmx.swap({ sourceElement: document.body, target, swap, text })
    : (target, swapStyle, text) => htmx.swap(target, text, { swapStyle, swapDelay: 0, settleDelay: 0 });
  const source = new EventSource("/plain");
  source.onmessage = ({ data }) => {
    if (performance.now() > until) source.close(); // a backlog would go on for minutes
    else swap(...JSON.parse(data));
  };
  source.onopen = open;
})"""
# Begins at once, so that a page which has no time left is not asked then. Whole frames: what a window of half a second
# holds, by the times of the frames at its edges.
MEASURE = """([warm, ms]) => {
  const frames = [], long = [], rates = [];
  const begin = performance.now() + warm, end = begin + ms;
  new PerformanceObserver((list) => long.push(...list.getEntries().filter(({ startTime }) => startTime > begin && startTime < end)))
    .observe({ type: "longtask" });
  window.found = new Promise((resolve) => {
    const frame = (now) => {
      frames.push(now);
      if (now < end) return requestAnimationFrame(frame);
      for (let at = begin; at + 500 <= end; at += 100) {
        const first = frames.findLastIndex((one) => one <= at), last = frames.findIndex((one) => one >= at + 500);
        rates.push(1000 * (last - first) / (frames[last] - frames[first]));
      }
      resolve({ rates, long: long.map(({ duration }) => duration) });
    };
    requestAnimationFrame(frame);
  });
  return end;
}"""
SHOWN = "() => [...document.querySelectorAll('#rows > tr')].map((row) => row.outerHTML.replace(/ data-htmx-powered=\"true\"| class=\"\"/g, '')).join('')"


def price(step: int) -> str:
    """What a share costs after so many steps."""
    return f"{90 + step % 20}.{step * 37 % 100:02}"


class Market:
    """The app, and what moves in it while `open` is set."""

    def __init__(self) -> None:
        self.rt = Realtime(secret="a secret of thirty-two bytes or more", name="prices", identify=lambda request: None)
        environment = jinja2.Environment(autoescape=True)
        self.rt.install(environment)
        pages = {name: environment.from_string(text) for name, text in PAGES.items()}
        self.open = threading.Event()
        self.kind = ""
        self.rested = threading.Event()
        self.prices, self.steps = [0] * ROWS, [0] * ROWS  # by row: at which step it was changed
        self.published = 0
        self.listeners: set[asyncio.Queue[str]] = set()
        self.topic = self.rt.topic("prices")

        async def page(request: Request) -> Response:
            which, major = request.path_params["which"], request.path_params["htmx"]
            html = pages[which].render(htmx=major, script=f"/htmx/{major}", rows=Markup(self.rows()))
            return HTMLResponse(html)

        async def script(request: Request) -> Response:
            return Response((STATIC / HTMX[request.path_params["htmx"]]).read_bytes(), media_type="text/javascript")

        async def plain(request: Request) -> Response:
            return StreamingResponse(self.messages(), media_type="text/event-stream")

        @asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:
            task = asyncio.create_task(self.trade())
            yield
            task.cancel()

        routes = [
            Route("/plain", plain),
            Route("/htmx/{htmx:int}", script),
            Route("/{which}/{htmx:int}", page),
        ]
        self.app = RealtimeMiddleware(Starlette(routes=routes, lifespan=lifespan), rt=self.rt)

    def row(self, number: int) -> str:
        """A row as it is now."""
        step = self.steps[number]
        change = (number * 7 + step * 13) % 199 - 99
        kind = "up" if change > 0 else "down"
        return ROW.format(number, price(self.prices[number]), kind, change, 1000 + step, step)

    def rows(self) -> str:
        """The table as it is now."""
        return "".join(map(self.row, range(ROWS)))

    async def messages(self) -> AsyncIterator[str]:
        """What an EventSource gets."""
        queue: asyncio.Queue[str] = asyncio.Queue()
        self.listeners.add(queue)
        try:
            yield ":\n\n"
            while True:
                yield f"data: {await queue.get()}\n\n"
        finally:
            self.listeners.discard(queue)

    async def trade(self) -> None:
        """Change rows, one after another in a mixed order, as many a second as there should be."""
        due = time.monotonic()
        while True:
            if not self.open.is_set():
                self.rested.set()
                await asyncio.sleep(0.01)
                due = time.monotonic()
                continue
            for _ in range(BURST):
                self.published += 1
                number = self.published * 71 % ROWS
                self.prices[number] = self.published
                if self.kind == "row":
                    self.steps[number] = self.published
                    message = [f"#row-{number}", "outerHTML", self.row(number)]
                    self.topic.replace(message[0], Markup(message[2]))
                else:
                    message = [f"#price-{number}", "innerHTML", price(self.published)]
                    self.topic.text(message[0], message[2])
                for queue in self.listeners:
                    queue.put_nowait(json.dumps(message))
            due += BURST / RATE
            await asyncio.sleep(max(0.0, due - time.monotonic()))


@dataclass(frozen=True)
class Case:
    """What is measured."""

    kind: str
    htmx: int
    slower: int
    which: str


@dataclass(frozen=True)
class Figures:
    """What one page made of it."""

    median: float  # frames a second
    p5: float
    updates: float  # a second, as published
    long: list[float]  # ms
    right: bool


def measure(browser: Browser, market: Market, address: str, case: Case, ms: float) -> Figures:
    """Look at one page for a while."""
    page = browser.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{address}/{case.which}/{case.htmx}")
    if case.which == KIT:
        page.wait_for_selector('html[data-rt="connected"]', state="attached")
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": case.slower})
    until = page.evaluate(MEASURE, [WARM, ms])
    if case.which == PLAIN:
        page.evaluate(LISTEN, until)
    market.kind = case.kind
    market.open.set()
    before, began = market.published, time.monotonic()
    found = page.evaluate("found")
    updates = (market.published - before) / (time.monotonic() - began)
    market.rested.clear()
    market.open.clear()
    market.rested.wait()
    session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    right = case.which == PLAIN or settled(page, market.rows())
    page.close()
    rates = found["rates"]
    return Figures(statistics.median(rates), sorted(rates)[len(rates) // 20], updates, found["long"], right)


def settled(page: Page, wanted: str) -> bool:
    """Wait until the page shows what was published last; say whether it ever did."""
    with contextlib.suppress(Exception):
        page.wait_for_function(f"(wanted) => ({SHOWN})() === wanted", arg=wanted, timeout=60_000)
        return True
    return False


def main() -> int:
    """Print the table; fail where the kit misses a gate."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        print("Chromium is not on the PATH; what updates cost a browser was not measured.")
        return 0
    market = Market()
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(market.app, log_level="warning", ws="none", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    address = "http://{}:{}".format(*listener.getsockname())
    print(f"{RATE} updates a second into a table of {ROWS} rows, {seconds:.0f} s each")
    print(f"{'':21} {'':14} {'updates/s':>9} {'fps':>6} {'95 %':>6} {'long tasks':>14} {'load':>5}")
    missed: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        for kind, slower, htmx in product(("value", "row"), (1, 6), (4, 2)):
            name = f"{kind}, htmx {htmx}, {slower}× slower"
            found: dict[str, Figures] = {}
            for which in (PLAIN, KIT):
                one = found[which] = measure(browser, market, address, Case(kind, htmx, slower, which), seconds * 1000)
                long = f"{len(one.long)} × {statistics.mean(one.long):.0f} ms" if one.long else "none"
                print(
                    f"{name:21} {which:14} {one.updates:9.0f} {one.median:6.1f} {one.p5:6.1f} {long:>14} {os.getloadavg()[0]:5.1f}",
                    flush=True,
                )
            mine, gate = found[KIT], GATES.get((kind, slower), 0)
            print(f"{'':21} {mine.median / max(found[PLAIN].median, 0.1):.1f} times as many frames")
            # Frames come 60 times a second at most: half a frame less is what the clock makes of them.
            if mine.median < gate - 0.5:
                missed.append(f"{name}: {mine.median:.1f} of {gate} frames a second")
            if not mine.right:
                missed.append(f"{name}: the table did not show in the end what was published last")
        browser.close()
    server.should_exit = True
    thread.join(10)
    for line in missed:
        print(f"Missed: {line}.")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
