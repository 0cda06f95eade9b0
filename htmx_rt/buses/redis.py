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
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any, Final, NamedTuple

from ..exceptions import BusUnavailable
from ..frames import Draft, resync_draft
from ..log import Log
from ..types import Limits
from .base import Bus, Mark, Revocations

log = logging.getLogger("htmx_rt")

WAITING: Final = 10_000  # messages that may wait to be sent
PATIENCE: Final = 1.0  # seconds an opening stream waits for Redis before it goes by what this worker knows
MESSAGE, MARK = "m", "x"

Connect = Callable[[], Any]


class Waiting(NamedTuple):
    """Something on its way to Redis."""

    kind: str
    draft: Draft
    future: Future[Any]
    mark: Mark | None = None


class RedisBus(Bus):
    """A bus over Redis 6.2 or later. `connect` makes a `redis.asyncio` client, such as `Redis.from_url(…)`."""

    shared = True

    def __init__(self, connect: Connect, limits: Limits, *, name: str = "app") -> None:
        super().__init__()
        self.connect = connect
        self.limits = limits
        self.name = name
        self.log = Log(limits)
        self.revocations = Revocations(limits)
        self.outbox: deque[Waiting] = deque()
        self.signals: deque[tuple[str, bytes]] = deque(maxlen=WAITING)
        self.up = True  # until the first call fails
        self._dirty: OrderedDict[str, None] = OrderedDict()  # topics whose messages were refused
        self._known: OrderedDict[str, None] = OrderedDict()  # topics whose states were fetched
        self._lock = threading.Lock()
        self._link: Any = None
        self._process = 0

    # What apps call, from any thread

    def publish(self, draft: Draft) -> Future[int]:
        future: Future[int] = Future()
        if not self.up or len(self.outbox) >= WAITING:
            self.refuse(
                [Waiting(MESSAGE, draft, future)],
                "Redis cannot be reached" if not self.up else "too much waits to be sent",
            )
        else:
            self.outbox.append(Waiting(MESSAGE, draft, future))
            self.link().wake()
        return future

    def signal(self, topic: str, frame: bytes) -> None:
        self.signals.append((topic, frame))
        self.link().wake()

    def revoke(self, mark: Mark) -> Future[None]:
        # At once on this worker, whatever becomes of Redis; it is sent again until the others know.
        self.obey(mark)
        future: Future[None] = Future()
        self.outbox.append(Waiting(MARK, Draft("", b"", b""), future, mark))
        self.link().wake()
        return future

    async def start(self) -> None:
        """Connect; where Redis is away the app starts all the same, and catches up when it is back."""
        link = self.link()
        try:
            await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(link.joined)), PATIENCE * 2)
        except TimeoutError:
            log.warning("Redis cannot be reached yet; people on other workers see changes when it is back.")

    async def stop(self) -> None:
        with self._lock:
            link, self._link = self._link, None
        if link is not None:
            await asyncio.get_running_loop().run_in_executor(None, link.close)

    async def prepare(self, positions: Mapping[str, int]) -> None:
        """Catch up with what readers at `positions` have seen elsewhere, and fetch the states of new topics."""
        unknown = [topic for topic in positions if topic not in self._known]
        furthest = max(positions.values(), default=0)
        if not unknown and furthest <= self.log.head:
            return
        future = asyncio.run_coroutine_threadsafe(self.link().prepare(unknown, furthest), self.link().loop)
        try:
            await asyncio.wait_for(asyncio.wrap_future(future), PATIENCE)
        except (TimeoutError, BusUnavailable):
            for topic in unknown:
                self._dirty[topic] = None  # its states are unknown here, so its pages fetch it again later

    # What the link calls, in its thread

    def link(self) -> Any:
        """Return the thread that talks to Redis, starting it in this process."""
        if self._link is None or self._process != os.getpid():
            with self._lock:
                if self._link is None or self._process != os.getpid():
                    from .redis_link import Link

                    self._process = os.getpid()
                    self._link = Link(self)
        return self._link

    def refuse(self, batch: Iterable[Waiting], why: object) -> None:
        """Fail whoever waits for `batch`; its topics are resynced once Redis is back."""
        for waiting in batch:
            if waiting.draft.topic:
                self._dirty[waiting.draft.topic] = None
                while len(self._dirty) > self.limits.trimmed_topics:
                    self._dirty.popitem(last=False)
            if not waiting.future.done():
                waiting.future.set_exception(BusUnavailable(f"Nothing was sent on {waiting.draft.topic!r}: {why}."))

    def came_back(self) -> None:
        """Resync what was refused while Redis was away."""
        self.up = True
        while self._dirty:
            topic, _ = self._dirty.popitem(last=False)
            self.outbox.append(Waiting(MESSAGE, resync_draft(topic, "failed"), Future()))

    def obey(self, mark: Mark) -> None:
        """Take note of a revocation, ours or another worker's."""
        with self._lock:
            self.revocations.add(mark)
        for listener in self._listeners:
            listener.marked(mark)

    def deliver_signal(self, topic: str, frame: bytes) -> None:
        """Pass a signal on to this worker's readers."""
        for listener in self._listeners:
            listener.signalled(topic, frame)

    def tell(self) -> None:
        """Tell this worker's hubs that the log has grown."""
        for listener in self._listeners:
            listener.grown()

    def know(self, topics: Iterable[str]) -> None:
        """Remember that the states of `topics` are here."""
        for topic in topics:
            self._known[topic] = None
        while len(self._known) > self.limits.trimmed_topics:
            self._known.popitem(last=False)

    def forget(self) -> None:
        """A new epoch: nothing that was fetched counts any more."""
        self._known.clear()
