"""A place that several workers keep over one Redis, and that tells what it sees of who is there."""

import asyncio
import json
import os
import time

from jinja2 import Environment
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.people import News

PAGE = '<html><head>{{ rt.head() }}</head><body>{{ rt.presence("doc:1") }}{{ rt.typing("doc:1") }}</body></html>'

rt = Realtime(
    secret="a secret of thirty-two bytes or more",
    identify=lambda request: request.cookies.get("who"),
    bus=os.environ.get("RT_BUS", "memory://"),
    name=os.environ.get("RT_NAME", "place"),
    limits=json.loads(os.environ.get("RT_LIMITS", "{}")),
)
environment = Environment(autoescape=True)
rt.install(environment)
template = environment.from_string(PAGE)
seen: list[dict[str, object]] = []
changed = asyncio.Condition()


@rt.presence.subscribe
async def note(news: News) -> None:
    """Remember what happened, and when this worker knew."""
    person = news.person
    seen.append({"what": news.what, "name": person.name, "state": person.state, "why": news.why, "at": time.time()})
    async with changed:
        changed.notify_all()


async def page(request: Request) -> Response:
    return HTMLResponse(template.render())


async def news(request: Request) -> Response:
    """Answer with what happened after the first so many, once there is something."""
    after = int(request.query_params["after"])
    async with changed:
        try:
            async with asyncio.timeout(20):
                await changed.wait_for(lambda: len(seen) > after)
        except TimeoutError:
            pass
    return JSONResponse(seen[after:])


async def people(request: Request) -> Response:
    return JSONResponse({person.name: person.state for person in rt.presence.list("doc:1")})


routes = [Route("/", page), Route("/news", news), Route("/people", people)]
app = RealtimeMiddleware(Starlette(routes=routes), rt=rt)
