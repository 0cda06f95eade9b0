"""A board with one topic, and what a test must know of the inside of its process."""

import asyncio
import json
import os
import signal
import socket
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse
from fastapi.templating import Jinja2Templates
from markupsafe import Markup

from htmx_rt import Realtime, RealtimeMiddleware, sockets

PAGE = """<!doctype html><html><head>{{ rt.head(htmx=4) }}</head><body>
<ul id="rows" {{ rt.stream("board:1") }}></ul></body></html>"""

rt = Realtime(
    secret="a secret of thirty-two bytes or more",
    name=os.environ.get("RT_NAME", "board"),
    accelerate="RT_ACCELERATE" in os.environ,
    limits=json.loads(os.environ.get("RT_LIMITS", "{}")),
)
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()
outer = FastAPI()
outer.mount("/boards", app)


@app.get("/")
async def page() -> HTMLResponse:
    return HTMLResponse(templates.env.from_string(PAGE).render())


@app.post("/publish")
async def publish(request: Request) -> PlainTextResponse:
    """Append `count` rows of `size` bytes, each in a tick of its own."""
    form = await request.form()
    filler = "x" * int(str(form.get("size", "1")))
    offset = 0
    for number in range(int(str(form.get("count", "1")))):
        row = Markup('<li id="row">{}:{}</li>').format(form.get("text", number), filler)
        offset = await rt.topic("board:1").append("#rows", row)
        await asyncio.sleep(0)
    return PlainTextResponse(str(offset))


@app.get("/inside")
async def inside() -> dict[str, object]:
    """What this process holds."""
    return {
        "pid": os.getpid(),
        "tasks": len(asyncio.all_tasks()),
        "descriptors": len(os.listdir("/dev/fd")),
        "readers": len(rt.hub().readers),
        "unsent": [
            listener.getsockopt(socket.IPPROTO_TCP, sockets.NOTSENT_LOWAT or 0) for listener in sockets.listeners()
        ],
        "handlers": [getattr(signal.getsignal(number), "__qualname__", "") for number in (2, 15)],
    }


app.add_middleware(RealtimeMiddleware, rt=rt)


class Wrapping:
    """A middleware that nobody knows, around everything; what it does to `send` may need a task of its own."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def wrapped(message: Any) -> None:
            async with asyncio.timeout(30):  # raises outside of a task
                await send(message)

        await self.inner(scope, receive, wrapped)


wrapped = Wrapping(app)
