"""Answers that never arrive, and frameworks of all kinds: what was done stays done."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from a2wsgi import WSGIMiddleware
from fastapi import Depends, FastAPI, Form, Header
from flask import Flask
from quart import Quart
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.stores import Store
from htmx_rt.stores.hold import decode
from htmx_rt.testing import Browser

from .desk import Desk, Shaky, act, key, replayed, send
from .desk import store as store
from .kit import SECRET, running

pytestmark = pytest.mark.anyio


async def passes(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    return await call_next(request)


def based() -> dict[str, Any]:
    return {"middleware": [Middleware(BaseHTTPMiddleware, dispatch=passes)]}


@pytest.mark.parametrize("options", [{}, based()], ids=["starlette", "BaseHTTPMiddleware"])
async def test_whoever_left_before_the_answer_gets_it_later(store: Store, options: dict[str, Any]) -> None:
    desk, action = Desk(store, **options), key()
    begun, go = desk.waits("add")
    async with running(desk.app):
        ada = await desk.visitor()
        response = send(ada, "/do/add", action)
        await begun.wait()
        response._gone.set()
        await asyncio.sleep(0)
        go.set()
        await response.close()
        page = await act(ada, "add", action)
    assert (page.text, replayed(page), desk.ran["add"]) == ("add 1", True, 1)


@pytest.mark.parametrize("options", [{}, based()], ids=["starlette", "BaseHTTPMiddleware"])
async def test_whoever_left_while_it_was_streamed_learns_that_it_was_done(
    store: Store, options: dict[str, Any]
) -> None:
    desk, action = Desk(store, **options), key()
    stop = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        await stop.wait()
        yield b"second"

    async def does(_: Request) -> Response:
        return StreamingResponse(pieces())

    desk.does["add"] = does
    async with running(desk.app):
        ada = await desk.visitor()
        response = send(ada, "/do/add", action)
        await response.start()
        assert await response.chunk() == b"first"
        await response.close()
        page = await act(ada, "add", action)
    assert (page.status, replayed(page), desk.ran["add"]) == (204, True, 1)


async def test_whoever_leaves_while_the_receipt_is_written_does_not_undo_it() -> None:
    shaky = Shaky()
    desk, action = Desk(shaky, limits={"receipt_wait": 1.0}), key()

    async def pieces() -> AsyncIterator[bytes]:
        shaky.open.clear()
        yield b"all of it"

    async def does(_: Request) -> Response:
        return StreamingResponse(pieces())

    desk.does["add"] = does
    async with running(desk.app):
        ada = await desk.visitor()
        response = send(ada, "/do/add", action)
        await shaky.waiting.wait()
        leaving = asyncio.create_task(response.close())  # Starlette stops what it streams
        for _ in range(5):
            await asyncio.sleep(0)
        shaky.open.set()
        await leaving
        page = await act(ada, "add", action)
    assert (page.text, replayed(page), desk.ran["add"]) == ("all of it", True, 1)


async def test_a_server_that_says_that_the_reader_is_gone() -> None:
    desk, action = Desk(), key()

    async def cut(scope: Any, receive: Any, send: Any) -> None:
        async def gone(message: Any) -> None:
            raise OSError("the client is gone")

        await desk.app(scope, receive, gone)

    async with running(desk.app):
        ada = await desk.visitor()
        response = send(ada, "/do/add", action, app=cut)
        await asyncio.wait([response._task])
        assert response._task.exception() is not None
        page = await act(ada, "add", action)
    assert (page.status, replayed(page), desk.ran["add"]) == (204, True, 1)


async def test_an_app_that_fails_after_it_has_answered_has_answered(store: Store) -> None:
    desk, action = Desk(store), key()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        raise RuntimeError("a bug of the app")

    async def does(_: Request) -> Response:
        return StreamingResponse(pieces())

    desk.does["add"] = does
    async with running(desk.app):
        ada = await desk.visitor()
        with pytest.raises(RuntimeError):
            await act(ada, "add", action)
        page = await act(ada, "add", action)
    assert (page.status, replayed(page), desk.ran["add"]) == (204, True, 1)


async def test_a_refusal_that_fails_half_way_releases() -> None:
    desk, action = Desk(), key()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"no"
        raise RuntimeError("a bug of the app")

    async def does(_: Request) -> Response:
        return StreamingResponse(pieces(), 422)

    desk.does["add"] = does
    async with running(desk.app):
        ada = await desk.visitor()
        with pytest.raises(RuntimeError):
            await act(ada, "add", action)
        del desk.does["add"]
        assert (await act(ada, "add", action)).text == "add 2"


async def test_work_after_the_answer_is_not_waited_for(store: Store) -> None:
    desk, action = Desk(store), key()
    go, done = asyncio.Event(), []

    async def later() -> None:
        await go.wait()
        done.append(1)

    async def does(_: Request) -> Response:
        return PlainTextResponse("ok", background=BackgroundTask(later))

    desk.does["add"] = does
    async with running(desk.app):
        ada = await desk.visitor()
        response = send(ada, "/do/add", action)
        await response.start()
        assert await response.rest() == b"ok"
        twin = await act(ada, "add", action)  # while it goes on
        go.set()
        await response.close()
    assert (twin.text, replayed(twin), done) == ("ok", True, [1])


async def test_work_after_the_answer_that_fails_or_is_stopped_changes_nothing(store: Store) -> None:
    desk = Desk(store)
    stuck = asyncio.Event()

    async def fails() -> None:
        raise RuntimeError("a bug of the app")

    async def does(request: Request) -> Response:
        return PlainTextResponse("ok", background=BackgroundTask(fails if "fail" in request.url.query else stuck.wait))

    desk.does["add"] = does
    async with running(desk.app):
        ada = await desk.visitor()
        one, two = key(), key()
        with pytest.raises(RuntimeError):
            await act(ada, "add?fail", one)
        response = send(ada, "/do/add", two)
        await response.start()
        await response.rest()
        response._task.cancel()
        await asyncio.wait([response._task])
        pages = [await act(ada, "add", action) for action in (one, two)]
    assert [(page.text, replayed(page)) for page in pages] == [("ok", True)] * 2


@pytest.mark.parametrize("sent", [[], ["http.response.start"]])
async def test_an_app_that_returns_without_an_answer(sent: list[str]) -> None:
    rt = Realtime(secret=SECRET, identify=lambda _: "ada")
    ran = []

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] == "GET":
            rt.set_user("ada")
        ran.append(scope["method"])
        if sent or scope["method"] == "GET":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["method"] == "GET":
            await send({"type": "http.response.body", "body": b""})

    app = RealtimeMiddleware(silent, rt=rt)
    async with Browser(app) as ada:
        await ada.get("/")
        response = send(ada, "/x", "k")
        await asyncio.wait([response._task])
        response = send(ada, "/x", "k")
        await asyncio.wait([response._task])
        await rt.stop()
    # What never began to answer may be tried again; what began counts as done.
    assert ran.count("POST") == (1 if sent else 2)


async def test_a_file_sent_by_its_path_is_kept_as_done(tmp_path: Path) -> None:
    rt = Realtime(secret=SECRET, identify=lambda _: "ada")
    ran: list[str] = []

    async def files(scope: Any, receive: Any, send: Any) -> None:
        rt.set_user("ada")
        ran.append(scope["method"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
        if scope["method"] == "GET":
            await send({"type": "http.response.body", "body": b"abc"})
        else:
            await send({"type": "http.response.pathsend", "path": str(tmp_path / "a")})

    async with Browser(RealtimeMiddleware(files, rt=rt)) as ada:
        await ada.get("/")
        first = send(ada, "/x", "k")
        await asyncio.wait([first._task])
        page = await ada.request("POST", "/x", headers={"idempotency-key": "k"})
        await rt.stop()
    assert (page.status, replayed(page), ran) == (204, True, ["GET", "POST"])


# Frameworks


class Counted:
    """One app in one framework; each run of an endpoint counts."""

    def __init__(self) -> None:
        self.rt = Realtime(secret=SECRET, identify=lambda _: "ada")
        self.ran: list[str] = []
        self.threads: set[int] = set()

    def run(self, what: str) -> str:
        self.ran.append(what)
        self.threads.add(threading.get_ident())
        return f"{what} {len(self.ran)}"


async def session() -> AsyncIterator[str]:
    yield "session"


Session = Annotated[str, Depends(session)]


def on_fastapi(counted: Counted) -> Any:
    app, rt = FastAPI(), counted.rt

    @app.get("/")
    async def home() -> Response:
        rt.set_user("ada")
        return PlainTextResponse("")

    @app.post("/async/{item}")
    @rt.repeatable
    async def set_async(item: int, db: Session, title: Annotated[str, Form()], rt_tab: Annotated[str, Header()]) -> str:
        assert (item, db, title, rt_tab) == (7, "session", "Buy milk", "tab")
        return counted.run("async")

    @app.post("/sync/{item}")
    @rt.repeatable
    def set_sync(item: int, db: Session, title: Annotated[str, Form()]) -> str:
        assert (item, db, title) == (7, "session", "Buy milk")
        return counted.run("sync")

    return app


def on_starlette(counted: Counted) -> Any:
    rt = counted.rt

    async def home(_: Request) -> Response:
        rt.set_user("ada")
        return PlainTextResponse("")

    @rt.repeatable
    async def set_async(request: Request) -> Response:
        assert (await request.form())["title"] == "Buy milk"
        return PlainTextResponse(counted.run("async"))

    class Both(HTTPEndpoint):
        @rt.repeatable
        def post(self, request: Request) -> Response:
            return PlainTextResponse(counted.run("sync"))

    return Starlette(
        routes=[
            Route("/", home),
            Route("/async/{item}", set_async, methods=["POST"]),
            Route("/sync/{item}", Both),
        ]
    )


def on_flask(counted: Counted) -> Any:
    app, rt = Flask(__name__), counted.rt

    @app.get("/")
    def home() -> str:
        rt.set_user("ada")
        return ""

    @app.post("/sync/<int:item>")
    @rt.repeatable
    def set_sync(item: int) -> str:
        return counted.run("sync")

    @app.post("/async/<int:item>")
    @rt.repeatable
    async def set_async(item: int) -> str:
        return counted.run("async")

    return WSGIMiddleware(app)  # type: ignore[arg-type]


def on_quart(counted: Counted) -> Any:
    app, rt = Quart(__name__), counted.rt

    @app.get("/")
    async def home() -> str:
        rt.set_user("ada")
        return ""

    @app.post("/sync/<int:item>")
    @rt.repeatable
    def set_sync(item: int) -> str:
        return counted.run("sync")

    @app.post("/async/<int:item>")
    @rt.repeatable
    async def set_async(item: int) -> str:
        return counted.run("async")

    return app


FRAMEWORKS = [on_fastapi, on_starlette, on_flask, on_quart]


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("make", FRAMEWORKS)
async def test_every_framework_runs_an_action_once_and_may_repeat_it(make: Callable[[Counted], Any], kind: str) -> None:
    counted = Counted()
    app = RealtimeMiddleware(make(counted), rt=counted.rt)
    headers = {"idempotency-key": "k", "rt-tab": "tab"}
    async with running(app), Browser(app) as ada:
        await ada.get("/")
        pages = [await ada.post(f"/{kind}/7", {"title": "Buy milk"}, headers=headers) for _ in range(3)]
        ((_, item),) = await counted.rt.store.scan("receipt:")
    assert [(page.status, page.text.strip('"')) for page in pages] == [(200, f"{kind} 1")] * 3
    assert [replayed(page) for page in pages] == [False, True, True]
    assert counted.ran == [kind]
    assert decode(item)[0]["again"] is True
    if kind == "sync":
        assert threading.get_ident() not in counted.threads


def test_marking_keeps_what_fastapi_reads_off_an_endpoint() -> None:
    plain, marked = Counted(), Counted()
    marked.rt.repeatable = lambda endpoint: endpoint  # type: ignore[method-assign, assignment]
    assert on_fastapi(plain).openapi() == on_fastapi(marked).openapi()
