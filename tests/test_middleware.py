from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
import trio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.buses import MemoryBus
from htmx_rt.exceptions import BusUnavailable
from htmx_rt.testing import Browser, running
from htmx_rt.types import Limits

from .kit import SECRET, Site, texts

pytestmark = pytest.mark.anyio


def lifespan_app(log: list[str], *, fail: str = "") -> Any:
    """Return an app with a lifespan of its own, which may fail at one step of it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if fail == "before":
            raise RuntimeError("no lifespan here")
        while True:
            kind = (await receive())["type"].removeprefix("lifespan.")
            log.append(kind)
            if kind == fail:
                raise RuntimeError(f"{kind} failed")
            await send({"type": f"lifespan.{kind}.complete"})
            if kind == "shutdown":
                return

    return app


async def test_the_apps_own_lifespan_runs_and_ours_with_it() -> None:
    log: list[str] = []
    rt = Realtime(secret=SECRET)
    async with running(RealtimeMiddleware(lifespan_app(log), rt=rt)):
        assert rt.started
    assert log == ["startup", "shutdown"]
    assert not rt.started


async def test_an_app_without_a_lifespan_has_ours() -> None:
    rt = Realtime(secret=SECRET)
    async with running(RealtimeMiddleware(lifespan_app([], fail="before"), rt=rt)):
        assert rt.started
    assert not rt.started


@pytest.mark.parametrize("step", ["startup", "shutdown"])
async def test_an_app_that_fails_at_its_lifespan_fails_as_before_and_lets_us_go(step: str) -> None:
    rt = Realtime(secret=SECRET)
    with pytest.raises(RuntimeError, match=f"{step} failed"):
        async with running(RealtimeMiddleware(lifespan_app([], fail=step), rt=rt)):
            pass
    assert not rt.started


class Away(MemoryBus):
    async def start(self) -> None:
        raise BusUnavailable("the bus is away")


@pytest.mark.parametrize("inner", [lifespan_app([]), lifespan_app([], fail="before")], ids=["own", "none"])
async def test_a_bus_that_is_away_at_the_start_is_told_to_the_server(inner: Any) -> None:
    rt = Realtime(secret=SECRET, bus=Away(Limits()))
    with pytest.raises((RuntimeError, BusUnavailable), match="away"):
        async with running(RealtimeMiddleware(inner, rt=rt)):
            pass
    assert not rt.started


async def test_a_bus_that_is_away_later_costs_no_page(caplog: pytest.LogCaptureFixture) -> None:
    site = Site(bus=Away(Limits()))
    page = await site.browser("ada").get("/")
    assert page.status == 200
    assert (await site.browser().get("/_rt" + site.rt.assets.path("htmx-rt.css"))).status == 200


async def test_a_request_cancelled_half_way_makes_the_readers_fetch_again() -> None:
    published = asyncio.Event()

    async def act(request: Request) -> Response:
        site.rt.topic("board:1").text("#x", "half")
        published.set()
        await asyncio.Event().wait()
        raise AssertionError

    site = Site(routes=[Route("/act", act)])
    ada = site.browser("ada")
    async with ada.stream(await ada.get("/")) as stream:
        acting = asyncio.create_task(site.app(request_scope("/act"), no_message, no_message))
        await published.wait()
        acting.cancel()
        assert (await stream.event("rt:resync")).data["why"] == "failed"


async def no_message(*args: Any) -> Any:
    await asyncio.Event().wait()


def request_scope(path: str) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b"", "scheme": "http"}


async def test_it_may_be_started_again() -> None:
    site = Site()
    for _ in range(2):
        async with running(site.app):
            ada = site.browser("ada")
            page = await ada.get("/")
            async with ada.stream(page) as stream:
                site.rt.topic("board:1").text("#x", "hello")
                assert await texts(stream, 1) == ["hello"]


async def test_without_a_lifespan_the_first_stream_starts_us() -> None:
    site = Site()
    ada = site.browser("ada")
    async with ada.stream(await ada.get("/")):
        assert site.rt.started


async def test_a_second_worker_is_told_of_even_without_a_lifespan(caplog: pytest.LogCaptureFixture) -> None:
    mine, other = (Realtime(secret=SECRET + "two workers") for _ in range(2))
    with caplog.at_level(logging.WARNING, "htmx_rt"):
        await mine.start()
        assert "NOT see each other" not in caplog.text
        await other.start()
    assert caplog.text.count("NOT see each other") == 1
    await mine.stop()
    await other.stop()


def test_under_trio_it_stays_out_of_the_way() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert "htmx_rt" not in scope
        await send("as it is")

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    trio.run(RealtimeMiddleware(app, rt=Realtime(secret=SECRET)), {"type": "http", "path": "/_rt/stream"}, None, send)
    assert sent == ["as it is"]


async def test_other_kinds_of_scope_pass() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    async def nothing(*args: Any) -> Any:
        raise AssertionError

    await RealtimeMiddleware(app, rt=Realtime(secret=SECRET))({"type": "unheard-of"}, nothing, nothing)
    assert seen == ["unheard-of"]


async def test_websockets_of_the_app_pass_and_may_publish() -> None:
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        site.rt.topic("board:1").text("#x", await websocket.receive_text())
        await websocket.close()

    site = Site()
    site.inner.router.routes.append(WebSocketRoute("/ws", talk))
    inbox = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello"}]
    sent: list[Any] = []

    async def receive() -> Any:
        return inbox.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await site.app({"type": "websocket", "path": "/ws", "headers": [], "query_string": b""}, receive, send)
    assert sent == ["websocket.accept", "websocket.close"]
    assert site.bus.log.head == 1


@pytest.mark.parametrize("server_includes_it", [True, False])
async def test_a_root_path_is_part_of_our_addresses(server_includes_it: bool) -> None:
    site = Site()

    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        path = "/sub" + scope["path"] if server_includes_it else scope["path"]
        await site.app({**scope, "root_path": "/sub", "path": path}, receive, send)

    ada = Browser(mounted)
    ada.cookies["who"] = "ada"
    page = await ada.get("/")
    assert all(str(script["src"]).startswith("/sub/_rt/static/") for script in page.select("script"))
    async with ada.stream(page) as stream:
        assert set(stream.hello["grants"]) == {"user:ada", "board:1"}


async def test_it_works_as_a_mounted_apps_middleware() -> None:
    site = Site()
    outer = Starlette(routes=[Mount("/sub", app=site.app)])
    ada = Browser(outer, prefix="/sub/_rt")
    ada.cookies["who"] = "ada"
    page = await ada.get("/sub/")
    async with ada.stream(page) as stream:
        assert "board:1" in stream.hello["grants"]


async def test_a_prefix_of_ones_own() -> None:
    site = Site(prefix="/live/rt")
    ada = Browser(site.app, prefix="/live/rt")
    page = await ada.get("/")
    assert '"prefix":"/live/rt"' in page.select("meta")[0]["content"]
    async with ada.stream(page):
        pass
    assert (await ada.get("/_rt/health")).text == "Not Found"


async def test_a_response_to_a_page_says_where_the_log_stood_when_its_request_arrived() -> None:
    async def slow(request: Request) -> Response:
        site.rt.topic("board:1").text("#x", "meanwhile")
        return PlainTextResponse("ok")

    site = Site(routes=[Route("/slow", slow)])
    ada = site.browser("ada")
    page = await ada.get("/")
    for offset in ("0", "1"):
        answer = await ada.get("/slow", page=page)
        assert answer.header("rt-at") == f"1~{site.bus.log.epoch}~{offset}"
    assert (await ada.get("/slow")).header("rt-at") is None


async def test_a_page_streamed_before_its_first_macro_gets_its_cookie_with_the_stream() -> None:
    async def streamed(request: Request) -> Response:
        async def parts() -> Any:
            yield "<html>"
            yield site.environment.get_template("page.html").render(topics=["board:1"])

        return StreamingResponse(parts(), media_type="text/html")

    site = Site(routes=[Route("/streamed", streamed)])
    ada = site.browser("ada")
    page = await ada.get("/streamed")
    assert "rt-app" not in ada.cookies
    async with ada.stream(page) as stream:
        assert "board:1" in stream.hello["grants"]
    assert "rt-app" in ada.cookies


async def test_an_app_that_fails_fails_as_without_us() -> None:
    async def fail(request: Request) -> Response:
        raise LookupError("the app's own")

    site = Site(routes=[Route("/fail", fail)])
    with pytest.raises(LookupError, match="the app's own"):
        await site.browser().get("/fail")


async def test_a_middleware_inside_that_reads_everything_does_not_disturb() -> None:
    class Nosy:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def passing(message: Any) -> None:
                await send(message)

            await self.app(dict(scope), receive, passing)

    site = Site(middleware=[Middleware(Nosy)])
    ada = site.browser("ada")
    async with ada.stream(await ada.get("/")) as stream:
        assert "board:1" in stream.hello["grants"]


async def test_a_scope_does_not_know_its_request_for_longer_than_that_takes() -> None:
    seen: list[object] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["htmx_rt"]["app"].scope is scope)  # what knows each other waits for the collector
        await PlainTextResponse("done")(scope, receive, send)

    async def send(message: Any) -> None:
        pass

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    rt = Realtime(secret=SECRET)
    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b""}
    await rt.start()
    try:
        await RealtimeMiddleware(app, rt=rt)(scope, receive, send)
        assert seen == [True]
        assert scope["htmx_rt"] == {}
    finally:
        await rt.stop()
