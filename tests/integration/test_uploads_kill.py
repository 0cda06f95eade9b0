"""Workers killed while files come in: at most the piece under way is sent again, and nothing is taken twice."""

from __future__ import annotations

import contextlib
import hashlib
import random
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from servers import Server

from tests.upload_client import ERRORS, Client

CHUNK = 256 * 1024
SIZE = 24 * 1024 * 1024
KILLS = 5


class Worker:
    """A server that is killed and started again, on the same folder."""

    def __init__(self, spawn: Callable[..., Server], folder: Path) -> None:
        self._spawn = spawn
        self._env = {"RT_UPLOADS": str(folder), "RT_LIMITS": f'{{"upload_chunk": {CHUNK}}}'}
        self.server = self._start()
        self.address = self.server.address()

    def _start(self) -> Server:
        return self._spawn("upload_app:app", "--port", "0", "--no-access-log", env=self._env)

    def kill(self) -> None:
        """Kill it at once, and start another in its place."""
        self.server.signal(signal.SIGKILL)
        self.server = self._start()
        self.address = self.server.address()


def test_a_file_outlives_the_workers_that_take_it_in(spawn: Callable[..., Server], tmp_path: Path) -> None:
    seed = random.randrange(10**9)
    print("seed", seed)
    chance = random.Random(seed)
    contents = chance.randbytes(SIZE)
    worker = Worker(spawn, tmp_path)
    client = Client(lambda: worker.address)
    client.open()
    said = client.announce("film.bin", SIZE)
    limits = sorted(chance.sample(range(SIZE), KILLS))
    part = next(tmp_path.rglob("*.part"))
    done = threading.Event()

    def kill() -> None:
        for limit in limits:
            while part.exists() and part.stat().st_size < limit and not done.wait(0.001):
                pass
            if done.is_set():
                return
            worker.kill()

    with ThreadPoolExecutor() as pool:
        killing = pool.submit(kill)
        try:
            twice = client.send(said, SIZE, lambda offset, length: contents[offset : offset + length])
        finally:
            done.set()
        killing.result(20)
    status, taken = client.submit(said["handle"])
    assert (status, taken) == (200, [["film.bin", SIZE, hashlib.sha256(contents).hexdigest()]])
    assert client.submit(said["handle"])[0] == 409
    assert twice <= KILLS * CHUNK


def test_a_form_taken_by_a_worker_that_dies_is_taken_once_at_most(spawn: Callable[..., Server], tmp_path: Path) -> None:
    worker = Worker(spawn, tmp_path)
    client = Client(lambda: worker.address)
    client.open()
    for number in range(6):
        said = client.announce(f"{number}.bin", 1000)
        client.send(said, 1000, lambda offset, length: b"x" * length)
        taken = 0
        with ThreadPoolExecutor() as pool:
            first = pool.submit(client.submit, said["handle"])
            worker.kill()
            with contextlib.suppress(*ERRORS):
                taken += first.result(20)[0] == 200
        again = client.submit(said["handle"])[0]
        assert again in (200, 409)
        assert taken + (again == 200) <= 1
