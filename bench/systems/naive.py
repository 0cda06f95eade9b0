"""What people write today: sse-starlette and a plain Starlette WebSocket, over broadcaster's memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from broadcaster import Broadcast
from sse_starlette.sse import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

broadcast = Broadcast("memory://")


async def events(request: Request) -> EventSourceResponse:
    async def messages() -> AsyncIterator[dict[str, str]]:
        async with broadcast.subscribe(channel=request.path_params["topic"]) as subscriber:
            async for event in subscriber:
                yield {"data": event.message}

    return EventSourceResponse(messages())


async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    async with broadcast.subscribe(channel=websocket.path_params["topic"]) as subscriber:
        async for event in subscriber:
            await websocket.send_text(event.message)


async def publish(request: Request) -> Response:
    body, count = (await request.body()).decode(), int(request.headers["x-batch"])
    size = len(body) // count
    for start in range(0, len(body), size):
        await broadcast.publish(channel=request.path_params["topic"], message=body[start : start + size])
    return Response(status_code=202)


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    await broadcast.connect()
    yield
    await broadcast.disconnect()


app = Starlette(
    routes=[
        Route("/sse/{topic}", events),
        WebSocketRoute("/ws/{topic}", socket),
        Route("/pub/{topic}", publish, methods=["POST"]),
    ],
    lifespan=lifespan,
)
