"""A page with a field for files; what was handed over is told by its digest. Any number of workers."""

import hashlib
import json
import os

import jinja2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.exceptions import BadUpload

rt = Realtime(
    secret="a secret of thirty-two bytes or more",
    identify=lambda request: request.cookies.get("who"),
    uploads=os.environ["RT_UPLOADS"],
    bus=os.environ.get("RT_BUS", "memory://"),
    limits={"upload_reserve": 1} | json.loads(os.environ.get("RT_LIMITS", "{}")),
)
environment = jinja2.Environment(autoescape=True)
rt.install(environment)
FORM = (
    "<!doctype html><html><head>{{ rt.head() }}</head><body>{{ rt.file_input('files', max_size='1 GB') }}</body></html>"
)


async def form(request: Request) -> Response:
    return HTMLResponse(environment.from_string(FORM).render())


async def send(request: Request) -> Response:
    async with request.form() as sent:
        try:
            files = await rt.uploads.consume(sent, "files")
        except BadUpload as error:
            return PlainTextResponse(error.problem, error.status)
    found = []
    for one in files:
        with one.path.open("rb") as file:
            found.append([one.name, one.size, hashlib.file_digest(file, "sha256").hexdigest()])
    return JSONResponse(found)


app = RealtimeMiddleware(Starlette(routes=[Route("/form", form), Route("/send", send, methods=["POST"])]), rt=rt)
