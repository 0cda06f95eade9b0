"""A site whose actions are counted, and the stores that remember them."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from htmx_rt.exceptions import StoreUnavailable
from htmx_rt.redis_client import connector
from htmx_rt.stores import Item, MemoryStore, Store
from htmx_rt.stores.redis import RedisStore
from htmx_rt.stores.sqlite import SqliteStore
from htmx_rt.testing import Browser, Page
from htmx_rt.testing import Response as Running

from .kit import Site
from .redis_kit import RedisServer

Does = Callable[[Request], Awaitable[Response]]


class Desk(Site):
    """`/do/{name}` does what the test gave it under that name, and counts it."""

    def __init__(self, store: str | Store = "memory://", **options: Any) -> None:
        self.ran: Counter[str] = Counter()
        self.does: dict[str, Does] = {}
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        routes = [Route("/do/{name}", self.do, methods=methods), *options.pop("routes", ())]
        super().__init__(store=store, routes=routes, **options)
        self.rt.store.clock = self.clock

    async def do(self, request: Request) -> Response:
        name = request.path_params["name"]
        self.ran[name] += 1
        does = self.does.get(name)
        return await does(request) if does else PlainTextResponse(f"{name} {self.ran[name]}")

    def answers(self, name: str, status: int = 200, text: str = "", **headers: str) -> None:
        """Let `name` answer so."""

        async def does(_: Request) -> Response:
            return PlainTextResponse(text, status, {key.replace("_", "-"): value for key, value in headers.items()})

        self.does[name] = does

    def waits(self, name: str) -> tuple[asyncio.Event, asyncio.Event]:
        """Let `name` say that it has begun, and wait to be let go on."""
        begun, go = asyncio.Event(), asyncio.Event()

        async def does(_: Request) -> Response:
            begun.set()
            await go.wait()
            return PlainTextResponse(f"{name} {self.ran[name]}")

        self.does[name] = does
        return begun, go

    async def visitor(self, who: str | None = "ada") -> Browser:
        """Return a browser that has been here, and so has our cookie."""
        browser = self.browser(who)
        await browser.get("/")
        return browser


def key() -> str:
    return secrets.token_hex(16)


async def act(
    browser: Browser, name: str, action: str, *, method: str = "POST", body: bytes = b"", **headers: str
) -> Page:
    """Send an action as a page does."""
    own = {"idempotency-key": action, "rt-tab": "tab", "hx-request": "true"}
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return await browser.request(method, f"/do/{name}", body, headers=own | given)


def send(browser: Browser, path: str, action: str, *, app: Any = None, body: bytes = b"", **headers: str) -> Running:
    """Send an action and do not wait for anything; `close` leaves."""
    sent = {"host": browser.host, "sec-fetch-site": "same-origin", "idempotency-key": action, "rt-tab": "tab"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    sent["cookie"] = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "POST",
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "client": ("testclient", 50000), "server": (browser.host, 80), "extensions": {}, "state": {},
    }  # fmt: skip
    return Running(app or browser.app, scope, body)


def replayed(page: Page) -> bool:
    return page.header("Idempotency-Replayed") == "true"


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Each of the stores."""
    if request.param == "memory":
        return MemoryStore()
    if request.param == "sqlite":
        return SqliteStore(str(tmp_path / "rt.db"))
    server: RedisServer = request.getfixturevalue("redis_server")
    return RedisStore(connector(server.url), name=f"t{random.randrange(10**12)}")


class Shaky(MemoryStore):
    """A store that can be away, hold its answers up, or lose them after it has done what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.deaf = 0  # answers to changes that will be lost
        self.open = asyncio.Event()
        self.open.set()
        self.waiting = asyncio.Event()
        self.changes = 0

    async def _pass(self) -> None:
        if not self.open.is_set():
            self.waiting.set()
            await self.open.wait()
        if self.away:
            raise StoreUnavailable("It is away.")

    def _answer(self) -> None:
        self.changes += 1
        if self.deaf:
            self.deaf -= 1
            raise StoreUnavailable("It did not answer in time.")

    async def get(self, key: str) -> Item | None:
        if self.away:
            raise StoreUnavailable("It is away.")
        return await super().get(key)

    async def put(self, key: str, value: bytes, *, ttl: float, rev: int | None = None) -> int:
        await self._pass()
        done = await super().put(key, value, ttl=ttl, rev=rev)
        self._answer()
        return done

    async def delete(self, key: str, *, rev: int | None = None) -> bool:
        await self._pass()
        done = await super().delete(key, rev=rev)
        self._answer()
        return done


async def until(true: Callable[[], object], within: float = 5.0) -> None:
    """Wait until something is true that no event tells of."""
    async with asyncio.timeout(within):
        while not true():
            await asyncio.sleep(0.005)
