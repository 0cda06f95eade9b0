from __future__ import annotations

import asyncio
from typing import Any

import pytest
from markupsafe import Markup

from htmx_rt import testing
from htmx_rt.testing import Refusal, running

from .kit import Site, nothing_left

pytestmark = pytest.mark.anyio


async def test_a_fragment_is_found_by_its_selector() -> None:
    site = Site()
    async with nothing_left(), running(site.app), site.browser("ada") as ada:
        board = await ada.get("/")
        async with ada.stream(board) as stream:
            topic = site.rt.topic("board:1")
            topic.text("#n", "1")
            topic.append("#tasks", Markup('<li id="a"><b>Other</b></li>'))
            topic.append("#tasks", Markup('<li id="b"><b>Call the printer</b></li>'))
            row = await stream.fragment("li:-soup-contains('Call the printer')")
            assert row["id"] == "b"


async def test_waiting_for_what_never_comes_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testing, "TIMEOUT", 0.1)
    site = Site(limits={"heartbeat": 0.01})
    ada = site.browser("ada")
    async with ada.stream(await ada.get("/")) as stream:
        for waiting in (stream.event("rt:ops"), stream.fragment("li"), stream.ended()):
            with pytest.raises(TimeoutError):
                await waiting


async def test_waiting_on_a_stream_that_ended_says_so() -> None:
    site = Site()
    ada = site.browser("ada")
    async with ada.stream(await ada.get("/")) as stream:
        await stream.checkpoint()
        await site.rt.drain()
        await stream.event("rt:bye")
        with pytest.raises(EOFError, match="rt:ops"):
            await stream.event("rt:ops")


async def test_a_refusal_shows_itself() -> None:
    site = Site()
    ada = site.browser("ada")
    with pytest.raises(Refusal, match="400 bad-version"):
        await ada.open({"v": 9}).__aenter__()


async def test_a_browser_that_is_left_takes_its_streams_along() -> None:
    site = Site()
    async with nothing_left():
        async with site.browser("ada") as ada:
            await ada.stream(await ada.get("/")).__aenter__()
            await ada.stream(await ada.get("/")).__aenter__()
            assert len(site.rt.hub().readers) == 2
        assert site.rt.hub().readers == set()


async def test_what_the_app_raises_reaches_the_test() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("the app's own")

    with pytest.raises(LookupError):
        await testing.Browser(app).get("/")
    with pytest.raises(LookupError):
        async with running(app):
            pass


async def test_cookies_are_kept_and_dropped() -> None:
    site = Site()
    ada = site.browser()
    await ada.get("/in/ada")
    assert ada.cookies["who"] == "ada"
    await ada.get("/out")
    assert "who" not in ada.cookies


async def test_two_people_run_side_by_side() -> None:
    site = Site()
    async with running(site.app), site.browser("ada") as ada, site.browser("bob") as bob:
        pages = await asyncio.gather(ada.get("/"), bob.get("/"))
        assert [set(page.grants) for page in pages] == [{"user:ada", "board:1"}, {"user:bob", "board:1"}]
