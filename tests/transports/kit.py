"""The same site over every transport, by a real server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from htmx_rt import protocol
from htmx_rt.testing import Page

from ..integration.servers import threaded
from ..integration.visitor import Refused, Stream, Visitor
from ..kit import Site
from .wire import SocketStream, Wire

# Name → how the server does WebSockets, where that is the transport.
TRANSPORTS = {
    "sse": None, "ticket": None, "sansio": "websockets-sansio", "direct": "websockets-sansio", "wsproto": "wsproto",
    "legacy": "websockets",
}  # fmt: skip
# uvicorn's oldest way, which it has deprecated and people still run.
LEGACY = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:websockets"),
    pytest.mark.filterwarnings("ignore:The .websockets. implementation is deprecated"),
    pytest.mark.filterwarnings("ignore:.*legacy.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*WebSocketServerProtocol.*:DeprecationWarning"),
]
SOCKETS = [name for name, how in TRANSPORTS.items() if how]
AnyStream = Any  # Stream or SocketStream


class Person(Visitor):
    """Somebody's browser, over one transport."""

    def __init__(self, address: str, transport: str, who: str | None = None) -> None:
        super().__init__(address)
        self.address = address
        self.transport = transport
        if who is not None:
            self.http.cookies["who"] = who

    def order(
        self, page: Page, *, cursor: str | None = None, grants: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        tokens = list((page.grants if grants is None else grants).values())
        tab = {"id": page.tab, "gen": 1, "vis": True, "fresh" if cursor is None else "grants": tokens}
        return {"v": protocol.VERSION, "cursor": cursor, "tabs": [tab]}

    def ticket(self, order: object) -> httpx.Response:
        return self.http.post("/_rt/ticket", json=order, headers={"Sec-Fetch-Site": "same-origin"})

    @contextmanager
    def get_stream(self, query: str, headers: Mapping[str, str] | None = None) -> Iterator[httpx.Response]:
        with self.http.stream("GET", f"/_rt/stream?{query}", headers=headers) as response:
            if response.status_code != 200:
                raise Refused(response)
            yield response

    @property
    def cookies(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())

    def wire(self, *, small: bool = False, path: str = "/_rt/socket", **headers: str | None) -> Wire:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Wire(self.address, path, {"Cookie": self.cookies} | named, small=small)

    @contextmanager
    def open(self, page: Page, **where: Any) -> Iterator[AnyStream]:
        """Open a stream for the grants of `page`. Raised if it is refused: `Refused`, with status and problem."""
        with self.send(self.order(page, **where)) as stream:
            yield stream

    @contextmanager
    def send(self, order: object) -> Iterator[AnyStream]:
        if self.transport == "sse":
            headers = {"Accept": "text/event-stream", "Sec-Fetch-Site": "same-origin"}
            with self.http.stream("POST", "/_rt/stream", json=order, headers=headers) as response:
                if response.status_code != 200:
                    raise Refused(response)
                yield Stream(response)
        elif self.transport == "ticket":
            answer = self.ticket(order)
            if answer.status_code != 200:
                raise Refused(answer)
            with self.get_stream(f"ticket={answer.json()['ticket']}") as response:
                yield Stream(response)
        else:
            wire = self.wire()
            try:
                wire.send(order)
                yield SocketStream(wire)
            finally:
                wire.close()


class Served:
    """A site and the address of its server."""

    def __init__(self, site: Site, address: str, transport: str) -> None:
        self.site = site
        self.rt = site.rt
        self.address = address
        self.transport = transport
        self.people: list[Person] = []

    def person(self, who: str | None = "ada", path: str = "/") -> tuple[Person, Page]:
        """Return a new browser of `who`, and the page that it has just fetched."""
        person = Person(self.address, self.transport, who)
        self.people.append(person)
        return person, person.get(path)

    def say(self, text: str, topic: str = "board:1") -> None:
        self.rt.topic(topic).text("#x", text).result(10)

    def on_the_loop(self, act: Callable[[], object]) -> None:
        """Have the server call `act`, in one turn of its loop, and wait until it has."""
        (hub,) = self.rt._hubs.values()
        done = threading.Event()
        hub.loop.call_soon_threadsafe(lambda: (act(), done.set()))
        assert done.wait(10)


@contextmanager
def served(
    transport: str, *, wrap: Any = None, server: Mapping[str, Any] | None = None, **options: Any
) -> Iterator[Served]:
    """Serve a new site; `wrap` goes around the app. "direct" writes past send()."""
    if transport == "direct":
        options, server = {"accelerate": True} | options, {"ws_per_message_deflate": False} | dict(server or {})
    site = Site(**options)
    app = wrap(site.app) if wrap else site.app
    with threaded(app, ws=TRANSPORTS[transport] or "none", **(server or {})) as address:
        there = Served(site, address, transport)
        try:
            yield there
        finally:
            for person in there.people:
                person.http.close()


def problem_of(refused: Any) -> tuple[int, str | None]:
    return refused.status, refused.problem


__all__ = ["LEGACY", "SOCKETS", "TRANSPORTS", "Person", "Refused", "Served", "Wire", "json", "problem_of", "served"]
