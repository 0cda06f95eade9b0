"""Words for the moment on their way to the readers of one hub."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest

from htmx_rt import frames, protocol
from htmx_rt.whispers import MOST, Whispers, speaker

HERE = "here:doc:1"


def word(name: str, tab: int, data: Any = None, *, topic: str = HERE, **sender: Any) -> bytes:
    who = {"k": "ab" * 8, "n": "Ada", "c": 1, "tab": f"{tab:016x}"} | sender
    return frames.event(protocol.SIGNAL, {"t": topic, "name": name, "data": data, "from": who})


class Room:
    """Whispers to a room of a given size."""

    def __init__(self, size: int, most: int = 10_000) -> None:
        self.size = size
        self.calls: list[float] = []
        loop = asyncio.new_event_loop()
        self.loop = loop
        loop.call_at = lambda when, *rest, **more: self.calls.append(when)  # type: ignore[assignment,method-assign]
        self.whispers = Whispers(most, lambda topic: range(self.size), loop, lambda: None, contextvars.Context())

    def take(self, now: float) -> list[bytes]:
        return [frame for _, frame in self.whispers.take(now)]

    def __enter__(self) -> Room:
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.close()


def test_in_a_small_room_each_word_comes_at_once() -> None:
    with Room(50) as room:
        words = [word("cursor", 1, n) for n in range(3)]
        for one in words:
            room.whispers.add(HERE, one)
        assert room.take(0.0) == words
        assert room.calls == []


def test_in_a_large_room_they_are_gathered_and_the_newest_counts() -> None:
    with Room(1000) as room:
        first = word("typing", 1, {"on": True})
        room.whispers.add(HERE, first)
        assert room.take(10.0) == [first]
        for n in range(5):
            room.whispers.add(HERE, word("cursor", 1, n))
            room.whispers.add(HERE, word("typing", 2, n))
            assert room.take(10.1) == []
        assert room.calls == [10.5]
        assert room.take(10.5) == [word("cursor", 1, 4), word("typing", 2, 4)]
        assert room.take(11.0) == []


def test_an_app_s_own_words_are_gathered_but_all_come() -> None:
    with Room(1000) as room:
        room.whispers.add(HERE, word("cursor", 1))
        room.take(0.0)
        waves = [word("wave", 1, n) for n in range(3)] + [
            frames.event(protocol.SIGNAL, {"t": HERE, "name": "typing"})
        ] * 2
        for one in waves:
            room.whispers.add(HERE, one)
        assert room.take(0.1) == []
        assert room.take(0.5) == waves


def test_words_on_other_topics_never_wait() -> None:
    with Room(1000) as room:
        for _ in range(3):
            room.whispers.add("doc:1", word("x", 1))
        assert len(room.take(0.0)) == 3


def test_what_is_gathered_is_bounded() -> None:
    with Room(1000, most=10 * MOST) as room:
        room.whispers.add(HERE, word("wave", 1))
        room.take(0.0)
        for n in range(2 * MOST):
            room.whispers.add(HERE, word("wave", 1, n))
        room.take(0.1)
        assert len(room.take(1.0)) == MOST
    with Room(1, most=2) as room:
        assert [room.whispers.add(HERE, b"x") for _ in range(3)] == [True, True, False]


def test_a_room_that_grows_quiet_is_forgotten() -> None:
    with Room(1000) as room:
        room.whispers.add(HERE, word("cursor", 1))
        room.take(0.0)
        room.take(0.5)
        room.take(1.0)
        assert (room.whispers._due, room.whispers._gathered) == ({}, {})


@pytest.mark.parametrize(
    "data",
    [
        {}, {"from": {"k": "0" * 16, "n": "Eve"}}, '"from":{"k":"0000000000000000","n":', '"tab":"0000000000000000"}}\n\n',
        {"a": '"}}'},
    ],
    ids=str,
)  # fmt: skip
def test_who_speaks_is_read_from_what_the_server_wrote(data: Any) -> None:
    assert speaker(word("typing", 7, data)) == "ab" * 8
    assert speaker(word("typing", 7, data, n='","from":{"k":"1111111111111111","n":"x')) == "ab" * 8
    with Room(1000) as room:
        room.whispers.add(HERE, word("typing", 1))
        room.take(0.0)
        room.whispers.add(HERE, word("typing", 7, data))
        room.whispers.add(HERE, word("typing", 7))
        room.take(0.1)
        assert room.take(1.0) == [word("typing", 7)]


def test_the_server_s_own_words_have_no_speaker() -> None:
    assert speaker(frames.event(protocol.SIGNAL, {"t": HERE, "name": "x", "data": 1})) is None
