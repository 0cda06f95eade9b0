"""Two workers with a copy of one log each, one of them late; pages that are cut off, held up, sent away, and come back
to either. Each page sees every message of its topics once, in order. A failure names its seed."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

import pytest

from htmx_rt import frames, protocol, rounds
from htmx_rt.buses import MemoryBus
from htmx_rt.frames import Draft, blocks, parse_cursor
from htmx_rt.testing import Page
from htmx_rt.types import Limits, Message

from .kit import SECRET, Browser, Site, running

pytestmark = pytest.mark.anyio
TOPICS = ("a", "b", "c")
SEEDS = range(60)
ACTS = (
    "publish", "publish", "follow", "follow", "turn", "turn", "turn", "hold", "sip", "sip", "free", "cut", "away",
    "settle", "read",
)  # fmt: skip


class Shared:
    """The one log."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []


class Copy(MemoryBus):
    """A worker's copy, which follows when it is told to, or when a page has seen more elsewhere."""

    shared = True

    def __init__(self, log: Shared) -> None:
        super().__init__(Limits())
        self.all = log
        self.log.epoch = "epoch"

    def publish(self, draft: Draft) -> Future[int]:
        self.all.drafts.append(draft)
        future: Future[int] = Future()
        future.set_result(len(self.all.drafts))
        return future

    def follow(self, count: int) -> None:
        for offset in range(self.log.head + 1, min(self.log.head + count, len(self.all.drafts)) + 1):
            self.log.put(self.all.drafts[offset - 1], offset)
        for listener in self._listeners:
            listener.grown()

    async def prepare(self, positions: Mapping[str, int]) -> None:
        await asyncio.sleep(0)
        self.follow(max(0, max(positions.values(), default=0) - self.log.head))


class Line:
    """A connection as a server has it: what is sent is written at once, and waits where it is held up."""

    def __init__(self) -> None:
        self.unread = b""
        self.free = asyncio.Event()
        self.free.set()
        self.gone = asyncio.Event()
        self.over = False

    async def send(self, message: Message) -> None:
        self.unread += message.get("body", b"")
        self.over = self.over or (message["type"] == "http.response.body" and not message.get("more_body", False))
        if not self.free.is_set():
            await self.free.wait()


class Stepped(Line):
    """One that a hub may step."""

    async def send(self, message: Message) -> None:
        await super().send(message)


Stepped.send.__module__ = "uvicorn.protocols.http.httptools_impl"
Stepped.send.__qualname__ = "RequestResponseCycle.send"


class Visitor:
    """A page, and what it has seen."""

    def __init__(self, page: Page, cookies: dict[str, str]) -> None:
        self.page, self.cookies = page, cookies
        self.cursor: str | None = None
        self.gen = 0
        self.seen: list[int] = []
        self.replayed: list[int] | None = None
        self.line: Line | None = None
        self.task: asyncio.Task[None] | None = None
        self.said: list[str] = []

    def open(self, site: Site, line: Line) -> None:
        self.line, self.gen, self.replayed = line, self.gen + 1, []
        key = "fresh" if self.cursor is None else "grants"
        tab = {"id": self.page.tab, "gen": self.gen, "vis": True, key: list(self.page.grants.values())}
        body = json.dumps({"v": 1, "cursor": self.cursor, "tabs": [tab]}).encode()
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"host": "t", "sec-fetch-site": "same-origin", "content-type": "application/json", "cookie": cookies}
        scope = {
            "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "path": "/_rt/stream",
            "raw_path": b"/_rt/stream", "query_string": b"", "root_path": "", "client": ("127.0.0.1", 1),
            "server": ("t", 80), "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }  # fmt: skip
        asked = False

        async def receive() -> Message:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": body, "more_body": False}
            await line.gone.wait()
            return {"type": "http.disconnect"}

        self.task = asyncio.get_running_loop().create_task(site.app(scope, receive, line.send))  # type: ignore[arg-type]

    def read(self, *, most: int | None = None) -> bool:
        """Take in what came, at `most` so many bytes; return whether the stream has ended."""
        assert self.line is not None
        taken = self.line.unread[:most]
        whole = taken[: taken.rfind(b"\n\n") + 2] if b"\n\n" in taken else b""
        self.line.unread = self.line.unread[len(whole) :]
        for block in blocks(whole):
            data: dict[str, Any] = json.loads(block.data or b"{}")
            if block.name == protocol.OPS and self.replayed is not None and block.id is None:
                self.replayed.append(data["o"])
            elif block.name == protocol.OPS:
                assert block.id is not None, "a live message without a place"
                self.seen.append(data["o"])
            elif block.name not in ("", protocol.HELLO, protocol.BYE):
                self.said.append(block.raw.decode())
            if block.id is not None:
                assert self.cursor is None or place(block.id) >= place(self.cursor), "a place that goes back"
                self.cursor = block.id
                if self.replayed is not None:  # applied when it is whole
                    self.seen += self.replayed
                    self.replayed = None
        return self.line.over and not self.line.unread

    async def close(self) -> None:
        if self.line is not None and self.task is not None:
            self.line.gone.set()
            self.line.free.set()
            await asyncio.wait_for(self.task, 10)
            self.line = None


def place(cursor: str) -> int:
    found = parse_cursor(cursor)
    assert found is not None
    return found.offset


class World:
    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.log = Shared()
        self.buses = [Copy(self.log), Copy(self.log)]
        self.sites = [Site(secret=SECRET, bus=bus, limits={"heartbeat": 0.03}) for bus in self.buses]
        self.visitors: list[Visitor] = []

    async def visit(self) -> None:
        site = self.chance.choice(self.sites)
        browser = Browser(site.app)
        browser.cookies["who"] = "ada"
        topics = self.chance.sample(TOPICS, self.chance.randint(1, 3))
        page = await browser.get("/?" + "&".join(f"t={topic}" for topic in topics))
        self.visitors.append(Visitor(page, dict(browser.cookies)))

    def publish(self) -> None:
        for _ in range(self.chance.randint(1, 3)):
            self.chance.choice(self.sites).rt.topic(self.chance.choice(TOPICS)).text("#x", "x" * 10)

    async def act(self) -> None:
        chance = self.chance
        what = chance.choice(ACTS)
        visitor = chance.choice(self.visitors)
        if what == "publish":
            self.publish()
        elif what == "follow":
            chance.choice(self.buses).follow(chance.randint(1, 4))
        elif what == "turn":
            await asyncio.sleep(0)
        elif what == "settle":
            chance.choice(self.sites).rt.hub().withdraw([], "nobody")
        elif what == "away":
            readers = list(chance.choice(self.sites).rt.hub().readers)
            if readers:
                chance.choice(readers).finish(frames.event(protocol.BYE, {"in": 0}))
        elif visitor.line is None:
            visitor.open(chance.choice(self.sites), chance.choice((Line, Stepped))())
        elif what == "hold":
            visitor.line.free.clear()
        elif what == "free":
            visitor.line.free.set()
        elif what == "sip":  # what waits gets through, and what comes next waits again
            visitor.line.free.set()
            visitor.line.free.clear()
        elif what == "cut":
            visitor.read(most=chance.randint(0, len(visitor.line.unread)))
            await visitor.close()
        elif visitor.read():
            await visitor.close()

    async def rest(self) -> None:
        """Let everything come that is still to come."""
        for bus in self.buses:
            bus.follow(len(self.log.drafts))
        for visitor in self.visitors:
            if visitor.line is None:
                visitor.open(self.sites[0], Stepped())
            assert visitor.line is not None
            visitor.line.free.set()
        async with asyncio.timeout(10):
            for visitor in self.visitors:
                while visitor.cursor is None or place(visitor.cursor) < len(self.log.drafts):
                    await asyncio.sleep(0.002)
                    if visitor.read():
                        await visitor.close()
                        visitor.open(self.sites[0], Stepped())

    def expected(self, visitor: Visitor) -> list[int]:
        grants = [self.sites[0].rt.signer.read_grant(token) for token in visitor.page.grants.values()]
        starts = {grant.topic: place(grant.at) for grant in grants if grant is not None}
        return [
            offset for offset, draft in enumerate(self.log.drafts, 1)
            if draft.topic in starts and offset > starts[draft.topic]
        ]  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_is_lost_doubled_or_out_of_order(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    if chance.random() < 0.7:
        monkeypatch.setattr(rounds, "SLICE", -1.0)
        monkeypatch.setattr(rounds, "_LOOK", 1)
    world = World(chance)
    async with running(world.sites[0].app), running(world.sites[1].app):
        for _ in range(chance.randint(1, 12)):
            await world.visit()
        for _ in range(200):
            await world.act()
        await world.rest()
        for visitor in world.visitors:
            await visitor.close()
    for visitor in world.visitors:
        assert visitor.said == []
        assert visitor.seen == world.expected(visitor), f"seed {seed}"
