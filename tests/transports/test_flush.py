"""What one flush may do: hand over little at a time to who is slow, and let others run between its turns."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest

from htmx_rt import rounds
from htmx_rt.lines import PIECE

from .kit import LEGACY, TRANSPORTS, served

pytestmark = [pytest.mark.parametrize("transport", list(TRANSPORTS)), *LEGACY]
COUNT, SIZE = 200, 64 * 1024  # messages, bytes of one: more than a kernel takes of a connection


@pytest.mark.parametrize("accelerate", [False, True])
def test_much_in_one_tick_is_not_given_to_a_slow_reader_at_once(transport: str, accelerate: bool) -> None:
    with served(transport, accelerate=accelerate, limits={"send_timeout": 30.0}) as there:
        ada, page = there.person()
        with ada.open(page) as stream:
            stream.checkpoint()
            (hub,) = there.rt._hubs.values()
            (reader,) = hub.readers
            said = there.rt.topic("board:1")
            there.on_the_loop(lambda: [said.text("#x", f"{number}:" + "x" * SIZE) for number in range(COUNT)])
            held: list[int] = []

            def look() -> None:
                server: Any = getattr(reader.line, "__self__", None)
                if getattr(server, "transport", None) is not None:
                    held.append(server.transport.get_write_buffer_size())

            while hub.place.offset < COUNT:
                there.on_the_loop(look)
            there.on_the_loop(look)
            assert max(held, default=0) <= 4 * PIECE
            assert [int(text.split(":")[0]) for text in stream.texts(COUNT)] == list(range(COUNT))


def test_a_flush_to_many_takes_turns_with_what_comes_meanwhile(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "TURN", 1)
    monkeypatch.setattr(rounds, "_LOOK", 1)
    with served(transport, limits={"streams_per_user": 10}) as there, ExitStack() as opened:
        ada, page = there.person()
        streams = [opened.enter_context(ada.open(page)) for _ in range(3)]
        for stream in streams:
            stream.checkpoint()
        (hub,) = there.rt._hubs.values()
        topic, under_way = there.rt.topic("board:1"), []

        def meanwhile() -> None:
            under_way.append(hub._round is not None)
            topic.text("#x", "second")
            topic.text("#x", "third")

        def begin() -> None:
            topic.text("#x", "first")
            hub.loop.call_soon(meanwhile)

        there.on_the_loop(begin)
        for stream in streams:
            assert stream.texts(3) == ["first", "second", "third"]
        assert under_way == [True]
