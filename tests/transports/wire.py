"""A WebSocket by hand (RFC 6455), which sends whatever it is told to; every wait is bounded."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import socket
import struct
from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from htmx_rt import protocol
from htmx_rt.testing import Event

TIMEOUT = 10.0  # seconds
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Rejected(AssertionError):
    """Raised if the upgrade was refused."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(f"refused: {status} {body!r}")
        self.status = status
        self.headers = headers
        self.body = body
        self.problem = headers.get(protocol.PROBLEM)


class Wire:
    """One connection."""

    def __init__(self, address: str, path: str, headers: Mapping[str, str | None], *, small: bool = False) -> None:
        parts = urlsplit(address)
        self.socket = socket.socket()
        if small:  # so that a server's writing soon has to wait
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect((parts.hostname, parts.port))
        self.code: int | None = None
        self.reason = ""
        self.messages = 0  # of which each is an event or a list of them
        self._events: deque[Any] = deque()
        own = {
            "Host": parts.netloc, "Origin": address, "Upgrade": "websocket", "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(), "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Protocol": protocol.SUBPROTOCOL,
        } | dict(headers)  # fmt: skip
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in own.items() if value is not None)]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self._file = self.socket.makefile("rb")
        status = int(self._file.readline().split()[1])
        self.headers = http.client.parse_headers(self._file)
        if status != 101:
            body = self._file.read(int(self.headers.get("content-length", "0")))
            self.close()
            raise Rejected(status, self.headers, body)  # type: ignore[arg-type]

    def send(self, value: object) -> None:
        """Send a text message."""
        self.frame(TEXT, json.dumps(value).encode())

    def frame(self, opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True, rsv: int = 0) -> None:
        """Send one frame, right or wrong."""
        size = len(payload)
        head = bytes([fin << 7 | rsv << 4 | opcode])
        flag = masked << 7
        if size < 126:
            head += bytes([flag | size])
        elif size < 65536:
            head += bytes([flag | 126]) + struct.pack("!H", size)
        else:
            head += bytes([flag | 127]) + struct.pack("!Q", size)
        if masked:
            mask = os.urandom(4)
            key = (mask * (size // 4 + 1))[:size]
            payload = (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
            head += mask
        self.socket.sendall(head + payload)

    def read(self) -> tuple[int, bytes]:
        """Return the next frame. Raised at the end: `EOFError`."""
        try:
            first, second = self._exactly(2)
            size = second & 127
            if size == 126:
                [size] = struct.unpack("!H", self._exactly(2))
            elif size == 127:
                [size] = struct.unpack("!Q", self._exactly(8))
            return first & 15, self._exactly(size)
        except ConnectionError:
            raise EOFError from None

    def _exactly(self, count: int) -> bytes:
        found = self._file.read(count)
        if len(found) < count:
            raise EOFError
        return found

    def message(self) -> Any:
        """Return the next event; pings are answered, and a close is noted. Raised at the end: `EOFError`."""
        while True:
            if self._events:
                return self._events.popleft()
            opcode, payload = self.read()
            if opcode == TEXT:
                told = json.loads(payload)
                self.messages += 1
                self._events.extend(told if isinstance(told, list) else [told])
                continue
            if opcode == PING:
                self.frame(PONG, payload)
            if opcode == CLOSE:
                self.code = struct.unpack("!H", payload[:2])[0] if payload else None
                self.reason = payload[2:].decode()
                with contextlib.suppress(ConnectionError):  # it may have gone without waiting for this
                    self.frame(CLOSE, payload[:2])
                raise EOFError

    def closed(self) -> list[Any]:
        """Read until the server closes; return what came before."""
        messages = []
        try:
            while True:
                messages.append(self.message())
        except EOFError:
            return messages

    def close(self) -> None:
        """Leave without a word."""
        self._file.close()
        self.socket.close()


class SocketStream:
    """An open stream over a WebSocket, with what `visitor.Stream` offers."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.cursor: str | None = None
        self._waiting: deque[Event] = deque()  # of those that were read while looking for the end of the replay
        self.hello: dict[str, Any] = self.event(protocol.HELLO).data

    def _next(self) -> Event | None:
        message = self.wire.message()
        self.cursor = message.get("id", self.cursor)
        return Event(message["event"], message["data"], message.get("id")) if "event" in message else None

    def event(self, name: str | None = None) -> Event:
        """Return the next event, or the next one called `name`; those before it are skipped."""
        while True:
            event = self._waiting.popleft() if self._waiting else self._next()
            if event is not None and name in (None, event.name):
                return event

    def checkpoint(self) -> str:
        """Return the cursor once the replay is over."""
        while self.cursor is None:
            event = self._next()
            if event is not None:
                self._waiting.append(event)
        return self.cursor

    def ended(self) -> list[Event]:
        """Read until the server ends the stream; return what came before."""
        events = list(self._waiting)
        try:
            while True:
                event = self._next()
                if event is not None:
                    events.append(event)
        except EOFError:
            return events

    def texts(self, count: int) -> list[str]:
        """Return the last argument of the next `count` operations."""
        found: list[str] = []
        while len(found) < count:
            found += [operation[-1] for operation in self.event(protocol.OPS).data["ops"]]
        return found
