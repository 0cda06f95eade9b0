"""A small app whose pages a test writes itself, and publishes to from its own thread."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import threading
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar
from weakref import WeakSet

import jinja2
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.publishing import Topic

POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'"
LAYOUT = """<!doctype html>
<html lang="en" {{ rt.theme() }}>
<head><meta charset="utf-8"><title>{{ title }}</title>{{ rt.head(htmx=htmx) }}</head>
<body>{{ rt.banner() }}<main id="main">%s</main>{{ rt.toasts() }}</body>
</html>"""

LOG = '<ol id="{0}" {{{{ rt.stream("{0}") }}}}></ol>'

Handler = Callable[[Request], Response | str | Awaitable[Response | str]]
_numbers = itertools.count()


class Gate:
    """Holds handlers until the test lets them through, or is over."""

    made: ClassVar[WeakSet[Gate]] = WeakSet()

    def __init__(self) -> None:
        self.made.add(self)
        self._reached = threading.Semaphore(0)
        self._open = threading.Event()

    async def wait(self) -> None:
        """Say that a handler is here, and wait."""
        self._reached.release()
        assert await asyncio.to_thread(self._open.wait, 10), "the test never opened the gate"

    def reached(self) -> None:
        """Wait until a handler is here."""
        assert self._reached.acquire(timeout=10), "no request came"

    def open(self) -> None:
        """Let everybody through."""
        self._open.set()


class Lab:
    """Pages and handlers by path. Who asks is whoever the cookie `who` names."""

    def __init__(self, *, htmx: int, **options: Any) -> None:
        number = next(_numbers)
        self.htmx = htmx
        self.rt = Realtime(
            secret="a secret of thirty-two bytes or more",
            name=f"lab{number}",
            **{"identify": lambda request: request.cookies.get("who"), **options},
        )
        self.environment = jinja2.Environment(autoescape=True)
        self.rt.install(self.environment)
        self.requests: list[tuple[str, str]] = []
        self._handlers: dict[tuple[str, str], Handler] = {
            ("GET", "/favicon.ico"): lambda request: Response(status_code=204)
        }
        self.app = Starlette(
            routes=[Route("/{path:path}", self._answer, methods=["GET", "POST"])],
            middleware=[Middleware(RealtimeMiddleware, rt=self.rt)],
        )

    def page(self, path: str, body: str, **values: Any) -> None:
        """A whole page at `path`; `body` is a template, rendered for each request with `values`, called where they can be."""

        async def show(request: Request) -> Response:
            version = int(request.query_params.get("htmx", self.htmx))
            return HTMLResponse(self.fill(LAYOUT % body, title=path, htmx=version, **values))

        self.get(path, show)

    def get(self, path: str, handler: Handler) -> None:
        """Answer GET `path` with what `handler` returns: a response, or HTML."""
        self._handlers["GET", path] = handler

    def post(self, path: str, handler: Handler) -> None:
        """Answer POST `path`."""
        self._handlers["POST", path] = handler

    def fill(self, template: str, **values: Any) -> str:
        """Render a template given as text."""
        now = {name: value() if callable(value) else value for name, value in values.items()}
        return self.environment.from_string(template).render(now)

    def topic(self, name: str) -> Topic:
        """Return a topic to publish to."""
        return self.rt.topic(name)

    def count(self, path: str) -> int:
        """Return how often `path` was asked for."""
        return sum(asked == path for _, asked in self.requests)

    async def _answer(self, request: Request) -> Response:
        self.requests.append((request.method, request.url.path))
        handler = self._handlers.get((request.method, request.url.path))
        if handler is None:
            return PlainTextResponse("Not found", status_code=404)
        answer = handler(request)
        if inspect.isawaitable(answer):
            answer = await answer
        response = answer if isinstance(answer, Response) else HTMLResponse(str(answer))
        response.headers["Content-Security-Policy"] = POLICY
        return response


class News:
    """Numbered messages on topics; a page that got each once shows the numbers without a gap."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.counts: dict[str, int] = {}

    def publish(self, topic: str, count: int = 1) -> None:
        """Append the next `count` rows to the list that is called like its topic."""
        for _ in range(count):
            number = self.counts[topic] = self.counts.get(topic, 0) + 1
            row = Markup('<li id="{0}-{1}">{1}</li>').format(topic, number)
            self.lab.topic(topic).append(f"#{topic}", row).result(5)
