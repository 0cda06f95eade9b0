"""One open stream, as the hub sees it: who reads, what they read, and the bytes on their way."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable
from typing import Any, Protocol

from .types import Limits, User

_numbers = itertools.count(1)


class Source(Protocol):
    """What a reader needs of its hub."""

    loop: asyncio.AbstractEventLoop
    limits: Limits

    def bring_forward(self, reader: Reader) -> bytes:
        """Return what a reader that was behind has missed."""


class Reader:
    """One open stream. The hub offers it bytes; the task that owns it takes them with `next`."""

    __slots__ = (
        "abort", "behind", "born", "browser", "busy", "check", "checked", "chunk", "ended", "expires", "extra",
        "final", "hub", "iat", "lang", "number", "owed", "owner", "pay", "position", "sending_since", "tabs", "topics", "user", "viewer", "views", "waiter", "wants",
    )  # fmt: skip

    def __init__(self, hub: Source, *, topics: dict[str, float], user: str | None, browser: str, iat: float) -> None:
        self.hub = hub
        self.number = next(_numbers)
        self.topics = topics  # topic → when its grant was issued, in Unix seconds
        self.user = user
        self.browser = browser
        self.iat = iat  # Unix seconds of the identity it was opened with
        self.born = self.checked = hub.loop.time()
        life = hub.limits.stream_life
        self.expires = self.born + life * random.uniform(0.8, 1.2)
        self.check: Callable[[], None] | None = None  # asks again who this is, every five minutes
        self.abort: Callable[[], None] | None = None  # ends a stream whose reader takes nothing
        self.busy = True  # the head of the response is still to be sent
        self.behind = False
        self.position = 0  # meaningful while behind
        self.sending_since = self.born
        self.chunk = b""
        self.extra = b""
        self.tabs: dict[str, int] = {}  # that read through this stream, and the number of their connection
        self.views: set[Any] = set()  # pictures that it shows
        self.wants: dict[str, set[Any]] = {}  # the same by tab
        self.owed: set[Any] = set()  # those that changed while it was busy
        self.pay: Callable[[Reader], bytes] | None = None  # returns the newest of what is owed
        self.final: bytes | None = None
        self.ended = ""  # why the person was sent away
        self.lang = "en"
        self.owner = ""  # as Identity.owner has it
        self.viewer: User | None = None  # who reads
        self.waiter: asyncio.Future[None] | None = None

    async def next(self) -> tuple[bytes, bool]:
        """Return the bytes to send and whether more will follow; waits until there are some."""
        while True:
            chunk, self.chunk, self.extra = self.chunk + self.extra, b"", b""
            if self.behind and self.final is None:
                chunk += self.hub.bring_forward(self)
            if self.owed and self.final is None and self.pay is not None:
                chunk += self.pay(self)
            if self.final is not None:
                return chunk + self.final, False
            if chunk:
                self.progress()
                return chunk, True
            self.busy = False
            self.waiter = self.hub.loop.create_future()
            try:
                await self.waiter
            finally:
                self.waiter = None
                self.busy = True

    def offer(self, chunk: bytes) -> None:
        """Hand over `chunk`; only for a reader that is not busy."""
        self.chunk = chunk
        self.wake()

    def tell(self, frame: bytes) -> None:
        """Hand over a control frame, now or with the next bytes."""
        self.extra += frame
        self.wake()

    def finish(self, frame: bytes) -> None:
        """Make `frame` the last thing sent."""
        if self.final is None:
            self.final = frame
            self.wake()

    def wake(self) -> None:
        """Let the task that waits in `next` look again."""
        if not self.busy:
            self.busy = True
            self.progress()
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def progress(self) -> None:
        """Note that the reader has taken something, or has only now been given something to take."""
        self.sending_since = self.hub.loop.time()
