from __future__ import annotations

import asyncio
import json
import random
import threading
from typing import Any

import pytest

from htmx_rt import Realtime
from htmx_rt.hub import Hub
from htmx_rt.testing import Browser, Page, Refusal

from .kit import SECRET, Gate, Site, nothing_left, running, texts

pytestmark = pytest.mark.anyio
THREE = "/?t=a&t=b&t=c"


async def opened(site: Site, path: str = "/", *, who: str | None = "ada", app: Any = None) -> tuple[Browser, Page]:
    browser = Browser(app or site.app)
    if who:
        browser.cookies["who"] = who
    return browser, await browser.get(path)


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


class RawReader:
    """Reads as `protocol.md` §2 tells a page to: a replay counts only once its checkpoint is there."""

    def __init__(self) -> None:
        self.cursor: str | None = None
        self.grants: dict[str, str] = {}
        self.positions: dict[str, int] = {}
        self.seen: list[tuple[str, int]] = []
        self.ids: list[int] = []
        self._rest = b""
        self._replay: list[dict[str, Any]] = []

    def connect(self) -> None:
        self._rest, self._replay, self.ids = b"", [], []

    def feed(self, chunk: bytes) -> None:
        *blocks, self._rest = (self._rest + chunk).split(b"\n\n")
        for block in blocks:
            fields = dict(line.partition(b": ")[::2] for line in block.split(b"\n") if not line.startswith(b":"))
            name, data = fields.get(b"event", b""), json.loads(fields.get(b"data", b"null"))
            if name == b"rt:hello":
                self.grants |= data["grants"]
            assert name != b"rt:resync", data
            if b"id" in fields:
                self.cursor = fields[b"id"].decode()
                self.ids.append(int(self.cursor.rpartition("~")[2], 36))
                for message in self._replay:
                    self._apply(message)
                self._replay = []
            if name == b"rt:ops":
                if b"id" in fields:
                    self._apply(data)
                else:
                    self._replay.append(data)
        assert self.ids == sorted(self.ids)

    def _apply(self, message: dict[str, Any]) -> None:
        if message["o"] > self.positions.get(message["t"], 0):
            self.positions[message["t"]] = message["o"]
            self.seen.append((message["t"], message["o"]))


def jittery(app: Any, chance: random.Random) -> Any:
    """Put a server in front of `app` whose every send may wait for a few turns of the loop."""

    async def jittering(scope: Any, receive: Any, send: Any) -> None:
        async def late(message: Any) -> None:
            for _ in range(chance.choice([0, 0, 1, 3])):
                await asyncio.sleep(0)
            await send(message)

        await app(scope, receive, late)

    return jittering


@pytest.mark.parametrize("seed", [*range(6), random.randrange(10**6)])
async def test_a_reader_of_three_topics_cut_at_random_gets_each_message_exactly_once_in_order(seed: int) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    site = Site(limits={"replay": 5000, "replay_bytes": 10**7})
    app = jittery(site.app, chance)
    ada, page = await opened(site, THREE, app=app)
    published: list[tuple[str, int]] = []
    total = 600

    async def publish() -> None:
        for number in range(total):
            topic = chance.choice("abcxy") if number < total - 1 else "a"
            offset = await site.rt.topic(topic).text("#x", str(number))
            if topic in "abc":
                published.append((topic, offset))
            for _ in range(chance.choice([0, 0, 0, 1, 2, 5]) if number < total - 1 else 0):
                await asyncio.sleep(0)

    def complete() -> bool:
        return publishing.done() and len(reader.seen) >= len(published)

    publishing = asyncio.create_task(publish())
    reader, cuts = RawReader(), 0
    while not complete():
        reader.connect()
        grants = list((reader.grants or page.grants).values())
        tab = {"id": "t", "gen": cuts, "vis": True, "grants" if reader.cursor else "fresh": grants}
        opening = ada.open({"v": 1, "cursor": reader.cursor, "tabs": [tab]})
        headers = {"content-type": "application/json", "accept": "text/event-stream"}
        response = await ada._send("POST", "/_rt/stream", opening._body, headers)
        assert response.status == 200
        for _ in range(chance.randrange(1, 12)):
            if complete():
                break
            chunk = await response.chunk()
            assert chunk is not None
            if chance.random() < 0.3:
                reader.feed(chunk[: chance.randrange(len(chunk))])
                break
            reader.feed(chunk)
        await response.close()
        cuts += 1
    await publishing
    assert reader.seen == published
    assert cuts > 10


# Slow readers


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
        aborted: list[bool] = []
        reader.abort = lambda: aborted.append(True)
        for text in ("one", "two"):
            site.rt.topic("board:1").text("#x", text)
            hub.flush()
        hub._tick()
        assert not aborted
        assert await texts(stream, 2) == ["one", "two"]


async def test_a_large_catch_up_goes_out_in_pieces_that_each_count_as_progress() -> None:
    site = Site()
    ada, page = await opened(site)
    site.rt.topic("board:1").text("#x", "x" * 250_000)
    async with ada.stream(page) as stream:
        pieces = [await stream.response.chunk() for _ in range(3)]
    assert all(piece is not None and len(piece) <= 65_536 for piece in pieces)


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

        hub._call(block)
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
