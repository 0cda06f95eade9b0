"""Somebody fills in a form and is interrupted at random moments: at most the last second of typing is missing."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page

from .conftest import ROOT, Htmx

LOST = 1.0  # seconds of typing that may be missing
KINDS = ("kill", "deploy", "offline", "sleep", "reload", "crash", "close", "sign-out")
FIELDS = ("title", "story")
LETTERS = "abcdefghijklmnopqrstuvwxyz     "
FILLED = "() => Object.fromEntries(['title', 'story'].map((name) => [name, document.querySelector(`[name=${name}]`)?.value]))"


class Server:
    """A process that ends, one way or another, and is started again on the same port, with its store on disk."""

    def __init__(self, folder: Path, htmx: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self._command = [sys.executable, "-m", "tests.e2e.bureau", str(self.port), str(folder), str(htmx)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if self._process:
            self._process.wait(20)
        self._process = subprocess.Popen(self._command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.02)  # there is no event for it
        raise AssertionError("the server did not start")

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def terminate(self) -> None:
        """End it as a deploy does; `start` waits until it has ended."""
        assert self._process
        self._process.terminate()


class Somebody:
    """Types, and keeps what the form said after each key."""

    def __init__(self, browser: Browser, address: str, chance: random.Random) -> None:
        self.browser = browser
        self.address = address
        self.chance = chance
        self.context: BrowserContext | None = None
        self.state: object = None
        self.page: Page | None = None
        self.seen: list[tuple[float, dict[str, str]]] = [(0.0, dict.fromkeys(FIELDS, ""))]

    def arrive(self) -> None:
        if self.context is None:
            self.context = self.browser.new_context(storage_state=self.state)  # type: ignore[arg-type]
            self.context.set_default_timeout(10_000)
            self.context.add_cookies([{"name": "who", "value": "ada", "url": self.address}])
        if self.page is None:
            self.page = self.context.new_page()
            self.page.on("dialog", lambda dialog: dialog.accept())
        self.page.goto(f"{self.address}/draft")

    def type(self, seconds: float) -> None:
        assert self.page
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            field = self.page.locator(f"[name={self.chance.choice(FIELDS)}]")
            field.focus()
            self.page.keyboard.press("End")
            for _ in range(self.chance.randrange(3, 15)):
                self.page.keyboard.type(self.chance.choice(LETTERS))
                self.seen.append((time.monotonic(), self.page.evaluate(FILLED)))
                if time.monotonic() > until:
                    return

    def interrupted(self, kind: str, server: Server) -> None:
        assert self.page
        assert self.context
        if kind == "kill":
            server.kill()
            self.type(self.chance.random())
            server.start()
        elif kind == "deploy":
            server.terminate()
            self.type(self.chance.random())
            server.start()
        elif kind == "offline":
            self.context.set_offline(True)
            self.type(self.chance.random() * 2)
            self.context.set_offline(False)
        elif kind == "sleep":
            self.sleeps(server)
        elif kind == "crash":
            with self.page.expect_event("crash"), contextlib.suppress(Error):
                self.page.goto("chrome://crash")
            self.page.close()
            self.page = None
        elif kind == "close":
            self.state = self.context.storage_state()
            self.context.close()
            self.context = self.page = None
        elif kind == "sign-out":
            self.page.goto(f"{self.address}/out")
            self.page.goto(f"{self.address}/as/ada")

    def sleeps(self, server: Server) -> None:
        """Nothing of the page runs, as in a machine whose lid is shut, while the network goes or the server is deployed."""
        assert self.page
        assert self.context
        session = self.context.new_cdp_session(self.page)
        away = self.chance.random() < 0.5
        self.context.set_offline(away)
        session.send("Debugger.enable")
        session.send("Debugger.pause")  # at the first line that runs from now on
        if not away:
            server.terminate()
            server.start()
        session.send("Debugger.disable")  # and on from there
        session.detach()
        assert self.page.evaluate(FILLED) == self.seen[-1][1]
        self.type(self.chance.random())
        self.context.set_offline(False)

    def returns(self, moment: float) -> float:
        """Return how many seconds of typing are missing, as soon as it is few enough or does not get fewer."""
        self.arrive()
        assert self.page
        until = time.monotonic() + 8
        missing = float("inf")
        while missing > LOST and time.monotonic() < until:
            now = self.page.evaluate(FILLED)
            at = [at for at, said in self.seen if said == now]
            if at:
                after = next((later for later, _ in self.seen if later > at[-1]), None)  # the first key that is missing
                missing = 0.0 if after is None else moment - after
            self.page.evaluate("new Promise((done) => setTimeout(done, 50))")
        self.page.wait_for_function("() => !!htmxRt.saved")
        self.seen = [(0.0, self.page.evaluate(FILLED))]
        return missing


@pytest.fixture
def server(tmp_path: Path, htmx: Htmx) -> Iterator[Server]:
    server = Server(tmp_path, htmx.major)
    server.start()
    yield server
    server.kill()


@pytest.mark.parametrize("times", [len(KINDS), pytest.param(100, marks=pytest.mark.soak)])
def test_at_most_a_second_is_missing(browser: Browser, server: Server, htmx: Htmx, times: int) -> None:
    seed = int(os.environ.get("DRAFTS_SEED", random.SystemRandom().randrange(10**6)))
    print(f"DRAFTS_SEED={seed}")
    chance = random.Random(seed)
    somebody = Somebody(browser, server.address, chance)
    somebody.arrive()
    missing: list[tuple[str, float]] = []
    kinds = [*KINDS] * (times // len(KINDS) + 1)
    chance.shuffle(kinds)
    if times <= len(KINDS):
        kinds = chance.sample(KINDS, times)
    try:
        for kind in kinds[:times]:
            somebody.type(0.3 + 3 * chance.random())
            somebody.interrupted(kind, server)
            # What is typed until the page is gone counts.
            moment = somebody.seen[-1][0]
            missing.append((kind, round(somebody.returns(moment), 2)))
    finally:
        if somebody.context:
            somebody.context.close()
        worst = {kind: max((gap for one, gap in missing if one == kind), default=0.0) for kind in KINDS}
        print(f"{len(missing)} interruptions; seconds missing at worst: {worst}")
    assert [one for one in missing if one[1] > LOST] == []
