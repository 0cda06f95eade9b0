"""The systems that bench/compare.py measures: how each is started, on the first core, and what a reader of it sends."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SERVER_CORE, CLIENT_CORE = 0, 1
NODE_PACKAGES = ("ws@8", "socket.io@4")
# What Chromium sends with each request of a page.
BROWSER = """\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36\r
Accept-Language: en-US,en;q=0.9,de;q=0.8\r
Accept-Encoding: gzip, deflate, br, zstd\r
sec-ch-ua: "Chromium";v="143", "Not A(Brand";v="24"\r
sec-ch-ua-mobile: ?0\r
sec-ch-ua-platform: "Linux"\r
Cache-Control: no-cache\r
Pragma: no-cache\r
"""
SAME_ORIGIN = "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n"
SESSION = "session=eyJwZXJzb24iOiAiYWRhIn0.aSHk3g.q83vEjRWeJq83vEjRWeJq83vEjQ"  # an app's own cookie, beside ours


class Missing(Exception):
    """A system cannot be had on this machine."""


class Reader(NamedTuple):
    """What a reader sends at first and then, and where to."""

    port: int
    topic: int
    first: bytes
    second: bytes = b""


class Line(NamedTuple):
    """How readers of a system read."""

    expect: str  # seen when it has been opened
    then: str = ""  # seen after the second thing it sends
    second: bytes = b""
    path: str = ""
    upgrade: bool = False


SSE = Line("200 OK", path="/sse/{topic}")
WEBSOCKET = Line("101 Switching", path="/ws/{topic}", upgrade=True)
SOCKET_IO = Line(
    '"pingInterval"', "40{", b"\x81\x82\0\0\0\x0040", "/socket.io/?EIO=4&transport=websocket&topic={topic}", True
)
KIT_SSE = Line("200 OK", "rt:hello")
KIT_WEBSOCKET = Line("101 Switching", "rt:hello", upgrade=True)


@dataclass(frozen=True)
class System:
    """One of those that are compared."""

    name: str
    label: str
    command: Callable[[int, Path], tuple[list[str], dict[str, str]]]  # port, folder → arguments, environment
    sse: Line | None = SSE
    websocket: Line | None = WEBSOCKET
    kit: bool = False
    batches: bool = True  # publishes several messages at once where it is asked to
    label_ws: str = ""  # where it is another one over WebSocket

    def called(self, scenario: str) -> str:
        """Return what it is called in a table."""
        return self.label_ws if self.label_ws and scenario.startswith("ws-") else self.label


@dataclass
class Server:
    """A system that runs."""

    system: System
    port: int
    folder: Path
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        """The end of what it has written."""
        return self.log.read_text(errors="replace")[-1500:]

    @property
    def pids(self) -> list[int]:
        """The process and those it has started."""
        return descendants(self.process.pid)

    def readers(self, line: Line, count: int, name: str, topics: int) -> list[Reader]:
        """Return what readers of anything but the kit send: no cookies of ours, no grants."""
        found = []
        for number in range(count):
            head = (
                f"GET {line.path.format(topic=name + str(number % topics))} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            )
            head += upgrade(self.port) if line.upgrade else f"Accept: text/event-stream\r\n{SAME_ORIGIN}"
            head += f"{BROWSER}Referer: http://127.0.0.1:{self.port}/board/7\r\nCookie: who={number}; {SESSION}\r\n\r\n"
            found.append(Reader(self.port, number % topics, head.encode(), line.second))
        return found


def upgrade(port: int) -> str:
    """Return the headers that ask for a WebSocket."""
    return (
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://127.0.0.1:{port}\r\n"
    )


def descendants(pid: int) -> list[int]:
    """Return `pid` and the processes below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += descendants(int(child))
    return found


def uvicorn(app: str, **env: str) -> Callable[[int, Path], tuple[list[str], dict[str, str]]]:
    def command(port: int, _: Path) -> tuple[list[str], dict[str, str]]:
        options = (
            "--host 127.0.0.1 --loop uvloop --http httptools --ws websockets-sansio --ws-per-message-deflate false "
            f"--no-access-log --log-level error --backlog 4096 --timeout-keep-alive 600 --port {port} --app-dir {HERE}"
        )
        return [sys.executable, "-m", "uvicorn", app, *options.split()], env

    return command


def raw(port: int, _: Path) -> tuple[list[str], dict[str, str]]:
    return [sys.executable, str(HERE / "raw.py"), str(port)], {}


def nchan(port: int, folder: Path) -> tuple[list[str], dict[str, str]]:
    nginx = program("nginx")
    place = folder / f"nginx-{port}"
    place.mkdir()
    text = (HERE / "nchan.conf").read_text()
    for name, value in (("@MODULE@", nchan_module(nginx, folder)), ("@FOLDER@", place), ("@PORT@", port)):
        text = text.replace(name, str(value))
    (place / "nginx.conf").write_text(text)
    return [nginx, "-p", str(place), "-c", str(place / "nginx.conf")], {}


def nchan_module(nginx: str, folder: Path) -> Path:
    """Return Debian's module, as installed, or as unpacked into `folder`, which leaves the machine as it is."""
    built = subprocess.run([nginx, "-V"], capture_output=True, text=True).stderr
    place = re.search(r"--modules-path=(\S+)", built)
    name = "ngx_nchan_module.so"
    found = [Path(place[1]) / name] if place else []
    found += folder.glob(f"nchan/**/{name}")
    for path in found:
        if path.exists():
            return path
    if not shutil.which("apt-get"):
        raise Missing("no nchan: install Debian's libnginx-mod-nchan")
    (folder / "nchan").mkdir(exist_ok=True)
    fetch = subprocess.run(
        'apt-get download -q libnginx-mod-nchan && dpkg -x ./libnginx-mod-nchan*.deb .',
        shell=True, cwd=folder / "nchan", capture_output=True, text=True,
    )  # fmt: skip
    for path in folder.glob(f"nchan/**/{name}"):
        return path
    raise Missing(f"no nchan: apt-get download libnginx-mod-nchan said {fetch.stderr.strip()[-200:]!r}")


def node(port: int, folder: Path) -> tuple[list[str], dict[str, str]]:
    executable, modules = program("node"), folder / "node_modules"
    if not modules.exists():
        npm = [program("npm"), "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--silent"]
        done = subprocess.run([*npm, *NODE_PACKAGES], capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(modules, ignore_errors=True)
            raise Missing(f"no {' and '.join(NODE_PACKAGES)}: npm said {done.stderr.strip()[-200:]!r}")
    return [executable, "--max-semi-space-size=64", str(HERE / "server.js"), str(port)], {"NODE_PATH": str(modules)}


def program(name: str) -> str:
    """Return the path of a program. Raised where there is none: `Missing`."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise Missing(f"no {name} on this machine")
    return found


SYSTEMS = {
    system.name: system
    for system in (
        System("kit", "htmx-rt", uvicorn("kit:app"), KIT_SSE, KIT_WEBSOCKET, kit=True),
        System("fast", "htmx-rt, accelerated", uvicorn("kit:app", ACCELERATE="1"), KIT_SSE, KIT_WEBSOCKET, kit=True),
        System("naive", "sse-starlette + broadcaster", uvicorn("naive:app"), label_ws="Starlette + broadcaster"),
        System("nchan", "nchan (nginx, C)", nchan, batches=False),
        System("raw", "raw uvloop", raw),
        System("ws", "node ws", node, sse=None, batches=False),
        System("socketio", "node socket.io", node, sse=None, websocket=SOCKET_IO, batches=False),
    )
}


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(system: System, folder: Path, **env: str) -> Iterator[Server]:
    """Run a system on the core of servers until it is no longer wanted."""
    port = free_port()
    arguments, more = system.command(port, folder)
    log = folder / f"{system.name}-{port}.log"
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    with log.open("wb") as words:
        process = subprocess.Popen(
            arguments, cwd=folder, env={**os.environ, "PYTHONPATH": path, **more, **env}, stdin=subprocess.DEVNULL,
            stdout=words, stderr=words, preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}),
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{system.label} did not start:\n{log.read_text()[-2000:]}") from None
                time.sleep(0.05)
        time.sleep(0.5)
        yield Server(system, port, folder, process, log)
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def versions(folder: Path) -> dict[str, str]:
    """Return the versions of what is compared."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": sys.version.split()[0]}
    for name in ("uvicorn", "uvloop", "httptools", "websockets", "starlette", "sse-starlette", "broadcaster"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    for name in ("ws", "socket.io"):
        package = folder / "node_modules" / name / "package.json"
        if package.exists():
            found[name] = json.loads(package.read_text())["version"]
    for name, option in (("node", "--version"), ("nginx", "-v"), ("redis-server", "--version")):
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
        if path:
            done = subprocess.run([path, option], capture_output=True, text=True)
            if told := re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr):
                found[name] = told[0]
    return found
