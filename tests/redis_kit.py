"""A real Redis server, to be killed, stopped and started again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
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


# "everysec" may lose what it acknowledged in the last two seconds even when only its process dies: it puts off writing
# while the disk is busy. Who wants to lose nothing says "always".
AOF = ("--appendonly", "yes", "--appendfsync", "always")
AOF_EVERY_SECOND = ("--appendonly", "yes", "--appendfsync", "everysec")
SpawnRedis = Callable[..., RedisServer]


def free_port() -> int:
    """Return a port that was free a moment ago; a node of a cluster takes the one 10 000 above it, too."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            number: int = probe.getsockname()[1]
            if number < 55_000:
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


class Proxy:
    """A line to a server that can be slow, or cut."""

    def __init__(self, port: int) -> None:
        self.delay = 0.0  # seconds before each piece of an answer is passed on
        self._target = port
        self._cut = False
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._run(self._accept)

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self) -> None:
        """End all connections and let no new one live."""
        with self._lock:
            self._cut = True
            for line in self._open:
                with contextlib.suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let connections live again."""
        self._cut = False

    def close(self) -> None:
        """End it."""
        self.cut()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _run(self, function: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=function, args=arguments, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._cut:
                    near.close()
                    continue
                try:
                    far = socket.create_connection(("127.0.0.1", self._target), timeout=5)
                except OSError:
                    near.close()
                    continue
                far.settimeout(None)
                self._open |= {near, far}
            self._run(self._pump, near, far, False)
            self._run(self._pump, far, near, True)

    def _pump(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        try:
            while data := source.recv(65536):
                if answers and self.delay:
                    time.sleep(self.delay)
                sink.sendall(data)
        except OSError:
            pass
        finally:
            with self._lock:
                self._open -= {source, sink}
                for line in (source, sink):
                    with contextlib.suppress(OSError):
                        line.shutdown(socket.SHUT_RDWR)
                    line.close()


@pytest.fixture
def proxy() -> Iterator[Callable[[RedisServer], Proxy]]:
    """Put lines of one's own in front of servers."""
    proxies: list[Proxy] = []

    def make(server: RedisServer) -> Proxy:
        proxies.append(Proxy(server.port))
        return proxies[-1]

    yield make
    for each in proxies:
        each.close()
