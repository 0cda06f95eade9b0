"""An item that this process works on: kept alive while it does, and let go of when the process dies."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from typing import Any

from ..exceptions import StoreConflict, StoreUnavailable
from .base import Item, Store

log = logging.getLogger("htmx_rt")

Record = dict[str, Any]


class Hold:
    """A record with `until`, the Unix second up to which it is being worked on; `keep` moves it on.

    Every change compares revisions, so whoever took the item over in the meantime wins; `by` tells that from a change
    of our own whose answer was lost. Belongs to one loop.
    """

    def __init__(self, store: Store, key: str, record: Record, rev: int, *, ttl: float, lease: float) -> None:
        self.key = key
        self.record = record
        self.rev = rev
        self._store = store
        self._ttl = ttl
        self._lease = lease
        self._resting = False
        self._timer: asyncio.TimerHandle | None = None
        self._renewing: asyncio.Task[None] | None = None

    @classmethod
    async def take(cls, store: Store, key: str, record: Record, *, rev: int, ttl: float, lease: float) -> Hold:
        """Write `record` over revision `rev` (0: nothing) and hold it. Raised where somebody was first: `StoreConflict`."""
        record = {"by": secrets.token_hex(8)} | record | {"until": store.clock() + lease}
        rev = await store.put(key, encode(record), ttl=ttl, rev=rev)
        hold = cls(store, key, record, rev, ttl=ttl, lease=lease)
        hold.keep()
        return hold

    def keep(self) -> None:
        """Renew from time to time."""
        self._resting = False
        self._timer = asyncio.get_running_loop().call_later(self._lease / 3, self._again)

    async def change(self, record: Record, body: bytes = b"") -> None:
        """Replace the record and renew no more. Raised where it was taken over: `StoreConflict`; `StoreUnavailable`."""
        await self.rest()
        await self._put(record | {"by": self.record["by"]}, body)

    async def drop(self) -> None:
        """Forget the item. Raised where it was taken over: `StoreConflict`; `StoreUnavailable`."""
        await self.rest()
        try:
            await self._store.delete(self.key, rev=self.rev)
        except StoreConflict as conflict:
            if conflict.present is not None:
                await self._store.delete(self.key, rev=self._own(conflict))

    async def rest(self) -> None:
        """Renew no more."""
        self._resting = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._renewing is not None:
            await asyncio.wait([self._renewing])
            self._renewing = None

    async def _put(self, record: Record, body: bytes = b"") -> None:
        value = encode(record, body)
        try:
            self.rev = await self._store.put(self.key, value, ttl=self._ttl, rev=self.rev)
        except StoreConflict as conflict:
            self.rev = await self._store.put(self.key, value, ttl=self._ttl, rev=self._own(conflict))
        self.record = record

    def _own(self, conflict: StoreConflict) -> int:
        """Return the revision of a change of our own that we did not hear of. Raised where it is no such: `conflict`."""
        if conflict.present is None or decode(conflict.present)[0].get("by") != self.record["by"]:
            raise conflict
        return int(conflict.present.rev)

    def _again(self) -> None:
        self._renewing = asyncio.get_running_loop().create_task(self._renew())

    async def _renew(self) -> None:
        try:
            await self._put(self.record | {"until": self._store.clock() + self._lease})
        except StoreConflict as error:  # taken over; the change to come will fail
            log.warning("%r was taken over while it was being worked on: %s", self.key, error)
            return
        except StoreUnavailable as error:
            log.warning("%r could not be kept: %s", self.key, error)
        if not self._resting:
            self.keep()


def encode(record: Record, body: bytes = b"") -> bytes:
    """Return a record and the bytes that belong to it as a value for the store."""
    return json.dumps(record, separators=(",", ":")).encode() + b"\n" + body


def decode(item: Item) -> tuple[Record, bytes]:
    """Return what `encode` was given; an empty record where it is none of ours."""
    head, _, body = item.value.partition(b"\n")
    try:
        record = json.loads(head)
    except ValueError:
        record = None
    return (record if isinstance(record, dict) else {}), body
