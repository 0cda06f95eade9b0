"""Servers that die and come back, and clients that come and vanish."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from servers import Server
from visitor import Stuck, Visitor, raw

from htmx_rt import protocol
from htmx_rt.frames import parse_cursor

Spawn = Callable[..., Server]
Visit = Callable[..., Visitor]
MANY = {"RT_LIMITS": json.dumps({"streams_per_user": 1000})}


@pytest.fixture
def port() -> int:
    """A port that is free, so that two servers can have it one after the other."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_after_a_restart_readers_are_told_to_fetch_again(
    spawn: Spawn, visit: Visit, port: int, number: signal.Signals
) -> None:
    first = spawn("board_app:app", "--port", str(port))
    ada = visit(first.address())
    page = ada.get("/")
    with ada.stream(page) as stream:
        ada.post("/publish", {"text": "before"})
        assert stream.event(protocol.OPS).data["o"] == 1
        before = stream.cursor
        first.signal(number)
        stream.ended()
        first.exit(within=5)

    second = spawn("board_app:app", "--port", str(port))
    second.address()
    ada.post("/publish", {"text": "meanwhile"})
    with ada.stream(page, cursor=before) as stream:
        resync = stream.event(protocol.RESYNC).data
        after = parse_cursor(stream.checkpoint())
        ada.post("/publish", {"text": "after"})
        event = stream.event(protocol.OPS)

    assert (resync["topics"], resync["why"]) == (["board:1"], "epoch")
    old = parse_cursor(before)
    assert old is not None
    assert after is not None
    assert after.epoch != old.epoch
    assert event.data["o"] == 2
    assert event.id == str(after._replace(offset=2))


def test_a_page_rendered_before_the_restart_opens_its_first_stream_after_it(
    spawn: Spawn, visit: Visit, port: int
) -> None:
    first = spawn("board_app:app", "--port", str(port))
    ada = visit(first.address())
    page = ada.get("/")
    first.signal(signal.SIGKILL)
    first.exit(within=5)
    spawn("board_app:app", "--port", str(port)).address()
    with ada.stream(page) as stream:
        assert stream.event(protocol.RESYNC).data["why"] == "epoch"


def test_two_workers_on_the_bus_of_one_process_are_warned_loudly(spawn: Spawn) -> None:
    server = spawn("board_app:app", "--port", "0", "--workers", "2")
    server.line(re.compile("NOT see each other's changes"))


def inside(visitor: Visitor) -> Any:
    return visitor.http.get("/inside").json()


def settled(visitor: Visitor, base: dict[str, int], within: float = 5.0) -> dict[str, int]:
    """Return what the process holds once it is no more than at `base`, or after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        now: dict[str, int] = inside(visitor)
        if all(now[name] <= base[name] for name in ("tasks", "descriptors", "readers")) or time.monotonic() > deadline:
            return now


def test_a_thousand_streams_come_and_vanish(spawn: Spawn, visit: Visit) -> None:
    server = spawn("board_app:app", "--port", "0", "--no-access-log", env=MANY)
    ada = visit(server.address())
    page = ada.get("/")
    with ada.stream(page) as stream:
        base = inside(ada)
        for _ in range(10):
            crowd = [Stuck(ada, page) for _ in range(100)]
            ada.post("/publish", {"text": "to all"})
            stream.event(protocol.OPS)
            for number, reader in enumerate(crowd):
                reader.vanish(rudely=number % 2 == 0)
        after = settled(ada, base)
        ada.post("/publish", {"text": "still here"})
        assert "still here" in stream.event(protocol.OPS).data["ops"][0][2]

    assert base["readers"] == after["readers"] == 1
    assert after["tasks"] <= base["tasks"]
    assert after["descriptors"] <= base["descriptors"]
    assert "Traceback" not in server.output


def test_clients_that_vanish_before_their_stream_begins_leave_nothing(spawn: Spawn, visit: Visit) -> None:
    server = spawn("board_app:app", "--port", "0", "--no-access-log", env=MANY)
    ada = visit(server.address())
    page = ada.get("/")
    with ada.stream(page):
        base = inside(ada)
        for number in range(300):
            with socket.create_connection((ada.http.base_url.host, ada.http.base_url.port or 80)) as client:
                head, body = raw(ada.opening(page))
                # Within the head, within the body, or right after it.
                client.sendall([head[:-9], head + body[:20], head + body][number % 3])
        after = settled(ada, base)

    assert after["readers"] == 1
    assert after["tasks"] <= base["tasks"]
    assert after["descriptors"] <= base["descriptors"]
    assert "Traceback" not in server.output
