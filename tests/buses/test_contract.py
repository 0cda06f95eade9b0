"""What every bus owes its hubs; each implementation runs through all of it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import pairwise

import pytest

from htmx_rt.buses import Bus, Mark, MemoryBus, connect
from htmx_rt.buses.base import REVOCATION_LIFE
from htmx_rt.buses.redis import RedisBus
from htmx_rt.exceptions import ConfigurationError
from htmx_rt.types import Limits

from ..kit import Clock
from ..redis_kit import RedisServer
from .kit import Listener, OpenBus, frames, message, resync, states

pytestmark = pytest.mark.anyio
Make = Callable[..., Bus]


@pytest.fixture(params=["memory", "redis"])
async def make(request: pytest.FixtureRequest, redis_server: RedisServer, open_bus: OpenBus, clock: Clock) -> Make:
    def memory(limits: Limits | None = None) -> Bus:
        return MemoryBus(limits or Limits(), clock=clock, wall_clock=clock)

    def redis(limits: Limits | None = None) -> Bus:
        return open_bus(redis_server.url, limits, clock=clock)

    return memory if request.param == "memory" else redis


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def bus(make: Make) -> Bus:
    return make()


async def test_a_published_message_has_its_offset_and_comes_to_the_log(bus: Bus) -> None:
    await bus.start()
    listener = Listener(bus)
    offsets = [bus.publish(message("board:7")).result(5) for _ in range(3)]
    assert offsets == [1, 2, 3]
    await listener.until(lambda: bus.log.head == 3)
    assert listener.growths >= 1
    assert resync(bus, "board:7", 0) is None


async def test_frames_come_as_they_were_published(bus: Bus) -> None:
    await bus.start()
    listener = Listener(bus)
    drafts = [message("a:b.c-d", text) for text in ("", "ä𐍈 \u2028", "x" * 200_000, "\x00\x1f", "a b  c", "'\"\\")]
    drafts.append(message("a", "s", state="st:1.a_b-c"))
    offsets = [bus.publish(each).result(5) for each in drafts]
    await listener.until(lambda: bus.log.head == len(drafts))
    assert frames(bus) == [each.frame(offset) for each, offset in zip(drafts, offsets, strict=True)]


async def test_it_may_be_started_and_stopped_again(bus: Bus) -> None:
    listener = Listener(bus)
    for number in range(1, 4):
        await bus.start()
        await bus.start()
        assert bus.publish(message()).result(5) == number
        await listener.until(lambda: bus.log.head == number)  # noqa: B023
        await bus.stop()
        await bus.stop()


async def test_it_publishes_before_it_was_started(bus: Bus) -> None:
    assert [bus.publish(message()).result(5) for _ in range(3)] == [1, 2, 3]


async def test_who_stopped_listening_hears_nothing(bus: Bus) -> None:
    await bus.start()
    one, other = Listener(), Listener()
    stop = bus.listen(one)
    bus.listen(other)
    stop()
    stop()
    bus.publish(message())
    bus.signal("a", b"frame")
    await other.until(lambda: other.signals and bus.log.head == 1)
    assert (one.growths, one.signals) == (0, [])
    assert other.signals == [("a", b"frame")]


async def test_signals_come_in_order_and_stay_out_of_the_log(bus: Bus) -> None:
    await bus.start()
    listener = Listener(bus)
    words = [("a", b'event: rt:signal\ndata: {"n":%d}\n\n\x00' % number) for number in range(100)]
    for topic, frame in words:
        bus.signal(topic, frame)
    await listener.until(lambda: len(listener.signals) == 100)
    assert listener.signals == words
    assert bus.log.head == 0


async def test_a_mark_is_known_and_told_once(bus: Bus, clock: Clock) -> None:
    await bus.start()
    listener = Listener(bus)
    mark = Mark("browser", "abc", None, clock())
    future = bus.revoke(mark)
    assert listener.marks == [mark]  # here at once, whatever becomes of the others
    assert bus.revocations.browser("abc") == clock()
    assert bus.revocations.browser("other") == 0
    future.result(5)
    bus.publish(message()).result(5)
    await listener.until(lambda: listener.growths)
    assert listener.marks == [mark]


async def test_a_mark_of_a_topic_counts_for_one_or_for_all(bus: Bus, clock: Clock) -> None:
    bus.revoke(Mark("topic", "board:7", "ada", clock()))
    assert bus.revocations.topic("board:7", "ada") == clock()
    assert bus.revocations.topic("board:7", "bob") == 0
    assert bus.revocations.topic("board:7", None) == 0
    clock.advance(1)
    bus.revoke(Mark("topic", "board:7", None, clock())).result(5)
    assert {bus.revocations.topic("board:7", user) for user in ("ada", "bob", None)} == {clock()}


async def test_the_stricter_of_two_marks_stays(bus: Bus, clock: Clock) -> None:
    first = bus.revoke(Mark("browser", "abc", None, clock()))
    bus.revoke(Mark("browser", "abc", None, clock() - 100)).result(5)
    first.result(5)
    assert bus.revocations.browser("abc") == clock()


async def test_marks_expire_after_a_day(bus: Bus, clock: Clock) -> None:
    bus.revoke(Mark("browser", "old", None, clock())).result(5)
    clock.advance(REVOCATION_LIFE + 1)
    bus.revoke(Mark("browser", "new", None, clock())).result(5)
    assert bus.revocations.browser("old") == 0


async def test_many_sign_outs_do_not_push_out_revoked_topics(make: Make, clock: Clock) -> None:
    bus = make(Limits.of({"revocations": 10}))
    bus.revoke(Mark("topic", "board:7", None, clock()))
    for number in range(100):
        last = bus.revoke(Mark("browser", f"b{number}", None, clock() + number))
    last.result(5)
    assert bus.revocations.topic("board:7", "ada") == clock()
    assert bus.revocations.browser("b99") == clock() + 99
    assert bus.revocations.browser("b0") == 0


async def test_a_state_outlives_the_window_and_only_its_newest_counts(make: Make) -> None:
    bus = make(Limits.of({"window": 10}))
    await bus.start()
    listener = Listener(bus)
    for number in range(5):
        bus.publish(message("a", number, state="s"))
    for _ in range(30):
        bus.publish(message("b"))
    await listener.until(lambda: bus.log.head == 35)
    await bus.prepare({"a": 0, "b": 0})
    assert states(bus) == [(5, "s")]
    assert resync(bus, "b", 1) == "trimmed"
    assert resync(bus, "b", 25) is None


async def test_threads_may_publish_listen_and_leave_at_once(bus: Bus) -> None:
    await bus.start()
    kept = [Listener() for _ in range(20)]
    offsets: list[list[int]] = []

    def work(listener: Listener) -> None:
        futures = []
        for _ in range(50):
            bus.listen(Listener())()
            futures.append(bus.publish(message()))
        bus.listen(listener)
        offsets.append([future.result(10) for future in futures])

    threads = [threading.Thread(target=work, args=(listener,)) for listener in kept]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number for each in offsets for number in each) == list(range(1, 1001))
    assert all(earlier < later for each in offsets for earlier, later in pairwise(each))
    bus.publish(message())
    for listener in kept:
        await listener.until(lambda: bus.log.head == 1001)


async def test_prepare_is_quick_where_nothing_is_missing(bus: Bus) -> None:
    await bus.start()
    bus.publish(message("a", state="s")).result(5)
    await bus.prepare({"a": 1, "b": 0})
    await bus.prepare({})
    assert states(bus) == [(1, "s")]


def test_a_bus_is_chosen_by_its_url_or_passed() -> None:
    limits = Limits()
    assert isinstance(connect("memory://", limits), MemoryBus)
    assert isinstance(connect("redis://127.0.0.1/0", limits), RedisBus)
    own = MemoryBus(limits)
    assert connect(own, limits) is own
    with pytest.raises(ConfigurationError, match="memory://"):
        connect("amqp://nowhere", limits)


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


async def test_the_offset_is_a_future_like_any_other(make: Make) -> None:
    bus = make()
    await bus.start()
    heard: list[object] = []
    future = bus.publish(message())
    future.add_done_callback(heard.append)
    assert await asyncio.wrap_future(future) == 1
    assert future.result(0) == 1
    assert heard == [future]
    assert future.done()
    assert not future.cancel()
    assert (future.exception(0), future.cancelled(), future.running()) == (None, False, False)
    assert "finished" in repr(future)
    assert concurrent.futures.wait([future], 1).done == {future}
    with pytest.raises(AttributeError):
        future.nothing  # type: ignore[attr-defined]  # noqa: B018
