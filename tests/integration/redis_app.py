"""A board for several workers over one Redis; nothing of it survives but what is on the bus."""

import json
import os

from jinja2 import Environment
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.exceptions import BusUnavailable

PAGE = '<html><head>{{ rt.head() }}</head><body><ul id="rows" {{ rt.stream("board:1") }}></ul></body></html>'

rt = Realtime(
    secret="a secret of thirty-two bytes or more",
    identify=lambda request: request.cookies.get("who"),
    bus=os.environ["RT_BUS"],
    name=os.environ.get("RT_NAME", "board"),
    limits=json.loads(os.environ.get("RT_LIMITS", "{}")),
)
environment = Environment(autoescape=True)
rt.install(environment)
template = environment.from_string(PAGE)


async def page(request: Request) -> Response:
    return HTMLResponse(template.render())


async def publish(request: Request) -> Response:
    """Append a row and wait until it is in the log."""
    row = Markup('<li id="row">{}</li>').format((await request.body()).decode())
    try:
        return PlainTextResponse(str(await rt.topic("board:1").append("#rows", row)))
    except BusUnavailable as error:
        return PlainTextResponse(str(error), 503)


async def say(request: Request) -> Response:
    """Append a row and wait for nothing."""
    rt.topic("board:2").append("#rows", Markup('<li id="row">{}</li>').format((await request.body()).decode()))
    return PlainTextResponse("said")


async def out(request: Request) -> Response:
    rt.sign_out()
    return PlainTextResponse("out")


async def revoke(request: Request) -> Response:
    rt.revoke("board:1", (await request.body()).decode() or None)
    return PlainTextResponse("revoked")


routes = [
    Route("/", page),
    Route("/publish", publish, methods=["POST"]),
    Route("/say", say, methods=["POST"]),
    Route("/out", out, methods=["POST"]),
    Route("/revoke", revoke, methods=["POST"]),
]
app = RealtimeMiddleware(Starlette(routes=routes), rt=rt)
