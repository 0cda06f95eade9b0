"""What a crowd costs a browser: frames while a hundred pointers move, and while a thousand people come and go.

One page, looked at by Chromium, as it is and with its processor slowed down six times. `pointers`: 100 people each
say ten times a second where they point, inside twenty things that are measured. `people`: 1000 are here, 50 of them
leave and 50 come every second, and the page shows all three pictures: 5 discs, a count, a roster of 200. `quiet` is
the same page with nobody, to tell what the machine itself loses. Frames are counted with requestAnimationFrame.

    python bench/presence_browser.py [seconds]
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import jinja2
import uvicorn
from playwright.sync_api import Page, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from htmx_rt import Realtime, RealtimeMiddleware, User

SECONDS = 10.0
POINTERS, RATE = 100, 10.0  # a second, each
PEOPLE, CHURN = 1000, 50  # a second
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
CELLS = "".join(f'<li id="cell-{number}">{number}</li>' for number in range(20))
PAGE = f"""<!doctype html><html lang="en"><head><title>Crowd</title>{{{{ rt.head(htmx=4) }}}}</head><body>
{{{{ rt.presence(topic) }}}} {{{{ rt.presence(topic, "count") }}}}<ul {{{{ rt.cursors(topic) }}}} id="room">{CELLS}</ul>
{{{{ rt.presence(topic, "roster:200") }}}}</body></html>"""
FRAMES = """(ms) => new Promise((resolve) => {
  const frames = [];
  const began = performance.now();
  let last = began;
  const frame = (now) => {
    frames.push(now - last);
    last = now;
    if (now - began < ms) requestAnimationFrame(frame);
    else resolve({ frames: frames.slice(2), ms: now - began });
  };
  requestAnimationFrame(frame);
})"""


class Crowd:
    """The app, and those who move in it."""

    def __init__(self) -> None:
        self.rt = Realtime(secret="a secret of thirty-two bytes or more", name="crowd")
        environment = jinja2.Environment(autoescape=True)
        self.rt.install(environment)
        template = environment.from_string(PAGE)

        async def page(request: Request) -> HTMLResponse:
            return HTMLResponse(template.render(topic=request.path_params["topic"]))

        @asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:
            tasks = [asyncio.create_task(self.point()), asyncio.create_task(self.come_and_go())]
            yield
            for task in tasks:
                task.cancel()

        self.app = RealtimeMiddleware(Starlette(routes=[Route("/{topic}", page)], lifespan=lifespan), rt=self.rt)

    async def point(self) -> None:
        """Say where everybody points, evenly over time."""
        chance = random.Random(1)
        people = [{"k": f"{n:016x}", "n": f"Person {n}", "c": n % 10, "tab": f"{n:016x}"} for n in range(POINTERS)]
        while True:
            for start in range(0, POINTERS, 10):
                for person in people[start : start + 10]:
                    at = [f"cell-{chance.randrange(20)}", round(chance.random(), 4), round(chance.random(), 4)]
                    frame = self.rt.whisper("here:pointers", "cursor", {"at": at}, person)
                    self.rt.bus.signal("here:pointers", frame)
                await asyncio.sleep(1 / RATE / 10)

    async def come_and_go(self) -> None:
        """Fill the room; then a few leave and others come, every tenth of a second."""
        here = [User(f"person-{number}", f"Person {number}") for number in range(PEOPLE)]
        for user in here[:-1]:
            self.rt.presence.track("people", user)
        number = PEOPLE
        while True:
            await asyncio.sleep(0.1)
            for _ in range(CHURN // 10):
                # From the front, so that everything that is shown changes.
                self.rt.presence.untrack("people", here.pop(random.Random(number).randrange(200)))
                here.append(User(f"person-{number}", f"Person {number}"))
                self.rt.presence.track("people", here[-1])
                number += 1


def measure(page: Page, address: str, topic: str, *, slower: int, seconds: float) -> None:
    """Print what one page makes of it."""
    page.goto(f"{address}/{topic}")
    page.wait_for_selector('html[data-rt="connected"]', state="attached")
    if topic == "pointers":
        page.wait_for_selector(f".rt-cursor >> nth={POINTERS - 1}", state="attached")
    elif topic == "people":
        page.wait_for_selector(".rt-roster > li >> nth=150", state="attached")
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": slower})
    page.wait_for_timeout(1_000)
    session.send("Performance.enable")
    found = page.evaluate(FRAMES, seconds * 1000)
    session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    frames = sorted(found["frames"])
    fps = 1000 * len(frames) / found["ms"]
    late, longest = frames[int(len(frames) * 0.95)], frames[-1]
    over = sum(frame > 50 for frame in frames)
    print(
        f"{topic:9} {slower}× slower: {fps:5.1f} frames a second, 95 % within {late:5.1f} ms, longest {longest:5.1f} ms, "
        f"{over} over 50 ms (load {os.getloadavg()[0]:.1f})",
        flush=True,
    )


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(Crowd().app, log_level="warning", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    executable = shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        for slower in (1, 6):
            for topic in ("quiet", "pointers", "people"):
                page = browser.new_context().new_page()
                measure(page, "http://{}:{}".format(*listener.getsockname()), topic, slower=slower, seconds=seconds)
                page.context.close()
        browser.close()
    server.should_exit = True
    thread.join(10)


if __name__ == "__main__":
    main()
