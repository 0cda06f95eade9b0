"""A browser over a real socket: a cookie jar, htmx's headers, and streams read as they come."""

from __future__ import annotations

import secrets
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import httpx

from htmx_rt import protocol
from htmx_rt.testing import Event, Page, Parser

TIMEOUT = 5.0  # seconds that anything awaited here may take


class Stream:
    """An open stream; every wait is bounded."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.comments = 0
        self._chunks = response.iter_raw()
        self._parser = Parser()
        self._events: deque[Event] = deque()
        self.hello: dict[str, Any] = self.event(protocol.HELLO).data

    @property
    def cursor(self) -> str | None:
        """Where the stream stands; None before the end of the replay."""
        return self._parser.cursor

    def event(self, name: str | None = None, *, within: float = TIMEOUT) -> Event:
        """Return the next event, or the next one called `name`; those before it are skipped."""
        deadline = time.monotonic() + within
        while True:
            while self._events:
                event = self._events.popleft()
                if name in (None, event.name):
                    return event
            if not self._more():
                raise EOFError(f"The stream ended while waiting for {name or 'an event'}.")
            assert time.monotonic() < deadline, f"no {name or 'event'} within {within} s"

    def checkpoint(self) -> str:
        """Return the cursor once the replay is over."""
        while self.cursor is None:
            assert self._more(), "the stream ended within its replay"
        return self.cursor

    def ended(self) -> list[Event]:
        """Read until the server ends the stream; return what came before."""
        while self._more():
            pass
        events = list(self._events)
        self._events.clear()
        return events

    def texts(self, count: int) -> list[str]:
        """Return the last argument of the next `count` operations."""
        found: list[str] = []
        while len(found) < count:
            found += [operation[-1] for operation in self.event(protocol.OPS).data["ops"]]
        return found

    def _more(self) -> bool:
        try:
            chunk = next(self._chunks)
        except StopIteration:
            return False
        except (httpx.RemoteProtocolError, httpx.ReadError):  # cut, not ended
            return False
        self._events.extend(self._parser.feed(chunk))
        return True


class Visitor:
    """One person's browser."""

    def __init__(self, address: str, *, prefix: str = protocol.PREFIX) -> None:
        self.prefix = prefix
        self.http = httpx.Client(base_url=address, timeout=TIMEOUT, trust_env=False)

    def __enter__(self) -> Visitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    def get(self, path: str = "/", *, page: Page | None = None) -> Page:
        """Fetch `path`; as htmx would from within `page`, where one is given."""
        return self.request("GET", path, page=page)

    def post(
        self, path: str, form: Mapping[str, Any] | None = None, *, page: Page | None = None, action: str | None = None
    ) -> Page:
        """Send `form`; as htmx would from within `page`, where one is given, with `action` as the action id."""
        return self.request("POST", path, form, page=page, action=action)

    def request(
        self,
        method: str,
        path: str,
        form: Mapping[str, Any] | None = None,
        *,
        page: Page | None = None,
        action: str | None = None,
    ) -> Page:
        """Make a request and read the whole answer; redirects are not followed."""
        headers: dict[str, str] = {}
        if page is not None:
            headers = {"HX-Request": "true", "RT-Tab": page.tab}
            if method != "GET":
                headers["Idempotency-Key"] = action or secrets.token_hex(16)
        response = self.http.request(method, path, data=form, headers=headers)
        pairs = [(name.lower(), value) for name, value in response.headers.multi_items()]
        return Page(response.status_code, pairs, response.text, path)

    @contextmanager
    def stream(
        self, page: Page, *, cursor: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[Stream]:
        """Open a stream for the grants of `page`, or resume one from `cursor`."""
        response = self.http.send(self.opening(page, cursor=cursor, headers=headers), stream=True)
        try:
            if response.status_code != 200:
                raise Refused(response)
            stream = Stream(response)  # held here, as an iterator that is dropped closes its response
            yield stream
        finally:
            response.close()

    def opening(
        self, page: Page, *, cursor: str | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Request:
        """Return the request that opens a stream."""
        key = "fresh" if cursor is None else "grants"
        tab = {"id": page.tab, "gen": 1, "vis": True, key: list(page.grants.values())}
        return self.http.build_request(
            "POST",
            self.prefix + "/stream",
            json={"v": protocol.VERSION, "cursor": cursor, "tabs": [tab]},
            headers={"Accept": "text/event-stream", "Sec-Fetch-Site": "same-origin"} | dict(headers or {}),
        )


class Refused(AssertionError):
    """Raised if a stream was refused."""

    def __init__(self, response: httpx.Response) -> None:
        response.read()
        self.status = response.status_code
        self.problem = response.headers.get(protocol.PROBLEM)
        super().__init__(f"refused: {self.status} {self.problem} {response.text}")


def raw(request: httpx.Request) -> tuple[bytes, bytes]:
    """Return head and body of `request` as they go over the wire."""
    lines = [f"{request.method} {request.url.raw_path.decode()} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode(), request.read()


class Stuck:
    """A reader that opens a stream and never reads a byte of it."""

    def __init__(self, visitor: Visitor, page: Page, *, headers: Mapping[str, str] | None = None) -> None:
        request = visitor.opening(page, headers=headers)
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect((request.url.host, request.url.port))
        self.socket.sendall(b"".join(raw(request)))
        self._peer: tuple[str, int] = self.socket.getpeername()
        # The first byte is there: the stream has begun.
        assert select.select([self.socket], [], [], TIMEOUT)[0]

    def __enter__(self) -> Stuck:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def vanish(self, *, rudely: bool) -> None:
        """Leave, with a reset in place of a farewell where `rudely`."""
        if rudely:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def cut(self, within: float) -> float:
        """Wait until the server resets the connection; return how long it took, in seconds."""
        poll = select.poll()
        poll.register(self.socket, 0)  # errors only: reading would free the buffers
        start = time.monotonic()
        assert poll.poll(within * 1000), f"still connected after {within} s"
        return time.monotonic() - start

    def held(self) -> bool:
        """Tell whether the server's system still has its end of the connection (`ss` reads the same table)."""
        mine = self.socket.getsockname()[1]
        with open("/proc/net/tcp", encoding="ascii") as table:
            ends = [line.split()[1:3] for line in list(table)[1:]]
        ports = [(int(local.split(":")[1], 16), int(remote.split(":")[1], 16)) for local, remote in ends]
        return (self._peer[1], mine) in ports
