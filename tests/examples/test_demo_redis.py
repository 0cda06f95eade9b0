"""`make demo-redis`: two frameworks behind nginx over Redis, started and ended by one command."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

FLASK_ASYNC = Path(__file__).parents[2] / "examples" / "flask_async"
DEMO = FLASK_ASYNC / "demo_redis.py"
TASK = {"title": "Call the printer", "priority": "normal", "due": ""}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_both_workers_serve_one_board_and_all_ends_together(tmp_path: Path) -> None:
    env = os.environ | {"PORT": str(free_port()), "BOARD_DB": str(tmp_path / "board.db"), "BOARD_SECRET": "s" * 32}
    with subprocess.Popen([sys.executable, DEMO], env=env, stdout=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stdout is not None
            found = re.search(r"http://[\d.:]+\d", demo.stdout.readline())
            assert found
            started = children(demo.pid)
            assert len(started) == 4
            with httpx.Client(base_url=found[0], trust_env=False) as ada:
                ada.post("/sign-in", data={"person": "ada"})
                assert ada.post("/tasks", data=TASK).status_code == 303
                answers = [ada.get("/") for _ in range(4)]
            assert len({answer.headers["x-worker"] for answer in answers}) == 2
            assert all("Call the printer" in answer.text and "Ada Okafor" in answer.text for answer in answers)
            demo.send_signal(signal.SIGTERM)
            assert demo.wait(15) == 0
            assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
        finally:
            demo.kill()


def test_what_is_missing_is_said_in_words(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, shutil, runpy; shutil.which = lambda *_, **__: None; "
         "runpy.run_path(sys.argv[1], run_name='__main__')", DEMO],
        capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert done.returncode == 1
    assert "needs redis-server and nginx" in done.stderr
    assert "sudo apt-get install redis-server nginx" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("script", ["run.py", "demo_redis.py"])
def test_an_unknown_framework_is_refused(script: str) -> None:
    env = os.environ | {"FRAMEWORK": "django", "PORT": str(free_port()), "BOARD_SECRET": "s" * 32}
    done = subprocess.run([sys.executable, FLASK_ASYNC / script], env=env, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert "FRAMEWORK=django" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_said_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        env = os.environ | {"PORT": str(taken.getsockname()[1])}
        done = subprocess.run([sys.executable, DEMO], env=env, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert "Choose another one" in done.stderr
