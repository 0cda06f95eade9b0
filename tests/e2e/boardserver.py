"""The example board as a process of its own, so that it can be killed and started again where it was."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import httpx

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "examples" / "fastapi" / "run.py"
TIMEOUT = 20.0  # seconds


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Board:
    """`make demo` on one port and one database file, however often it is started; `first` is Python that runs before."""

    def __init__(self, folder: Path, first: str = "") -> None:
        start = f"import runpy, sys; sys.path[:0] = {[str(ROOT), str(RUN.parent)]!r}; {first}; runpy.run_path({str(RUN)!r}, run_name='__main__')"
        self._command = [sys.executable, *(["-c", start] if first else [str(RUN)])]
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._env = os.environ | {
            "PORT": str(self.port),
            "BOARD_DB": str(folder / "board.db"),
            "BOARD_SECRET": "a secret of thirty-two bytes or more",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Board:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it and wait until it answers."""
        assert self._process is None
        self._process = subprocess.Popen(self._command, env=self._env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], TIMEOUT)
        line = self._process.stdout.readline() if ready else b""
        assert b"http" in line, "the board did not start"
        # It takes connections from here on, and answers them once it has loaded, which may be long on a busy machine.
        httpx.get(f"{self.address}/static/icon.svg", timeout=60, trust_env=False).raise_for_status()

    def kill(self) -> None:
        """End it as a lost machine ends: without a word."""
        self._end(signal.SIGKILL)

    def terminate(self) -> float:
        """End it as a deploy does; return how many seconds that took."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> float:
        process, self._process = self._process, None
        if process is None:
            return 0.0
        began = time.monotonic()
        process.send_signal(number)
        process.wait(TIMEOUT)
        assert process.stdout is not None
        process.stdout.close()
        return time.monotonic() - began

    @contextmanager
    def curl(self, person: str = "mei") -> Iterator[httpx.Client]:
        """Plain HTTP, as curl with a cookie jar makes it, signed in."""
        with httpx.Client(base_url=self.address, timeout=TIMEOUT, trust_env=False) as client:
            assert client.post("/sign-in", data={"person": person}).status_code == 303
            yield client
