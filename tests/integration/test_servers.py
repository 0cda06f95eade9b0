"""Every server that the documentation names, with streams open: it delivers in order, and it ends."""

from __future__ import annotations

import json
import re
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from kinds import KINDS
from servers import Server
from visitor import Stuck, Visitor

from htmx_rt import protocol
from htmx_rt.__main__ import main

pytestmark = pytest.mark.flaky(reruns=1)  # real servers depend on how busy the machine is
DEPLOY = Path(__file__).parents[2] / "docs" / "howto" / "deploy.md"
SECRET = "a secret of thirty-two bytes or more"  # of board_app
STREAMS = 5
Visit = Callable[..., Visitor]
Start = Callable[..., tuple[Server, str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """`start("granian")` runs a server; returns it and its address."""
    with ExitStack() as stack:

        def start(
            kind: str, app: str = "board_app:app", *, flags: str | None = None, **limits: Any
        ) -> tuple[Server, str]:
            env = {"RT_NAME": f"t{secrets.token_hex(4)}", "RT_LIMITS": json.dumps(limits)}
            server, address = KINDS[kind].start(app, env, flags=flags)
            return stack.enter_context(server), address

        yield start


def examined(
    capsys: pytest.CaptureFixture[str], address: str, monkeypatch: pytest.MonkeyPatch
) -> dict[str, dict[str, str]]:
    """Return what the doctor finds there, by what it is about."""
    monkeypatch.setenv("RT_SECRET", SECRET)
    main(["doctor", address, "--quick", "--json"])
    return {finding["about"]: finding for finding in json.loads(capsys.readouterr().out)["findings"]}


@pytest.mark.parametrize("kind", KINDS)
def test_everybody_hears_everything_in_order(start: Start, visit: Visit, kind: str) -> None:
    server, address = start(kind)
    ada = visit(address)
    with ExitStack() as stack:
        streams = [stack.enter_context(ada.stream(ada.get("/"))) for _ in range(STREAMS)]
        for stream in streams:
            stream.checkpoint()
        for _ in range(3):
            ada.post("/publish", {"count": 40, "size": 2000})
        for stream in streams:
            assert [stream.event(protocol.OPS).data["o"] for _ in range(120)] == list(range(1, 121))
    assert "Traceback" not in server.output


@pytest.mark.parametrize("kind", KINDS)
def test_the_hub_sends_itself_where_that_is_known_to_work(start: Start, visit: Visit, kind: str) -> None:
    """Each stream is one task then; hypercorn, where what is stepped gets lost, has one of its own and one that sends."""
    server, address = start(kind)
    ada = visit(address)
    ada.http.get("/inside")
    before = ada.http.get("/inside").json()["tasks"]
    with ExitStack() as stack:
        for _ in range(STREAMS):
            stack.enter_context(ada.stream(ada.get("/"))).checkpoint()
        after = ada.http.get("/inside").json()["tasks"]
    assert (after - before == STREAMS) is (kind != "hypercorn")
    assert "Traceback" not in server.output


@pytest.mark.parametrize("kind", KINDS)
def test_readers_that_leave_and_streams_that_end_leave_nothing(start: Start, visit: Visit, kind: str) -> None:
    server, address = start(kind, stream_life=1.0, heartbeat=0.5)
    ada = visit(address)
    ada.http.get("/inside")
    before = ada.http.get("/inside").json()
    for _ in range(STREAMS):
        with ada.stream(ada.get("/")) as stream:
            stream.checkpoint()  # and leaves
    with ExitStack() as stack:
        streams = [stack.enter_context(ada.stream(ada.get("/"))) for _ in range(STREAMS)]
        for stream in streams:
            assert [event.name for event in stream.ended()] == [protocol.BYE]
    deadline = time.monotonic() + 10
    while True:
        now = ada.http.get("/inside").json()
        # hypercorn has some tasks for each connection that is kept; ten streams would have ten at least.
        if now["readers"] == 0 and now["tasks"] < before["tasks"] + STREAMS:
            break
        assert time.monotonic() < deadline, (before, now)
    assert "Traceback" not in server.output


@pytest.mark.parametrize("kind", KINDS)
def test_streams_hear_of_the_end_and_end_at_once(start: Start, visit: Visit, kind: str) -> None:
    server, address = start(kind)
    ada = visit(address)
    with ExitStack() as stack:
        streams = [stack.enter_context(ada.stream(ada.get("/"))) for _ in range(STREAMS)]
        for stream in streams:
            stream.checkpoint()
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        for stream in streams:
            assert [event.name for event in stream.ended()] == [protocol.BYE]
        assert time.monotonic() - began < 1
    server.exit(within=10)
    assert "Traceback" not in server.output


@pytest.mark.parametrize("kind", KINDS)
def test_a_reader_that_reads_nothing_delays_nobody_and_is_ended(start: Start, visit: Visit, kind: str) -> None:
    server, address = start(kind, send_timeout=1.0)
    ada, bob = visit(address), visit(address)
    with ada.stream(ada.get("/")) as stream, Stuck(bob, bob.get("/")) as stuck:
        for number in range(64):  # 8 MiB
            ada.post("/publish", {"size": 128 * 1024, "text": number})
            assert f">{number}:" in stream.event(protocol.OPS).data["ops"][0][2]
        assert stuck.cut(within=10) < 8
        bob.http.close()
        deadline = time.monotonic() + 10
        while (now := ada.http.get("/inside").json())["readers"] > 1:
            assert time.monotonic() < deadline
        assert now["readers"] == 1
    assert "Traceback" not in server.output


@pytest.mark.parametrize("kind", KINDS)
def test_with_the_flags_of_the_documentation_the_doctor_is_content(
    start: Start, kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, address = start(kind)
    found = examined(capsys, address, monkeypatch)
    assert {about: one for about, one in found.items() if one["level"] in ("warning", "problem")} == {}
    name = {"uvicorn": "uvicorn httptools", "gunicorn": "gunicorn uvicorn httptools"}.get(kind, kind)
    assert f"It is {name} that answers." == found["server"]["text"]
    assert "sockets" in found


@pytest.mark.parametrize(
    ("kind", "flags", "about", "cure"),
    [
        ("uvicorn", "", "ending", "--timeout-graceful-shutdown 5"),
        ("uvicorn", "--timeout-graceful-shutdown 5 --workers 3", "workers", "bus="),
        ("uvicorn", "--timeout-graceful-shutdown 5 --ws none", "websocket", "pip install websockets"),
        ("hypercorn", "", "ending", "--workers 0"),
        ("granian", "--interface asgi", "room", "--backpressure 11000"),
        ("granian", "--interface asgi --workers 3 --backpressure 11000", "workers", "granian --workers 1"),
        ("gunicorn", "-k uvicorn_worker.UvicornWorker --graceful-timeout 60", "ending", "--graceful-timeout 5"),
        ("gunicorn", "-k uvicorn_worker.UvicornWorker --graceful-timeout 5 -w 3", "workers", "gunicorn -w 1"),
    ],
)
def test_without_them_it_names_them(
    start: Start, kind: str, flags: str, about: str, cure: str,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    _, address = start(kind, flags=flags)
    found = examined(capsys, address, monkeypatch)
    assert about in found, found
    assert found[about]["level"] in ("warning", "problem")
    assert cure in found[about]["cure"]
    assert [about] == [name for name, one in found.items() if one["level"] in ("warning", "problem")]


def test_granian_takes_no_more_connections_than_it_was_told(start: Start, visit: Visit) -> None:
    """Why the documentation asks for --backpressure: further readers wait without a word."""
    _, address = start("granian", flags="--interface asgi --backpressure 4")
    with ExitStack() as stack:
        for _ in range(3):
            ada = visit(address)
            stack.enter_context(ada.stream(ada.get("/"))).checkpoint()
        late = visit(address)  # one more connection than there are places
        late.http.timeout = 1.0
        late.get("/")
        later = visit(address)
        later.http.timeout = 1.0
        with pytest.raises(httpx.TimeoutException):
            later.get("/")


@pytest.mark.parametrize("kind", KINDS)
def test_the_documentation_names_these_flags(kind: str) -> None:
    rows = re.findall(r"^\| [^|]*\| `([^`]+)` \|", DEPLOY.read_text("utf-8"), re.MULTILINE)
    flags = KINDS[kind].flags
    assert any(row.startswith(KINDS[kind].module + " ") and flags in row for row in rows), flags
