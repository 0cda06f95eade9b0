from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest

from .kit import Site, opened

pytestmark = pytest.mark.anyio
THREE = "/?t=a&t=b&t=c"


class RawReader:
    """Reads as `protocol.md` §2 tells a page to: a replay counts only once its checkpoint is there."""

    def __init__(self) -> None:
        self.cursor: str | None = None
        self.grants: dict[str, str] = {}
        self.positions: dict[str, int] = {}
        self.seen: list[tuple[str, int]] = []
        self.ids: list[int] = []
        self._rest = b""
        self._replay: list[dict[str, Any]] = []

    def connect(self) -> None:
        self._rest, self._replay, self.ids = b"", [], []

    def feed(self, chunk: bytes) -> None:
        *blocks, self._rest = (self._rest + chunk).split(b"\n\n")
        for block in blocks:
            fields = dict(line.partition(b": ")[::2] for line in block.split(b"\n") if not line.startswith(b":"))
            name, data = fields.get(b"event", b""), json.loads(fields.get(b"data", b"null"))
            if name == b"rt:hello":
                self.grants |= data["grants"]
            assert name != b"rt:resync", data
            if b"id" in fields:
                self.cursor = fields[b"id"].decode()
                self.ids.append(int(self.cursor.rpartition("~")[2], 36))
                for message in self._replay:
                    self._apply(message)
                self._replay = []
            if name == b"rt:ops":
                if b"id" in fields:
                    self._apply(data)
                else:
                    self._replay.append(data)
        assert self.ids == sorted(self.ids)

    def _apply(self, message: dict[str, Any]) -> None:
        if message["o"] > self.positions.get(message["t"], 0):
            self.positions[message["t"]] = message["o"]
            self.seen.append((message["t"], message["o"]))


def jittery(app: Any, chance: random.Random) -> Any:
    """Put a server in front of `app` whose every send may wait for a few turns of the loop."""

    async def jittering(scope: Any, receive: Any, send: Any) -> None:
        async def late(message: Any) -> None:
            for _ in range(chance.choice([0, 0, 1, 3])):
                await asyncio.sleep(0)
            await send(message)

        await app(scope, receive, late)

    return jittering


@pytest.mark.parametrize("seed", [*range(6), random.randrange(10**6)], ids=[*map(str, range(6)), "any"])
async def test_a_reader_of_three_topics_cut_at_random_gets_each_message_exactly_once_in_order(seed: int) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    site = Site(limits={"replay": 5000, "replay_bytes": 10**7})
    app = jittery(site.app, chance)
    ada, page = await opened(site, THREE, app=app)
    published: list[tuple[str, int]] = []
    total = 600

    async def publish() -> None:
        for number in range(total):
            topic = chance.choice("abcxy") if number < total - 1 else "a"
            offset = await site.rt.topic(topic).text("#x", str(number))
            if topic in "abc":
                published.append((topic, offset))
            for _ in range(chance.choice([0, 0, 0, 1, 2, 5]) if number < total - 1 else 0):
                await asyncio.sleep(0)

    def complete() -> bool:
        return publishing.done() and len(reader.seen) >= len(published)

    publishing = asyncio.create_task(publish())
    reader, cuts = RawReader(), 0
    while not complete():
        reader.connect()
        grants = list((reader.grants or page.grants).values())
        tab = {"id": "t", "gen": cuts, "vis": True, "grants" if reader.cursor else "fresh": grants}
        opening = ada.open({"v": 1, "cursor": reader.cursor, "tabs": [tab]})
        headers = {"content-type": "application/json", "accept": "text/event-stream"}
        response = await ada._send("POST", "/_rt/stream", opening._body, headers)
        assert response.status == 200
        for _ in range(chance.randrange(1, 12)):
            if complete():
                break
            chunk = await response.chunk()
            assert chunk is not None
            if chance.random() < 0.3:
                reader.feed(chunk[: chance.randrange(len(chunk))])
                break
            reader.feed(chunk)
        await response.close()
        cuts += 1
    await publishing
    assert reader.seen == published
    assert cuts > 10
