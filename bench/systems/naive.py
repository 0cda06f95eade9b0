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

from bench.systems.messages import messages

broadcast = Broadcast("memory://")


async def events(request: Request) -> EventSourceResponse:
    async def stream() -> AsyncIterator[dict[str, str]]:
        async with broadcast.subscribe(channel=request.path_params["topic"]) as subscriber:
            async for event in subscriber:
                yield {"data": event.message}

    return EventSourceResponse(stream())


async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    async with broadcast.subscribe(channel=websocket.path_params["topic"]) as subscriber:
        async for event in subscriber:
            await websocket.send_text(event.message)


async def publish(request: Request) -> Response:
    body = (await request.body()).decode()
    for topic, text in messages(request.path_params["topic"], body, request.headers):
        await broadcast.publish(channel=topic, message=text)
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
