"""An item that this process works on: kept alive while it does, and let go of when the process dies."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from ..exceptions import StoreConflict, StoreUnavailable
from .base import Item, Store

log = logging.getLogger("htmx_rt")

Record = dict[str, Any]


class Hold:
    """A record with `until`, the Unix second up to which it is being worked on; `keep` moves it on.

    Every change compares revisions, so whoever took the item over in the meantime wins. Belongs to one loop.
    """

    def __init__(self, store: Store, key: str, record: Record, rev: int, *, ttl: float, lease: float) -> None:
        self.key = key
        self.record = record
        self.rev = rev
        self._store = store
        self._ttl = ttl
        self._lease = lease
        self._timer: asyncio.TimerHandle | None = None
        self._renewing: asyncio.Task[None] | None = None

    @classmethod
    async def take(
        cls, store: Store, key: str, record: Record, *, rev: int, ttl: float, lease: float, body: bytes = b""
    ) -> Hold:
        """Write `record` over revision `rev` (0: nothing) and hold it. Raised where somebody was first: `StoreConflict`."""
        record = record | {"until": store.clock() + lease}
        rev = await store.put(key, encode(record, body), ttl=ttl, rev=rev)
        hold = cls(store, key, record, rev, ttl=ttl, lease=lease)
        hold.keep()
        return hold

    def keep(self) -> None:
        """Renew from time to time."""
        self._timer = asyncio.get_running_loop().call_later(self._lease / 3, self._again)

    async def change(self, record: Record, body: bytes = b"", *, ttl: float | None = None) -> None:
        """Replace the record. Raised where the hold was lost: `StoreConflict`; or `StoreUnavailable`."""
        await self.rest()
        self.rev = await self._store.put(self.key, encode(record, body), ttl=ttl or self._ttl, rev=self.rev)
        self.record = record

    async def drop(self) -> None:
        """Forget the item. Raised where the hold was lost: `StoreConflict`; or `StoreUnavailable`."""
        await self.rest()
        await self._store.delete(self.key, rev=self.rev)

    async def rest(self) -> None:
        """Renew no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._renewing is not None:
            await asyncio.wait([self._renewing])
            self._renewing = None

    def _again(self) -> None:
        self._renewing = asyncio.get_running_loop().create_task(self._renew())

    async def _renew(self) -> None:
        record = self.record | {"until": self._store.clock() + self._lease}
        try:
            self.rev = await self._store.put(self.key, encode(record), ttl=self._ttl, rev=self.rev)
            self.record = record
        except StoreConflict as error:  # taken over; the change to come will fail
            log.warning("%r was taken over while it was being worked on: %s", self.key, error)
            return
        except StoreUnavailable as error:
            log.warning("%r could not be kept: %s", self.key, error)
        self._timer = asyncio.get_running_loop().call_later(self._lease / 3, self._again)


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
