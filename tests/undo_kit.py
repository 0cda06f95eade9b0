"""A site on which tasks are deleted, each with time to take it back."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from htmx_rt.stores import Store
from htmx_rt.testing import Browser, Page
from htmx_rt.undo import SLACK, Deferred

from .desk import Desk


class Tasks(Desk):
    """`DELETE /tasks/{id}` defers; `/tasks` tells what is hidden and what is pending."""

    def __init__(
        self, store: str | Store = "memory://", *, transactional: bool = False, handler: bool = True, **options: Any
    ) -> None:
        self.deleted: list[int] = []
        self.restored: list[tuple[int, str]] = []
        self.seen: list[Deferred] = []  # by the handler
        self.fails = 0  # times that the handler will raise
        self.delay = 5.0
        self.pause: asyncio.Event | None = None  # that the handler waits for
        self.begun = asyncio.Event()
        routes = [
            Route("/tasks/{id:int}", self.delete, methods=["DELETE"]),
            Route("/sync/{id:int}", self.delete_in_a_thread, methods=["DELETE"]),
            Route("/tasks", self.tasks),
        ]
        super().__init__(store, routes=routes, **options)
        if handler:
            self.rt.undo.handler("delete", transactional=transactional)(self.do_delete)
        self.rt.undo.restore("delete")(self.show)

    async def do_delete(self, undo: Deferred, id: int) -> None:
        self.seen.append(undo)
        self.begun.set()
        if self.pause is not None:
            await self.pause.wait()
        if self.fails:
            self.fails -= 1
            raise RuntimeError("the database is away")
        self.deleted.append(id)

    async def show(self, undo: Deferred, id: int) -> None:
        self.restored.append((id, undo.state))

    async def delete(self, request: Request) -> Response:
        id = request.path_params["id"]
        deferred = await self.rt.undo.defer("delete", {"id": id}, delay=self.delay, text=f"Task {id} deleted")
        return PlainTextResponse(deferred.id)

    def delete_in_a_thread(self, request: Request) -> Response:
        id = request.path_params["id"]
        deferred = self.rt.undo.defer("delete", {"id": id}, delay=self.delay, text="deleted").result(5)
        hidden = self.rt.undo.hidden("delete").result(5)
        return JSONResponse({"id": deferred.id, "hidden": sorted(hidden)})

    async def tasks(self, request: Request) -> Response:
        hidden = sorted(await self.rt.undo.hidden("delete"))
        pending = sorted(await self.rt.undo.pending("delete"))
        return JSONResponse({"hidden": hidden, "pending": pending})

    async def pass_time(self, seconds: float | None = None) -> None:
        """Let the time go on, by default until everything just deferred is due, and have the runner look."""
        self.clock.advance(self.delay + SLACK + 0.01 if seconds is None else seconds)
        self.look()

    def look(self) -> None:
        """Have the runner look now."""
        self.rt.undo.wake(self.clock.now)

    async def ended(self, state: str, count: int = 1) -> None:
        """Wait until `count` actions have ended so."""

        async def found() -> int:
            items = await self.rt.store.scan("undo:x:", limit=1000)
            return sum(f'"state":"{state}"'.encode() in item.value for _, item in items)

        async with asyncio.timeout(10):
            while await found() < count:
                await asyncio.sleep(0.01)

    async def looked(self) -> None:
        """Have the runner look, and wait until it has done what it found."""
        runner = self.rt._runner
        await runner._look()
        await asyncio.gather(*tuple(runner._running.values()))


async def press(browser: Browser, id: str, **headers: str) -> Page:
    """Press Undo, as the extension does."""
    own = {"accept": "application/json", "rt-tab": "tab"}
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return await browser.request("POST", f"/_rt/undo/{id}", headers=own | given)
