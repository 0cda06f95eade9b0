"""What the task board adds for trying it out, and the command that starts it."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from boards import imported, open_board

from htmx_rt.testing import Browser

pytestmark = pytest.mark.anyio
RUN = Path(__file__).parents[2] / "examples" / "fastapi" / "run.py"


async def test_answers_can_be_slowed(ada: Browser, example: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(sys.modules["demo"].asyncio, "sleep", sleep)
    page = await ada.get("/")
    assert (await ada.post("/demo", {"delay": "2000"}, page=page)).status == 204
    await ada.get("/")
    assert (await ada.post("/demo", {"delay": "0"})).header("location") == "/"
    await ada.get("/")
    await ada.post("/demo", {"delay": "999999"})
    ada.cookies["demo-delay"] = "999999"
    await ada.get("/")
    assert waited == [0, 2.0, 0, 0]


async def test_actions_can_be_made_to_fail(ada: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    async def sleep(seconds: float) -> None:
        pass

    monkeypatch.setattr(sys.modules["demo"].asyncio, "sleep", sleep)
    page = await ada.get("/")
    await ada.post("/demo", {"delay": "fail"}, page=page)
    assert (await ada.post("/tasks/4/vote", page=page)).status == 500
    assert (await ada.get("/")).select("#vote-4 .votes")[0].get_text() == "3"
    await ada.post("/demo", {"delay": "0"}, page=page)
    assert (await ada.post("/tasks/4/vote", page=page)).status == 200


async def test_the_version_of_htmx_can_be_chosen(ada: Browser) -> None:
    assert (await ada.get("/")).select("script[src$='htmx4.min.js']")
    answer = await ada.post("/demo", {"htmx": "2"}, page=await ada.get("/"))
    assert answer.header("hx-refresh") == "true"
    assert (await ada.get("/")).select("script[src$='htmx2.min.js']")


async def test_two_people_side_by_side(app: Any) -> None:
    start = await Browser(app, host="127.0.0.1:8123").get("/beside")
    assert (start.status, start.header("location")) == (302, "http://board.localhost:8123/beside")
    frames = (await Browser(app, host="board.localhost:8123").get("/beside")).select("iframe")
    assert [str(frame["src"]) for frame in frames] == [
        "http://left.board.localhost:8123/beside/enter",
        "http://right.board.localhost:8123/beside/enter",
    ]
    pane = Browser(app, host="right.board.localhost:8123")
    await pane.get("/beside/enter")
    assert "Grace Lindqvist" in (await pane.get("/")).text
    await pane.post("/sign-in", {"person": "mei"})
    await pane.get("/beside/enter")
    assert "Mei Tanaka" in (await pane.get("/")).text


@pytest.mark.parametrize("host", ["board.example", "127.0.0.1", "board.localhost"])
async def test_nobody_is_signed_in_by_a_link_elsewhere(app: Any, host: str) -> None:
    browser = Browser(app, host=host)
    assert (await browser.get("/beside/enter")).status == 404
    assert (await browser.get("/")).status == 303
    if host == "board.example":
        assert (await browser.get("/beside")).status == 404


def test_a_board_of_an_older_demo_is_made_anew(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "board.db") as old:
        old.execute("CREATE TABLE board (id INTEGER PRIMARY KEY, name VARCHAR, revision INTEGER)")
        old.execute("CREATE TABLE task (id INTEGER PRIMARY KEY, title VARCHAR, version INTEGER)")
        old.execute("INSERT INTO board VALUES (1, 'Shop opening', 7)")
        old.execute("INSERT INTO task VALUES (1, 'From before', 1)")
    old.close()
    with imported("models", tmp_path):
        for _ in range(2):
            open_board()
    with sqlite3.connect(tmp_path / "board.db") as now:
        assert now.execute("SELECT count(*), count(DISTINCT rank) FROM task").fetchone() == (12, 12)
    now.close()


def test_run_prints_its_address_and_stops_at_once(tmp_path: Path) -> None:
    env = os.environ | {"PORT": "0", "BOARD_DB": str(tmp_path / "board.db"), "BOARD_SECRET": "s" * 32}
    server = subprocess.Popen([sys.executable, RUN], env=env, stdout=subprocess.PIPE, text=True)
    with server:
        try:
            assert server.stdout is not None
            address = next(word for word in server.stdout.readline().split() if word.startswith("http://127.0.0.1:"))
            assert httpx.get(address, follow_redirects=True).status_code == 200
            taken = subprocess.run(
                [sys.executable, RUN],
                env=env | {"PORT": address.rsplit(":", 1)[1]},
                capture_output=True, text=True, timeout=20,
            )  # fmt: skip
            assert taken.returncode == 1
            assert "Choose another one" in taken.stderr
            assert "Traceback" not in taken.stderr
            server.terminate()
            assert server.wait(5) in (0, -signal.SIGTERM)
        finally:
            server.kill()
