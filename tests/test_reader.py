from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from htmx_rt.lines import Body
from htmx_rt.reader import Reader

from .kit import Gate, Site, nothing_left, opened, texts

pytestmark = pytest.mark.anyio
THREE = "/?t=a&t=b&t=c"


async def test_a_slow_reader_is_behind_in_the_log_and_catches_up_in_order() -> None:
    site = Site()
    gate = Gate(site.app)
    ada, page = await opened(site, THREE, app=gate)
    async with ada.stream(page) as stream:
        await stream.checkpoint()
        gate.open.clear()
        site.rt.topic("a").text("#x", "first")
        await gate.waiting.wait()
        for number in range(50):
            site.rt.topic("abcx"[number % 4]).text("#x", str(number))
            await asyncio.sleep(0)
        [reader] = site.rt.hub().readers
        assert reader.behind
        assert len(reader.chunk) == 0  # nothing waits for it: it is only a position
        gate.open.set()
        expected = ["first", *(str(number) for number in range(50) if number % 4 != 3)]
        assert await texts(stream, len(expected)) == expected
        assert not reader.behind
        site.rt.topic("a").text("#x", "live")
        assert await texts(stream, 1) == ["live"]


async def test_a_slow_reader_gets_only_the_newest_state_and_no_signals() -> None:
    site = Site()
    gate = Gate(site.app)
    ada, page = await opened(site, app=gate)
    async with ada.stream(page) as stream:
        await stream.checkpoint()
        gate.open.clear()
        topic = site.rt.topic("board:1")
        topic.text("#x", "first")
        await gate.waiting.wait()
        for number in range(9):
            topic.state("total", "text", "#total", str(number))
            topic.signal("typing", number)
            await asyncio.sleep(0)
        gate.open.set()
        assert await texts(stream, 2) == ["first", "8"]
        topic.signal("typing", "live")
        assert (await stream.event()).data["data"] == "live"


async def test_a_reader_the_window_has_run_past_is_told_which_topics_are_stale() -> None:
    site = Site(limits={"window": 5})
    gate = Gate(site.app)
    ada, page = await opened(site, "/?t=a&t=b", app=gate)
    async with ada.stream(page) as stream:
        await stream.checkpoint()
        gate.open.clear()
        site.rt.topic("b").text("#x", "first")
        await gate.waiting.wait()
        for number in range(20):
            site.rt.topic("a").text("#x", str(number))
            await asyncio.sleep(0)
        gate.open.set()
        event = await stream.event("rt:resync")
        assert (event.data["topics"], event.data["why"]) == (["a"], "trimmed")
        site.rt.topic("b").text("#x", "second")
        assert await texts(stream, 1) == ["second"]


async def test_more_than_the_window_in_one_turn_is_no_silent_gap() -> None:
    site = Site(limits={"window": 5})
    ada, page = await opened(site, "/?t=a&t=b")
    async with ada.stream(page) as stream:
        await stream.checkpoint()
        for number in range(20):
            site.rt.topic("a").text("#x", str(number))
        event = await stream.event("rt:resync")
        assert (event.data["topics"], event.data["why"]) == (["a"], "trimmed")


async def test_a_stuck_reader_is_aborted_and_leaves_nothing() -> None:
    site = Site(limits={"send_timeout": 0.05, "heartbeat": 0.05})
    gate = Gate(site.app)
    ada, page = await opened(site, app=gate)
    async with nothing_left():
        connecting = ada.stream(page)
        stream = await connecting.__aenter__()
        await stream.checkpoint()
        gate.open.clear()
        async with asyncio.timeout(5):
            await asyncio.wait([stream.response._task])
        assert site.rt.hub().readers == set()
        await connecting.__aexit__(None, None, None)


async def test_a_reader_that_never_takes_the_head_of_the_response_is_aborted_too() -> None:
    site = Site(limits={"send_timeout": 0.05, "heartbeat": 0.05})
    ada, page = await opened(site)
    ada.app = gate = Gate(site.app)
    gate.open.clear()
    opening = asyncio.create_task(ada.stream(page).__aenter__())
    await gate.waiting.wait()
    assert len(site.rt.hub().readers) == 1
    async with asyncio.timeout(5):
        while site.rt.hub().readers:
            await asyncio.sleep(0.01)
    opening.cancel()
    await asyncio.wait([opening])


async def test_a_reader_that_was_idle_for_long_is_not_taken_for_stuck() -> None:
    """The tick may come between the offer of bytes and the turn of the task that takes them."""
    site = Site()
    ada, page = await opened(site)
    async with ada.stream(page) as stream:
        await stream.checkpoint()
        hub = site.rt.hub()
        [reader] = hub.readers
        reader.sending_since -= 100  # seconds without anything to send
        cut: list[bool] = []

        class Noting:
            def check(self, reader: Reader) -> None: ...

            def cut(self) -> bool:
                cut.append(True)
                return True

        reader.link = Noting()
        for text in ("one", "two"):
            site.rt.topic("board:1").text("#x", text)
            hub.flush()
        hub._tick()
        assert not cut
        assert await texts(stream, 2) == ["one", "two"]


async def test_an_open_stream_keeps_nothing_of_its_opening() -> None:
    site = Site()
    ada, page = await opened(site)
    async with ada.stream(page) as stream:
        await stream.checkpoint()
        kept = [one for one in gc.get_objects() if type(one) is Body and b"rt:hello" in one["body"]]
        assert not kept


async def test_a_large_catch_up_goes_out_in_pieces_that_each_count_as_progress() -> None:
    site = Site()
    ada, page = await opened(site)
    site.rt.topic("board:1").text("#x", "x" * 250_000)
    async with ada.stream(page) as stream:
        pieces = [await stream.response.chunk() for _ in range(3)]
    assert all(piece is not None and len(piece) <= 65_536 for piece in pieces)


async def test_a_server_that_raises_when_the_client_is_gone_leaves_nothing(caplog: pytest.LogCaptureFixture) -> None:
    site = Site()
    gone = asyncio.Event()

    async def flaky(scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if gone.is_set():
                raise BrokenPipeError
            await send(message)

        await site.app(scope, receive, sending)

    ada, page = await opened(site, app=flaky)
    async with nothing_left():
        async with ada.stream(page) as stream:
            await stream.checkpoint()
            gone.set()
            site.rt.topic("board:1").text("#x", "into the void")
            await asyncio.wait([stream.response._task])
        assert site.rt.hub().readers == set()
    assert not caplog.records


async def test_a_cancelled_stream_is_cancelled_and_leaves_nothing() -> None:
    site = Site()
    ada, page = await opened(site)
    async with nothing_left():
        stream = await ada.stream(page).__aenter__()
        stream.response._task.cancel()
        await asyncio.wait([stream.response._task])
        assert stream.response._task.cancelled()
        assert site.rt.hub().readers == set()
