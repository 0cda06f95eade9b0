"""Several workers behind nginx over Redis: real processes, each ended by its own id."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .integration.servers import Server

ROOT = Path(__file__).resolve().parents[1]
NGINX = ROOT / "examples" / "flask_async" / "nginx.conf"
ADDRESS = re.compile(r"(?:unning on|board is at) (http://[\d.]+:\d+)")
SECRET = "a secret of thirty-two bytes or more"
TIMEOUT = 20.0  # seconds a process may take to start


class Process:
    """A process whose words are kept, and can be waited for."""

    def __init__(self, *command: str | Path, folder: Path = ROOT, env: dict[str, str] | None = None) -> None:
        self.lines: list[str] = []
        self._news = threading.Condition()
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        self.process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env=os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": path} | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        """Everything written so far."""
        return "".join(self.lines)

    def line(self, pattern: re.Pattern[str], within: float = TIMEOUT) -> re.Match[str]:
        """Wait until `pattern` was written; return the match."""
        deadline = time.monotonic() + within
        with self._news:
            while True:
                for line in self.lines:
                    if match := pattern.search(line):
                        return match
                if time.monotonic() > deadline or (self.process.poll() is not None and not self._reader.is_alive()):
                    raise AssertionError(f"{pattern.pattern!r} was not written; this was:\n{self.output}")
                self._news.wait(0.2)

    def terminate(self, within: float = TIMEOUT) -> float:
        """Send SIGTERM and wait for the end; return how long that took, in seconds."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(within)
        return time.monotonic() - began

    def close(self) -> None:
        """End it, however it is."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(TIMEOUT)
        self._reader.join(TIMEOUT)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()
        with self._news:
            self._news.notify_all()


def program(name: str) -> str:
    """Return the path of a program. Raised where it is missing: `AssertionError`."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    assert found, f"{name} is missing: apt-get install {name}"
    return found


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Run a Redis of its own; yields its URL."""
    port = free_port()
    arguments = ("--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder))
    with Process(program("redis-server"), *arguments) as server:
        server.line(re.compile("Ready to accept connections"))
        yield f"redis://127.0.0.1:{port}"


@contextmanager
def nginx(folder: Path, workers: Sequence[str]) -> Iterator[str]:
    """Run the example's nginx in front of two workers; yields its address."""
    port = free_port()
    conf = NGINX.read_text().replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    for written, worker in zip(("127.0.0.1:8001", "127.0.0.1:8002"), workers, strict=True):
        conf = conf.replace(written, worker.removeprefix("http://"))
    (folder / "nginx.conf").write_text(conf)
    with Process(program("nginx"), "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr") as server:
        listening(port, server)
        yield f"http://127.0.0.1:{port}"


def listening(port: int, server: Process | Server) -> None:
    """Wait until somebody takes connections on `port`."""
    deadline = time.monotonic() + TIMEOUT
    with socket.socket() as probe:
        while probe.connect_ex(("127.0.0.1", port)):
            if server.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"Nobody listens on {port}; this was written:\n{server.output}")
            time.sleep(0.02)  # nginx says nothing when it is up


def worker(app: str, *, port: int, folder: Path, env: dict[str, str]) -> Process:
    """Start one uvicorn and wait until it takes connections."""
    process = Process(
        sys.executable, "-m", "uvicorn", app, "--port", str(port), "--no-access-log", folder=folder, env=env
    )
    try:
        process.line(ADDRESS)
    except BaseException:
        process.close()
        raise
    return process


def board(framework: str, *, port: int = 0, env: dict[str, str]) -> Process:
    """Start one of the example boards; `line(ADDRESS)` waits for it."""
    folder = "fastapi" if framework == "fastapi" else "flask_async"
    settings = {"FRAMEWORK": framework, "PORT": str(port), "BOARD_SECRET": SECRET} | env
    return Process(sys.executable, ROOT / "examples" / folder / "run.py", env=settings)
