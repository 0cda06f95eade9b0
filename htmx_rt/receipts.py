"""What became of an action, kept for whoever asks again: a double click, a retry, a queue (`protocol.md` §3).

    claim → run the app → settle           the first request of an action
    claim → wait for it, or replay it      every other one with the same id

A receipt belongs to a person and an action id. Its claim is held while the app works; a claim that nobody holds any
more has an unknown outcome, and is run again only where the route said that it may be.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from . import protocol
from .exceptions import RealtimeError, Refused, StoreConflict, StoreUnavailable
from .stores.base import Item, Store
from .stores.hold import Hold, Record, decode
from .types import Limits

log = logging.getLogger("htmx_rt")

Headers = Iterable[tuple[bytes, bytes]]

_KEPT: Final = frozenset((b"location", b"content-type", b"content-encoding", b"content-language", b"vary"))
_KEPT_PREFIXES: Final = (b"hx-", b"rt-")
_POLL: Final = 0.025  # seconds at first between looks at a running twin, doubling up to half a second
_RUNNING, _DONE, _LOST = "running", "done", "lost"


class Answer(NamedTuple):
    """An answer as it was given before; `body` is None where it was not kept."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes | None


class Claim:
    """An action that is being run. End it with one of `settle`, `release` or `lose`."""

    def __init__(self, hold: Hold, receipts: Receipts, life: float) -> None:
        self._hold = hold
        self._receipts = receipts
        self._life = life
        self._ended = False

    async def may_repeat(self) -> None:
        """Say that it may be run again, should nobody learn how it ended."""
        if not self._ended:
            await self._hold.change(self._hold.record | {"again": True})
            self._hold.keep()

    async def settle(self, status: int, headers: Headers, body: bytes | None) -> None:
        """Keep the answer."""
        if body is not None and not self._receipts.room(len(body), self._life):
            body = None
        kept = [
            [name.decode("latin-1"), value.decode("latin-1")]
            for name, value in headers
            if (lower := name.lower()) in _KEPT or lower.startswith(_KEPT_PREFIXES)
        ]
        record = self._hold.record | {"state": _DONE, "status": status, "headers": kept, "body": body is not None}
        await self._end(record, body or b"")

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
            if record is None:
                await self._hold.drop()
            else:
                await self._hold.change(record, body)
        except RealtimeError as error:
            # The action has run; whoever asks again is told that its outcome is unknown.
            log.warning("The receipt of an action could not be kept: %s", error)


class Receipts:
    """Claims actions and keeps their answers."""

    def __init__(self, *, store: Store, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        self._bodies: deque[tuple[float, int]] = deque()  # when each kept body expires, and its bytes
        self._bytes = 0

    async def claim(self, owner: str, action: str, method: str, path: str, *, queued: bool = False) -> Claim | Answer:
        """Return the claim of a new action, or the answer that was given before; wait for one that is running.

        Raised otherwise: `Refused` 409 `running` or `unknown-outcome`, 422 `key-mismatch`, 503 where there is no store.
        """
        limits = self._limits
        key = f"receipt:{owner}:{action}"
        life = limits.queued_receipt_life if queued else limits.receipt_life
        record: Record = {"state": _RUNNING, "method": method, "path": path}
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
                        return _answer(there, body)
                    if there["state"] == _LOST or there["until"] <= self._store.clock():
                        if not there.get("again"):
                            raise Refused(
                                409, "unknown-outcome", "Nobody knows whether this was done. Look, then decide."
                            )
                        rev = present.rev
                        break  # take it over
                    if asyncio.get_running_loop().time() >= deadline:
                        raise Refused(409, "running", "This is being done right now.", retry_after=1)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, 0.5)
                    present = await self._store.get(key)
                else:
                    rev = 0  # it was refused or has expired
        except StoreUnavailable as error:
            log.warning("An action was refused, because its receipt cannot be kept: %s", error)
            raise Refused(
                503, "limited", "Nothing was changed: the server cannot note it now.", retry_after=2
            ) from error

    def room(self, size: int, life: float) -> bool:
        """Tell whether this worker may keep another body of `size` bytes, and count it if so."""
        now = self._store.clock()
        while self._bodies and self._bodies[0][0] <= now:
            self._bytes -= self._bodies.popleft()[1]
        if self._bytes + size > self._limits.receipt_bytes:
            return False
        self._bytes += size
        self._bodies.append((now + life, size))
        return True


def _answer(record: Record, body: bytes) -> Answer:
    if not record["body"]:
        return Answer(204, [(b"rt-at", value.encode()) for name, value in record["headers"] if name == "rt-at"], None)
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in record["headers"]]
    return Answer(record["status"], headers, body)


def replayed_headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer that is given again."""
    own = [(protocol.REPLAYED.lower().encode(), b"true"), (b"cache-control", b"no-store")]
    if answer.body is not None:
        own.append((b"content-length", str(len(answer.body)).encode()))
    return [*answer.headers, *own]
