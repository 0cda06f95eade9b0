"""Who sends: the hub where the server is known to allow it, a task everywhere else; readers cannot tell."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import pytest
from servers import Server
from visitor import Visitor

from htmx_rt import protocol

Spawn = Callable[..., Server]
Visit = Callable[..., Visitor]
STREAMS = 5


@pytest.mark.parametrize(
    ("app", "arguments", "env", "tasks"),
    [
        ("board_app:app", [], {}, 1),
        ("board_app:app", ["--http", "h11", "--loop", "asyncio"], {}, 1),
        ("board_app:app", [], {"RT_ACCELERATE": "1"}, 1),
        ("board_app:app", ["--http", "h11"], {"RT_ACCELERATE": "1"}, 1),
        ("board_app:wrapped", [], {"RT_ACCELERATE": "1"}, 2),
    ],
    ids=["httptools", "h11", "accelerated", "accelerated, but h11", "an unknown wrapper"],
)
def test_streams_have_one_task_each_where_the_hub_may_send(
    spawn: Spawn, visit: Visit, app: str, arguments: list[str], env: dict[str, str], tasks: int
) -> None:
    server = spawn(app, "--port", "0", *arguments, env=env)
    ada = visit(server.address())
    before = ada.http.get("/inside").json()["tasks"]
    with ExitStack() as stack:
        streams = [stack.enter_context(ada.stream(ada.get("/"))) for _ in range(STREAMS)]
        for stream in streams:
            stream.checkpoint()
        assert ada.http.get("/inside").json()["tasks"] == before + tasks * STREAMS
        for text in ("one", "two"):
            ada.post("/publish", {"text": text})
        for stream in streams:
            heard = [stream.event(protocol.OPS).data["ops"][0][2] for _ in range(2)]
            assert [text[: text.index(":")] for text in heard] == ['<li id="row">one', '<li id="row">two']
    assert "ERROR" not in server.output


@pytest.mark.parametrize("app", ["board_app:app", "board_app:wrapped"])
def test_streams_that_are_left_and_streams_that_are_ended_leave_nothing(spawn: Spawn, visit: Visit, app: str) -> None:
    server = spawn(app, "--port", "0")
    ada = visit(server.address())
    with ada.stream(ada.get("/")) as stream:
        stream.checkpoint()
        alone = ada.http.get("/inside").json()
        for _ in range(3):
            with ada.stream(ada.get("/")) as left:
                left.checkpoint()
        ada.post("/publish", {"text": "last"})
        assert "last" in stream.event(protocol.OPS).data["ops"][0][2]
        while (now := ada.http.get("/inside").json())["readers"] > 1:  # until the server has heard of it
            pass
        assert now["tasks"] == alone["tasks"]
    assert "ERROR" not in server.output
