"""Locks at several workers on a simulated bus, one store, a clock that moves when told to, and pages that behave."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from htmx_rt.exceptions import StoreUnavailable
from htmx_rt.leases import scoped
from htmx_rt.lock_record import CLOSED, Holder, Kind, Lock, Terms
from htmx_rt.locks import Locks
from htmx_rt.stores import MemoryStore, Store

from .gossip_kit import TAB, Fleet, Worker

RESOURCE = "doc:1"
TOPIC = "edit:doc:1"
OWNER = Terms("owner", CLOSED["owner"], 20.0)
LOCK = Terms("lock", CLOSED["lock"], 20.0)


class Desk:
    """Workers with their locks; `told` is what all pages were told, in order."""

    def __init__(self, workers: int = 1, *, store: Store | None = None, kind: Kind = "owner", seed: int = 0) -> None:
        self.fleet = Fleet(workers, seed=seed)
        self.clock = self.fleet.clock
        self.store = store or MemoryStore()
        self.store.clock = self.clock
        self.terms = OWNER if kind == "owner" else LOCK
        self.told: list[dict[str, Any]] = []
        self.work: list[dict[str, Any]] = []
        self.pages: list[Looker] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.locks = [self._locks(worker) for worker in self.fleet.workers]

    def _locks(self, worker: Worker, store: Store | None = None) -> Locks:
        presence = worker.presence
        locks = Locks(
            store=store or self.store, leases=presence.leases, lock=presence.gossip.lock, publish=self._tell,
            home=asyncio.get_running_loop, later=self._later,
        )  # fmt: skip
        presence.moved = locks.moved
        return locks

    def _tell(self, resource: str, name: str, args: dict[str, Any], state: str | None) -> None:
        (self.told if name == "lease" else self.work).append(args | {"at": self.clock.now})

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def settle(self) -> None:
        """Wait until everything that was begun is done, and let promoted pages say that they are there."""
        while True:
            for _ in range(5):
                await asyncio.sleep(0)
            if self.tasks:
                await asyncio.wait(self.tasks)
                continue
            heirs = [page for page in self.pages if page.promoted()]
            if not heirs:
                return
            for page in heirs:
                await page.take()

    async def pass_(self, seconds: float, *, step: float = 0.5) -> None:
        """Let time pass, in which pages beat and workers look after them."""
        for _ in range(round(seconds / step)):
            self.fleet.pass_(step, step=step)
            for page in self.pages:
                await page.pulse()
            for worker, locks in zip(self.fleet.workers, self.locks, strict=True):
                if worker.alive:
                    locks.tick()
            await self.settle()

    async def until(self, name: str | None, *, most: float = 60.0, step: float = 0.25) -> float:
        """Let time pass until `name` holds it; return how long that took."""
        began = self.clock.now
        while await self.holder() != name:
            assert self.clock.now - began < most, f"not within {most} s: {self.told}"
            await self.pass_(step, step=step)
        return self.clock.now - began

    async def lock(self) -> Lock:
        """Return what the store knows."""
        found = await self.locks[0].find(RESOURCE)
        assert found is not None
        return found

    async def holder(self) -> str | None:
        """Return who holds it now, by the store."""
        lock = await self.locks[0].find(RESOURCE)
        return lock.holder.name if lock is not None and lock.holder is not None and lock.held(self.clock()) else None

    async def open(self, name: str, *, worker: int = 0, tab: str = TAB, take: bool = True) -> Looker:
        """Open a page."""
        page = Looker(self, name, worker, tab)
        self.pages.append(page)
        page.join()
        self.clock.advance(0.01)
        if take:
            await page.take()
        await self.settle()
        return page


class Looker:
    """A page of somebody."""

    def __init__(self, desk: Desk, name: str, worker: int, tab: str) -> None:
        self.desk = desk
        self.name = name
        self.worker = worker
        self.tab = tab
        self.gen = 0
        self.me = Holder(f"o-{name}", scoped(f"o-{name}", tab), name)
        self.key = self.me.public()["tab"]
        self.alive = True  # its scripts run, and its calls arrive
        self.hidden = False
        self.beaten = self.seen = desk.clock.now
        self.fence: int | None = None
        self.mine = False

    @property
    def at(self) -> Worker:
        return self.desk.fleet.workers[self.worker]

    @property
    def locks(self) -> Locks:
        return self.desk.locks[self.worker]

    def join(self, worker: int | None = None) -> None:
        """Open its stream, or a new one."""
        self.worker = self.worker if worker is None else worker
        self.gen += 1
        self.at.join(self.name, TOPIC, tab=self.tab, gen=self.gen, visible=not self.hidden)
        self.desk.fleet.wire.deliver()

    def note(self, lock: Lock | None) -> None:
        self.mine = lock is not None and lock.holder is not None and lock.holder.tab == self.me.tab
        self.fence = lock.fence if self.mine and lock is not None else self.fence

    async def take(self) -> Lock | None:
        self.beaten = self.desk.clock.now
        lock = await self.locks.take(RESOURCE, self.me, self.desk.terms, hidden=self.hidden)
        self.note(lock)
        return lock

    async def release(self) -> None:
        self.note(await self.locks.release(RESOURCE, self.me.tab))
        await self.desk.settle()

    async def ask(self) -> Lock | None:
        return await self.locks.ask(RESOURCE, self.me)

    async def answer(self, *, give: bool) -> None:
        self.note(await self.locks.answer(RESOURCE, self.me.tab, give=give))
        await self.desk.settle()

    def promoted(self) -> bool:
        """Tell whether it was just told that it holds it, and has not said anything yet."""
        last = self.desk.told[-1] if self.desk.told else None
        told = last is not None and last["holder"] is not None and last["holder"]["tab"] == self.key
        return bool(self.alive and told and last is not None and (not self.mine or self.fence != last["fence"]))

    async def pulse(self) -> None:
        """Say that it is alive, as often as pages do."""
        now = self.desk.clock.now
        if not self.alive:
            return
        if now - self.seen >= 10 and self.at.alive:
            self.seen = now
            self.at.beat(self.name, tab=self.tab, gen=self.gen, visible=not self.hidden)
        if self.mine and now - self.beaten >= (60 if self.hidden else self.desk.terms.beat) and self.at.alive:
            try:
                await self.take()
            except StoreUnavailable:
                self.beaten = now - self.desk.terms.beat + 1  # again soon

    def leave(self) -> None:
        """Close the page, with a word."""
        self.alive = False
        self.at.bye(self.name, tab=self.tab, gen=self.gen)
        self.at.close(self.name, tab=self.tab, gen=self.gen)

    def cut(self) -> None:
        """Its line closes, without a word."""
        self.alive = False
        self.at.close(self.name, tab=self.tab, gen=self.gen)

    def vanish(self) -> None:
        """Nothing comes any more, and nobody is told."""
        self.alive = False


__all__ = ["LOCK", "OWNER", "RESOURCE", "TAB", "TOPIC", "Desk", "Looker"]
