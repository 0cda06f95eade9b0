"""What the tests of buses share: a listener that can be waited for, and buses that end with the test."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Callable

import pytest

from htmx_rt.buses import Bus, Mark
from htmx_rt.buses.redis import RedisBus
from htmx_rt.frames import Cursor, Draft, draft
from htmx_rt.redis_client import connector
from htmx_rt.types import Limits

from ..kit import Clock


class Listener:
    """Hears everything, and lets tests wait for it."""

    def __init__(self, bus: Bus | None = None) -> None:
        self.growths = 0
        self.signals: list[tuple[str, bytes]] = []
        self.marks: list[Mark] = []
        self._news = threading.Condition()
        if bus is not None:
            bus.listen(self)

    def grown(self) -> None:
        with self._news:
            self.growths += 1
            self._news.notify_all()

    def signalled(self, topic: str, frame: bytes) -> None:
        with self._news:
            self.signals.append((topic, frame))
            self._news.notify_all()

    def marked(self, mark: Mark) -> None:
        with self._news:
            self.marks.append(mark)
            self._news.notify_all()

    async def until(self, condition: Callable[[], object], *, within: float = 10.0) -> None:
        """Wait for news that make `condition` true."""

        def wait() -> bool:
            with self._news:
                return self._news.wait_for(lambda: bool(condition()), timeout=within)

        assert await asyncio.to_thread(wait), "not in time"


def message(topic: str = "a", text: object = "x", *, state: str | None = None) -> Draft:
    """Return a message that shows `text`."""
    return draft(topic, "rt:ops", {"ops": [["text", "#x", str(text)]]}, state=state)


def frames(bus: Bus) -> list[bytes]:
    """Return everything in the window of `bus`."""
    place = bus.log.position
    entries = bus.log.after(Cursor(place.epoch, bus.log._first - 1))
    assert entries is not None
    return [entry.frame for entry in entries]


def states(bus: Bus, topic: str = "a") -> list[tuple[int, str | None]]:
    """Return what a first open gets of the states of `topic`."""
    place = bus.log.position
    missed = bus.log.missed({topic: place.offset}, upto=place, fresh=frozenset([topic]))
    assert not missed.resync
    return [(entry.offset, entry.state) for entry in missed.entries]


def resync(bus: Bus, topic: str, position: int) -> str | None:
    """Return why a reader of `topic` at `position` has to fetch it again, or None."""
    return bus.log.missed({topic: position}, upto=bus.log.position).resync.get(topic)


OpenBus = Callable[..., RedisBus]


@pytest.fixture
async def open_bus() -> AsyncIterator[OpenBus]:
    """Open buses of one name over any server; they are stopped after the test."""
    buses: list[RedisBus] = []
    common = f"t{random.randrange(10**12)}"

    def make(url: str, limits: Limits | None = None, *, clock: Clock | None = None, name: str = common) -> RedisBus:
        clocks = {} if clock is None else {"clock": clock, "wall_clock": clock}
        buses.append(RedisBus(connector(url), limits or Limits(), name=name, **clocks))
        return buses[-1]

    yield make
    for bus in buses:
        await bus.stop()
