"""One open stream, as the hub sees it: who reads, what they read, and the bytes on their way."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from collections.abc import Callable, Coroutine, Iterable, Mapping, Set
from types import MappingProxyType
from typing import Any, Protocol

from .accelerator import Direct
from .lines import PIECE, Body, Form, pieces, step
from .types import LONGEST, Limits, Message, Send, User

log = logging.getLogger("htmx_rt")

_numbers = itertools.count(1)
_NONE: frozenset[Any] = frozenset()  # most readers show nothing, and are owed nothing
_NOTHING: Mapping[str, set[Any]] = MappingProxyType({})


class Source(Protocol):
    """What a reader needs of its hub."""

    loop: asyncio.AbstractEventLoop
    limits: Limits

    def bring_forward(self, reader: Reader) -> bytes:
        """Return what a reader that was behind has missed."""

    def remove(self, reader: Reader) -> None:
        """Forget a reader."""

    def reader_of(self, owner: str, tab: str, gen: int) -> Reader | None:
        """Return the stream of somebody's tab as its connection `gen` may know it."""


class Link(Protocol):
    """What a reader needs of its request."""

    def check(self, reader: Reader) -> None:
        """Ask again who this is, every five minutes."""

    def cut(self) -> bool:
        """End the connection; return whether it was found."""


class Reader:
    """One open stream. The hub offers it bytes: it sends them itself by `line`, or its task takes them with `next`."""

    __slots__ = (
        "aborted", "behind", "born", "browser", "busy", "checked", "chunk", "closed", "direct", "ended", "expires",
        "extra", "final", "form", "hub", "iat", "lang", "line", "link", "number", "owed", "owner", "pay", "position", "sending", "sending_since",
        "shared", "tabs", "task", "topics", "user", "viewer", "views", "waiter", "wants",
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
        self.expires = self.born + life * random.uniform(2 - LONGEST, LONGEST)
        self.link: Link | None = None
        self.task: asyncio.Task[Any] | None = None  # that the stream belongs to
        self.aborted: asyncio.TimerHandle | None = None
        self.busy = True  # the head of the response is still to be sent
        self.behind = False
        self.position = 0  # in the log, while behind; else where it was at last
        self.sending_since = self.born
        self.chunk = b""
        self.extra = b""
        self.form: Form | None = None  # of another transport than server-sent events
        self.shared: tuple[Message, ...] = ()  # in that form, the same to all
        self.tabs: dict[str, int] = {}  # that read through this stream, and the number of their connection
        self.views: Set[Any] = _NONE  # pictures that it shows
        self.wants: Mapping[str, set[Any]] = _NOTHING  # the same by tab
        self.owed: Set[Any] = _NONE  # those that changed while it was busy
        self.pay: Callable[[Reader], bytes] | None = None  # returns the newest of what is owed
        self.final: bytes | None = None
        self.closed = False  # the final bytes are on their way
        self.ended = ""  # why the person was sent away
        self.lang = "en"
        self.owner = ""  # as Identity.owner has it
        self.viewer: User | None = None  # who reads
        self.waiter: asyncio.Future[None] | None = None
        self.line: Send | None = None  # the server's own, where the hub may step it
        self.direct: Direct | None = None  # its transport, where that may be written to past the line
        self.sending: asyncio.Task[None] | None = None  # of what the line would not take at once

    def take(self) -> Iterable[Message] | None:
        """Return the messages to send; None where there are none now. The last ones there are make it `closed`."""
        if self.closed:
            return None
        chunk, self.chunk, self.extra = self.chunk + self.extra, b"", b""
        if self.final is not None:
            self.closed = True
            chunk += self.final
        else:
            if self.behind:
                chunk += self.hub.bring_forward(self)
            if self.owed and self.pay is not None:
                chunk += self.pay(self)
        if self.form is None:
            return pieces(chunk, not self.closed) if chunk or self.closed else None
        shared, self.shared = self.shared, ()
        messages = (*shared, *self.form(chunk, not self.closed)) if chunk or self.closed else shared
        return messages if messages or self.closed else None

    async def next(self) -> Iterable[Message]:
        """Return the messages to send; waits until there are some."""
        while True:
            taken = self.take()
            if taken is not None:
                self.progress()
                return taken
            self.busy = False
            self.waiter = self.hub.loop.create_future()
            try:
                await self.waiter
            finally:
                self.waiter = None
                self.busy = True

    def offer(self, message: Body) -> None:
        """Hand over a body, the same object to all who get it; only for a reader that is not busy."""
        if self.form is not None:
            self._offer_formed(message.formed(self.form))
        elif self.line is not None and len(message["body"]) <= PIECE:
            if self.direct is None or not self.direct.write(message):
                self._step(message)
        else:  # a server would take the whole of it at once, however slow its reader is
            self.chunk = message["body"]
            self.wake()

    def _offer_formed(self, messages: tuple[Message, ...]) -> None:
        if self.line is None:
            self.shared = messages
            if messages:
                self.wake()
            return
        rest = iter(messages)
        for message in rest:
            if (self.direct is None or not self.direct.write(message)) and not self._step(message, rest):
                return

    def tell(self, frame: bytes) -> None:
        """Hand over a control frame, now or with the next bytes."""
        self.extra += frame
        self.wake()

    def owe(self, pictures: Set[Any]) -> None:
        """Send the newest of `pictures`, now or with the next bytes."""
        if pictures:
            self.owed |= pictures
            self.wake()

    def finish(self, frame: bytes) -> None:
        """Make `frame` the last thing sent."""
        if self.final is None:
            self.final = frame
            self.wake()

    def wake(self) -> None:
        """Send what there is, or let the task that waits in `next` look again."""
        if self.line is not None:
            if not self.busy:
                self._pump()
            return
        if not self.busy:
            self.busy = True
            self.progress()
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def progress(self) -> None:
        """Note that the reader has taken something, or has only now been given something to take."""
        self.sending_since = self.hub.loop.time()

    def abort(self) -> None:
        """End a stream whose reader takes nothing."""
        if self.link is None or self.task is None or self.aborted is not None:
            return
        # A server that has lost its connection lets go of us by itself; one that has not never would.
        self.aborted = self.hub.loop.call_later(1.0 if self.link.cut() else 0.0, self.task.cancel)

    # Where the hub sends

    def begin(self, line: Send, direct: Direct | None = None) -> None:
        """Send by `line` from now on, or to the transport behind it; whatever has come meanwhile first."""
        self.line, self.direct = line, direct
        self.busy = False
        self._pump()

    def end(self) -> None:
        """Send nothing more."""
        self.line, self.direct, self.busy = None, None, True
        if self.sending is not None:
            self.sending.cancel()

    def _pump(self) -> None:
        """Send what there is, as far as the line takes it at once."""
        while not self.busy and (taken := self.take()) is not None:
            self.progress()
            messages = iter(taken)
            for message in messages:
                if not self._step(message, messages):
                    return
            self.busy = self.closed

    def _step(self, message: Message, rest: Iterable[Message] = ()) -> bool:
        """Send `message`; where the line takes it only later, leave it and the `rest` to a task."""
        assert self.line is not None
        try:
            left = step(self.line, message)
        except Exception:
            self._broken()
            return False
        if left is None:
            return True
        self.busy = True
        self.progress()
        self.sending = self.hub.loop.create_task(self._go_on(left, rest))
        return False

    async def _go_on(self, left: Coroutine[Any, Any, None], rest: Iterable[Message]) -> None:
        try:
            await left
            line = self.line
            while line is not None:
                for message in rest:
                    self.progress()
                    await line(message)
                taken = self.take()
                if taken is None:
                    break
                self.progress()
                rest = taken
            self.busy = self.closed or line is None
        except Exception:
            self._broken()
        finally:
            self.sending = None

    def _broken(self) -> None:
        """The server refused a body, which it does only where it has lost its connection without a word."""
        log.debug("A stream could not be written to.", exc_info=True)
        self.busy = True
        self.abort()
