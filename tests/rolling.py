"""A rolling restart of two workers behind nginx over Redis, with many streams open and numbers published throughout."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from .cluster import ROOT, Process, free_port, nginx, redis, worker
from .fleet import Fleet, Tab

APPS = ROOT / "tests" / "integration"
EVERY = 0.05  # seconds between publishes


@dataclass
class Outcome:
    """What was seen."""

    streams: int
    published: int = 0
    exits: list[float] = field(default_factory=list)  # seconds each worker took to end
    restarts: list[float] = field(default_factory=list)  # seconds since the start at which each was told to
    reconnects: list[float] = field(default_factory=list)  # seconds since the start
    tabs: list[Tab] = field(default_factory=list)
    resyncs: dict[str, int] = field(default_factory=dict)

    @property
    def busiest(self) -> int:
        """The most reconnects in any one second, wherever it begins."""
        times = sorted(self.reconnects)
        return max((sum(start <= other < start + 1 for other in times) for start in times), default=0)

    @property
    def lost(self) -> int:
        """How many numbers did not reach a page, over all pages."""
        return sum(len(set(range(1, self.published + 1)) - set(tab.seen)) for tab in self.tabs)

    @property
    def out_of_order(self) -> int:
        """How many pages saw a number again, or after a higher one."""
        return sum(tab.seen != sorted(set(tab.seen)) for tab in self.tabs)

    @property
    def outages(self) -> int:
        """How many pages were ever anything but connected or moving."""
        return sum(bool(set(tab.states) - {"connected", "moving"}) for tab in self.tabs)

    def per_second(self) -> list[int]:
        """Reconnects in each second since the start."""
        seconds = [int(moment) for moment in self.reconnects]
        return [seconds.count(second) for second in range(max(seconds, default=0) + 2)]


class Workers:
    """Two workers behind nginx; each can be replaced by one of another build."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stack = ExitStack()
        self.workers: list[Process] = []

    def __enter__(self) -> Workers:
        try:
            address = self.stack.enter_context(redis(self.folder))
            self.env = {
                "RT_BUS": address,
                "RT_STORE": address,
                "RT_LIMITS": json.dumps({"streams_per_user": 1000}),
            }
            self.ports = [free_port(), free_port()]
            self.addresses = [f"http://127.0.0.1:{port}" for port in self.ports]
            self.workers = [self._start(place, "1") for place in (0, 1)]
            self.address = self.stack.enter_context(nginx(self.folder, self.addresses))
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def replace(self, place: int, build: str) -> float:
        """Stop a worker, start one of `build` in its place; return how long the old one took to end, in seconds."""
        took = self.workers[place].terminate()
        self.workers[place] = self._start(place, build)
        return took

    def _start(self, place: int, build: str) -> Process:
        started = worker("deploy_app:app", port=self.ports[place], folder=APPS, env=self.env | {"BUILD": build})
        return self.stack.enter_context(started)


async def rolling_restart(folder: Path, streams: int) -> Outcome:
    """Restart both of two workers of their own, one after the other, under `streams` open streams."""
    with Workers(folder) as workers:
        return await restart_under(workers, streams)


async def restart_under(workers: Workers, streams: int) -> Outcome:
    """Restart both workers, one after the other, under `streams` open streams more than there are."""
    outcome = Outcome(streams)
    async with AsyncExitStack() as stack:
        fleet = Fleet(workers.address)
        stack.push_async_callback(fleet.leave)
        await fleet.board(streams)
        stop = asyncio.Event()
        began = time.monotonic()
        numbers = asyncio.create_task(fleet.publish(stop, EVERY))
        for place in (0, 1):
            moving = len(fleet.reconnects)
            outcome.restarts.append(time.monotonic() - began)
            outcome.exits.append(await asyncio.to_thread(workers.replace, place, "2"))
            while not all(tab.states[-1] == "connected" for tab in fleet.tabs) or len(fleet.reconnects) == moving:
                await asyncio.wait_for(fleet.opened.acquire(), 20)
        stop.set()
        outcome.published = await numbers
        await fleet.heard(outcome.published, within=10)
        outcome.reconnects = [moment - began for moment in fleet.reconnects]
        outcome.tabs, outcome.resyncs = fleet.tabs, dict(fleet.resyncs)
    return outcome
