"""Signal handlers of a process whose main thread runs the app."""

from __future__ import annotations

import asyncio
import os
import signal
import weakref
from collections.abc import Iterator
from types import FrameType

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from htmx_rt import Realtime, RealtimeMiddleware, drain, protocol
from htmx_rt.testing import Browser, running
from tests.desk import until

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Host:
    """An app with a `Realtime` of its own."""

    def __init__(self, name: str) -> None:
        self.rt = Realtime(secret="a secret of thirty-two bytes or more", name=name)
        self.app = RealtimeMiddleware(Starlette(routes=[Route("/", self.page)]), rt=self.rt)

    async def page(self, request: Request) -> HTMLResponse:
        return HTMLResponse(f"<ul {self.rt.macros.stream('board:1')}></ul>")


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The signals that the process's own handler has heard of, in a process where no other app waits for one."""
    monkeypatch.setattr(drain, "_waiting", weakref.WeakSet())  # apps of other tests that nobody has stopped
    monkeypatch.setattr(drain, "_chain", {number: [] for number in SIGNALS})
    heard: list[int] = []

    def mine(number: int, frame: FrameType | None) -> None:
        heard.append(number)

    before = [signal.signal(number, mine) for number in SIGNALS]
    try:
        yield heard
    finally:
        for number, handler in zip(SIGNALS, before, strict=True):
            signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_reaches_streams_and_the_handler_before(heard: list[int], number: signal.Signals) -> None:
    host = Host("one")

    async def main() -> None:
        async with running(host.app), Browser(host.app) as ada, ada.stream(await ada.get("/")) as stream:
            os.kill(os.getpid(), number)
            await stream.event(protocol.BYE)
            assert await stream.ended() == []

    asyncio.run(main())

    assert heard == [number]


def test_handlers_are_put_back_when_the_last_app_stops(heard: list[int]) -> None:
    one, two = Host("one"), Host("two")
    mine = [signal.getsignal(number) for number in SIGNALS]

    async def main() -> None:
        async with running(one.app), Browser(one.app) as ada:
            async with ada.stream(await ada.get("/")):
                pass
            async with running(two.app), Browser(two.app) as bob, bob.stream(await bob.get("/")):
                ours = [signal.getsignal(number) for number in SIGNALS]
                assert ours != mine
            assert [signal.getsignal(number) for number in SIGNALS] == ours
        assert [signal.getsignal(number) for number in SIGNALS] == mine

    asyncio.run(main())


def test_a_handler_put_on_top_is_left_there(heard: list[int]) -> None:
    host = Host("one")

    def later(number: int, frame: FrameType | None) -> None: ...

    async def main() -> None:
        async with running(host.app), Browser(host.app) as ada:
            async with ada.stream(await ada.get("/")):
                pass
            signal.signal(signal.SIGTERM, later)
        assert signal.getsignal(signal.SIGTERM) is later

    asyncio.run(main())


def test_a_handler_put_on_top_is_chained_while_there_are_streams(heard: list[int]) -> None:
    host = Host("one")
    late: list[int] = []

    async def main() -> None:
        async with running(host.app), Browser(host.app) as ada:
            async with ada.stream(await ada.get("/")):
                pass
            above = signal.signal(signal.SIGTERM, lambda number, frame: late.append(number))
            async with ada.stream(await ada.get("/")) as stream:
                await until(lambda: signal.getsignal(signal.SIGTERM) is above)  # looked at twice a second
                os.kill(os.getpid(), signal.SIGTERM)
                await stream.event(protocol.BYE)

    asyncio.run(main())

    assert (heard, late) == ([], [signal.SIGTERM])


def test_an_ignored_signal_stays_ignored(heard: list[int]) -> None:
    # As under nohup: whoever goes on in spite of a signal must not have sent all readers away for good.
    host = Host("one")
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    async def main() -> None:
        async with running(host.app), Browser(host.app) as ada:
            async with ada.stream(await ada.get("/")):
                assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
                os.kill(os.getpid(), signal.SIGINT)
            async with ada.stream(await ada.get("/")) as stream:
                assert stream.hello["refused"] == []

    asyncio.run(main())
