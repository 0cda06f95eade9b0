"""The kit's readers: people with a page each, whose cookie, grants and tab their streams come with."""

from __future__ import annotations

import asyncio
import html
import json
import random
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from . import BROWSER, SAME_ORIGIN, SESSION, Line, Reader, upgrade

AT_ONCE = 16  # visits
_GRANT = re.compile(rb'rt-grant="([^"]+)"')
_COOKIE = re.compile(rb"(?i)\r\nset-cookie: ([^;\r]+)")
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)")


@dataclass(slots=True)
class Person:
    """Somebody with a page open."""

    topic: str
    number: int  # of the topic
    tab: str
    cookies: str
    grants: list[str]

    def head(self, method: str, path: str, port: int, body: bytes, kind: str, more: str = "") -> bytes:
        """Return a request of the page."""
        return (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: keep-alive\r\n{BROWSER}{SAME_ORIGIN}"
            f"Origin: http://127.0.0.1:{port}\r\nReferer: http://127.0.0.1:{port}/board/{self.topic}\r\n"
            f"Cookie: {self.cookies}\r\n{more}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    def order(self) -> bytes:
        """Return what the page asks for."""
        tab = {"id": self.tab, "gen": 1, "vis": True, "grants": [], "fresh": self.grants}
        return json.dumps({"v": 1, "cursor": None, "tabs": [tab]}, separators=(",", ":")).encode()

    def reader(self, line: Line, port: int) -> Reader:
        """Return the opening of the stream."""
        order = self.order()
        if not line.upgrade:
            first = self.head("POST", "/_rt/stream", port, order, "application/json", "Accept: text/event-stream\r\n")
            return Reader(port, self.number, first)
        head = (
            f"GET /_rt/socket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{upgrade(port)}{BROWSER}"
            f"Sec-WebSocket-Protocol: htmx-rt.1\r\nCookie: {self.cookies}\r\n\r\n"
        )
        # Masked by zeros, which is as good a mask as any to the server.
        return Reader(port, self.number, head.encode(), b"\x81\xfe" + len(order).to_bytes(2, "big") + bytes(4) + order)

    def post(self, port: int, text: str) -> bytes:
        """Return an action of the page, as htmx sends it with the extension."""
        more = (
            f"HX-Request: true\r\nHX-Current-URL: http://127.0.0.1:{port}/board/{self.topic}\r\n"
            f"RT-Tab: {self.tab}\r\nIdempotency-Key: {uuid.uuid4()}\r\n"
        )
        body = urlencode({"text": text}).encode()
        return self.head("POST", f"/act/{self.topic}", port, body, "application/x-www-form-urlencoded", more)

    def beat(self, port: int) -> bytes:
        """Return a sign of life, with the pictures that the page shows."""
        tab = {"id": self.tab, "gen": 1, "vis": True, "idle": False, "here": True}
        tab["views"] = {f"here:{self.topic}": ["avatars"]}
        return self.head("POST", "/_rt/beat", port, json.dumps({"tabs": [tab]}).encode(), "application/json")


async def _visit(port: int, turn: Iterator[int], name: str, topics: int, found: dict[int, Person]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for number in turn:
            topic = f"{name}{number % topics}"
            cookies = f"who={number:05d}; {SESSION}"
            writer.write(
                f"GET /board/{topic} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{BROWSER}Cookie: {cookies}\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            if not head.startswith(b"HTTP/1.1 200") or length is None:
                raise RuntimeError(f"A page could not be fetched: {head[:300]!r}")
            page = await reader.readexactly(int(length[1]))
            cookies += "".join(f"; {cookie.decode()}" for cookie in _COOKIE.findall(head))
            grants = [one for text in _GRANT.findall(page) for one in html.unescape(text.decode()).split()]
            found[number] = Person(
                topic, number % topics, f"{random.getrandbits(128):032x}", cookies, list(dict.fromkeys(grants))
            )
    finally:
        writer.close()


def visit(port: int, count: int, name: str, topics: int) -> list[Person]:
    """Have so many people fetch their pages, which have topics called `name` and a number; return the people."""

    async def all_of_them() -> dict[int, Person]:
        turn = iter(range(count))
        found: dict[int, Person] = {}
        await asyncio.gather(*(_visit(port, turn, name, topics, found) for _ in range(AT_ONCE)))
        return found

    found = asyncio.run(all_of_them())
    return [found[number] for number in range(count)]
