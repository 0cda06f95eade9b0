"""Pages over other lines: WebSockets by choice and where streams do not get through, and behind a proxy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Route, WebSocket, expect

from .conftest import Htmx
from .lab import LOG, Lab, News
from .people import Person, until

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
