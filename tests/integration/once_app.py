"""Actions whose effects are counted in a database of the app's own; any number of workers."""

import asyncio
import os
import sqlite3

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(
    secret="a secret of thirty-two bytes or more",
    identify=lambda request: request.cookies.get("who"),
    store=os.environ["RT_STORE"],
    name=os.environ["RT_NAME"],
)


def add(number: str) -> None:
    database = sqlite3.connect(os.environ["RT_EFFECTS"], timeout=10)
    try:
        with database:
            database.execute("INSERT INTO effects VALUES (?)", (int(number),))
    finally:
        database.close()


async def page(request: Request) -> Response:
    rt.set_user(request.cookies.get("who"))
    return PlainTextResponse("hello")


async def act(request: Request) -> Response:
    number = str((await request.form())["number"])
    await asyncio.to_thread(add, number)
    return PlainTextResponse(f"did {number}")


app = RealtimeMiddleware(Starlette(routes=[Route("/", page), Route("/act", act, methods=["POST"])]), rt=rt)
