"""Pages over other lines: WebSockets by choice and where streams do not get through, and behind a proxy."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocket, expect
from starlette.requests import Request

from .boardpage import add, row
from .boardserver import Board
from .conftest import Htmx
from .cutter import Cutter
from .lab import LOG, Lab, News
from .people import Person, until
from .presence_kit import PAGE, identify, see
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
    assert [lines.opened[0], lines.opened[-1]] == ["sse", "socket"], took
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
    somebody.context.route(
        "**/_rt/stream", lambda route: route.fulfill(status=403, content_type="text/html", body=page_says)
    )
    page = somebody.open()
    News(lab).publish("log", 2)
    rows(page, 2)
    assert lines.opened[-1] == "socket"


def test_a_stream_that_we_refuse_is_refused(start: Start, person: Arrive, htmx: Htmx) -> None:
    lab, address = start()
    lab.page("/gone", LOG.format("gone"))
    somebody = person(address, htmx, expected=(403, 401))
    lines = Lines(somebody)
    somebody.context.route(
        "**/_rt/stream", lambda route: route.fulfill(status=403, headers={"RT-Problem": "forbidden"})
    )
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


def test_presence_typing_and_signals_go_up_the_socket(live: Callable[..., str], person: Arrive, htmx: Htmx) -> None:
    lab = Lab(htmx=htmx.major, identify=identify, transport="socket")
    lab.page("/", PAGE + '{{ rt.grant("room") }}')
    address = live(lab.app, ws="websockets-sansio")
    pages, lines, posted = [], [], []
    for name in ("ada", "grace"):
        somebody = person(address, htmx)
        somebody.context.add_cookies([{"name": "who", "value": name, "url": address}])
        lines.append(Lines(somebody))
        somebody.context.on("request", lambda request: posted.append(request.url) if request.method == "POST" else None)
        pages.append(somebody.open())
    ada, grace = pages
    for page in pages:
        see(page, "Ada Okafor, active", "Grace Lindqvist, active")
    grace.locator("#title").press_sequentially("Hello")
    expect(ada.locator(".rt-typing")).to_contain_text("Grace")
    ada.evaluate("void htmxRt.on('room', 'wave', (data, event) => { window.heard = [data, event.from.n]; })")
    assert grace.evaluate("htmxRt.join('room')") == {"granted": True}
    assert grace.evaluate("htmxRt.signal('room', 'wave', {much: 3})") == {"sent": True}
    ada.wait_for_function("() => window.heard")
    assert ada.evaluate("heard") == [{"much": 3}, "Grace Lindqvist"]
    assert any('"signal"' in text for text in lines[1].said)
    assert any('"beat"' in text for text in lines[0].said)
    assert posted == []


def test_what_scripts_are_told(start: Start, person: Arrive, htmx: Htmx) -> None:
    lab, address = start(limits={"calls_burst": 5, "calls_per_second": 1})
    lab.page("/", LOG.format("log") + '{{ rt.grant("room") }}')
    allowed = {"room"}
    lab.rt.authorize("room")(lambda user: "room" in allowed)
    somebody = person(address, htmx, expected=(429, 403))
    somebody.context.add_init_script(
        "document.addEventListener('DOMContentLoaded', () => { window.early = htmxRt.join('room'); })"
    )
    page = somebody.open()
    assert page.evaluate("early") == {"granted": True}
    assert page.evaluate("htmxRt.join('nowhere')") == {"granted": False, "why": "no-grant"}
    assert page.evaluate("htmxRt.signal('log', 'wave')") == {"sent": False, "why": "forbidden"}
    assert page.evaluate("htmxRt.signal('room', 'wave', 'x'.repeat(1100))") == {"sent": False, "why": "too-large"}
    answers = page.evaluate("Promise.all([...Array(12)].map(() => htmxRt.signal('room', 'wave')))")
    assert {"sent": True} in answers
    assert {"sent": False, "why": "limited", "retry": 2000} in answers
    page.evaluate("void htmxRt.on('room', 'chart', (data) => { window.chart = data; })")
    lab.topic("room").event("chart", {"a": 1}).result(5)
    page.wait_for_function("() => window.chart?.a === 1")
    lab.rt.revoke("room")
    page.wait_for_function("() => htmxRt.join('room').then((answer) => answer.why === 'forbidden')")


def test_revoked_and_signed_out_on_a_socket(start: Start, person: Arrive, htmx: Htmx) -> None:
    lab, address = start(transport="socket")

    def leave(request: Request) -> str:
        lab.rt.sign_out()
        return "Bye"

    lab.post("/leave", leave)
    somebody = person(address, htmx, expected=(401, 403, "WebSocket"))
    somebody.context.add_cookies([{"name": "who", "value": "ada", "url": address}])
    lines = Lines(somebody)
    page = somebody.open()
    news = News(lab)
    news.publish("log")
    rows(page, 1)
    lab.rt.revoke("log")
    page.wait_for_function("() => htmxRt.join('log').then((answer) => answer.why === 'forbidden')")
    news.publish("log")
    other = somebody.open()
    page.evaluate("fetch('/leave', {method: 'POST'})")
    until(other, "refused")
    expect(page.locator("#log li")).to_have_text(["1"])
    assert set(lines.opened) == {"socket"}


def test_a_server_restarted_under_a_socket(tmp_path: Path, person: Arrive, htmx: Htmx) -> None:
    with Board(tmp_path) as board:
        somebody = person(
            board.address,
            htmx,
            expected=("WebSocket", 503, "htmx:error: Failed to fetch", "htmx:sendError", "htmx:afterRequest,"),
        ).sign_in("mei")
        somebody.context.add_cookies([{"name": "demo-line", "value": "socket", "url": board.address}])
        lines = Lines(somebody)
        page = somebody.open()
        assert board.terminate() < 5
        board.start()
        page.wait_for_selector('html[data-rt="connected"]', state="attached", timeout=30_000)
        add(page, "After the restart")
        expect(row(page, "After the restart")).to_be_visible()
        assert set(lines.opened) == {"socket"}


def test_random_cuts_lose_nothing(start: Start, person: Arrive, htmx: Htmx) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    lab, address = start(transport="socket")
    news = News(lab)
    with Cutter(address).running() as cutter:
        somebody = person(cutter.address, htmx, expected=("WebSocket",))
        page = somebody.open()
        for _ in range(12):
            cutter.cut(after=chance.randrange(1, 2_000))
            news.publish("log", chance.randrange(1, 8))
            if chance.random() < 0.5:
                news.publish("log", 1)
            cutter.cut()
            cutter.mend()
            page.evaluate("htmxRt.retry()")
            if chance.random() < 0.7:
                until(page, "connected")
        cutter.mend()
        rows(page, news.counts["log"])
        assert page.get_attribute("html", "data-rt-line") == "socket"
