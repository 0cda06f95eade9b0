"""Work that never comes to an end by itself, at any number of workers; in a task, or in a thread."""

import asyncio
import os
import threading
import time

from jinja2 import Environment
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from htmx_rt import Realtime, RealtimeMiddleware

PAGE = "<html><head>{{ rt.head() }}</head><body>{{ rt.progress('import:7', running) }}</body></html>"

rt = Realtime(
    secret="a secret of thirty-two bytes or more",
    identify=lambda request: request.cookies.get("who"),
    bus=os.environ.get("RT_BUS", "memory://"),
    store=os.environ["RT_STORE"],
    name=os.environ["RT_NAME"],
    limits={"heartbeat": 1.0},
)
environment = Environment(autoescape=True)
rt.install(environment)
template = environment.from_string(PAGE)


async def page(request: Request) -> Response:
    return HTMLResponse(template.render(running=await rt.running("import:7")))


async def running(request: Request) -> Response:
    return JSONResponse([one.public for one in await rt.running("import:7")])


async def work(kind: str) -> None:
    async with rt.progress("import:7", f"In a {kind}", total=1_000_000, cancel="all") as p:
        for number in range(1_000_000):
            p.update(done=number)
            await asyncio.sleep(0.01)


def work_in_a_thread(kind: str) -> None:
    with rt.progress("import:7", f"In a {kind}", total=1_000_000, cancel="all") as p:
        for number in range(1_000_000):
            p.update(done=number)
            time.sleep(0.01)


async def begin(request: Request) -> Response:
    kind = request.path_params["kind"]
    if kind == "thread":
        threading.Thread(target=work_in_a_thread, args=(kind,), daemon=True).start()
        return PlainTextResponse("begun")
    return PlainTextResponse("begun", background=BackgroundTask(work, kind))


routes = [Route("/", page), Route("/running", running), Route("/begin/{kind}", begin, methods=["POST"])]
app = RealtimeMiddleware(Starlette(routes=routes), rt=rt)
