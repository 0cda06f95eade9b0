from __future__ import annotations

import signal
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from htmx_rt import drain


class Worker:
    def __init__(self, *, broken: bool = False) -> None:
        self.told = 0
        self.broken = broken

    def begin_drain(self) -> None:
        self.told += 1
        if self.broken:
            raise RuntimeError("the loop is closed")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A server's own handlers, as uvicorn installs them, in a process where nobody watches yet."""
    monkeypatch.setattr(drain, "_waiting", weakref.WeakSet())
    monkeypatch.setattr(drain, "_chain", {number: [] for number in drain.SIGNALS})
    heard: list[int] = []
    former = {number: signal.getsignal(number) for number in drain.SIGNALS}
    for number in drain.SIGNALS:
        signal.signal(number, lambda number, frame: heard.append(number))
    yield heard
    for number, handler in former.items():
        signal.signal(number, handler)


@pytest.fixture
def watched() -> Iterator[Callable[[Worker], Worker]]:
    stops: list[Callable[[], None]] = []

    def watch(worker: Worker) -> Worker:
        stops.append(drain.watch(worker))
        return worker

    yield watch
    for stop in stops:
        stop()


Watch = Callable[[Worker], Worker]


@pytest.mark.parametrize("number", drain.SIGNALS, ids=lambda number: number.name)
def test_a_signal_is_heard_and_passed_on(server: list[int], watched: Watch, number: signal.Signals) -> None:
    worker = watched(Worker())
    signal.raise_signal(number)
    assert worker.told == 1
    assert server == [number]


def test_a_second_signal_reaches_the_server_which_forces_the_end(server: list[int], watched: Watch) -> None:
    watched(Worker())
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    assert server == [signal.SIGTERM] * 2


def test_the_former_handlers_come_back(server: list[int]) -> None:
    former = signal.getsignal(signal.SIGTERM)
    one, other = drain.watch(first := Worker()), drain.watch(second := Worker())
    one()
    signal.raise_signal(signal.SIGTERM)
    assert (first.told, second.told) == (0, 1)
    other()
    assert signal.getsignal(signal.SIGTERM) is former


def test_a_handler_that_is_no_longer_ours_is_left_alone(server: list[int]) -> None:
    stop = drain.watch(Worker())

    def later(number: int, frame: Any) -> None:
        raise AssertionError("not raised here")

    signal.signal(signal.SIGTERM, later)
    stop()
    assert signal.getsignal(signal.SIGTERM) is later


def test_watching_again_gets_in_front_of_a_server_that_replaced_us(server: list[int], watched: Watch) -> None:
    worker = watched(Worker())
    replaced: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: replaced.append(number))
    watched(worker)
    signal.raise_signal(signal.SIGTERM)
    assert worker.told == 1
    assert replaced == [signal.SIGTERM]


def test_somebody_who_chains_us_is_not_called_in_a_circle(server: list[int], watched: Watch) -> None:
    worker = watched(Worker())
    chained: list[int] = []
    ours: Any = signal.getsignal(signal.SIGTERM)

    def theirs(number: int, frame: Any) -> None:
        chained.append(number)
        ours(number, frame)

    signal.signal(signal.SIGTERM, theirs)
    watched(worker)
    signal.raise_signal(signal.SIGTERM)
    assert chained == [signal.SIGTERM]
    assert server == [signal.SIGTERM]
    assert worker.told == 1


def test_a_worker_that_fails_does_not_keep_the_signal_from_the_server(server: list[int], watched: Watch) -> None:
    broken, fine = watched(Worker(broken=True)), watched(Worker())
    signal.raise_signal(signal.SIGTERM)
    assert (broken.told, fine.told) == (1, 1)
    assert server == [signal.SIGTERM]


def test_an_ignored_signal_stays_ignored(server: list[int], watched: Watch) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker = watched(Worker())
    signal.raise_signal(signal.SIGINT)
    assert worker.told == 0
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_a_forgotten_worker_is_not_kept_alive(server: list[int]) -> None:
    drain.watch(Worker())
    signal.raise_signal(signal.SIGTERM)
    assert server == [signal.SIGTERM]


def test_where_nobody_else_listens_the_signal_does_what_it_always_did() -> None:
    script = """
import os, signal
from htmx_rt import drain
class Worker:
    def begin_drain(self): print("told", flush=True)
worker = Worker()
drain.watch(worker)
os.kill(os.getpid(), signal.SIGTERM)
print("not reached")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "told\n")
