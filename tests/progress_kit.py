"""A site on which somebody imports, and what its pages are told of that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from htmx_rt.frames import Draft
from htmx_rt.progress import Progress
from htmx_rt.stores import Store
from htmx_rt.testing import Browser, Page, Stream

from .desk import Desk

IMPORT = "{{ rt.head() }}{{ rt.progress('import:7', running) }}"
Work = Callable[[Progress], Any]


class Depot(Desk):
    """`POST /import` does what the test gave as `work`, reporting on `import:7`; `/import` shows how far it is."""

    def __init__(self, store: str | Store = "memory://", **options: Any) -> None:
        self.work: Work = lambda p: None
        self.options: dict[str, Any] = {"total": 100}
        self.runs: list[Progress] = []
        routes = [
            Route("/import", self.show),
            Route("/bare", self.bare),
            Route("/import", self.run, methods=["POST"]),
            Route("/thread", self.run_in_a_thread, methods=["POST"]),
        ]
        super().__init__(store, routes=routes, templates={"import.html": IMPORT}, **options)

    async def show(self, request: Request) -> Response:
        return self.html("import.html", running=await self.rt.running("import:7"))

    async def bare(self, request: Request) -> Response:
        return self.html("import.html")

    async def run(self, request: Request) -> Response:
        async with self.begin() as p:
            self.runs.append(p)
            answer = self.work(p)
            if asyncio.iscoroutine(answer):
                await answer
        return PlainTextResponse(p.state)

    def run_in_a_thread(self, request: Request) -> Response:
        with self.begin() as p:
            self.runs.append(p)
            self.work(p)
        return PlainTextResponse(p.state)

    def begin(self, **options: Any) -> Progress:
        return self.rt.progress("import:7", "Importing prices", **self.options | options)

    async def records(self) -> list[dict[str, Any]]:
        """Return what lies in the store, as it would be told."""
        items = await self.rt.store.scan("progress:t/", limit=1000)
        return [json.loads(item.value) for _, item in items]

    async def left(self) -> list[str]:
        """Return the keys of all that runs, or that somebody wishes."""
        found = await self.rt.store.scan("progress:r/", limit=1000) + await self.rt.store.scan("progress:x/")
        return [key for key, _ in found]


async def told(stream: Stream, until: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """Return what a page is told of things that take long, up to the first for which `until` is true."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(10):
        while not found or not until(found[-1]):
            call = (await stream.event("rt:call")).data
            if call["name"] == "progress":
                found.append(call["args"])
    return found


async def toast(stream: Stream) -> dict[str, Any]:
    """Return the next toast."""
    async with asyncio.timeout(10):
        while True:
            call = (await stream.event("rt:call")).data
            if call["name"] == "toast":
                args: dict[str, Any] = call["args"]
                return args


def ended(args: dict[str, Any]) -> bool:
    return args["state"] != "running"


def tasks(page: Page) -> list[Any]:
    """Return what a page shows from its first moment."""
    return page.select("div[rt-progress] > div.rt-task")


def fields(page: Page) -> dict[str, str]:
    """Return what the form of the first one sends."""
    return {field["name"]: field["value"] for field in tasks(page)[0].select("input")}


async def cancel(browser: Browser, id: str, act: str = "cancel", **body: Any) -> Page:
    """Press Cancel, as the extension does."""
    value = json.dumps({"topic": "import:7", "act": act, **body}).encode()
    headers = {"content-type": "application/json", "rt-tab": "tab"}
    return await browser.request("POST", f"/_rt/progress/{id}", value, headers=headers)


async def until(found: Any) -> None:
    """Wait until `found()` is true."""
    async with asyncio.timeout(10):
        while not found():
            await asyncio.sleep(0.01)


class SlowBus:
    """Stands in front of a bus: keeps what is published until `go`, or refuses it."""

    def __init__(self, bus: Any) -> None:
        self.sent: list[tuple[Draft, Future[int]]] = []
        self.refuses: BaseException | None = None
        self.held = False
        self._publish = bus.publish
        bus.publish = self.publish

    def publish(self, draft: Draft) -> Future[int]:
        if self.refuses is not None:
            refused: Future[int] = Future()
            refused.set_exception(self.refuses)
            return refused
        if not self.held:
            return self._publish(draft)  # type: ignore[no-any-return]
        self.sent.append((draft, future := Future[int]()))
        return future

    def go(self) -> None:
        self.held = False
        for draft, future in self.sent:
            future.set_result(self._publish(draft).result())
        self.sent.clear()
