"""The strip at the top of the demo: a second person, a cut line, slow answers. No part of a real app."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from starlette.types import ASGIApp, Message, Receive, Scope, Send

DELAYS = {"0": "at once", "300": "after 0.3 s", "2000": "after 2 s"}  # milliseconds
HTMX = {"4": "htmx 4", "2": "htmx 2"}

# Two people in one browser need two cookie jars, and a cookie belongs to a host. Browsers find every name under
# .localhost on this machine, and frames whose names end like the page's may keep cookies of their own.
BESIDE = "board.localhost"
PANES = {"left.board.localhost": "ada", "right.board.localhost": "grace"}
FRAMES = f"frame-src http://*.{BESIDE}:*; frame-ancestors 'self' http://{BESIDE}:*"  # for the policy of the app


def context(request: Request) -> dict[str, Any]:
    """What every full page needs to draw the strip."""
    host = request.url.hostname or ""
    return {
        "strip": {
            "delay": _choice(request, "delay", DELAYS),
            "htmx": int(_choice(request, "htmx", HTMX)),
            "delays": DELAYS,
            "versions": HTMX,
            "beside": host in ("127.0.0.1", "localhost"),
        }
    }


def _choice(request: Request, name: str, known: dict[str, str]) -> str:
    value = request.cookies.get(f"demo-{name}", "")
    return value if value in known else next(iter(known))


class SlowAnswers:
    """Holds back the answers of the app, as a busy server would. What it publishes leaves at once."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(("/static/", "/demo", "/beside")):
            return await self.app(scope, receive, send)
        delay = int(_choice(Request(scope), "delay", DELAYS)) / 1000

        async def late(message: Message) -> None:
            if message["type"] == "http.response.start":
                await asyncio.sleep(delay)
            await send(message)

        await self.app(scope, receive, late)


def routes(templates: Jinja2Templates) -> APIRouter:
    router = APIRouter()

    @router.post("/demo")
    async def choose(
        request: Request, delay: Annotated[str, Form()] = "", htmx: Annotated[str, Form()] = ""
    ) -> Response:
        response: Response = RedirectResponse("/", 303)
        if "HX-Request" in request.headers:
            response = Response(status_code=204, headers={"HX-Refresh": "true"} if htmx else None)
        for name, value, known in (("delay", delay, DELAYS), ("htmx", htmx, HTMX)):
            if value in known:
                response.set_cookie(f"demo-{name}", value, samesite="lax")
        return response

    @router.get("/beside")
    async def beside(request: Request) -> Response:
        """Two people, each in a frame with a host of its own."""
        if request.url.hostname in ("127.0.0.1", "localhost"):
            return RedirectResponse(str(request.url.replace(hostname=BESIDE)), 302)
        if request.url.hostname != BESIDE:
            raise HTTPException(404)
        frames = [(request.url.replace(hostname=host, path="/beside/enter"), person) for host, person in PANES.items()]
        return templates.TemplateResponse(request, "beside.html", {"frames": frames})

    @router.get("/beside/enter")
    async def enter(request: Request) -> Response:
        """Sign the person of this frame in, unless somebody is."""
        if request.url.hostname not in PANES:
            raise HTTPException(404)
        request.session.setdefault("person", PANES[request.url.hostname])
        return RedirectResponse("/", 303)

    return router
