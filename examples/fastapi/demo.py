"""The strip at the top of the demo: a second person, a cut line, slow answers and errors. No part of a real app.

As a middleware it works around any framework; the page finds what it draws in the scope.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from typing import Any

from jinja2 import Environment
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FAIL = "fail"
DELAYS = {"0": "at once", "300": "after 0.3 s", "2000": "after 2 s", FAIL: "fail after 1 s"}  # milliseconds
SAFE = ("GET", "HEAD", "OPTIONS")
_PATH = re.compile(r"/(?:[A-Za-z0-9_-][A-Za-z0-9_/-]*)?")  # on this site, and nowhere else
HTMX = {"4": "htmx 4", "2": "htmx 2"}
LINES = {"auto": "line: auto", "sse": "line: SSE", "socket": "line: WebSocket"}

# Two people in one browser need two cookie jars, and a cookie belongs to a host. Browsers find every name under
# .localhost on this machine, and frames whose names end like the page's may keep cookies of their own.
BESIDE = "board.localhost"
PANES = {"left.board.localhost": "ada", "right.board.localhost": "grace"}
FRAMES = f"frame-src http://*.{BESIDE}:*; frame-ancestors 'self' http://{BESIDE}:*"  # for the policy of the app


class Strip:
    """Serves what the strip needs, and holds back the answers of the app, as a busy server would, or lets actions fail.

    What the app publishes leaves at once. Mount it inside the middleware that keeps the session.
    """

    def __init__(self, app: ASGIApp, *, env: Environment) -> None:
        self.app = app
        self.templates = Jinja2Templates(env=env.overlay(enable_async=False))
        routes = [
            Route("/demo", self.choose, methods=["POST"]),
            Route("/demo/deploy", self.deploy, methods=["POST"]),
            Route("/beside", self.beside),
            Route("/beside/enter", self.enter),
        ]
        self.own = Starlette(routes=routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        request = Request(scope)
        host, path = request.url.hostname or "", scope["path"]
        here = host in ("127.0.0.1", "localhost")
        scope["demo"] = {
            "delay": _choice(request, "delay", DELAYS),
            "htmx": int(_choice(request, "htmx", HTMX)),
            "delays": DELAYS,
            "versions": HTMX,
            "line": _choice(request, "line", LINES),
            "lines": LINES,
            "beside": here,
            "path": path,
            "deploys": here and "BOARD_DEPLOYS" in os.environ,
        }
        if (
            path == "/demo"
            or (path == "/demo/deploy" and scope["demo"]["deploys"])
            or (path == "/beside" and (here or host == BESIDE))
            or (path == "/beside/enter" and host in PANES)
        ):
            return await self.own(scope, receive, send)
        if path.startswith("/static/"):
            return await self.app(scope, receive, send)

        delay = scope["demo"]["delay"]
        if delay == FAIL and scope["method"] not in SAFE and not path.startswith("/sign-"):
            await asyncio.sleep(1)
            return await PlainTextResponse("The demo was told to fail.", 500)(scope, receive, send)

        async def late(message: Message) -> None:
            if message["type"] == "http.response.start":
                await asyncio.sleep(0 if delay == FAIL else int(delay) / 1000)
            await send(message)

        await self.app(scope, receive, late)

    async def choose(self, request: Request) -> Response:
        form = await request.form()
        response: Response = RedirectResponse("/", 303)
        if "HX-Request" in request.headers:
            response = Response(
                status_code=204, headers={"HX-Refresh": "true"} if {"htmx", "line"} & set(form) else None
            )
        for name, known in (("delay", DELAYS), ("htmx", HTMX), ("line", LINES)):
            value = str(form.get(name, ""))
            if value in known:
                response.set_cookie(f"demo-{name}", value, samesite="lax")
        return response

    async def deploy(self, request: Request) -> Response:
        """Stop and start again as the next version, as a deploy does: see again_or_end() in serve.py."""
        os.environ["BOARD_BUILD"] = str(int(os.environ.get("BOARD_BUILD") or 1) + 1)
        os.environ["BOARD_DEPLOYING"] = "1"
        asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGTERM)
        return Response(status_code=204) if "HX-Request" in request.headers else RedirectResponse("/", 303)

    async def beside(self, request: Request) -> Response:
        """Two people, each in a frame with a host of its own."""
        if request.url.hostname != BESIDE:
            return RedirectResponse(str(request.url.replace(hostname=BESIDE)), 302)
        frames = [(request.url.replace(hostname=host, path="/beside/enter"), person) for host, person in PANES.items()]
        headers = {"Content-Security-Policy": f"default-src 'self'; {FRAMES}"}
        return self.templates.TemplateResponse(request, "beside.html", {"frames": frames}, headers=headers)

    async def enter(self, request: Request) -> Response:
        """Sign the person of this frame in, unless somebody is."""
        request.session.setdefault("person", PANES[str(request.url.hostname)])
        at = request.query_params.get("at", "")
        return RedirectResponse(at if _PATH.fullmatch(at) else "/", 303)


def context(request: Any) -> dict[str, Any]:
    """What every full page needs to draw the strip."""
    return {"strip": request.scope["demo"]}


def _choice(request: Request, name: str, known: dict[str, str]) -> str:
    value = request.cookies.get(f"demo-{name}", "")
    return value if value in known else next(iter(known))
