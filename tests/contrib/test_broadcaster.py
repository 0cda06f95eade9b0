"""What the broadcaster adapter promises, which is less than a bus does."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable

import pytest
import redis
from broadcaster import Broadcast

from htmx_rt.buses import Mark
from htmx_rt.contrib.broadcaster import BroadcasterBus
from htmx_rt.exceptions import BusUnavailable

from ..buses.kit import Listener, frames, message
from ..redis_kit import RedisServer

pytestmark = pytest.mark.anyio
OpenBus = Callable[[], BroadcasterBus]


@pytest.fixture
async def open_bus() -> AsyncIterator[OpenBus]:
    """Workers that share one in-memory backend."""
    common = Broadcast("memory://")
    buses: list[BroadcasterBus] = []

    def make() -> BroadcasterBus:
        buses.append(BroadcasterBus(lambda: common, echo=0.2))
        return buses[-1]

    yield make
    for bus in buses:
        await bus.stop()


async def test_messages_signals_and_marks_reach_the_other_worker(open_bus: OpenBus) -> None:
    one, other = open_bus(), open_bus()
    await one.start()
    await other.start()
    here, there = Listener(one), Listener(other)
    assert await asyncio.wrap_future(one.publish(message("a", "ä"))) == 1
    one.publish(message("a", 2, state="s"))
    one.signal("a", b"frame")
    await asyncio.wrap_future(one.revoke(Mark("browser", "abc", None, time.time())))
    await there.until(lambda: other.log.head == 2 and there.signals and there.marks)
    assert frames(one) == frames(other) == [message("a", "ä").frame(1), message("a", 2, state="s").frame(2)]
    # Here it was heard at once, and only once.
    assert (one.log.head, here.signals, len(here.marks)) == (2, [("a", b"frame")], 1)
    assert other.revocations.browser("abc") > 0


async def test_each_worker_has_an_epoch_of_its_own(open_bus: OpenBus) -> None:
    one, other = open_bus(), open_bus()
    await one.start()
    await other.start()
    # So a page that comes from the other worker fetches again, rather than miss something.
    assert one.log.epoch != other.log.epoch


async def test_threads_may_publish(open_bus: OpenBus) -> None:
    one, other = open_bus(), open_bus()
    await one.start()
    await other.start()
    there = Listener(other)
    futures = []

    def work() -> None:
        futures.extend(one.publish(message()) for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    await asyncio.gather(*(asyncio.wrap_future(future) for future in futures))
    await there.until(lambda: other.log.head == 200)


async def test_it_says_that_others_do_not_hear(open_bus: OpenBus) -> None:
    bus = open_bus()
    listener = Listener(bus)
    with pytest.raises(BusUnavailable, match="not started"):
        bus.publish(message()).result(1)
    assert bus.log.head == 1  # this worker's readers do
    assert listener.growths == 1
    await bus.start()
    assert await asyncio.wrap_future(bus.publish(message())) == 2


async def test_a_silent_backend_is_noticed_and_begins_a_new_epoch(caplog: pytest.LogCaptureFixture) -> None:
    deaf = True
    common = Broadcast("memory://")
    publish = common.publish

    async def swallow(channel: str, text: str) -> None:
        if not deaf:
            await publish(channel, text)

    common.publish = swallow  # type: ignore[method-assign]
    bus = BroadcasterBus(lambda: common, echo=0.05)
    listener = Listener(bus)
    epoch = bus.log.epoch
    await bus.start()
    await listener.until(lambda: bus.log.epoch != epoch)
    assert any("echo did not come back" in text for text in caplog.messages)
    deaf = False
    async with asyncio.timeout(5):
        while True:
            try:
                await asyncio.wrap_future(bus.publish(message()))
                break
            except BusUnavailable:
                await asyncio.sleep(0.01)
    await bus.stop()


async def test_redis_works_with_redis_py_7_and_is_found_dead_with_8(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = (BroadcasterBus(lambda: Broadcast(redis_server.url), echo=0.5) for _ in range(2))
    await asyncio.gather(one.start(), other.start())
    there = Listener(other)
    try:
        if int(redis.__version__.split(".")[0]) < 8:
            await asyncio.wrap_future(one.publish(message()))
            await there.until(lambda: other.log.head == 1)
        else:
            await there.until(lambda: any("delivers nothing" in text for text in caplog.messages))
    finally:
        await one.stop()
        await other.stop()
