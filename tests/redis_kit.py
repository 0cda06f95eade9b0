"""A real Redis server, to be killed, stopped and started again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TIMEOUT = 10.0  # seconds that a server may take to start


class RedisServer:
    """One `redis-server` on a port of its own; what it keeps is in `folder`."""

    def __init__(self, folder: Path, *options: str, port: int | None = None) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.fail("redis-server is missing; these tests prove nothing without it. Run scripts/system.")
        self.program = program
        self.folder = folder
        self.options = options
        self.port = port or free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, *more: str) -> RedisServer:
        """Start it, with what it kept, and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        fixed = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "")
        self.process = subprocess.Popen(
            [self.program, *fixed, "--logfile", str(self.folder / "log"), *self.options, *more],
            stdin=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + TIMEOUT
        while True:
            with contextlib.suppress(OSError):
                if self.ask("PING") == "+PONG":
                    return self
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.01)

    def ask(self, *words: str | bytes, within: float = 5.0) -> str:
        """Send one command over a connection of its own; return the first line of the answer."""
        parts = [word.encode() if isinstance(word, str) else word for word in words]
        body = b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
        with socket.create_connection(("127.0.0.1", self.port), timeout=within) as line:
            line.sendall(b"*%d\r\n%b" % (len(parts), body))
            return line.makefile("rb").readline().decode().strip()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """Kill it at once, and wait until it is gone."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGCONT)
                self.process.kill()
            self.process.wait(TIMEOUT)
            self.process = None

    def forget(self) -> None:
        """Remove what it kept; only while it does not run."""
        shutil.rmtree(self.folder, ignore_errors=True)


AOF = ("--appendonly", "yes", "--appendfsync", "everysec")
SpawnRedis = Callable[..., RedisServer]


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One server for all tests that leave it alone."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    try:
        yield server.start()
    finally:
        server.kill()


@pytest.fixture
def spawn_redis(tmp_path: Path) -> Iterator[SpawnRedis]:
    """Start servers of one's own, to be killed."""
    servers: list[RedisServer] = []

    def spawn(*options: str) -> RedisServer:
        servers.append(RedisServer(tmp_path / f"redis{len(servers)}", *options))
        return servers[-1].start()

    try:
        yield spawn
    finally:
        for server in servers:
            server.kill()
