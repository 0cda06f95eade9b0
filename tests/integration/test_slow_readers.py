"""Readers that stop reading: nobody else may notice, and they end."""

from __future__ import annotations

import json
import os
import re
import signal
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers import Server
from visitor import Stream, Stuck, Visitor

from htmx_rt import protocol, sockets

pytestmark = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="asks Linux about its sockets")

Spawn = Callable[..., Server]
Visit = Callable[..., Visitor]
LIMITS = {"RT_LIMITS": json.dumps({"send_timeout": 1.0})}


def inside(visitor: Visitor) -> Any:
    """Return what the server's process holds."""
    return visitor.http.get("/inside").json()


def flood(visitor: Visitor, stream: Stream) -> list[float]:
    """Publish 8 MiB, more than a connection and a kernel hold, to who reads; return how long each message took."""
    times: list[float] = []
    for number in range(64):
        start = time.monotonic()
        visitor.post("/publish", {"size": 128 * 1024, "text": number})
        frame = stream.event(protocol.OPS).data
        times.append(time.monotonic() - start)
        assert f">{number}:" in frame["ops"][0][2]
    return times


def test_a_stuck_reader_delays_nobody_and_is_ended(spawn: Spawn, visit: Visit) -> None:
    server = spawn("board_app:app", "--port", "0", env=LIMITS)
    ada, bob = visit(server.address()), visit(server.address())
    with ada.stream(ada.get("/")) as stream:
        alone = flood(ada, stream)
        before = inside(ada)
        with Stuck(bob, bob.get("/")) as stuck:
            beside = flood(ada, stream)
            assert stuck.held()
            assert stuck.cut(within=5) < 4
            assert not stuck.held()
        bob.http.close()
        after = inside(ada)

    assert statistics.median(beside) < 2 * statistics.median(alone) + 0.005
    assert max(beside) < 0.5
    assert after["readers"] == before["readers"] == 1
    assert after["tasks"] <= before["tasks"]
    assert after["descriptors"] <= before["descriptors"]
    assert "ERROR" not in server.output


@pytest.mark.parametrize("arguments", [[], ["--http", "h11", "--loop", "asyncio"]], ids=["httptools", "h11"])
def test_a_stuck_reader_behind_a_proxy_is_ended_too(spawn: Spawn, visit: Visit, arguments: list[str]) -> None:
    # The client's address is then what the proxy says it is, and no connection of ours has it.
    server = spawn("board_app:app", "--port", "0", *arguments, env=LIMITS)
    ada, bob = visit(server.address()), visit(server.address())
    with (
        ada.stream(ada.get("/")) as stream,
        Stuck(bob, bob.get("/"), headers={"X-Forwarded-For": "203.0.113.7"}) as stuck,
    ):
        flood(ada, stream)
        assert stuck.cut(within=5) < 4
        assert not stuck.held()


def test_a_server_that_hides_its_transport_is_helped_by_the_clients_address(spawn: Spawn, visit: Visit) -> None:
    server = spawn("board_app:app", "--bind", "127.0.0.1:0", "--workers", "0", module="hypercorn", env=LIMITS)
    ada, bob = visit(server.address()), visit(server.address())
    with ada.stream(ada.get("/")) as stream, Stuck(bob, bob.get("/")) as stuck:
        flood(ada, stream)
        assert stuck.cut(within=5) < 4
        assert not stuck.held()
        assert inside(ada)["readers"] == 1


@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-For": "203.0.113.7"}], ids=["direct", "behind a proxy"])
def test_a_stuck_reader_does_not_hold_up_the_exit(spawn: Spawn, visit: Visit, headers: dict[str, str]) -> None:
    server = spawn("board_app:app", "--port", "0")
    ada, bob = visit(server.address()), visit(server.address())
    with ada.stream(ada.get("/")) as stream, Stuck(bob, bob.get("/"), headers=headers):
        flood(ada, stream)
        server.signal(signal.SIGTERM)
        stream.event(protocol.BYE)
        seconds = server.finished()
        server.exit(within=5)

    assert seconds < 1
    assert "ERROR" not in server.output


def test_a_reader_that_was_slow_catches_up(spawn: Spawn, visit: Visit) -> None:
    server = spawn("board_app:app", "--port", "0", env={"RT_LIMITS": json.dumps({"send_timeout": 30.0})})
    ada, bob = visit(server.address()), visit(server.address())
    with bob.stream(bob.get("/")) as stream:
        ada.post("/publish", {"size": 128 * 1024, "count": 64})  # bob reads nothing meanwhile
        last = ada.post("/publish", {"text": "last"}).text
        seen: list[int] = []
        resynced = False
        while not (resynced or str(seen[-1:]) == f"[{last}]"):
            event = stream.event()
            if event.name == protocol.RESYNC:
                assert (event.data["topics"], event.data["why"]) == (["board:1"], "limit")
                resynced = True
            else:
                seen.append(event.data["o"])
        # Nothing is missing before the word that something is, and everything is there after it.
        assert seen == list(range(1, len(seen) + 1))
        ada.post("/publish", {"text": "news"})
        assert "news" in stream.event(protocol.OPS).data["ops"][0][2]


@pytest.mark.parametrize(
    "arguments", [[], ["--workers", "2"], ["--loop", "asyncio"]], ids=["one", "workers", "asyncio"]
)
def test_listeners_are_tuned_at_the_first_stream(spawn: Spawn, visit: Visit, arguments: list[str]) -> None:
    server = spawn("board_app:app", "--port", "0", *arguments)
    server.line(re.compile("Application startup complete"))
    ada = visit(server.address())
    with ada.stream(ada.get("/")) as stream:
        deadline = time.monotonic() + 5
        while (unsent := inside(ada)["unsent"]) != [sockets.UNSENT]:
            assert time.monotonic() < deadline, unsent
        assert stream.hello["refused"] == []


def test_looking_for_sockets_leaves_no_descriptor_open() -> None:
    with open(os.devnull, "rb"):
        before = os.listdir("/dev/fd")
        sockets.tune_listeners()
        assert not sockets.end(None, ("192.0.2.1", 1))
        assert os.listdir("/dev/fd") == before
