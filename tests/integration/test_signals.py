"""The end of a process that has streams open."""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from servers import HERE, Server, threaded
from visitor import Refused, Visitor

from htmx_rt import protocol

Spawn = Callable[..., Server]
Visit = Callable[..., Visitor]

# uvicorn lets a signal do its usual work after it has shut down, so the code is the signal's.
CODES = {signal.SIGTERM: (0, -signal.SIGTERM), signal.SIGINT: (0, -signal.SIGINT, 130)}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_sends_readers_away_and_ends_the_process(spawn: Spawn, visit: Visit, number: signal.Signals) -> None:
    server = spawn("board_app:app", "--port", "0")
    ada = visit(server.address())
    with ada.stream(ada.get("/")) as stream:
        server.signal(number)
        bye = stream.event(protocol.BYE)
        assert stream.ended() == []
        seconds = server.finished()

    assert 4_000 <= bye.data["in"] <= 30_000
    assert seconds < 1
    assert server.exit(within=5) in CODES[number]
    assert "Traceback" not in server.output


def test_a_supervisor_of_workers_stops_too(spawn: Spawn, visit: Visit) -> None:
    server = spawn("board_app:app", "--port", "0", "--workers", "2")
    server.line(re.compile("Application startup complete"), times=2)
    ada = visit(server.address())
    with ada.stream(ada.get("/")) as stream:
        server.signal(signal.SIGTERM)
        stream.event(protocol.BYE)
        assert stream.ended() == []
        server.exit(within=3)  # the supervisor itself looks twice a second


def test_what_was_published_before_the_signal_is_delivered_before_the_farewell(spawn: Spawn, visit: Visit) -> None:
    server = spawn("board_app:app", "--port", "0")
    ada = visit(server.address())
    with ada.stream(ada.get("/")) as stream:
        ada.post("/publish", {"count": 50})
        server.signal(signal.SIGTERM)
        offsets = []
        while (event := stream.event()).name != protocol.BYE:
            offsets.append(event.data["o"])

    assert offsets == list(range(1, 51))


def test_a_second_signal_forces_the_end(spawn: Spawn, visit: Visit) -> None:
    server = spawn("stubborn_app:app", "--port", "0")
    ada = visit(server.address())
    with ada.stream(ada.get("/")) as stream, ada.http.stream("GET", "/forever") as forever:
        chunks = forever.iter_raw()  # kept, as an iterator that is dropped closes its response
        assert next(chunks) == b"."
        server.signal(signal.SIGINT)
        stream.event(protocol.BYE)
        # The app's own endless response is none of our business: the server waits for it.
        server.line(re.compile("Waiting for connections"))
        assert server.process.poll() is None
        server.signal(signal.SIGINT)
        seconds = server.finished()
        server.exit(within=5)

    assert seconds < 1


def test_reload_restarts_while_a_stream_is_open(spawn: Spawn, visit: Visit, tmp_path: Path) -> None:
    shutil.copy(HERE / "board_app.py", tmp_path)
    server = spawn("board_app:app", "--port", "0", "--reload", folder=tmp_path)
    address = server.address()
    up = re.compile("Application startup complete")
    server.line(up)
    ada = visit(address)
    page = ada.get("/")
    before = ada.get("/inside").text
    with ada.stream(page) as stream:
        (tmp_path / "board_app.py").touch()
        stream.event(protocol.BYE)
        server.line(up, times=2, within=8)
    assert ada.get("/inside").text != before
    with ada.stream(page, cursor=stream.checkpoint()) as stream:
        assert stream.event(protocol.RESYNC).data["why"] == "epoch"
    server.signal(signal.SIGINT)
    server.exit(within=5)


def test_a_server_in_a_thread_leaves_the_handlers_alone(visit: Visit) -> None:
    import board_app

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with threaded(board_app.app) as address:
        ada = visit(address)
        with ada.stream(ada.get("/")) as stream:
            assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
            board_app.rt.begin_drain()
            stream.event(protocol.BYE)
            assert stream.ended() == []
            with pytest.raises(Refused, match="draining") as refusal, ada.stream(ada.get("/")):
                pass
            assert refusal.value.status == 503
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_hypercorn_stops_too_though_it_takes_the_signals_for_itself(spawn: Spawn, visit: Visit) -> None:
    server = spawn("board_app:app", "--bind", "127.0.0.1:0", "--graceful-timeout", "1", module="hypercorn")
    ada = visit(server.address())
    with ada.stream(ada.get("/")) as stream:
        server.signal(signal.SIGTERM)
        stream.ended()
        server.exit(within=5)


def test_hypercorn_without_workers_lets_streams_say_farewell(spawn: Spawn, visit: Visit) -> None:
    server = spawn("board_app:app", "--bind", "127.0.0.1:0", "--workers", "0", module="hypercorn")
    ada = visit(server.address())
    with ada.stream(ada.get("/")) as stream:
        server.signal(signal.SIGTERM)
        stream.event(protocol.BYE)
        assert stream.ended() == []
        server.exit(within=5)
