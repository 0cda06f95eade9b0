"""Several workers on one simulated bus, which loses, doubles and delays what it is told to, and can be away."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from htmx_rt.attendance import Ticket, Who
from htmx_rt.buses import MemoryBus
from htmx_rt.buses.base import Bus, Listener, Mark
from htmx_rt.frames import Draft
from htmx_rt.people import News
from htmx_rt.presence import Presence
from htmx_rt.types import Limits, User

from .kit import Clock

TAB = "a" * 32


class Wire:
    """What connects the workers: words go out in order, and arrive when they are delivered."""

    def __init__(self, seed: int = 0) -> None:
        self.random = random.Random(seed)
        self.buses: list[SimBus] = []
        self.loss = 0.0
        self.doubling = 0.0
        self.away = False
        self.said: list[tuple[str, bytes]] = []
        self.waiting: list[tuple[SimBus, str, bytes]] = []

    def send(self, topic: str, frame: bytes) -> None:
        if self.away:
            return
        self.said.append((topic, frame))
        for bus in self.buses:
            if self.random.random() >= self.loss:
                self.waiting += [(bus, topic, frame)] * (1 + (self.random.random() < self.doubling))

    def deliver(self) -> None:
        while self.waiting:
            bus, topic, frame = self.waiting.pop(0)
            if not bus.cut:
                for listener in bus._listeners:
                    listener.signalled(topic, frame)

    def mark(self, mark: Mark) -> None:
        for bus in self.buses:
            for listener in bus._listeners:
                listener.marked(mark)


class SimBus(Bus):
    """One worker's end of the wire."""

    shared = True

    def __init__(self, wire: Wire, clock: Clock) -> None:
        super().__init__()
        self.inner = MemoryBus(Limits(), clock=clock, wall_clock=clock)
        self.log, self.revocations = self.inner.log, self.inner.revocations
        self.wire = wire
        self.cut = False  # hears nothing, and is not heard
        wire.buses.append(self)

    def publish(self, draft: Draft) -> Future[int]:
        return self.inner.publish(draft)

    def signal(self, topic: str, frame: bytes) -> None:
        if not self.cut:
            self.wire.send(topic, frame)

    def revoke(self, mark: Mark) -> Future[None]:
        self.wire.mark(mark)
        return Future()


class Worker:
    """A worker's presence, without a server."""

    def __init__(self, wire: Wire, clock: Clock, **limits: Any) -> None:
        self.clock = clock
        self.bus = SimBus(wire, clock)
        self.drawn: list[str] = []
        self.news: list[News] = []
        self.presence = Presence(
            bus=self.bus, limits=Limits.of(limits), draw=self.drawn.append, clock=clock, wall_clock=clock
        )
        self.presence.subscribe(self.news.append)
        self.presence.gossip.start()
        self.alive = True

    def join(self, name: str, *topics: str, tab: str = TAB, gen: int = 1, visible: bool = True, **more: Any) -> Any:
        tickets = {topic: Ticket(**more) for topic in topics or ("doc:1",)}
        return self.presence.join(tickets, tab, gen, who(name), visible=visible)

    def beat(self, name: str, *, tab: str = TAB, gen: int = 1, visible: bool = True, idle: bool = False) -> bool:
        return self.presence.beat(tab, gen, who(name), visible=visible, idle=idle)

    def bye(self, name: str, *, tab: str = TAB, gen: int = 1) -> None:
        self.presence.goodbye(tab, gen, who(name))

    def close(self, name: str, *, tab: str = TAB, gen: int = 1, by_client: bool = True) -> None:
        self.presence.attendance.closed(tab, gen, f"o-{name}", by_client=by_client)

    def states(self, topic: str = "doc:1") -> dict[str, str]:
        return {person.name: person.state for person in self.presence.list(topic)}

    def told(self, name: str | None = None) -> list[str]:
        return [news.what for news in self.news if name in (None, news.person.name)]

    def table(self) -> dict[tuple[str, str], tuple[Any, ...]]:
        leases = self.presence.leases
        rooms = ((topic, leases.room(topic)) for topic in leases.topics)
        return {(topic, tab): (*one.age, one.worker, one.state) for topic, room in rooms for tab, one in room.items()}

    def kill(self) -> None:
        self.alive = False
        self.bus.cut = True
        self.presence.gossip.stop()


class Fleet:
    """Workers, one clock, and time that passes."""

    def __init__(self, count: int = 2, *, seed: int = 0, **limits: Any) -> None:
        self.clock = Clock()
        self.wire = Wire(seed)
        self.limits = limits
        self.workers = [Worker(self.wire, self.clock, **limits) for _ in range(count)]
        self.wire.deliver()

    def start(self) -> Worker:
        self.workers.append(Worker(self.wire, self.clock, **self.limits))
        self.wire.deliver()
        return self.workers[-1]

    def pass_(self, seconds: float, *, step: float = 0.5, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Let time pass, as the pulse of each worker does."""
        for _ in range(round(seconds / step)):
            self.clock.advance(step)
            meanwhile()
            for worker in self.workers:
                if worker.alive:
                    worker.presence.tick()
            self.wire.deliver()

    def until(self, condition: Callable[[], bool], *, most: float = 600.0, step: float = 0.5) -> float:
        """Let time pass until it is so; return how long that took."""
        began = self.clock.now
        while not condition():
            assert self.clock.now - began < most, f"not within {most} s"
            self.pass_(step, step=step)
        return self.clock.now - began


def who(name: str) -> Who:
    """A person of that name, or a visitor where it begins with a question mark."""
    user = None if name.startswith("?") else User(name.lower(), name)
    return Who(f"o-{name}", user, browser=f"b-{name}", at=1_800_000_000.0)


__all__ = ["TAB", "Fleet", "Listener", "Wire", "Worker", "who"]
