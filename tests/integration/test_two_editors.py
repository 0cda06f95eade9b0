"""Two workers, one table, one Redis: fifty who write the same row, and an owner whose worker is killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers import Server

from htmx_rt.testing import Page, Parser
from tests.edit_kit import controls
from tests.fleet import ask
from tests.redis_kit import RedisServer, free_port

pytestmark = pytest.mark.anyio
Spawn = Callable[..., Server]
TABLES = """
CREATE TABLE docs (id INTEGER PRIMARY KEY, title TEXT, body TEXT, tags TEXT, stock INTEGER, lock_version INTEGER);
CREATE TABLE accepted (was INTEGER, v INTEGER, who TEXT, title TEXT, body TEXT, tags TEXT, stock TEXT, form INTEGER);
INSERT INTO docs VALUES (1, 'start', '', '', 0, 1);
"""
WRITERS, EACH = 50, 2


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "docs.db"
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode=WAL")
    db.executescript(TABLES)
    db.close()
    return path


def workers(spawn: Spawn, redis: RedisServer, table: Path, **env: str) -> list[tuple[Server, str]]:
    name = f"e{time.time_ns() % 10**9}"
    found = []
    for _ in range(2):
        port = str(free_port())
        settings = {"RT_BUS": redis.url, "RT_NAME": name, "DB": str(table)} | env
        found.append(spawn("edit_app:app", "--port", port, "--no-access-log", env=settings))
    return [(server, server.address()) for server in found]


def amount(who: str, turn: str | int) -> int:
    """Return how much somebody raises the stock by: two who raise it to the same number did the same."""
    return random.Random(f"{who}.{turn}").randrange(10**9)


async def write(client: httpx.AsyncClient, address: str, who: str, asked: Counter[str]) -> None:
    """Raise the stock and leave a tag, so many times; some also give it another title."""
    client.cookies.set("who", who)
    for turn in range(EACH):
        while True:
            form = dict(controls((await client.get(address)).text))
            form |= {"stock": str(int(form["stock"]) + amount(who, turn)), "tags": f"{form['tags']}, {who}.{turn}"}
            if who.endswith("7"):
                form["title"] = f"{who}.{turn} after {form['lock_version']}"
            answer = await client.post(address, data=form, headers={"Accept": "application/json"})
            asked[str(answer.status_code)] += 1
            if answer.status_code == 200:
                break
            assert answer.status_code == 409, answer.text
            fields = answer.json()["fields"]
            assert [name for name, one in fields.items() if one["decision"] == "conflict"] == ["title"]
            assert fields["title"]["mine"] == form["title"]


async def test_fifty_writers_at_two_workers_overwrite_nothing(
    spawn: Spawn, redis_server: RedisServer, table: Path
) -> None:
    addresses = [address for _, address in workers(spawn, redis_server, table)]
    asked: Counter[str] = Counter()
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        clients = [httpx.AsyncClient(timeout=60, trust_env=False) for _ in range(WRITERS)]
        for n, client in enumerate(clients):
            group.create_task(write(client, addresses[n % 2], f"w{n}", asked))
    for client in clients:
        await client.aclose()
    print(f"{asked} in {time.monotonic() - began:.1f} s")
    db = sqlite3.connect(table)
    rows = db.execute("SELECT was, v, who, title, tags, stock, form FROM accepted ORDER BY v").fetchall()
    title, stock, tags, version = db.execute("SELECT title, stock, tags, lock_version FROM docs").fetchone()
    db.close()
    # Each accepted save follows the one before, adds what its writer added to what was there, and takes nothing away.
    assert asked["200"] == len(rows) == WRITERS * EACH
    assert [(row[0], row[1]) for row in rows] == [(n, n + 1) for n in range(1, len(rows) + 1)]
    before: tuple[str, int, set[str]] = ("start", 0, set())
    titles = {1: "start"}
    for _, v, who, its_title, its_tags, its_stock, form in rows:
        now = set(filter(None, its_tags.split(", ")))
        assert before[2] < now
        (tag,) = now - before[2]
        writer, turn = tag.split(".")
        assert writer == who
        assert int(its_stock) == before[1] + amount(who, turn)
        if its_title != before[0]:  # changed by somebody whose form showed the title that it replaced
            assert its_title.startswith(f"{who}.")
            assert titles[form] == before[0]
        before = (its_title, int(its_stock), now)
        titles[v] = its_title
    assert (title, stock, set(tags.split(", ")), version) == (*before, len(rows) + 1)
    assert asked["409"] > 0


class Reader:
    """A page, and its stream."""

    def __init__(self, who: str) -> None:
        self.client = httpx.AsyncClient(timeout=20, trust_env=False)
        self.client.cookies.set("who", who)
        self.page: Page
        self.gen = 0

    async def open(self, address: str) -> None:
        answer = await self.client.get(address)
        self.page = Page(answer.status_code, list(answer.headers.items()), answer.text, "/")

    def _body(self, **more: Any) -> dict[str, Any]:
        return {"tab": self.page.tab, "gen": self.gen, "grant": self.page.grants["edit:doc:1"]} | more

    async def take(self, address: str) -> dict[str, Any]:
        headers = {"Sec-Fetch-Site": "same-origin"}
        answer = await self.client.post(f"{address}/_rt/locks/doc:1", json=self._body(act="take"), headers=headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def beats(self, address: str) -> None:
        """Say that the page is there, as long as it is."""
        while True:
            tab = {"id": self.page.tab, "gen": self.gen, "vis": True, "idle": False, "here": True}
            headers = {"Sec-Fetch-Site": "same-origin"}
            await self.client.post(f"{address}/_rt/beat", json={"tabs": [tab]}, headers=headers)
            await asyncio.sleep(5)

    @asynccontextmanager
    async def stream(self, address: str) -> AsyncIterator[Callable[[], Any]]:
        """Open the stream; yields a function that returns the next `lease`."""
        self.gen += 1
        tab = {"id": self.page.tab, "gen": self.gen, "vis": True, "fresh": list(self.page.grants.values())}
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream", "Sec-Fetch-Site": "same-origin"}
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.client.cookies.items())
        body = json.dumps({"v": 1, "cursor": None, "tabs": [tab]}).encode()
        reader, writer, status, _ = await ask(address, "POST", "/_rt/stream", body=body, headers=headers)
        assert status == 200
        parser, events = Parser(), []

        async def lease() -> dict[str, Any]:
            while True:
                while events:
                    event = events.pop(0)
                    if event.name == "rt:call" and event.data["name"] == "lease":
                        args: dict[str, Any] = event.data["args"]
                        return args
                size = int(await reader.readuntil(b"\r\n"), 16)
                events.extend(parser.feed((await reader.readexactly(size + 2))[:-2]))

        try:
            yield lease
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def test_an_owner_whose_worker_is_killed(spawn: Spawn, redis_server: RedisServer, table: Path) -> None:
    (first, one), (_, two) = workers(spawn, redis_server, table, PRESET="owner")
    ada, bob = Reader("ada"), Reader("bob")
    await ada.open(one)
    await bob.open(two)
    async with bob.stream(two) as lease, ada.stream(one):
        mine = await ada.take(one)
        assert mine["mine"]
        assert not (await bob.take(two))["mine"]
        while ((await lease())["holder"] or {}).get("n") != "ada":
            pass
        first.process.kill()
        began = time.monotonic()
        # She comes to the other worker within the time that she has, and keeps it.
        async with ada.stream(two):
            again = await ada.take(two)
            assert (again["mine"], again["fence"]) == (True, mine["fence"])
        # Now her line closes there, and nothing more is heard of her.
        began = time.monotonic()
        async with asyncio.timeout(20):
            while ((holder := (await lease())["holder"]) or {}).get("n") != "bob":
                pass
        print(f"promoted after {time.monotonic() - began:.1f} s")
        assert time.monotonic() - began <= 5.5
        assert (await bob.take(two))["mine"]
        assert re.fullmatch("[0-9a-f]{16}", holder["tab"])
    for reader in (ada, bob):
        await reader.client.aclose()


@pytest.mark.soak
async def test_an_owner_who_dies_with_their_worker(spawn: Spawn, redis_server: RedisServer, table: Path) -> None:
    (first, one), (_, two) = workers(spawn, redis_server, table, PRESET="owner")
    ada, bob = Reader("ada"), Reader("bob")
    await ada.open(one)
    await bob.open(two)
    async with bob.stream(two) as lease, ada.stream(one):
        assert (await ada.take(one))["mine"]
        first.process.kill()  # before the other worker was ever asked about it
        began = time.monotonic()
        beats = asyncio.create_task(bob.beats(two))
        async with asyncio.timeout(30):
            while ((await lease())["holder"] or {}).get("n") != "bob":
                pass
        beats.cancel()
        print(f"promoted after {time.monotonic() - began:.1f} s")
        assert time.monotonic() - began <= 20
    for reader in (ada, bob):
        await reader.client.aclose()
