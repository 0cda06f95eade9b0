"""What became of an action, kept for whoever asks again: a double click, a retry, a queue (`protocol.md` §3).

    claim → run the app → settle           the first request of an action
    claim → wait for it, or replay it      every other one with the same id

A receipt belongs to a person and an action id. Its claim is held while the app works; a claim that nobody holds any
more has an unknown outcome, and is run again only where the route said that it may be.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import json
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Any, Final, NamedTuple

from . import protocol
from .exceptions import RealtimeError, Refused, StoreConflict, StoreUnavailable
from .stores.base import MAX_VALUE, Item, Store
from .stores.hold import Hold, Record, decode
from .types import Limits

log = logging.getLogger("htmx_rt")

Headers = Iterable[tuple[bytes, bytes]]

_KEPT: Final = frozenset((b"location", b"content-type", b"content-encoding", b"content-language", b"vary"))
_KEPT_PREFIXES: Final = (b"hx-", b"rt-")
_POLL: Final = 0.025  # seconds at first between looks at a running twin, doubling up to half a second
_AGAIN: Final = 0.25  # seconds until what the store did not take is tried again, doubling
_OVERHEAD: Final = 128  # bytes that it takes to remember that a body is kept
_RUNNING, _DONE, _LOST = "running", "done", "lost"


class Answer(NamedTuple):
    """An answer as it was given before; `body` is None where it was not kept."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes | None


class Claim:
    """An action that is being run. End it with one of `settle`, `release` or `lose`."""

    def __init__(self, hold: Hold, receipts: Receipts, life: float) -> None:
        self.loop = asyncio.get_running_loop()
        self._hold = hold
        self._receipts = receipts
        self._life = life
        self._ended = False

    async def may_repeat(self) -> None:
        """Say that it may be run again, should nobody learn how it ended."""
        if self._ended:
            return
        try:
            await self._hold.change(self._hold.record | {"again": True})
        except RealtimeError as error:  # then it may not, which is no reason not to run it now
            log.warning("It could not be noted that an action may be repeated: %s", error)
        finally:
            self._hold.keep()

    async def settle(self, status: int, headers: Headers, body: bytes | None) -> None:
        """Keep the answer."""
        if body and not self._receipts.room(len(body), self._life):
            body = None
        kept = [
            [name.decode("latin-1"), value.decode("latin-1")]
            for name, value in headers
            if (lower := name.lower()) in _KEPT or lower.startswith(_KEPT_PREFIXES)
        ]
        record = {"state": _DONE, "status": status, "headers": kept, "body": body is not None}
        await self._end(self._hold.record | record | {"at": self._receipts.now()}, body or b"")

    async def release(self) -> None:
        """Forget the action: it was refused, so it may be tried again."""
        await self._end(None)

    async def lose(self) -> None:
        """Say that nobody knows how it ended."""
        await self._end(self._hold.record | {"state": _LOST})

    async def _end(self, record: Record | None, body: bytes = b"") -> None:
        if self._ended:
            return
        self._ended = True
        try:
            await self._note(record, body)
        except asyncio.CancelledError:  # as when the reader leaves: that must not leave this half done
            self._receipts.later(self._note(record, body))
            raise

    async def _note(self, record: Record | None, body: bytes) -> None:
        try:
            await self._write(record, body)
        except StoreUnavailable as error:
            log.warning("The receipt of an action could not be kept yet: %s", error)
            self._receipts.later(self._write_later(record, body))
        except RealtimeError as error:  # whoever asks again is told what was noted by whoever took it over
            log.warning("The receipt of an action could not be kept: %s", error)

    async def _write(self, record: Record | None, body: bytes) -> None:
        if record is None:
            await self._hold.drop()
        else:
            await self._hold.change(record, body)

    async def _write_later(self, record: Record | None, body: bytes) -> None:
        async for _ in self._receipts.again():
            with contextlib.suppress(StoreUnavailable):
                await self._write(record, body)
                return
        log.warning("The receipt of an action could not be kept; whoever asks again is told that nobody knows.")


class Receipts:
    """Claims actions and keeps their answers.

    `later` has something done by and by, until this worker stops; `leaving` tells whether it is about to.
    """

    def __init__(
        self,
        *,
        store: Store,
        limits: Limits,
        later: Callable[[Coroutine[Any, Any, None]], None],
        leaving: Callable[[], bool] = lambda: False,
    ) -> None:
        self.later = later
        self._leaving = leaving
        self._store = store
        self._limits = limits
        self._bodies: list[tuple[float, int]] = []  # a heap: when each kept body expires, and its bytes
        self._bytes = 0

    async def claim(self, owner: str, action: str, method: str, path: str, *, queued: bool = False) -> Claim | Answer:
        """Return the claim of a new action, or the answer that was given before; wait for one that is running.

        Raised otherwise: `Refused` 409 `running` or `unknown-outcome`, 422 `key-mismatch`, 503 where there is no store.
        """
        limits, key, by = self._limits, f"receipt:{owner}:{action}", secrets.token_hex(8)
        life = limits.queued_receipt_life if queued else limits.receipt_life
        record: Record = {"state": _RUNNING, "method": method, "path": path, "by": by}
        rev, deadline, pause = 0, asyncio.get_running_loop().time() + limits.receipt_wait, _POLL
        try:
            while True:
                try:
                    hold = await Hold.take(
                        self._store, key, record, rev=rev, ttl=life + limits.receipt_lease, lease=limits.receipt_lease
                    )
                    return Claim(hold, self, life)
                except StoreConflict as conflict:
                    present: Item | None = conflict.present
                while present is not None:
                    there, body = decode(present)
                    if (there.get("method"), there.get("path")) != (method, path):
                        raise Refused(422, "key-mismatch", "This action id belongs to another request.")
                    if there["state"] == _DONE:
                        return self._answer(there, body)
                    if there["state"] == _LOST or there["until"] <= self.now():
                        if not there.get("again"):
                            raise Refused(
                                409, "unknown-outcome", "Nobody knows whether this was done. Look, then decide."
                            )
                        rev = present.rev
                        break  # take it over
                    # A server that is told to stop cuts off what waits, with a 500 that says nothing.
                    if self._leaving() or asyncio.get_running_loop().time() >= deadline:
                        raise Refused(409, "running", "This is being done right now.", retry_after=1)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, 0.5)
                    present = await self._store.get(key)
                else:
                    rev = 0  # it was refused or has expired
        except StoreUnavailable as error:
            self.later(self._forget(key, by))
            log.warning("An action was refused, because its receipt cannot be kept: %s", error)
            raise Refused(
                503, "limited", "Nothing was changed: the server cannot note it now.", retry_after=2
            ) from error
        except asyncio.CancelledError:
            self.later(self._forget(key, by))
            raise

    def now(self) -> float:
        """Return the time, in Unix seconds."""
        return self._store.clock()

    def room(self, size: int, life: float) -> bool:
        """Tell whether this worker may keep another body of `size` bytes, and count it if so."""
        now, size = self.now(), size + _OVERHEAD
        while self._bodies and self._bodies[0][0] <= now:
            self._bytes -= heapq.heappop(self._bodies)[1]
        # What no store takes, with its headers, is not tried.
        if self._bytes + size > self._limits.receipt_bytes or size > MAX_VALUE * 3 // 4:
            return False
        self._bytes += size
        heapq.heappush(self._bodies, (now + life, size))
        return True

    async def again(self) -> AsyncIterator[None]:
        """Yield when to try again what the store did not take, as long as nobody else may take it over."""
        pause, end = _AGAIN, asyncio.get_running_loop().time() + self._limits.receipt_lease
        while asyncio.get_running_loop().time() < end:
            await asyncio.sleep(pause)
            pause = min(2 * pause, 4.0)
            yield

    async def _forget(self, key: str, by: str) -> None:
        """Remove a claim that may have been made without our hearing of it; what it was made for has not run."""
        async for _ in self.again():
            with contextlib.suppress(StoreUnavailable, StoreConflict):
                item = await self._store.get(key)
                if item is not None and decode(item)[0].get("by") == by:
                    await self._store.delete(key, rev=item.rev)
                return

    def _answer(self, record: Record, body: bytes) -> Answer:
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in record["headers"]]
        if not record["body"]:
            return Answer(204, [(name, value) for name, value in headers if name.lower() == b"rt-at"], None)
        age = round((self.now() - record["at"]) * 1000)
        toast = protocol.TOAST.lower().encode()
        headers = [(name, _aged(value, age) if name.lower() == toast else value) for name, value in headers]
        return Answer(record["status"], headers, body)


def _aged(toasts: bytes, age: int) -> bytes:
    """Return toasts as they are `age` ms later: there is less time to undo something, or none."""
    kept = json.loads(toasts)
    for toast in kept:
        if "undo" in toast and (left := toast["undo"]["left"] - age) > 0:
            toast["undo"]["left"] = left
        else:
            toast.pop("undo", None)
    return json.dumps(kept, separators=(",", ":")).encode()


def replayed_headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer that is given again."""
    own = [(protocol.REPLAYED.lower().encode(), b"true"), (b"cache-control", b"no-store")]
    if answer.body is not None and answer.status not in (204, 304):
        own.append((b"content-length", str(len(answer.body)).encode()))
    return [*answer.headers, *own]
