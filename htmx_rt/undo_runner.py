"""Does what was deferred, when it is due: one task a process, and of all processes one wins each action."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import Callable
from typing import Any, Final

from .deferred import DONE, FAILED, PENDING, PREFIX, RUNNING, UNKNOWN, Deferred
from .exceptions import RealtimeError, StoreConflict, StoreUnavailable
from .stores.base import Item
from .stores.hold import Hold, decode, encode
from .undo import CLEARING, SLACK, Undo

log = logging.getLogger("htmx_rt")

POLL: Final = 1.0  # seconds between looks for what other workers have left
TRIES: Final = 3  # of a transactional handler that raises
STARTS: Final = 8  # of one that never comes to an end, as where it takes the process down
_AGAIN: Final = 2.0  # seconds until the next try, doubling
_AT_ONCE: Final = 32
_OUTCOMES: Final = 10_000


class Runner:
    """Looks for what is due, and runs it, on one loop of this process."""

    def __init__(self, undo: Undo, *, lease: float, kept: float, tell: Callable[[Deferred], None]) -> None:
        self._undo = undo
        self._store = undo.store
        self._lease = lease
        self._kept = kept
        self._tell = tell  # the person, of what failed
        self._me = ""  # in what this one holds
        self._since: float | None = None  # Unix seconds, when this process first looked
        self._task: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._next: float | None = None  # Unix seconds
        self._running: dict[str, asyncio.Task[None]] = {}
        self._outcomes: dict[str, str] = {}  # of what was run here, and could not be noted yet
        self._missing: set[str] = set()  # actions without a handler that were told of
        self._away = False
        self._stopping = False
        undo.wake = self.wake

    def start(self) -> None:
        """Begin to look, on the running loop, unless another one does or there is nothing that could be deferred."""
        if not self._undo.handlers or (self._task is not None and not self._task.get_loop().is_closed()):
            return
        self._me, self._since = secrets.token_hex(8), self._store.clock()
        self._woken = asyncio.Event()
        self._running, self._outcomes, self._stopping = {}, {}, False
        self._task = asyncio.get_running_loop().create_task(self._run())

    def wake(self, due: float) -> None:
        """Be awake at `due`; begin to look, where the first handler came after the start."""
        if self._task is None:
            with contextlib.suppress(RuntimeError):
                self.start()
        if self._next is None or due < self._next:
            self._next = due
            if self._task is not None and not (loop := self._task.get_loop()).is_closed():
                loop.call_soon_threadsafe(self._woken.set)

    async def stop(self, *, forgets: bool) -> bool:
        """Look no more and wait for what is being done; False where it was another loop that did.

        With `forgets` the process does not go on either, and what is only in it is lost.
        """
        if self._task is None or self._task.get_loop() is not asyncio.get_running_loop():
            return False
        self._stopping = True
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None
        running = list(self._running.values())
        if running:
            _, late = await asyncio.wait(running, timeout=1.0)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if forgets and not self._store.survives:
            with contextlib.suppress(RealtimeError):
                if left := len(await self._undo.all()):
                    log.warning(
                        "%d deferred actions are forgotten with the in-process store. Use store='sqlite:///…'.", left
                    )
        return True

    async def _run(self) -> None:
        while not self._stopping:  # a client of a store may take a cancellation for a lost connection
            now = self._store.clock()
            pause = POLL * random.uniform(0.8, 1.2)
            if self._next is not None:
                pause = min(pause, max(0.0, self._next - now))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            self._woken.clear()
            if self._next is not None and self._next <= self._store.clock():
                self._next = None
            try:
                await self._look()
                self._away = False
            except RealtimeError as error:
                if not self._away:  # once, not each second
                    self._away = True
                    log.warning("What is deferred could not be looked for, and waits: %s", error)
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
                if (deferred := Deferred.read(key, item)) is not None and self._may(deferred, decode(item)[0], now):
                    task = asyncio.get_running_loop().create_task(self._take(deferred, item))
                    self._running[key] = task
                    task.add_done_callback(lambda _, key=key: self._ended(key))  # type: ignore[misc]
            if len(page) < 100:
                break
            after = page[-1][0]
        for key, _ in await self._store.scan(PREFIX, after=upto, limit=1):
            with contextlib.suppress(ValueError):
                self.wake(int(key[len(PREFIX) :][:12], 16) / 1000 + SLACK)

    def _ended(self, key: str) -> None:
        if len(self._running) == _AT_ONCE:  # others wait for the place
            self._woken.set()
        self._running.pop(key, None)

    def _may(self, deferred: Deferred, record: dict[str, Any], now: float) -> bool:
        if deferred.action not in self._undo.handlers:
            if deferred.action not in self._missing:
                self._missing.add(deferred.action)
                log.error("There is no handler for the deferred action %r any more; it stays pending.", deferred.action)
            return False
        if record.get("not_before", 0.0) > now:
            return False
        if record.get("until", 0.0) > now and record.get("by") != self._me:
            return False
        # Overdue when we started: nobody could take it back while all were down, so there is the whole time again.
        since = self._since or now
        return deferred.state != PENDING or deferred.due >= since or now >= since + deferred.delay

    async def _take(self, deferred: Deferred, item: Item) -> None:
        try:
            await self._do(deferred, decode(item)[0], item.rev)
        except StoreConflict:
            log.debug("Another worker was faster with a deferred %r, or it was taken back.", deferred.action)
        except StoreUnavailable as error:  # it is found again
            log.warning("What becomes of a deferred %r cannot be noted now: %s", deferred.action, error)
        except RealtimeError as error:
            log.error("What became of a deferred %r could not be noted: %s", deferred.action, error)

    async def _do(self, deferred: Deferred, record: dict[str, Any], rev: int) -> None:
        how = self._undo.handlers[deferred.action]
        mine = record.get("by") == self._me
        if deferred.state not in (PENDING, RUNNING):  # ended, and not cleared away
            self._outcomes.pop(deferred.key, None)
            await self._undo.end(deferred, rev)
            return
        if mine and (outcome := self._outcomes.get(deferred.key)) is not None:
            await self._end(deferred, rev, outcome)
            return
        starts = record.get("starts", 0) + 1
        # What is ours and has no outcome was not begun: we did not hear that we had it.
        if deferred.state == RUNNING and not mine and (not how.transactional or starts > STARTS):
            await self._end(deferred, rev, UNKNOWN)
            return
        running = record | {"state": RUNNING, "starts": starts, "by": self._me}
        hold = await Hold.take(self._store, deferred.key, running, rev=rev, ttl=self._kept, lease=self._lease)
        state = UNKNOWN
        try:
            await self._undo.call(how.run, deferred)
            state = DONE
        except Exception:
            log.exception("The deferred action %r failed.", deferred.action)
            state = FAILED
        except asyncio.CancelledError:  # we stop: whoever comes next says how it stands
            with contextlib.suppress(RealtimeError):
                await hold.change(hold.record | {"until": 0.0})
            raise
        tries = record.get("tries", 0) + 1
        if state == FAILED and how.transactional and tries < TRIES:
            later = self._store.clock() + _AGAIN * 2 ** (tries - 1)
            await hold.change(hold.record | {"until": 0.0, "not_before": later, "tries": tries})
            self.wake(later)
            return
        self._outcomes[deferred.key] = state
        while len(self._outcomes) > _OUTCOMES:
            del self._outcomes[next(iter(self._outcomes))]
        await hold.rest()
        await self._end(deferred, hold.rev, state)

    async def _end(self, deferred: Deferred, rev: int, state: str) -> None:
        ended = Deferred.of(deferred.key, deferred.record(state=state))
        record = ended.record(until=self._store.clock() + CLEARING, by=self._me)
        rev = await self._store.put(deferred.key, encode(record), ttl=self._kept, rev=rev)
        self._outcomes.pop(deferred.key, None)
        if state != DONE:
            self._tell(ended)
        await self._undo.end(ended, rev)
