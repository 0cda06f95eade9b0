"""All that takes long, wherever it runs: its worker is alive, somebody wants it to end, somebody looks at it.

    running ──▶ done | failed | cancelled          by its worker
            ──▶ interrupted                        by any worker that finds `beat` past; by its own one when that stops

An interrupted one whose worker is alive after all, as where that stood still for long, is running again.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from .catalogue import Catalogue
from .eventual import Eventual, Home
from .exceptions import RealtimeError, StoreConflict, StoreUnavailable, TooLarge
from .progress import EVERY, Progress
from .progress_alone import Alone
from .progress_record import INTERRUPTED, Record
from .progress_shelf import Mark, Shelf
from .progress_voice import Voice
from .publishing import Published, Publisher
from .stores.base import Store
from .types import Limits

log = logging.getLogger("htmx_rt")

PULSE: Final = 0.5  # seconds between looks at what is due
WISHES: Final = 0.75  # seconds between looks for what was cancelled elsewhere
SWEEP: Final = 2.5  # seconds between looks for what nobody works on any more
LEAP: Final = 1000  # of `n`, where somebody else has the last word: more than was said since it was noted
UNNOTED: Final = 600.0  # seconds in which it is tried to note how one has ended
LEAVE: Final = 1.0  # seconds that a worker takes to note what it leaves


class Progresses:
    """What `rt.progress` and `rt.running` stand on."""

    def __init__(self, *, store: Store, limits: Limits, publisher: Publisher, words: Catalogue, home: Home) -> None:
        self._shelf = Shelf(store, limits)
        self._limits = limits
        self._voice = Voice(publisher, words)
        self._alone = Alone(self.tick, self._leave_alone, lambda: not self._mine, pulse=PULSE)
        self._served = home
        self._mine: dict[str, Progress] = {}  # that run here, or whose end is to be noted
        self._unsent: dict[str, Progress] = {}
        self._armed = False
        self._lock = threading.Lock()
        self._round: asyncio.Task[None] | None = None
        self._due: dict[str, float] = {}  # of the monotonic clock, when the next look of a kind is
        self._fresh: dict[str, float] = {}  # id → until when somebody else's counts as running
        self._away = False  # the store, and that was said

    # What a progress asks

    def begin(self, progress: Progress) -> Eventual[None]:
        """Note that it has begun. Raised where one person runs too many: `TooLarge`."""
        return Eventual(self._begin(progress), self._home)

    def end(self, progress: Progress) -> Eventual[None]:
        """Note how it has ended."""
        return Eventual(self._noted(progress), self._home)

    def say(self, record: Record) -> Published | None:
        """Tell the pages; None where it has no place on its topic."""
        return self._voice.say(record)

    def toast(self, record: Record, by: str) -> None:
        """Tell its owner how it has ended, unless they have cancelled it themselves."""
        self._voice.toast(record, by)

    def soon(self, progress: Progress) -> None:
        """Flush it in a tenth of a second; there is one timer for all."""
        with self._lock:
            self._unsent[progress.id] = progress
            if self._armed:
                return
            self._armed = True
        try:
            loop = self._home()
            loop.call_soon_threadsafe(loop.call_later, EVERY, self._flush)
        except RuntimeError:  # the loop has just been closed
            self._armed = False

    def now(self) -> float:
        """Return the Unix seconds that all workers go by."""
        return self._shelf.store.clock()

    # What endpoints and views ask

    async def running(self, topic: str, owner: str = "") -> list[Record]:
        """Return what is to be seen on a topic, the first begun first; without what `owner` need not see any more."""
        now = self.now()
        found = [self._newest(record, now) for record in await self._shelf.records(topic)]
        shown = [one for one in found if one.running or now - (one.ended or 0.0) < self._limits.progress_shown]
        any_ended = owner and any(not one.running for one in shown)
        away = await self._shelf.dismissed(owner) if any_ended else ()
        return sorted((one for one in shown if one.id not in away), key=lambda one: (one.started, one.id))

    async def find(self, topic: str, id: str) -> Record | None:
        """Return what is known of one."""
        for record in await self._shelf.records(topic):
            if record.id == id:
                newest = self._newest(record, self.now())
                wished = newest.running and await self._shelf.wished(newest)
                return replace(newest, cancelling=True) if wished else newest
        return None

    async def cancel(self, record: Record, by: str) -> None:
        """Have it end: at once where it runs here, else as soon as its worker has looked."""
        mine = self._mine.get(record.id)
        if mine is not None:
            mine.cancelled(by)
        else:
            await self._shelf.wish(record, by)

    async def dismiss(self, record: Record, owner: str) -> None:
        """Have one that has ended be seen by `owner` no more."""
        await self._shelf.dismiss(record, owner)

    # Time

    def tick(self) -> None:
        """Look at what is due; every half second, on a loop."""
        for progress in tuple(self._mine.values()):
            if progress.pending:
                progress.flush()
        if self._round is not None and not self._round.done() and not self._round.get_loop().is_closed():
            return
        now = time.monotonic()
        kinds = ("keep", "wishes", "sweep") if self._mine else ("sweep",)
        if due := [kind for kind in kinds if self._due.get(kind, 0.0) <= now]:
            self._round = asyncio.get_running_loop().create_task(self._look(due))

    async def _look(self, due: list[str]) -> None:
        looks: dict[str, tuple[float, Callable[[], Awaitable[None]]]] = {
            "keep": (self._limits.progress_lease / 4, self.keep),
            "wishes": (WISHES, self.wishes),
            "sweep": (SWEEP, self.sweep),
        }
        for kind in due:
            pause, look = looks[kind]
            self._due[kind] = time.monotonic() + pause
            try:
                await look()
                self._away = False
            except RealtimeError as error:
                if not self._away:  # once, not each second
                    self._away = True
                    log.warning("What takes long could not be looked after, and goes on: %s", error)
            except Exception:
                log.exception("Looking after what takes long failed.")

    async def keep(self) -> None:
        """Say that what runs here is alive, and note what has ended and was not noted."""
        for progress in tuple(self._mine.values()):
            await (self._noted(progress) if progress.ended else self._keep(progress))

    async def wishes(self) -> None:
        """Hear what was cancelled at other workers."""
        for id, by in (await self._shelf.wishes()).items():
            if (mine := self._mine.get(id)) is not None:
                mine.cancelled(by)

    async def sweep(self) -> None:
        """Say of what nobody works on any more that it was interrupted."""
        before, self._fresh = self._fresh, {}
        async for mark in self._shelf.marks():
            if mark.id in self._mine:
                continue
            if mark.running and before.get(mark.id, 0.0) > self.now():
                self._fresh[mark.id] = before[mark.id]
            elif not await self._alive(mark):
                await self._shelf.forget(mark)

    async def _alive(self, mark: Mark) -> bool:
        """Tell whether it goes on; where it does not, pages are told."""
        if mark.slot < 0:  # nobody has seen it, and it is forgotten by itself
            return True
        record, rev = await self._shelf.at(mark.topic, mark.slot) or (None, 0)
        if record is None or record.id != mark.id:
            return False
        now = self.now()
        if record.running and record.beat > now:
            self._fresh[mark.id] = record.beat
            return True
        if not record.running:
            self.say(record)  # by a worker that has stopped: its word may have gone with it
            return False
        changes: dict[str, Any] = {"state": INTERRUPTED, "left": None, "cancelling": False, "ended": now}
        told = self._voice.told(record)
        record = replace(told, **changes, n=told.n + LEAP)
        try:
            await self._shelf.put(record, rev)
        except StoreConflict:  # another worker was faster, or its own one is back
            return True
        self.say(record)
        self.toast(record, "")
        return False

    # The end of a worker

    def drain(self) -> None:
        """Say of all that runs here that it was interrupted, as the worker is about to stop; on a loop."""
        for progress in tuple(self._mine.values()):
            progress.silence()
        self._due.clear()

    async def leave(self) -> None:
        """Note that what runs here was interrupted; whoever comes next says so again."""
        self.drain()
        if self._round is not None and self._round.get_loop() is asyncio.get_running_loop():
            self._round.cancel()
            await asyncio.wait([self._round])
        with suppress(RealtimeError, TimeoutError):
            async with asyncio.timeout(LEAVE):
                await self.keep()

    async def _leave_alone(self) -> None:
        await self.leave()
        await self._shelf.store.stop()

    # Inside

    def _home(self) -> asyncio.AbstractEventLoop:
        return self._served() or self._alone.loop()

    async def _begin(self, progress: Progress) -> None:
        record = progress.record
        try:
            if await self._shelf.crowded(record):
                most = self._limits.progress_per_person
                raise TooLarge(f"{record.title!r} cannot begin: {most} things of one person run already.")
            self._mine[progress.id] = progress
            await self._keep(progress)
        except StoreUnavailable as error:  # the work itself must not fail by it
            self._mine[progress.id] = progress
            log.warning("That %r has begun cannot be noted now, so nobody sees it yet: %s", record.title, error)

    async def _keep(self, progress: Progress) -> None:
        """Note how it is, and that it is alive; where it has no place, look for one."""
        while not progress.noting.acquire(blocking=False):  # noqa: ASYNC110 – maybe on another loop
            await asyncio.sleep(0.01)
        try:
            await self._note(progress)
        finally:
            progress.noting.release()

    async def _note(self, progress: Progress) -> None:
        await self._write(progress)
        if progress.record.state == INTERRUPTED:  # whoever looks next says so again, as our word may go with us
            await self._shelf.mark(progress.record)

    async def _write(self, progress: Progress) -> None:
        record = progress.alive(self.now() + self._limits.progress_lease)
        if record.slot >= 0:
            try:
                progress.rev = await self._shelf.put(record, progress.rev)
                return
            except StoreConflict as conflict:
                there = Record.read(conflict.present)
                if there is None or there.id != record.id:
                    progress.place(-1)  # taken for dead, its place was given away
                else:
                    if there.n > progress.record.n:  # taken for dead
                        progress.revive(there.n)
                        if not progress.ended:
                            await self._shelf.mark(progress.record)
                    progress.rev = await self._shelf.put(progress.record, conflict.present.rev)
                    return
        await self._settle(progress)

    async def _settle(self, progress: Progress) -> None:
        for _ in range(int(self._limits.progress_per_topic)):
            free = self._shelf.free(await self._shelf.places(progress.record.topic))
            if free is None:
                break
            slot, rev = free
            with suppress(StoreConflict):  # another one has just taken it
                progress.rev = await self._shelf.put(replace(progress.record, slot=slot), rev)
                progress.place(slot)
                break
        if not progress.ended:
            await self._shelf.mark(progress.record)

    async def _noted(self, progress: Progress) -> None:
        """Note how it has ended; where that cannot be, it is tried again."""
        try:
            await self._keep(progress)
            if progress.state != INTERRUPTED:
                await self._shelf.unmark(progress.record)
        except StoreUnavailable as error:
            log.warning("How %r has ended cannot be noted now: %s", progress.title, error)
            if self.now() - (progress.record.ended or 0.0) < UNNOTED:
                return
        if not progress.pending:
            self._mine.pop(progress.id, None)

    def _newest(self, record: Record, now: float) -> Record:
        """Return a record as it is now, as far as this worker knows."""
        mine = self._mine.get(record.id)
        if mine is not None:
            return mine.record
        told = self._voice.told(record)
        if told.running and record.beat < now:  # nobody has looked yet
            return replace(told, state=INTERRUPTED, left=None, ended=record.beat)
        return told

    def _flush(self) -> None:
        with self._lock:
            self._armed = False
            unsent, self._unsent = self._unsent, {}
        for progress in unsent.values():
            progress.flush()
