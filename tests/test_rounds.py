"""A flush hands out for a moment only, and what comes meanwhile comes after it."""

from __future__ import annotations

import asyncio

import pytest

from htmx_rt import frames, rounds
from htmx_rt.testing import Browser, Page, Stream

from .kit import Site, opened, texts

pytestmark = pytest.mark.anyio


async def reading(site: Site, count: int) -> tuple[Browser, Page, list[Stream]]:
    """Return a browser, its page, and so many streams of it that have caught up."""
    ada, page = await opened(site)
    streams = [await ada.stream(page).__aenter__() for _ in range(count)]
    for stream in streams:
        await stream.checkpoint()
    return ada, page, streams


async def test_a_flush_to_many_lets_others_run_and_keeps_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "SLICE", -1.0)  # every look at the clock finds it late
    monkeypatch.setattr(rounds, "_LOOK", 2)  # readers between two looks
    site = Site()
    ada, page, streams = await reading(site, 9)
    hub = site.rt.hub()
    turns = 0

    def count() -> None:
        nonlocal turns
        turns += hub._round is not None
        if turns == 2:
            site.rt.topic("board:1").text("#x", "while it was under way")
        if turns < 3:
            asyncio.get_running_loop().call_soon(count)

    site.rt.topic("board:1").text("#x", "first")
    asyncio.get_running_loop().call_soon(count)
    for stream in streams:
        assert await texts(stream, 2) == ["first", "while it was under way"]
    assert turns == 3
    late = await ada.stream(page).__aenter__()
    await late.checkpoint()
    site.rt.topic("board:1").text("#x", "last")
    assert await texts(late, 3) == ["first", "while it was under way", "last"]  # as its page was rendered before
    for stream in streams:
        assert await texts(stream, 1) == ["last"]
    for stream in (*streams, late):
        await stream.close()


async def test_who_comes_or_goes_while_a_flush_is_under_way_misses_and_doubles_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rounds, "SLICE", -1.0)
    monkeypatch.setattr(rounds, "_LOOK", 1)
    site = Site()
    ada, page, streams = await reading(site, 4)
    hub = site.rt.hub()
    site.rt.topic("board:1").text("#x", "first")
    hub.flush()
    assert hub._round is not None
    cursor = streams[0].cursor
    late = await ada.stream(page, cursor=cursor).__aenter__()
    assert await texts(late, 1) == ["first"]  # replayed, as its place is already behind the message
    site.rt.topic("board:1").text("#x", "second")
    for stream in streams:
        assert await texts(stream, 2) == ["first", "second"]
    assert await texts(late, 1) == ["second"]
    for stream in (*streams, late):
        await stream.close()


async def test_a_flush_that_others_had_to_finish_leaves_the_hub_awake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "SLICE", -1.0)
    monkeypatch.setattr(rounds, "_LOOK", 1)
    site = Site()
    _, _, streams = await reading(site, 4)
    hub = site.rt.hub()
    site.rt.topic("board:1").text("#x", "first")
    await asyncio.sleep(0)
    assert hub._round is not None
    hub.withdraw([], "board:2")  # which must come after it, as must what is done each second
    site.rt.topic("board:1").text("#x", "second")
    for stream in streams:
        assert await texts(stream, 2) == ["first", "second"]
    for stream in streams:
        await stream.close()


async def test_the_tick_waits_for_the_end_of_a_flush_and_does_not_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "TURN", 1)
    monkeypatch.setattr(rounds, "_LOOK", 1)
    site = Site(limits={"heartbeat": 0.2, "streams_per_user": 100})
    ada, page, streams = await reading(site, 60)
    hub = site.rt.hub()
    site.rt.topic("board:1").text("#x", "first")
    await asyncio.sleep(0)
    assert hub._round is not None
    assert hub._timer is not None
    hub._timer.cancel()
    hub._tick()
    assert hub._round is not None
    late = await ada.stream(page).__aenter__()  # which starts no clock of its own
    assert hub._round is not None
    assert hub._timer is None
    for stream in streams:
        assert await texts(stream, 1) == ["first"]
        while not (await stream.response.chunk() or b"").startswith(frames.HEARTBEAT):
            pass
    for one in (*streams, late):
        await one.close()


async def test_a_page_that_has_seen_more_than_a_flush_brings_is_not_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "SLICE", -1.0)
    monkeypatch.setattr(rounds, "_LOOK", 1)
    site = Site(limits={"streams_per_user": 100})
    ada, page, streams = await reading(site, 60)
    hub = site.rt.hub()
    site.rt.topic("board:1").text("#x", "first")
    await asyncio.sleep(0)
    site.rt.topic("board:1").text("#x", "second")
    seen = str(site.bus.log.position)  # as another worker's stream, or a new page, may say
    opening = asyncio.ensure_future(ada.stream(page, cursor=seen).__aenter__())
    while len(hub.readers) == len(streams):
        assert hub._round is not None
        await asyncio.sleep(0)
    stream = await opening
    assert stream.hello["cursor"] == seen
    site.rt.topic("board:1").text("#x", "third")
    assert await texts(stream, 1) == ["third"]
    for one in (*streams, stream):
        await one.close()
