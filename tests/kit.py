"""A tiny site to test through the public door: who you are is a plain cookie, every page is made of macros."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from jinja2 import DictLoader, Environment
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.buses import MemoryBus
from htmx_rt.testing import Browser, Connecting, Page, Refusal, Stream, running
from htmx_rt.types import ASGIApp, Limits

# Each test process is an app of its own: two processes of one app on the in-process bus are warned of.
SECRET = f"a secret of the tests, longer than 32 bytes, of process {os.getpid()}"
PAGE = """<!doctype html><html><head>{{ rt.head() }}</head><body>
{% for topic in topics %}<div {{ rt.stream(topic) }}></div>{% endfor %}</body></html>"""


class Clock:
    """A clock that only moves when told to."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def by_cookie(request: Request) -> str | None:
    """Believe the cookie `who`, as an app believes its session."""
    return request.cookies.get("who")


class Site:
    """One `Realtime`, one small app around it, one clock for both."""

    def __init__(
        self,
        *,
        limits: dict[str, Any] | None = None,
        routes: Sequence[BaseRoute] = (),
        templates: dict[str, str] | None = None,
        middleware: Iterable[Any] = (),
        **options: Any,
    ) -> None:
        self.clock = Clock()
        bounds = Limits.of(limits)
        self.bus = MemoryBus(bounds, clock=self.clock, wall_clock=self.clock)
        # A secret of its own, as two apps have: by it the worker finds others of the same app.
        secret = SECRET + secrets.token_hex(8)
        self.rt = Realtime(**({"secret": secret, "identify": by_cookie, "bus": self.bus, "limits": limits} | options))
        self.rt.identity.clock = self.rt.grants._clock = self.clock
        self.environment = Environment(autoescape=True, loader=DictLoader({"page.html": PAGE} | (templates or {})))
        self.rt.install(self.environment)
        own = [
            Route("/", self.page),
            Route("/plain", self.plain),
            Route("/in/{user}", self.sign_in),
            Route("/out", self.sign_out),
            Route("/say/{topic}", self.say, methods=["POST"]),
        ]
        self.inner = Starlette(routes=[*routes, *own], middleware=list(middleware))
        self.app: ASGIApp = RealtimeMiddleware(self.inner, rt=self.rt)

    def html(self, name: str = "page.html", **values: Any) -> HTMLResponse:
        return HTMLResponse(self.environment.get_template(name).render(**values))

    async def page(self, request: Request) -> Response:
        return self.html(topics=request.query_params.getlist("t") or ["board:1"])

    async def plain(self, request: Request) -> Response:
        return PlainTextResponse("plain")

    async def sign_in(self, request: Request) -> Response:
        self.rt.set_user(request.path_params["user"])
        response = RedirectResponse("/", 303)
        response.set_cookie("who", request.path_params["user"])
        return response

    async def sign_out(self, request: Request) -> Response:
        self.rt.sign_out()
        response = RedirectResponse("/", 303)
        response.delete_cookie("who")
        return response

    async def say(self, request: Request) -> Response:
        self.rt.topic(request.path_params["topic"]).text("#x", (await request.body()).decode() or "hello")
        return PlainTextResponse("said")

    def browser(self, who: str | None = None) -> Browser:
        """Return a new browser, signed in as `who` as far as the app is concerned."""
        browser = Browser(self.app)
        if who is not None:
            browser.cookies["who"] = who
        return browser


class Gate:
    """A network in front of `app` that can be held up: what the server sends waits until `open` is set."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.open = asyncio.Event()
        self.open.set()
        self.waiting = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def gated(message: Any) -> None:
            if not self.open.is_set():
                self.waiting.set()
                await self.open.wait()
            await send(message)

        await self.app(scope, receive, gated)


async def texts(stream: Stream, count: int) -> list[str]:
    """Return the texts of the next `count` operations."""
    found: list[str] = []
    while len(found) < count:
        found += [op[2] for op in (await stream.event("rt:ops")).data["ops"]]
    return found


async def opened(
    site: Site, path: str = "/", *, who: str | None = "ada", app: ASGIApp | None = None
) -> tuple[Browser, Page]:
    """Return a browser of `who`, and the page that it has just fetched."""
    browser = Browser(app or site.app)
    if who:
        browser.cookies["who"] = who
    return browser, await browser.get(path)


async def refused(connecting: Connecting) -> tuple[int, str | None]:
    """Return how a stream was refused. Raised if it was not: `AssertionError`."""
    try:
        stream = await connecting.__aenter__()
    except Refusal as refusal:
        return refusal.status, refusal.problem
    raise AssertionError(f"The stream was opened: {stream.hello}")


def problem(page: Page) -> tuple[int, str | None]:
    """Return how a request was refused."""
    return page.status, page.header("RT-Problem")


@contextlib.asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Check that a block leaves no task behind, apart from those a few turns of the loop will end."""
    before = asyncio.all_tasks()
    yield
    for _ in range(10):
        await asyncio.sleep(0)
    left = asyncio.all_tasks() - before
    assert not left, left


__all__ = [
    "SECRET",
    "Browser",
    "Clock",
    "Gate",
    "Site",
    "nothing_left",
    "opened",
    "problem",
    "refused",
    "running",
    "texts",
]
