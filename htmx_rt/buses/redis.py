"""The bus of many workers: one Redis stream as the ordered log, written by one script, tailed by every worker.

Each worker keeps its own copy of the window, and its readers are served from that copy alone. A thread of this
process owns the connections and an event loop of their own (`redis_link.py`), so that `publish` works from any thread
or loop, with and without a server, and a slow Redis never holds up the app's loop. All keys share one hash slot, and
every key expires.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final

from ..exceptions import BusUnavailable
from ..frames import Draft
from ..log import Log
from ..types import Limits
from .base import Bus, Mark, Revocations
from .outbox import Outbox, Waiting

if TYPE_CHECKING:
    from .redis_link import Link

log = logging.getLogger("htmx_rt")

PATIENCE: Final = 0.8  # seconds an opening stream waits for Redis before it goes by what this worker knows
START: Final = 2.0  # seconds that starting waits for Redis

_left_behind: list[object] = []  # links of the process we were forked from: collecting one would close what it uses


class RedisBus(Bus):
    """A bus over Redis 6.2 or later. `connect` makes a `redis.asyncio` client, such as `Redis.from_url(…)`."""

    shared = True

    def __init__(
        self,
        connect: Callable[[], Any],
        limits: Limits,
        *,
        name: str = "app",
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.connect = connect
        self.limits = limits
        self.name = name
        self.clock = clock
        self.wall_clock = wall_clock
        self.log = Log(limits, clock=clock)
        self.revocations = Revocations(limits, clock=wall_clock)
        self.outbox = Outbox(limits)
        self.up = True  # until a call fails
        self._known: OrderedDict[str, None] = OrderedDict()  # topics whose states were fetched
        self._lock = threading.Lock()
        self._link: Link | None = None
        itself = weakref.ref(self)

        def forked() -> None:
            bus = itself()
            if bus is not None:
                bus._forked()

        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=forked)

    # What apps call, from any thread

    def publish(self, draft: Draft) -> Future[int]:
        waiting = Waiting(draft, Future())
        if not self.up:
            self.outbox.refuse([waiting], "Redis cannot be reached")
        elif not self.outbox.add(waiting):
            self.outbox.refuse([waiting], "too much waits to be sent already")
        else:
            self._running().wake()
        return waiting.future

    def signal(self, topic: str, frame: bytes) -> None:
        if self.up:  # now or never
            self.outbox.signal(topic, frame)
            self._running().wake()

    def revoke(self, mark: Mark) -> Future[None]:
        # At once on this worker, whatever becomes of Redis; it is sent again until the others know.
        self.obey([mark])
        future = self.outbox.mark(mark)
        self._running().wake()
        return future

    async def start(self) -> None:
        """Connect; where Redis is away the app starts all the same, and catches up when it is back."""
        link = self._running()
        ready = [asyncio.wrap_future(future) for future in (link.joined, link.listening)]
        await asyncio.wait([asyncio.shield(future) for future in ready], timeout=START)
        if not link.joined.done():
            log.warning("Redis cannot be reached yet; people on other workers see changes when it is back.")

    async def stop(self) -> None:
        """Send what waits, for a second at most, and end the thread; a later publish starts it again."""
        with self._lock:
            link, self._link = self._link, None
        if link is not None:
            await asyncio.get_running_loop().run_in_executor(None, link.close)

    @property
    def reached(self) -> bool:
        """Whether Redis has been there since the start."""
        return self._link is not None and self._link.joined.done()

    async def prepare(self, positions: Mapping[str, int]) -> None:
        """Catch up with what readers at `positions` have seen elsewhere, and fetch the states of new topics."""
        unknown = [topic for topic in positions if topic not in self._known]
        furthest = max(positions.values(), default=0)
        if not unknown and furthest <= self.log.head:
            return
        try:
            await asyncio.wait_for(asyncio.wrap_future(self._running().prepare(unknown, furthest)), PATIENCE)
        except (TimeoutError, BusUnavailable):
            for topic in unknown:  # its states are not known here, so its pages fetch it again later
                self.outbox.soil(topic)

    # What the link calls, in its thread

    def obey(self, marks: Iterable[Mark]) -> None:
        """Take note of revocations, ours or another worker's, and tell of those that are news."""
        with self._lock:
            news = [mark for mark in marks if self.revocations.add(mark)]
        for listener in self._listeners:
            for mark in news:
                listener.marked(mark)

    def deliver_signal(self, topic: str, frame: bytes) -> None:
        """Pass a signal on to this worker's readers."""
        for listener in self._listeners:
            listener.signalled(topic, frame)

    def tell(self) -> None:
        """Tell this worker's hubs that the log has grown."""
        for listener in self._listeners:
            listener.grown()

    @property
    def known(self) -> list[str]:
        """The topics whose states are here."""
        with self._lock:
            return list(self._known)

    def know(self, topics: Iterable[str]) -> None:
        """Remember that the states of `topics` are here."""
        with self._lock:
            for topic in topics:
                self._known[topic] = None
            while len(self._known) > self.limits.trimmed_topics:
                self._known.popitem(last=False)

    def forget(self) -> None:
        """A new epoch: nothing that was fetched counts any more."""
        with self._lock:
            self._known.clear()

    # The thread

    def _running(self) -> Link:
        """Return the thread that talks to Redis, starting it where there is none."""
        link = self._link
        if link is None:
            from .redis_link import Link

            with self._lock:
                link = self._link
                if link is None:
                    link = self._link = Link(self)
        return link

    def _forked(self) -> None:
        # Threads and connections stay with the parent, and so does what waits there. Its locks may be held for ever.
        self._lock, self._listening = threading.Lock(), threading.Lock()
        self._listeners = ()
        if self._link is not None:
            _left_behind.append(self._link)
        self._link = None
        self.outbox, self.log, self._known = Outbox(self.limits), Log(self.limits, clock=self.clock), OrderedDict()
        self.up = True
