"""This kit, as an app uses it: a page with its macros, and a publish for each row. ACCELERATE, BUS and STORE say how."""

from __future__ import annotations

import os
import time
from collections import Counter

from jinja2 import Environment
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from bench.systems.messages import messages
from htmx_rt import Realtime, RealtimeMiddleware, User

rt = Realtime(
    secret="a secret of thirty-two bytes or more",
    identify=lambda request: User(request.cookies["who"], "Person " + request.cookies["who"]),
    accelerate="ACCELERATE" in os.environ,
    bus=os.environ.get("BUS", "memory://"),
    store=os.environ.get("STORE", "memory://"),
)
environment = Environment(autoescape=True)
rt.install(environment)
PAGE = environment.from_string(
    '<!doctype html><head>{{ rt.head() }}</head><ul id="feed" {{ rt.stream(topic) }}></ul>{{ rt.presence(topic) }}'
)
numbers: Counter[str] = Counter()


def page(request: Request) -> HTMLResponse:
    return HTMLResponse(PAGE.render(topic=request.path_params["topic"]))


async def publish(request: Request) -> Response:
    body = (await request.body()).decode()
    for topic, text in messages(request.path_params["topic"], body, request.headers):
        rt.topic(topic).append("#feed", Markup(text))
    return Response(status_code=202)


async def act(request: Request) -> HTMLResponse:
    """What a person does: a row for everybody, and an answer."""
    topic = request.path_params["topic"]
    text = (await request.form())["text"]
    number = numbers[topic]
    numbers[topic] += 1
    row = Markup('<li id="row-{}">{} |{:08x}{:016x}x|</li>').format(number, text, number, time.monotonic_ns())
    rt.topic(topic).append("#feed", row)
    return HTMLResponse(row)


app = RealtimeMiddleware(
    Starlette(
        routes=[
            Route("/board/{topic}", page),
            Route("/pub/{topic}", publish, methods=["POST"]),
            Route("/act/{topic}", act, methods=["POST"]),
        ]
    ),
    rt=rt,
)
