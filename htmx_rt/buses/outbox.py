"""What waits to be sent to other workers, bounded in count and bytes; safe from any thread."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections import OrderedDict, deque
from concurrent.futures import Future, InvalidStateError
from typing import Any, Final, NamedTuple

from ..exceptions import BusUnavailable
from ..frames import Draft
from ..types import Limits
from .base import Mark

MESSAGES: Final = 10_000  # that may wait
BATCH: Final = 100  # messages in one call
BATCH_BYTES: Final = 1024 * 1024  # of one call; one message may always exceed it
SIGNALS: Final = 1_000  # that may wait; the oldest are dropped


class Waiting(NamedTuple):
    """Something on its way, and who waits for it to arrive."""

    item: Draft | Mark
    future: Future[Any]


class Outbox:
    """Messages in order, marks, signals, and the topics whose messages were refused."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._messages: deque[Waiting] = deque()
        self._bytes = 0
        self._marks: OrderedDict[tuple[str, str, str | None], Waiting] = OrderedDict()
        self._signals: deque[tuple[str, bytes]] = deque(maxlen=SIGNALS)
        self._dirty: OrderedDict[str, None] = OrderedDict()
        self.flooded = False  # so many were refused that every topic counts as dirty

    @property
    def waiting(self) -> int:
        """How many messages and marks wait."""
        return len(self._messages) + len(self._marks)

    def add(self, waiting: Waiting) -> bool:
        """Queue a message; False where too much waits already."""
        assert isinstance(waiting.item, Draft)
        with self._lock:
            if len(self._messages) >= MESSAGES or self._bytes > self._limits.window_bytes:
                return False
            self._messages.append(waiting)
            self._bytes += waiting.item.size
            return True

    def mark(self, mark: Mark) -> Future[None]:
        """Queue a mark and return what tells when all know; of two on the same the stricter waits, for both."""
        key = (mark.kind, mark.subject, mark.user)
        dropped: Waiting | None = None
        with self._lock:
            there = self._marks.get(key)
            future: Future[None] = there.future if there is not None else Future()
            if there is None or there.item.not_before < mark.not_before:  # type: ignore[union-attr]
                self._marks[key] = Waiting(mark, future)
            if len(self._marks) > self._limits.revocations:
                _, dropped = self._marks.popitem(last=False)
        if dropped is not None:
            fail(dropped.future, f"Too many revocations wait to be sent; one on {dropped.item[1]!r} was dropped")
        return future

    def signal(self, topic: str, frame: bytes) -> None:
        """Queue a signal; the oldest gives way."""
        with self._lock:
            self._signals.append((topic, frame))

    def take(self) -> list[Waiting]:
        """Return what is to be sent in one call, marks first; nothing where nothing waits."""
        with self._lock:
            batch: list[Waiting] = []
            size = 0
            while self._marks and len(batch) < BATCH:
                batch.append(self._marks.popitem(last=False)[1])
            while self._messages and len(batch) < BATCH:
                draft = self._messages[0].item
                assert isinstance(draft, Draft)
                if batch and size + draft.size > BATCH_BYTES:
                    break
                size += draft.size
                self._bytes -= draft.size
                batch.append(self._messages.popleft())
            return batch

    def take_signals(self) -> list[tuple[str, bytes]]:
        """Return the signals that wait."""
        with self._lock:
            signals = list(self._signals)
            self._signals.clear()
            return signals

    def refuse(self, batch: list[Waiting], why: object) -> None:
        """Fail whoever waits for the messages of `batch`, whose topics are dirty now; its marks go on waiting."""
        with self._lock:
            for waiting in batch:
                if isinstance(waiting.item, Mark):
                    mark = waiting.item
                    there = self._marks.setdefault((mark.kind, mark.subject, mark.user), waiting)
                    if there is not waiting:  # a stricter one came meanwhile, and stands for both
                        there.future.add_done_callback(functools.partial(_pass_on, waiting.future))
                else:
                    self._soil(waiting.item.topic)
        for waiting in batch:
            if isinstance(waiting.item, Draft):
                fail(waiting.future, f"A message on {waiting.item.topic!r} did not get into the log: {why}")

    def refuse_messages(self, why: object) -> None:
        """Fail whoever waits for a message."""
        with self._lock:
            batch = list(self._messages)
            self._messages.clear()
            self._bytes = 0
        self.refuse(batch, why)

    def refuse_marks(self, why: object) -> None:
        """Fail whoever waits for a mark."""
        with self._lock:
            batch = list(self._marks.values())
            self._marks.clear()
        for waiting in batch:
            fail(waiting.future, f"A revocation on {waiting.item[1]!r} did not get to other workers: {why}")

    def soil(self, topic: str) -> None:
        """Note that the readers of `topic` are to fetch it again."""
        with self._lock:
            self._soil(topic)

    def soiled(self) -> list[str]:
        """Return some of the dirty topics, which count as clean from now on."""
        with self._lock:
            return [self._dirty.popitem(last=False)[0] for _ in range(min(BATCH, len(self._dirty)))]

    def _soil(self, topic: str) -> None:
        self._dirty[topic] = None
        self._dirty.move_to_end(topic)
        if len(self._dirty) > self._limits.trimmed_topics:
            self._dirty.clear()
            self.flooded = True


def _pass_on(older: Future[Any], done: Future[Any]) -> None:
    error = done.exception()
    if error is not None:
        fail(older, str(error).removesuffix("."))
    else:
        settle(older, done.result())


def fail(future: Future[Any], why: str) -> None:
    """Tell who waits that it was in vain."""
    with contextlib.suppress(InvalidStateError):  # given up meanwhile
        future.set_exception(BusUnavailable(why + "."))


def settle(future: Future[Any], value: object) -> None:
    """Tell who waits that it is done."""
    with contextlib.suppress(InvalidStateError):
        future.set_result(value)
