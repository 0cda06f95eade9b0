"""Does what was deferred, when it is due: one task a process, and of all processes one wins each action."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from typing import Any, Final

from .exceptions import RealtimeError, StoreConflict
from .stores.hold import Hold, decode, encode
from .undo import DONE, FAILED, PENDING, PREFIX, RUNNING, SLACK, UNKNOWN, Deferred, Undo

log = logging.getLogger("htmx_rt")

POLL: Final = 1.0  # seconds between looks for what other workers have left
TRIES: Final = 3  # of a transactional handler that raises
_AGAIN: Final = 2.0  # seconds until the next try, doubling
_AT_ONCE: Final = 32


class Runner:
    """Looks for what is due, and runs it."""

    def __init__(self, undo: Undo, *, lease: float, kept: float, tell: Callable[[Deferred], None]) -> None:
        self._undo = undo
        self._store = undo.store
        self._lease = lease
        self._kept = kept
        self._tell = tell  # the person, of what failed
        self._since = 0.0  # Unix seconds
        self._task: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._next: float | None = None  # Unix seconds
        self._running: dict[str, asyncio.Task[None]] = {}
        self._missing: set[str] = set()  # actions without a handler that were told of
        undo.wake = self.wake

    @property
    def wanted(self) -> bool:
        """Whether there is anything that could be deferred."""
        return bool(self._undo.handlers)

    def start(self) -> None:
        """Begin to look."""
        self._since = self._store.clock()
        self._woken = asyncio.Event()
        self._running = {}
        self._task = asyncio.get_running_loop().create_task(self._run())

    def wake(self, due: float) -> None:
        """Be awake at `due`."""
        if self._next is None or due < self._next:
            self._next = due
            if self._task is not None and not (loop := self._task.get_loop()).is_closed():
                loop.call_soon_threadsafe(self._woken.set)

    async def stop(self) -> None:
        """Look no more, and wait for what is being done."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        running = list(self._running.values())
        if running:
            _, late = await asyncio.wait(running, timeout=1.0)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if not self._store.survives and self._undo.handlers:
            with contextlib.suppress(RealtimeError):
                if left := len(await self._undo.all()):
                    log.warning(
                        "%d deferred actions are forgotten with the in-process store. Use store='sqlite:///…'.", left
                    )

    async def _run(self) -> None:
        while True:
            now = self._store.clock()
            pause = POLL * random.uniform(0.8, 1.2)
            if self._next is not None:
                pause = min(pause, max(0.0, self._next - now))
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            if self._next is not None and self._next <= self._store.clock():
                self._next = None
            try:
                await self._look()
            except RealtimeError as error:
                log.warning("What is deferred could not be looked for: %s", error)
            except Exception:
                log.exception("Looking for what is deferred failed.")

    async def _look(self) -> None:
        after, now = "", self._store.clock()
        upto = f"{PREFIX}{round((now - SLACK) * 1000):012x}~"
        while len(self._running) < _AT_ONCE:
            page = await self._store.scan(PREFIX, after=after, upto=upto, limit=100)
            for key, item in page:
                if key in self._running or len(self._running) >= _AT_ONCE:
                    continue
                record = decode(item)[0]
                if self._may(record, now):
                    task = asyncio.get_running_loop().create_task(self._take(key, record, item.rev))
                    self._running[key] = task
                    task.add_done_callback(lambda _, key=key: self._running.pop(key, None))  # type: ignore[misc]
            if len(page) < 100:
                break
            after = page[-1][0]
        for key, _ in await self._store.scan(PREFIX, after=upto, limit=1):
            self.wake(int(key[len(PREFIX) :][:12], 16) / 1000 + SLACK)

    def _may(self, record: dict[str, Any], now: float) -> bool:
        action = record["action"]
        if action not in self._undo.handlers:
            if action not in self._missing:
                self._missing.add(action)
                log.error("There is no handler for the deferred action %r any more; it stays pending.", action)
            return False
        if record.get("until", 0.0) > now or record.get("not_before", 0.0) > now:
            return False
        # Overdue when we started: nobody could take it back while all were down, so there is the whole time again.
        overdue = record["state"] == PENDING and record["due"] < self._since
        return not overdue or now >= self._since + float(record["delay"])

    async def _take(self, key: str, record: dict[str, Any], rev: int) -> None:
        deferred = Deferred.of(key, record)
        how = self._undo.handlers[deferred.action]
        try:
            if record["state"] not in (PENDING, RUNNING):  # ended, and not cleared away
                await self._undo.end(deferred, rev)
                return
            if record["state"] == RUNNING and not how.transactional:
                await self._end(deferred, rev, UNKNOWN)
                return
            running = record | {"state": RUNNING, "tries": record.get("tries", 0) + 1}
            hold = await Hold.take(self._store, key, running, rev=rev, ttl=self._kept, lease=self._lease)
        except StoreConflict:
            return  # another worker was faster, or it was taken back
        except RealtimeError as error:
            log.warning("A deferred %r could not be taken up: %s", deferred.action, error)
            return
        state = DONE
        try:
            await self._undo.call(how.run, deferred)
        except Exception:
            log.exception("The deferred action %r failed.", deferred.action)
            state = FAILED
        try:
            if state == FAILED and how.transactional and running["tries"] < TRIES:
                later = self._store.clock() + _AGAIN * 2 ** (running["tries"] - 1)
                await hold.change(running | {"until": 0.0, "not_before": later})
                self.wake(later)
                return
            await hold.rest()
            await self._end(deferred, hold.rev, state)
        except StoreConflict:
            log.warning("A deferred %r was taken over while it ran here.", deferred.action)
        except RealtimeError as error:
            log.warning("What became of a deferred %r could not be noted: %s", deferred.action, error)

    async def _end(self, deferred: Deferred, rev: int, state: str) -> None:
        record = deferred.record(state=state)
        rev = await self._store.put(deferred.key, encode(record), ttl=self._kept, rev=rev)
        ended = Deferred.of(deferred.key, record)
        if state != DONE:
            self._tell(ended)
        await self._undo.end(ended, rev)
