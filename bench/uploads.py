"""A file of 500 MB into a worker: what it costs in memory and time, and what a kill costs.

    python bench/uploads.py [--size 500] [--people 1]

Starts the worker itself, measures its memory before and all the while, kills it once half-way, and fails where a
promise is broken: at most 32 MiB more memory, at most one piece sent twice.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "integration")]

from servers import Server  # noqa: E402

from tests.upload_client import Client  # noqa: E402

MB = 1_000_000
MOST = 32 * 1024 * 1024  # bytes of memory
PAGE = os.sysconf("SC_PAGE_SIZE")


def memory(pid: int) -> int:
    """Return the resident memory of a process."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


class Worker:
    """A server process, watched."""

    def __init__(self, folder: str) -> None:
        self._env = {"RT_UPLOADS": folder, "PYTHONPATH": str(ROOT)}
        self._over = threading.Event()
        self.most = 0
        self._start()
        threading.Thread(target=self._watch, daemon=True).start()

    def _start(self) -> None:
        self.server = Server("upload_app:app", "--port", "0", "--no-access-log", env=self._env)
        self.address = self.server.address()

    def _watch(self) -> None:
        while not self._over.wait(0.01):
            self.most = max(self.most, memory(self.server.process.pid))

    def kill(self) -> None:
        """Kill it and start another."""
        before = self.server
        before.signal(signal.SIGKILL)
        self._start()
        before.__exit__(None, None, None)

    def end(self) -> None:
        """Stop it."""
        self._over.set()
        self.server.__exit__(None, None, None)


def run(worker: Worker, who: str, size: int, *, kill: bool = False) -> tuple[float, int]:
    """Send one file and take it; return seconds and bytes sent twice."""
    block = hashlib.sha256(who.encode()).digest() * 32768  # 1 MiB that is not all zeros
    client = Client(lambda: worker.address, who)
    client.open()
    said = client.announce("film.bin", size)

    def body(offset: int, length: int) -> bytes:
        nonlocal kill
        if kill and offset > size // 2:
            kill = False
            threading.Timer(0.002, worker.kill).start()
        begin = offset % len(block)
        return (block[begin:] + block)[:length]

    begun = time.perf_counter()
    twice = client.send(said, size, body, patience=600.0)
    took = time.perf_counter() - begun
    status, taken = client.submit(said["handle"])
    digest = hashlib.sha256()
    for offset in range(0, size, len(block)):
        digest.update(block[: min(len(block), size - offset)])
    assert (status, taken) == (200, [["film.bin", size, digest.hexdigest()]]), (status, taken)
    return took, twice


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--size", type=int, default=500, help="MB")
    options.add_argument("--people", type=int, default=1, help="who send at the same time")
    given = options.parse_args()
    size, folder = given.size * MB, tempfile.mkdtemp()
    worker = Worker(folder)
    broken = []
    try:
        run(worker, "warm", 2 * MB)
        idle = worker.most = memory(worker.server.process.pid)
        with ThreadPoolExecutor(given.people) as pool:
            times = [took for took, _ in pool.map(lambda n: run(worker, f"ada{n}", size), range(given.people))]
        growth = worker.most - idle
        print(
            f"sent                 {given.people} × {given.size} MB in {max(times):.1f} s, {size * given.people / max(times) / MB:.0f} MB/s"
        )
        print(f"memory of the worker {idle / 2**20:.1f} MiB idle, {growth / 2**20:.1f} MiB more at most")
        took, twice = run(worker, "grace", size, kill=True)
        print(f"killed half-way      {took:.1f} s, {twice / 2**20:.2f} MiB sent twice")
        if growth > MOST:
            broken.append("the worker took too much memory")
        if twice > 2**20:
            broken.append("more than a piece was sent twice")
    finally:
        worker.end()
        shutil.rmtree(folder)
    if broken:
        sys.exit("; ".join(broken))


if __name__ == "__main__":
    main()
