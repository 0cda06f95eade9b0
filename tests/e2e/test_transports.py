"""Pages over other lines: WebSockets by choice and where streams do not get through, and behind a proxy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocket, expect

from .conftest import Htmx
from .lab import LOG, Lab, News
from .people import Person, until
from .proxy import nginx

Start = Callable[..., tuple[Lab, str]]
Arrive = Callable[..., Person]
REFUSED = ("WebSocket connection", "net::ERR_FAILED")  # what a browser says of lines that were blocked


class Lines:
    """Which lines a page opened, in order."""

    def __init__(self, somebody: Person) -> None:
        self.opened: list[str] = []
        self.said: list[str] = []
        somebody.context.on("page", self._watch)

    def _watch(self, page: Page) -> None:
        page.on("request", lambda request: self._asked(request.url))
        page.on("websocket", self._socket)

    def _asked(self, url: str) -> None:
        if url.endswith("/_rt/stream"):
            self.opened.append("sse")

    def _socket(self, socket: WebSocket) -> None:
        assert socket.url.endswith("/_rt/socket")
        self.opened.append("socket")
        socket.on("framesent", lambda text: self.said.append(str(text)))


@pytest.fixture
def start(live: Callable[..., str], htmx: Htmx) -> Start:
    """`start(transport=…)` is a lab with one list, whose server takes WebSockets unless told otherwise."""

    def start(ws: str = "websockets-sansio", **options: Any) -> tuple[Lab, str]:
        lab = Lab(htmx=htmx.major, **options)
        lab.page("/", LOG.format("log"))
        return lab, live(lab.app, ws=ws)

    return start


def rows(page: Page, count: int) -> None:
    """Wait until the list shows 1 to `count`, each once."""
    expect(page.locator("#log li")).to_have_text([str(number) for number in range(1, count + 1)])


def test_a_socket_by_choice(start: Start, person: Arrive, htmx: Htmx) -> None:
    lab, address = start(transport="socket")
    somebody = person(address, htmx)
    lines = Lines(somebody)
    page = somebody.open()
    news = News(lab)
    news.publish("log", 3)
    rows(page, 3)
    page.reload()
    until(page, "connected")
    news.publish("log", 2)
    expect(page.locator("#log li")).to_have_text(["4", "5"])
    assert lines.opened == ["socket", "socket"]
    assert page.get_attribute("html", "data-rt-line") == "socket"


@pytest.fixture
def through(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """`through(address, buffered=True)` is the address of a proxy in front."""
    with ExitStack() as stack:
        yield lambda address, **options: stack.enter_context(nginx(tmp_path, address, **options))


def test_a_proxy_that_buffers(start: Start, through: Callable[..., str], person: Arrive, htmx: Htmx) -> None:
    lab, address = start()
    somebody = person(through(address, buffered=True), htmx)
    lines = Lines(somebody)
    began = time.monotonic()
    page = somebody.open(state=None)
    page.wait_for_selector('html[data-rt="connected"]', state="attached", timeout=30_000)
    took = time.monotonic() - began
    news = News(lab)
    news.publish("log", 3)
    rows(page, 3)
    assert lines.opened[0] == "sse" and lines.opened[-1] == "socket", (lines.opened, took)
    assert took < 15, lines.opened
    # The browser remembers: the next page does not lose time.
    lines.opened.clear()
    page.reload()
    until(page, "connected")
    news.publish("log")
    expect(page.locator("#log li")).to_have_text(["4"])
    assert lines.opened == ["socket"]


@pytest.mark.parametrize("transport", ["sse", "socket"])
def test_over_http2(start: Start, through: Callable[..., str], person: Arrive, htmx: Htmx, transport: str) -> None:
    lab, address = start(transport=transport)
    somebody = person(through(address, http2=True), htmx, ignore_https_errors=True)
    lines = Lines(somebody)
    page = somebody.open()
    assert page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
    News(lab).publish("log", 3)
    rows(page, 3)
    assert lines.opened == [transport]


def test_a_stream_that_somebody_else_refuses(start: Start, person: Arrive, htmx: Htmx) -> None:
    lab, address = start()
    somebody = person(address, htmx, expected=(403,))
    lines = Lines(somebody)
    page_says = "<title>Blocked</title>"
    somebody.context.route("**/_rt/stream", lambda route: route.fulfill(status=403, content_type="text/html", body=page_says))
    page = somebody.open()
    News(lab).publish("log", 2)
    rows(page, 2)
    assert lines.opened[-1] == "socket"


def test_a_stream_that_we_refuse_is_refused(start: Start, person: Arrive, htmx: Htmx) -> None:
    lab, address = start()
    lab.page("/gone", LOG.format("gone"))
    somebody = person(address, htmx, expected=(403, 401))
    lines = Lines(somebody)
    somebody.context.route("**/_rt/stream", lambda route: route.fulfill(status=403, headers={"RT-Problem": "forbidden"}))
    page = somebody.open(state="refused")
    page.wait_for_timeout(1_000)
    assert set(lines.opened) == {"sse"}


@pytest.mark.parametrize("transport", ["auto", "socket"])
def test_a_blocked_socket(start: Start, person: Arrive, htmx: Htmx, transport: str) -> None:
    lab, address = start(ws="none", transport=transport)
    somebody = person(address, htmx, expected=REFUSED)
    lines = Lines(somebody)
    page = somebody.open()
    news = News(lab)
    news.publish("log", 3)
    rows(page, 3)
    assert lines.opened == (["sse"] if transport == "auto" else ["socket", "socket", "sse"])
    lines.opened.clear()
    page.reload()
    until(page, "connected")
    assert lines.opened == ["sse"]


NO_STORAGE = """for (const name of ["localStorage", "sessionStorage"])
  Object.defineProperty(window, name, { get() { throw new DOMException("denied", "SecurityError"); } });"""


def test_without_storage(start: Start, person: Arrive, htmx: Htmx) -> None:
    lab, address = start(transport="socket")
    somebody = person(address, htmx)
    somebody.context.add_init_script(NO_STORAGE)
    lines = Lines(somebody)
    page = somebody.open()
    News(lab).publish("log", 2)
    rows(page, 2)
    assert lines.opened == ["socket"]
