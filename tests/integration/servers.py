"""Real servers: uvicorn and hypercorn as processes of their own, uvicorn in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import uvicorn

HERE = Path(__file__).resolve().parent
STARTED = re.compile(r"[Rr]unning on (http://[\d.]+:\d+)")
TIMEOUT = 10.0  # seconds


class Server:
    """A server process; what it writes is kept, and can be waited for."""

    def __init__(
        self, *arguments: str, module: str = "uvicorn", folder: Path = HERE, env: dict[str, str] | None = None
    ) -> None:
        self.lines: list[str] = []
        self._signalled = 0.0
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=folder,
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # so that its children can be ended with it, and nothing else
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(TIMEOUT)
        self._reader.join(TIMEOUT)
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def output(self) -> str:
        """Everything written so far."""
        return "".join(self.lines)

    def address(self) -> str:
        """Return the base address once the server is up."""
        return self.line(STARTED)[1]

    def line(self, pattern: re.Pattern[str], *, times: int = 1, within: float = TIMEOUT) -> re.Match[str]:
        """Wait until `pattern` was written `times` times; return the last match."""
        deadline = time.monotonic() + within
        with self._news:
            while True:
                found = [match for line in self.lines if (match := pattern.search(line))]
                if len(found) >= times:
                    return found[times - 1]
                left = deadline - time.monotonic()
                if left <= 0 or (not self._reader.is_alive() and self.process.poll() is not None):
                    raise AssertionError(f"{pattern.pattern!r} was not written; this was:\n{self.output}")
                self._news.wait(min(left, 0.2))

    def signal(self, number: int) -> None:
        """Send a signal to the process, not to its children."""
        self._signalled = time.monotonic()
        self.process.send_signal(number)

    def finished(self) -> float:
        """Wait until the server has shut down; return how long that took since the signal, in seconds.

        The process itself lives on for as long as Python takes to tidy up, which has nothing to do with streams.
        """
        self.line(re.compile("Finished server process"))
        return time.monotonic() - self._signalled

    def exit(self, within: float) -> int:
        """Wait for the end of the process; return its exit code."""
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {within} s:\n{self.output}") from None

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()


@contextmanager
def threaded(app: Any, **options: Any) -> Iterator[str]:
    """Run an ASGI app with uvicorn in a thread, on a free port; yields its base address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, **{"log_level": "warning", "ws": "none", **options}))
    started = threading.Event()
    startup = server.startup
    failures: list[BaseException] = []

    async def report_startup(sockets: list[socket.socket] | None = None) -> None:
        await startup(sockets)
        started.set()

    server.startup = report_startup  # type: ignore[method-assign]

    def run() -> None:
        try:
            asyncio.run(server.serve([listener]))
        except BaseException as error:  # handed to the test's own thread
            failures.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=run, name="uvicorn", daemon=True)
    thread.start()
    try:
        assert started.wait(TIMEOUT), "the server did not start"
        assert server.started, failures
        yield "http://{}:{}".format(*listener.getsockname())
    finally:
        server.should_exit = True
        thread.join(TIMEOUT)
        listener.close()
        assert not thread.is_alive(), "the server did not stop"
        assert not failures, failures
