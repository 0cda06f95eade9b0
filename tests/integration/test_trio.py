"""Under trio we stay out of the way: a wrapped app behaves as it would unwrapped."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from servers import Server
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket
from visitor import Visitor

from htmx_rt import Realtime, RealtimeMiddleware


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.url.path} {'htmx_rt' in request.scope}")


async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())
    await websocket.close()


def wrapped(diary: list[str]) -> Any:
    rt = Realtime(secret="a secret of thirty-two bytes or more", name="trio")

    class Watched(RealtimeMiddleware):
        async def _lifespan(self, *arguments: Any) -> None:
            diary.append("ours")
            await super()._lifespan(*arguments)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        diary.append("app")
        yield

    routes = [Route("/{path:path}", echo), WebSocketRoute("/talk", talk)]
    return Watched(Starlette(routes=routes, lifespan=lifespan), rt=rt)


def test_requests_sockets_and_lifespan_pass_through() -> None:
    diary: list[str] = []
    with TestClient(wrapped(diary), backend="trio", headers={"RT-Tab": "a" * 32}) as client:
        answer = client.get("/_rt/health")
        assert answer.text == "/_rt/health False"
        assert not [name for name in answer.headers if name.startswith(("rt-", "set-cookie"))]
        with client.websocket_connect("/talk") as talking:
            talking.send_text("hello")
            assert talking.receive_text() == "hello"

    assert diary == ["app"]


def test_a_server_on_trio_serves_the_app(spawn: Callable[..., Server], visit: Callable[..., Visitor]) -> None:
    options = ["--bind", "127.0.0.1:0", "--workers", "0", "--worker-class", "trio"]
    server = spawn("trio_app:app", *options, module="hypercorn")
    ada = visit(server.address())

    assert ada.get("/").text == "on trio"
    assert ada.get("/_rt/health").status == 404
