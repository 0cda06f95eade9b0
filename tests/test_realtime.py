from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest
from jinja2 import DictLoader, Environment
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.exceptions import ConfigurationError, RealtimeError
from htmx_rt.testing import Browser, Refusal, running

from .kit import SECRET, Site, texts

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "options",
    [
        {"secret": "short"}, {"secret": None}, {"name": ""}, {"name": "a b"}, {"name": "ä"}, {"name": "x" * 33}, {"name": "a;b"},
        {"prefix": "_rt"}, {"prefix": "/_rt/"}, {"prefix": ""}, {"bus": "redis"}, {"limits": {"nothing": 1}}, {"limits": {"streams": 0}},
    ],
    ids=repr,
)  # fmt: skip
def test_what_cannot_work_refuses_to_start(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Realtime(**({"secret": SECRET} | options))


def test_the_build_is_the_apps_and_ours() -> None:
    ours = Realtime(secret=SECRET).build
    assert Realtime(secret=SECRET, build="42").build == f"42-{ours}"


@pytest.mark.parametrize(
    ("headers", "fragment"),
    [
        ({}, False),
        ({"HX-Request": "true"}, True),
        ({"HX-Request": "false"}, False),
        ({"HX-Request": "true", "HX-Boosted": "true"}, False),
        ({"HX-Request": "true", "HX-History-Restore-Request": "true"}, False),
        ({"HX-Request": "true", "HX-Request-Type": "full"}, False),
        ({"HX-Request": "true", "HX-Request-Type": "partial"}, True),
    ],
)
def test_who_wants_a_fragment(headers: dict[str, str], fragment: bool) -> None:
    scope = {"type": "http", "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()]}
    assert Realtime(secret=SECRET).is_htmx(Request(scope)) is fragment


# Two objects never meet


async def test_two_objects_in_one_app_have_their_own_cookies_grants_logs_and_users() -> None:
    one = Realtime(secret=SECRET, name="one", identify=lambda request: "ada")
    two = Realtime(secret=SECRET, name="two", prefix="/_two", identify=lambda request: "bob")
    environment = Environment(
        autoescape=True,
        loader=DictLoader(
            {"p.html": "{{ one.head() }}<i {{ one.stream('t') }}></i>{{ two.head() }}<b {{ two.stream('t') }}></b>"}
        ),
    )
    one.install(environment, name="one")
    two.install(environment, name="two")

    async def show(request: Request) -> Response:
        return HTMLResponse(environment.get_template("p.html").render())

    app = RealtimeMiddleware(RealtimeMiddleware(Starlette(routes=[Route("/", show)]), rt=two), rt=one)
    async with running(app):
        browser, other = Browser(app), Browser(app, prefix="/_two")
        page = await browser.get("/")
        other.cookies = browser.cookies
        assert set(browser.cookies) == {"rt-one", "rt-two"}
        first = {
            str(element["rt-stream"]): str(element["rt-grant"]) for element in page.select("i, meta:first-of-type")
        }
        second = {str(element["rt-stream"]): str(element["rt-grant"]) for element in page.select("b, i ~ meta")}
        assert set(first) == {"t", "user:ada"}
        assert set(second) == {"t", "user:bob"}
        with pytest.raises(Refusal):
            await browser.stream(page, grants=second).__aenter__()
        async with browser.stream(page, grants=first) as mine, other.stream(page, grants=second) as theirs:
            one.topic("t").text("#x", "from one")
            two.topic("t").text("#x", "from two")
            assert await texts(mine, 1) == ["from one"]
            assert await texts(theirs, 1) == ["from two"]


async def test_one_object_in_two_apps_is_one_place() -> None:
    site = Site()

    async def say(request: Request) -> Response:
        site.rt.topic("board:1").text("#x", "from the other app")
        return PlainTextResponse("ok")

    other = Browser(RealtimeMiddleware(Starlette(routes=[Route("/say", say)]), rt=site.rt))
    ada = site.browser("ada")
    async with ada.stream(await ada.get("/")) as stream:
        await other.get("/say")
        assert await texts(stream, 1) == ["from the other app"]


# Life


async def test_an_object_that_is_let_go_is_gone() -> None:
    site = Site()
    async with running(site.app):
        ada = site.browser("ada")
        async with ada.stream(await ada.get("/")):
            pass
    gone = weakref.ref(site.rt)
    del site, ada
    await asyncio.sleep(0)
    gc.collect()
    assert gone() is None


async def test_stopping_on_one_loop_leaves_the_streams_of_another() -> None:
    site = Site()
    ada = site.browser("ada")

    async def elsewhere() -> None:
        await site.rt.start()
        await site.rt.stop()

    async with ada.stream(await ada.get("/")) as stream:
        await stream.checkpoint()
        await asyncio.to_thread(asyncio.run, elsewhere())
        site.rt.topic("board:1").text("#x", "still here")
        assert await texts(stream, 1) == ["still here"]


async def test_a_toast_after_the_answer_says_where_it_belongs() -> None:
    from starlette.background import BackgroundTask

    raised: list[RealtimeError] = []

    def late() -> None:
        try:
            site.rt.toast("too late")
        except RealtimeError as error:
            raised.append(error)

    async def act(request: Request) -> Response:
        return PlainTextResponse("ok", background=BackgroundTask(late))

    site = Site(routes=[Route("/act", act)])
    await site.browser().get("/act")
    assert "rt.user(" in str(raised[0])


async def test_everything_with_lowered_limits_at_once() -> None:
    """A small house works like a large one."""
    site = Site(
        limits={
            "topics_per_tab": 2,
            "streams_per_user": 1,
            "streams": 2,
            "window": 3,
            "replay": 2,
            "states_per_topic": 1,
            "trimmed_topics": 1,
            "revocations": 1,
        }
    )
    ada = site.browser("ada")
    page = await ada.get("/")
    for number in range(3):
        async with ada.stream(page) as stream:
            await stream.checkpoint()
            site.rt.topic("board:1").text("#x", str(number))
            while (event := await stream.event()).data.get("ops") != [["text", "#x", str(number)]]:
                assert event.name in ("rt:resync", "rt:ops")
