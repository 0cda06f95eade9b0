"""People who read and write through several workers while these, or what they share, fail.

Each reader keeps to the protocol as the extension does: it buffers a replay until its end, applies a message once, and
comes back with its cursor, anywhere. What it saw is compared with what was acknowledged: each message once and in
order, or the word, given after the message was published, that the page has to fetch the topic again.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import statistics
import time
from collections.abc import Callable
from typing import Any

import httpx
from servers import Server

from htmx_rt import protocol
from htmx_rt.frames import parse_cursor
from htmx_rt.testing import Event, Page, Parser

TIMEOUT = 30.0  # seconds that anything may take


class Workers:
    """Uvicorn processes over one bus, each on a port of its own that it keeps when it is started again."""

    def __init__(self, spawn: Callable[..., Server], bus: str, *ports: int, **limits: float) -> None:
        self._spawn = spawn
        settings = {"heartbeat": 2, "streams_per_user": 1000} | limits
        self._env = {"RT_BUS": bus, "RT_LIMITS": json.dumps(settings)}
        self.ports = ports
        self.servers = [self._start(port) for port in ports]
        for server in self.servers:
            server.address()

    def _start(self, port: int) -> Server:
        return self._spawn("redis_app:app", "--port", str(port), "--log-level", "info", env=self._env)

    def kill(self, place: int) -> None:
        """End one at once."""
        self.servers[place].process.kill()
        self.servers[place].process.wait(TIMEOUT)

    def restart(self, place: int) -> Server:
        """Start one again."""
        self.servers[place] = self._start(self.ports[place])
        return self.servers[place]

    def addresses(self) -> list[str]:
        """Return where the living can be found."""
        return [
            f"http://127.0.0.1:{port}"
            for port, server in zip(self.ports, self.servers, strict=True)
            if server.process.poll() is None
        ]

    @property
    def output(self) -> str:
        return "\n".join(server.output for server in self.servers)


class Reader:
    """One page's stream."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self.seen: list[tuple[str, int, float]] = []  # "op" or "resync", the number of the message, when
        self.ready: float | None = None
        self.opened = 0
        self.why: list[str] = []  # of resyncs
        self._tab: dict[str, Any] = {}
        self._cookies = ""
        self._cursor: str | None = None
        self._place = ("", 0)

    async def run(self) -> None:
        async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
            while not self._tab:
                try:
                    await self._visit(http)
                except httpx.HTTPError:
                    await asyncio.sleep(0.05)
            while True:
                try:
                    await self._follow(http)
                except httpx.HTTPError:
                    await asyncio.sleep(0.02)

    async def _visit(self, http: httpx.AsyncClient) -> None:
        answer = await http.get(self.crowd.somewhere() + "/")
        page = Page(answer.status_code, [], answer.text, "/")
        self._cookies = "; ".join(f"{name}={value}" for name, value in answer.cookies.items())
        self._grants = list(page.grants.values())
        self._tab = {"id": page.tab, "gen": 1, "vis": True}

    async def _follow(self, http: httpx.AsyncClient) -> None:
        key = "fresh" if self._cursor is None else "grants"
        body = {"v": protocol.VERSION, "cursor": self._cursor, "tabs": [self._tab | {key: self._grants}]}
        headers = {"Accept": "text/event-stream", "Sec-Fetch-Site": "same-origin", "Cookie": self._cookies}
        url = self.crowd.somewhere() + protocol.PREFIX + "/stream"
        async with http.stream("POST", url, json=body, headers=headers) as answer:
            if answer.status_code == 503:
                raise httpx.ConnectError("draining")
            assert answer.status_code == 200, (answer.status_code, await answer.aread())
            self.opened += 1
            parser, replay = Parser(), []
            async for chunk in answer.aiter_raw():
                for event in parser.feed(chunk):
                    if event.name == protocol.HELLO:
                        self._hello(event)
                    elif event.id is None and parser.cursor is None:
                        replay.append(event)
                    else:
                        replay = self._apply(replay)
                        self._apply([event])
                if parser.cursor is not None:
                    replay = self._apply(replay)  # whole, or not at all
                    self._cursor = parser.cursor
                    if self.ready is None:
                        self.ready = time.monotonic()
                        self.crowd.stir()

    def _hello(self, event: Event) -> None:
        here = parse_cursor(event.data["cursor"])
        assert here is not None
        if here.epoch != self._place[0]:
            self._place = (here.epoch, 0)

    def _apply(self, events: list[Event]) -> list[Event]:
        for event in events:
            now = time.monotonic()
            if event.name == protocol.RESYNC:
                self.seen.append(("resync", 0, now))
                self.why.append(event.data["why"])
            elif event.name == protocol.OPS and event.data["o"] > self._place[1]:
                self._place = (self._place[0], event.data["o"])
                found = re.search(r">(\d+)<", event.data["ops"][0][2])
                assert found is not None
                self.seen.append(("op", int(found[1]), now))
        self.crowd.stir()
        return []

    def check(self, published: dict[int, float]) -> tuple[int, int]:
        """Compare what was seen with the acknowledged (number → when it was sent); return how many came, and gaps."""
        assert self.ready is not None, "never connected"
        due = {number: at for number, at in published.items() if at > self.ready}
        numbers = [number for kind, number, _ in self.seen if kind == "op" and number in due]
        assert len(numbers) == len(set(numbers)), "a message came twice"
        assert numbers == sorted(numbers), "out of order"
        missing = sorted(set(due) - set(numbers))
        for number in missing:
            places = [
                (place, other) for place, (kind, other, _) in enumerate(self.seen) if kind == "op" and other in due
            ]
            first = max((place for place, other in places if other < number), default=-1)
            last = min((place for place, other in places if other > number), default=len(self.seen))
            told = [at for kind, _, at in self.seen[first + 1 : last] if kind == "resync"]
            assert told, f"{number} is missing, and nothing was said between {self.seen[max(0, first)]} and the next"
            assert max(told) >= due[number], f"{number} was published after the page was told to fetch"
        return len(numbers), len(missing)


class Crowd:
    """Readers, one who writes, and one who looks at pages."""

    def __init__(self, workers: Workers, *, readers: int = 4, seed: int | None = None) -> None:
        self.seed = random.randrange(10**9) if seed is None else seed
        self.random = random.Random(self.seed)
        self.workers = workers
        self.readers = [Reader(self) for _ in range(readers)]
        self.acknowledged: dict[int, float] = {}
        self.refused = 0
        self.pages: list[float] = []  # seconds
        self.waits: list[float] = []  # seconds that one who awaits a publish waited
        self._numbers = 0
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def somewhere(self) -> str:
        """Return the address of any worker that lives."""
        return self.random.choice(self.workers.addresses())

    def stir(self) -> None:
        """Something has happened."""
        self._news.set()

    async def __aenter__(self) -> Crowd:
        jobs = [self._write(), self._look(), *(reader.run() for reader in self.readers)]
        self._tasks = [asyncio.create_task(job) for job in jobs]
        await self.until(lambda: all(reader.ready for reader in self.readers))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def until(self, condition: Callable[[], bool], *, within: float = TIMEOUT) -> None:
        """Wait for it, and for no one who has failed."""
        async with asyncio.timeout(within):
            while not condition():
                for task in self._tasks:
                    if task.done():
                        task.result()
                self._news.clear()
                await self._news.wait()

    async def acknowledge(self, count: int) -> None:
        """Wait until that many more messages were acknowledged."""
        goal = len(self.acknowledged) + count
        await self.until(lambda: len(self.acknowledged) >= goal)

    async def right_again(self, *, within: float = 10.0) -> float:
        """Wait until a message sent from now on has reached everybody; return the seconds it took."""
        start, first = time.monotonic(), self._numbers
        due: set[int] = set()

        def reached() -> bool:
            due.update(number for number in self.acknowledged if number > first)
            return bool(due) and all(
                any(kind == "op" and number in due for kind, number, _ in reversed(reader.seen))
                for reader in self.readers
            )

        await self.until(reached, within=within)
        return time.monotonic() - start

    async def settle(self) -> None:
        """Stop writing, and wait until the last acknowledged message has reached everybody who is not told to fetch."""
        self._tasks.pop(0).cancel()
        last = max(self.acknowledged)
        await self.until(
            lambda: all(
                any(
                    number == last or (kind == "resync" and at > self.acknowledged[last])
                    for kind, number, at in reader.seen
                )
                for reader in self.readers
            )
        )

    def verdict(self, what: str) -> None:
        """Hold what was seen against what was promised, and print figures."""
        counts = [reader.check(self.acknowledged) for reader in self.readers]
        tail = statistics.quantiles(self.pages, n=20)[-1]
        why = sorted({why for reader in self.readers for why in reader.why})
        print(
            f"{what}: seed {self.seed}, {len(self.acknowledged)} acknowledged, {self.refused} refused, "
            f"{min(count for count, _ in counts)} seen by each at least, "
            f"{sum(missing for _, missing in counts)} fetched instead ({', '.join(why) or 'no resync'}), "
            f"{sum(reader.opened for reader in self.readers)} streams; pages median "
            f"{statistics.median(self.pages) * 1000:.0f} ms, 95 % {tail * 1000:.0f} ms, worst {max(self.pages) * 1000:.0f} ms; "
            f"awaited publish at worst {max(self.waits) * 1000:.0f} ms"
        )
        assert tail < 0.2

    async def _write(self) -> None:
        async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
            while True:
                self._numbers += 1
                number, start = self._numbers, time.monotonic()
                try:
                    answer = await http.post(self.somewhere() + "/publish", content=str(number))
                    accepted = answer.status_code == 200
                    assert accepted or answer.status_code == 503, answer.text
                except httpx.HTTPError:
                    accepted = False
                self.waits.append(time.monotonic() - start)
                if accepted:
                    self.acknowledged[number] = start
                else:
                    self.refused += 1
                self.stir()
                await asyncio.sleep(0.002 if accepted else 0.02)

    async def _look(self) -> None:
        async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
            while True:
                for method, path in (("GET", "/"), ("POST", "/say")):
                    start = time.monotonic()
                    try:
                        answer = await http.request(method, self.somewhere() + path)
                    except httpx.HTTPError:  # of a worker that was killed
                        continue
                    assert answer.status_code == 200, answer.text
                    self.pages.append(time.monotonic() - start)
                await asyncio.sleep(0.05)


def seed_of(environment: str = "RT_SEED") -> int | None:
    """Return the seed to run again with, where one is given."""
    return int(os.environ[environment]) if environment in os.environ else None
