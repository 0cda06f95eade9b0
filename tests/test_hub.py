from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from htmx_rt import Realtime
from htmx_rt.hub import Hub
from htmx_rt.testing import Refusal

from .kit import SECRET, Gate, Site, nothing_left, opened, running, texts

pytestmark = pytest.mark.anyio
THREE = "/?t=a&t=b&t=c"


# Order


async def test_messages_of_all_topics_in_one_tick_come_joined_and_in_offset_order() -> None:
    site = Site()
    ada, page = await opened(site, THREE)
    async with ada.stream(page) as stream:
        await stream.checkpoint()
        for number, topic in enumerate("cabxca"):
            site.rt.topic(topic).text("#x", str(number))
        chunk = await stream.response.chunk()
    assert chunk is not None
    blocks = [json.loads(line.removeprefix(b"data: ")) for line in chunk.split(b"\n") if line.startswith(b"data")]
    assert [(block["t"], block["o"]) for block in blocks] == [("c", 1), ("a", 2), ("b", 3), ("c", 5), ("a", 6)]


async def test_everybody_in_a_group_gets_the_same_bytes_and_nobody_gets_what_they_do_not_read() -> None:
    site = Site()
    people = [await opened(site, path, who=who) for who, path in (("ada", "/?t=a"), ("bob", "/?t=a"), ("eve", "/?t=b"))]
    streams = [await browser.stream(page).__aenter__() for browser, page in people]
    for stream in streams:
        await stream.checkpoint()
    site.rt.topic("a").text("#x", "one")
    site.rt.topic("b").text("#x", "two")
    ada, bob, eve = [await stream.response.chunk() for stream in streams]
    assert ada is bob
    assert ada is not None
    assert b"two" not in ada
    assert eve is not None
    assert b"one" not in eve
    for stream in streams:
        await stream.close()


async def test_a_batch_is_one_message() -> None:
    site = Site()
    ada, page = await opened(site)
    async with ada.stream(page) as stream:
        with site.rt.topic("board:1").batch() as batch:
            batch.remove("#a")
            batch.text("#b", "two")
        event = await stream.event("rt:ops")
    assert event.data["ops"] == [["remove", "#a"], ["text", "#b", "two"]]
    assert event.data["o"] == 1


# Limits and the end


async def test_the_oldest_of_too_many_streams_of_a_person_gives_way() -> None:
    site = Site(limits={"streams_per_user": 2})
    ada, page = await opened(site)
    async with ada.stream(page) as first, ada.stream(page) as second, ada.stream(page) as third:
        events = await first.ended()
        assert [event.data for event in events if event.name == "rt:stop"] == [{"why": "too-many"}]
        bob, his = await opened(site, who="bob")
        async with bob.stream(his) as other:
            site.rt.topic("board:1").text("#x", "all others")
            for stream in (second, third, other):
                assert await texts(stream, 1) == ["all others"]


async def test_anonymous_streams_are_counted_by_browser() -> None:
    site = Site(limits={"streams_per_user": 1})
    one, page = await opened(site, who=None)
    other, theirs = await opened(site, who=None)
    async with one.stream(page) as first, other.stream(theirs) as second:
        site.rt.topic("board:1").text("#x", "both")
        assert await texts(first, 1) == await texts(second, 1) == ["both"]


async def test_a_full_worker_refuses_with_the_time_to_come_back() -> None:
    site = Site(limits={"streams": 1})
    ada, page = await opened(site)
    async with ada.stream(page):
        with pytest.raises(Refusal) as caught:
            await ada.stream(page).__aenter__()
        assert (caught.value.status, caught.value.problem) == (503, "limited")
        assert caught.value.page.header("retry-after") == "5"
    async with ada.stream(page):
        pass


async def test_a_stream_ends_with_its_life() -> None:
    site = Site(limits={"stream_life": 0.01, "heartbeat": 0.02})
    ada, page = await opened(site)
    async with ada.stream(page) as stream:
        events = await stream.ended()
    assert events[-1].name == "rt:bye"
    assert 0 <= events[-1].data["in"] <= 1000


async def test_a_quiet_stream_beats_and_moves_the_cursor() -> None:
    site = Site(limits={"heartbeat": 0.02})
    ada, page = await opened(site)
    async with ada.stream(page) as stream:
        await stream.checkpoint()
        site.rt.topic("elsewhere").text("#x", "unread")
        chunk = await stream.response.chunk()
        while chunk is not None and b"~1\n" not in chunk:
            chunk = await stream.response.chunk()
        assert chunk is not None
        assert chunk.startswith(b": ")
        assert chunk.endswith(f"id: {site.bus.log.position}\n\n".encode())


async def test_drain_says_bye_ends_all_streams_and_refuses_new_ones() -> None:
    site = Site()
    ada, page = await opened(site)
    async with running(site.app):
        async with nothing_left(), ada.stream(page) as one, ada.stream(page) as other:
            site.rt.topic("board:1").text("#x", "last words")
            await site.rt.drain()
            slots = set()
            for stream in (one, other):
                events = await stream.ended()
                assert [event.name for event in events] == ["rt:ops", "rt:bye"]
                assert events[-1].data["in"] == 4000
                slots.add(events[-1].data["at"])
            assert slots == {1000, 3000}  # each reader has a moment of its own
        with pytest.raises(Refusal) as caught:
            await ada.stream(page).__aenter__()
        assert (caught.value.status, caught.value.problem) == (503, "draining")
        assert caught.value.page.header("retry-after") == "1"


async def test_drain_does_not_wait_for_readers_that_take_nothing() -> None:
    site = Site()
    gate = Gate(site.app)
    ada, page = await opened(site, app=gate)
    stream = await ada.stream(page).__aenter__()
    gate.open.clear()
    site.rt.topic("board:1").text("#x", "stuck")
    await gate.waiting.wait()
    async with asyncio.timeout(2):
        await asyncio.gather(site.rt.drain(), site.rt.drain())
        await asyncio.wait([stream.response._task])
    assert site.rt.hub().readers == set()


async def test_a_reader_that_leaves_is_forgotten_at_once() -> None:
    site = Site()
    ada, page = await opened(site, THREE)
    async with nothing_left():
        for _ in range(20):
            async with ada.stream(page):
                pass
    hub = site.rt.hub()
    assert (hub.readers, hub._members, hub._users, hub._late) == (set(), {}, {}, set())
    assert not any(hub._slots)


# Several loops


def in_a_loop_of_its_own(work: Any) -> threading.Thread:
    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    return thread


async def test_a_busy_loop_does_not_silence_the_hub_of_another() -> None:
    site = Site()
    ada, page = await opened(site)
    inside, done = threading.Event(), threading.Event()

    async def busy() -> None:
        hub = site.rt.hub()
        finished = asyncio.get_running_loop().create_future()

        def block() -> None:
            inside.set()
            done.wait(5)
            finished.set_result(None)

        hub.call(block)
        await finished
        hub.close()

    thread = in_a_loop_of_its_own(busy)
    try:
        async with ada.stream(page) as stream:
            await stream.checkpoint()
            await asyncio.to_thread(inside.wait, 5)
            site.rt.topic("board:1").text("#x", "heard")
            assert await texts(stream, 1) == ["heard"]
    finally:
        done.set()
        await asyncio.to_thread(thread.join)


async def test_hubs_of_loops_that_ended_without_a_word_are_let_go() -> None:
    rt = Realtime(secret=SECRET)

    async def brief() -> None:
        assert isinstance(rt.hub(), Hub)

    for _ in range(20):
        await asyncio.to_thread(asyncio.run, brief())
    rt.hub()
    rt.topic("a").text("#x", "hello")
    assert len(rt._hubs) <= 2
    assert len(rt.bus._listeners) <= 2
