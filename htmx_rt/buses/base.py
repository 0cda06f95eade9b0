"""The seam between one worker and all others: a log, ephemeral signals, and revocations."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple, Protocol, TypeVar

from ..frames import Draft
from ..log import Log
from ..types import Limits

T = TypeVar("T")

REVOCATION_LIFE = 24 * 3600.0  # seconds


class Mark(NamedTuple):
    """From `not_before` on, older identities of a browser or older grants of a topic count no more."""

    kind: str  # "browser" or "topic"
    subject: str  # the browser's id, or the topic
    user: str | None  # of a topic: only this person's grants; None: everybody's
    not_before: float  # Unix seconds
    why: str = "signed-out"  # of a browser: what its streams are told


class Known(Future[T]):
    """A future that is known from the start, as most are: without the lock and the lists that waiting takes."""

    def __init__(self, value: T) -> None:
        self._value = value

    def __getattr__(self, name: str) -> Any:
        """Be a whole one after all: `repr` and `concurrent.futures.wait` look at what futures have inside."""
        if name == "_condition":
            super().__init__()
            self.set_result(self._value)
        return self.__getattribute__(name)

    def done(self) -> bool:
        """It is."""
        return True

    def running(self) -> bool:
        """Not any more."""
        return False

    def cancelled(self) -> bool:
        """It was not."""
        return False

    def cancel(self) -> bool:
        """It cannot be any more."""
        return False

    def result(self, timeout: float | None = None) -> T:
        """Return the value."""
        return self._value

    def exception(self, timeout: float | None = None) -> None:
        """There was none."""

    def add_done_callback(self, fn: Callable[[Future[T]], Any]) -> None:
        """Call `fn` now."""
        fn(self)


class Listener(Protocol):
    """What a hub offers its bus. Each method may be called from any thread and returns at once."""

    def grown(self) -> None:
        """There is something new in the log."""

    def signalled(self, topic: str, frame: bytes) -> None:
        """A signal for `topic` is to be delivered now or never."""

    def marked(self, mark: Mark) -> None:
        """A browser or topic was revoked."""


class Revocations:
    """This worker's copy of the marks, each kept for 24 h.

    Browsers and topics are bounded apart: signing in and out is cheap, and must not push out what was revoked.
    """

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = time.time) -> None:
        self._marks: dict[str, OrderedDict[tuple[str, str | None], float]] = {
            "browser": OrderedDict(),
            "topic": OrderedDict(),
        }
        self._limit = limits.revocations
        self._clock = clock

    def add(self, mark: Mark) -> bool:
        """Keep `mark`, or what is stricter already; return whether it was news."""
        horizon = self._clock() - REVOCATION_LIFE
        if mark.not_before < horizon:
            return False
        marks, key = self._marks[mark.kind], (mark.subject, mark.user)
        before = marks.pop(key, 0.0)
        marks[key] = max(mark.not_before, before)
        while marks:
            oldest = next(iter(marks))
            if len(marks) <= self._limit and marks[oldest] >= horizon:
                break
            del marks[oldest]
        return mark.not_before > before

    def all(self) -> list[Mark]:
        """Return all that is kept."""
        return [
            Mark(kind, subject, user, not_before)
            for kind, marks in self._marks.items()
            for (subject, user), not_before in tuple(marks.items())
        ]

    @property
    def of_topics(self) -> bool:
        """Whether there are any of topics, as mostly there are none."""
        return bool(self._marks["topic"])

    def browser(self, browser: str) -> float:
        """Return the time up to which identities of `browser` count no more; 0 if there is none."""
        return self._marks["browser"].get((browser, None), 0.0)

    def topic(self, topic: str, user: str | None) -> float:
        """Return the time up to which `user`'s grants of `topic` count no more; 0 if there is none."""
        marks = self._marks["topic"]
        everybody = marks.get((topic, None), 0.0)
        return everybody if user is None else max(everybody, marks.get((topic, user), 0.0))


class Bus(ABC):
    """Carries messages between workers. `log` and `revocations` are this worker's copies, safe from any thread."""

    log: Log
    revocations: Revocations
    shared: bool  # True where several workers may use it

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()  # replaced, never changed: publishers read it from any thread
        self._listening = threading.Lock()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell `listener` of everything from now on; return what stops it."""
        with self._listening:
            self._listeners = (*self._listeners, listener)

        def stop() -> None:
            with self._listening:
                self._listeners = tuple(other for other in self._listeners if other is not listener)

        return stop

    async def start(self) -> None:
        """Connect, where there is something to connect to."""

    async def stop(self) -> None:
        """Let go of everything."""

    @property
    def reached(self) -> bool:
        """Whether whatever carries messages to other workers has been there since the start."""
        return True

    async def prepare(self, positions: Mapping[str, int]) -> None:
        """Make sure that this worker knows what readers of topics at these offsets of the present epoch may ask for."""

    @abstractmethod
    def publish(self, draft: Draft) -> Future[int]:
        """Append `draft` to the log, from any thread or loop; the future holds its offset or `BusUnavailable`."""

    @abstractmethod
    def signal(self, topic: str, frame: bytes) -> None:
        """Send `frame` to whoever reads `topic` at this moment."""

    @abstractmethod
    def revoke(self, mark: Mark) -> Future[None]:
        """Make `mark` known to every worker."""
