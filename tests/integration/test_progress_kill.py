"""Workers that are killed, and that stop, while something takes long: what everybody sees, and how soon."""

from __future__ import annotations

import json
import secrets
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers import Server
from visitor import Stream, Visitor

from htmx_rt import protocol
from tests.redis_kit import AOF, SpawnRedis

Spawn = Callable[..., Server]
Visit = Callable[..., Visitor]
WITHIN = 25.0  # seconds until everybody knows of a worker that was killed


@pytest.fixture(params=["sqlite", "redis"])
def env(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    own = {"RT_NAME": f"p{secrets.token_hex(4)}"}
    if request.param == "sqlite":
        return own | {"RT_STORE": f"sqlite:///{tmp_path}/rt.db"}
    spawn_redis: SpawnRedis = request.getfixturevalue("spawn_redis")
    url = spawn_redis(*AOF).url
    return own | {"RT_STORE": url, "RT_BUS": url}


def start(spawn: Spawn, env: dict[str, str]) -> Server:
    return spawn("progress_app:app", "--port", "0", "--no-access-log", "--timeout-graceful-shutdown", "2", env=env)


def come(visit: Visit, server: Server, who: str = "ada") -> Visitor:
    visitor = visit(server.address())
    visitor.http.cookies.set("who", who)
    return visitor


def told(stream: Stream, fits: Callable[[dict[str, Any]], bool], *, within: float) -> dict[str, Any]:
    """Return the first thing a page is told that fits."""
    deadline = time.monotonic() + within
    while True:
        call = stream.event(protocol.CALL, within=max(0.1, deadline - time.monotonic())).data
        if call["name"] == "progress" and fits(call["args"]):
            args: dict[str, Any] = call["args"]
            return args


def shown(visitor: Visitor) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(visitor.get("/running").text)
    return found


def seen(visitor: Visitor, count: int) -> list[dict[str, Any]]:
    """Wait until so many are seen."""
    deadline = time.monotonic() + 10
    while len(found := shown(visitor)) < count:
        assert time.monotonic() < deadline, found
    return found


def test_all_know_within_seconds_of_a_worker_that_was_killed(env: dict[str, str], spawn: Spawn, visit: Visit) -> None:
    one, two = start(spawn, env), start(spawn, env)
    ada, grace = come(visit, one), come(visit, two, "grace")
    ada.get("/")
    ada.post("/begin/task")
    ada.post("/begin/thread")
    assert {task["state"] for task in seen(grace, 2)} == {"running"}
    with grace.stream(grace.get("/")) as stream:
        one.signal(signal.SIGKILL)
        killed = time.monotonic()
        ids = {told(stream, lambda args: args["state"] == "interrupted", within=WITHIN)["id"]}
        ids.add(
            told(stream, lambda args: args["state"] == "interrupted" and args["id"] not in ids, within=WITHIN)["id"]
        )
        assert time.monotonic() - killed < WITHIN
        print(f"known after {time.monotonic() - killed:.1f} s")
    assert [task["state"] for task in shown(grace)] == ["interrupted", "interrupted"]
    assert grace.get("/").text.count("Interrupted before it was done") >= 2


def test_the_next_one_to_start_says_so_where_none_was_left(env: dict[str, str], spawn: Spawn, visit: Visit) -> None:
    one = start(spawn, env)
    ada = come(visit, one)
    ada.get("/")
    ada.post("/begin/thread")
    assert seen(ada, 1)[0]["state"] == "running"
    one.signal(signal.SIGKILL)
    killed = time.monotonic()
    one.exit(within=5)
    two = start(spawn, env)
    ada = come(visit, two)
    page = ada.get("/")
    assert shown(ada)[0]["state"] == "running"  # nobody can tell yet
    with ada.stream(page) as stream:
        told(stream, lambda args: args["state"] == "interrupted", within=WITHIN)
    assert time.monotonic() - killed < WITHIN


@pytest.mark.parametrize("kind", ["task", "thread"])
def test_a_worker_that_is_told_to_stop_says_so_at_once(
    env: dict[str, str], spawn: Spawn, visit: Visit, kind: str
) -> None:
    one, two = start(spawn, env), start(spawn, env)
    ada, grace = come(visit, one), come(visit, two, "grace")
    page = ada.get("/")
    ada.post(f"/begin/{kind}")
    seen(grace, 1)
    with ada.stream(page) as stream, grace.stream(grace.get("/")) as other:
        told(stream, lambda args: args["done"] > 0, within=10)
        one.signal(signal.SIGTERM)
        stopped = time.monotonic()
        if "RT_BUS" not in env:  # with a bus of its own the last words go to its own pages
            told(stream, lambda args: args["state"] == "interrupted", within=5)
        told(other, lambda args: args["state"] == "interrupted", within=10)
        assert time.monotonic() - stopped < 8
    one.exit(within=10)
    if kind == "thread":  # uvicorn itself cancels a task, and writes so
        assert "Traceback" not in one.output
    assert [task["state"] for task in shown(grace)] == ["interrupted"]


def test_it_is_cancelled_at_another_worker(env: dict[str, str], spawn: Spawn, visit: Visit) -> None:
    one, two = start(spawn, env), start(spawn, env)
    ada, grace = come(visit, one), come(visit, two, "grace")
    ada.get("/")
    ada.post("/begin/thread")
    ada.post("/begin/task")
    page = grace.get("/")
    for task in seen(grace, 2):
        grant = page.select("[rt-progress]")[0]["rt-grant"]
        answer = grace.http.post(
            f"/_rt/progress/{task['id']}",
            json={"topic": "import:7", "act": "cancel", "grant": grant},
            headers={"Sec-Fetch-Site": "same-origin"},
        )
        assert (answer.status_code, answer.json()) == (202, {"state": "cancelling"})
    began = time.monotonic()
    while {task["state"] for task in shown(ada)} != {"cancelled"}:
        assert time.monotonic() - began < 5, shown(ada)
