"""What every bus owes its hubs; each implementation runs through all of it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from htmx_rt.buses import Bus, Mark, MemoryBus, connect
from htmx_rt.buses.base import REVOCATION_LIFE
from htmx_rt.exceptions import ConfigurationError
from htmx_rt.frames import draft
from htmx_rt.types import Limits

from ..kit import Clock

pytestmark = pytest.mark.anyio
Make = Callable[[Limits, Clock], Bus]


def memory(limits: Limits, clock: Clock) -> Bus:
    return MemoryBus(limits, clock=clock, wall_clock=clock)


@pytest.fixture(params=[pytest.param(memory, id="memory")])
def make(request: pytest.FixtureRequest) -> Make:
    return request.param


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bus(make: Make, clock: Clock) -> Bus:
    return make(Limits(), clock)


class Listener:
    def __init__(self) -> None:
        self.growths = 0
        self.signals: list[tuple[str, bytes]] = []
        self.marks: list[Mark] = []

    def grown(self) -> None:
        self.growths += 1

    def signalled(self, topic: str, frame: bytes) -> None:
        self.signals.append((topic, frame))

    def marked(self, mark: Mark) -> None:
        self.marks.append(mark)


async def test_a_published_message_has_its_offset_and_is_in_the_log(bus: Bus) -> None:
    await bus.start()
    listener = Listener()
    bus.listen(listener)
    offsets = [bus.publish(draft("board:7", "rt:ops", {"ops": []})).result(5) for _ in range(3)]
    assert offsets == [1, 2, 3]
    assert bus.log.head == 3
    assert listener.growths >= 1
    await bus.stop()


async def test_it_may_be_started_and_stopped_again(bus: Bus) -> None:
    for _ in range(2):
        await bus.start()
        await bus.stop()


async def test_who_stopped_listening_hears_nothing(bus: Bus) -> None:
    one, other = Listener(), Listener()
    stop = bus.listen(one)
    bus.listen(other)
    stop()
    stop()
    bus.publish(draft("a", "rt:ops", {"ops": []}))
    bus.signal("a", b"frame")
    assert (one.growths, one.signals) == (0, [])
    assert (other.growths, other.signals) == (1, [("a", b"frame")])


async def test_signals_stay_out_of_the_log(bus: Bus) -> None:
    bus.signal("a", b"frame")
    assert bus.log.head == 0


async def test_a_mark_is_known_and_told(bus: Bus, clock: Clock) -> None:
    listener = Listener()
    bus.listen(listener)
    mark = Mark("browser", "abc", None, clock())
    bus.revoke(mark).result(5)
    assert listener.marks == [mark]
    assert bus.revocations.browser("abc") == clock()
    assert bus.revocations.browser("other") == 0


async def test_a_mark_of_a_topic_counts_for_one_or_for_all(bus: Bus, clock: Clock) -> None:
    bus.revoke(Mark("topic", "board:7", "ada", clock()))
    assert bus.revocations.topic("board:7", "ada") == clock()
    assert bus.revocations.topic("board:7", "bob") == 0
    assert bus.revocations.topic("board:7", None) == 0
    clock.advance(1)
    bus.revoke(Mark("topic", "board:7", None, clock()))
    assert {bus.revocations.topic("board:7", user) for user in ("ada", "bob", None)} == {clock()}


async def test_the_stricter_of_two_marks_stays(bus: Bus, clock: Clock) -> None:
    bus.revoke(Mark("browser", "abc", None, clock()))
    bus.revoke(Mark("browser", "abc", None, clock() - 100))
    assert bus.revocations.browser("abc") == clock()


async def test_marks_expire_after_a_day(bus: Bus, clock: Clock) -> None:
    bus.revoke(Mark("browser", "old", None, clock()))
    clock.advance(REVOCATION_LIFE + 1)
    bus.revoke(Mark("browser", "new", None, clock()))
    assert bus.revocations.browser("old") == 0


async def test_many_sign_outs_do_not_push_out_revoked_topics(make: Make, clock: Clock) -> None:
    bus = make(Limits.of({"revocations": 10}), clock)
    bus.revoke(Mark("topic", "board:7", None, clock()))
    for number in range(100):
        bus.revoke(Mark("browser", f"b{number}", None, clock()))
    assert bus.revocations.topic("board:7", "ada") == clock()
    assert bus.revocations.browser("b99") == clock()
    assert bus.revocations.browser("b0") == 0


async def test_threads_may_publish_listen_and_leave_at_once(bus: Bus) -> None:
    kept = [Listener() for _ in range(20)]

    def work(listener: Listener) -> None:
        for _ in range(50):
            bus.listen(Listener())()
            bus.publish(draft("a", "rt:ops", {"ops": []}))
        bus.listen(listener)

    threads = [threading.Thread(target=work, args=(listener,)) for listener in kept]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bus.log.head == 1000
    bus.publish(draft("a", "rt:ops", {"ops": []}))
    assert all(listener.growths >= 1 for listener in kept)


def test_a_bus_is_chosen_by_its_url_or_passed() -> None:
    limits = Limits()
    assert isinstance(connect("memory://", limits), MemoryBus)
    own = MemoryBus(limits)
    assert connect(own, limits) is own
    with pytest.raises(ConfigurationError, match="memory://"):
        connect("rediss://nowhere", limits)


def test_a_forked_child_begins_an_epoch_of_its_own() -> None:
    """A cursor of the parent's log must not look valid to a child that inherited it."""
    program = """
import os
from htmx_rt.buses import MemoryBus
from htmx_rt.types import Limits

bus = MemoryBus(Limits())
child = os.fork()
if child:
    os.waitpid(child, 0)
print(bus.log.epoch, flush=True)
os._exit(0)
"""
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    child, parent = printed.stdout.split()
    assert child != parent
