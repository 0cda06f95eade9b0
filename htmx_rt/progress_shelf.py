"""Where it is kept how things that take long are.

Of each there are two items. One stands for a place on its topic, of which there are eight, and says how it is. The
other one is there while it runs, for those who look for such, and to count what one person runs.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final, NamedTuple

from .progress_record import Record
from .stores.base import Item, Store
from .types import Limits

PLACE: Final = "progress:t/"  # and topic/place: how something is
MARK: Final = "progress:r/"  # and owner/id, while it runs: where its place is
WISH: Final = "progress:x/"  # and id: somebody has cancelled it
AWAY: Final = "progress:d/"  # and owner/id: they need not see it any more
MOST: Final = 10_000  # looked at, at a time
WISHED: Final = 3600.0  # seconds that a wish is kept
_PAGE: Final = 500

Places = dict[int, tuple[Record | None, int]]


class Mark(NamedTuple):
    """Says that something runs, and where its place is; one without has not been seen by anybody."""

    key: str
    topic: str
    slot: int
    running: bool = True  # False: its worker has stopped

    @property
    def id(self) -> str:
        """Of what runs."""
        return self.key.rpartition("/")[2]


class Shelf:
    """Reads and writes it. Every method may raise `StoreUnavailable`."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self.store = store
        self._limits = limits

    # Places

    async def places(self, topic: str) -> Places:
        """Return what stands on the places of a topic, None where that cannot be read, and the revisions of those."""
        items = await self.store.scan(f"{PLACE}{topic}/", limit=int(self._limits.progress_per_topic))
        return {int(key.rpartition("/")[2]): (Record.read(item), item.rev) for key, item in items}

    async def records(self, topic: str) -> list[Record]:
        """Return what stands on the places of a topic."""
        return [record for record, _ in (await self.places(topic)).values() if record is not None]

    async def at(self, topic: str, slot: int) -> tuple[Record, int] | None:
        """Return what stands on one place."""
        item = await self.store.get(_place(topic, slot))
        record = Record.read(item)
        return (record, item.rev) if item is not None and record is not None else None

    async def put(self, record: Record, rev: int) -> int:
        """Write it on its place, which was at `rev`. Raised where it is not any more: `StoreConflict`."""
        key, life = _place(record.topic, record.slot), self._limits.progress_kept
        return await self.store.put(key, record.encoded(), ttl=life, rev=rev)

    def free(self, places: Places) -> tuple[int, int] | None:
        """Return a place that is free, else that of what ended first, and its revision; None where all others run."""
        for slot in range(int(self._limits.progress_per_topic)):
            record, rev = places.get(slot, (None, 0))
            if record is None:
                return slot, rev
        ended = [(one.ended or 0.0, slot, rev) for slot, (one, rev) in places.items() if one and not one.running]
        return min(ended)[1:] if ended else None

    # Marks

    async def crowded(self, record: Record) -> bool:
        """Tell whether its owner runs as many as one may already."""
        most = int(self._limits.progress_per_person)
        return len(await self.store.scan(_marks(record), limit=most)) >= most

    async def mark(self, record: Record) -> None:
        """Say that it runs, or that its worker has stopped; without a place only for a while."""
        value = json.dumps([record.topic, record.slot, record.running]).encode()
        ttl = self._limits.progress_kept if record.slot >= 0 else self._limits.progress_lease
        await self.store.put(_marks(record) + record.id, value, ttl=ttl)

    async def unmark(self, record: Record) -> None:
        """Say that it runs no more."""
        await self.store.delete(_marks(record) + record.id)
        await self.store.delete(WISH + record.id)

    async def marks(self) -> AsyncIterator[Mark]:
        """Yield all that run, or are said to."""
        last, seen = "", 0
        while page := await self.store.scan(MARK, after=last, limit=_PAGE):
            for key, item in page:
                yield _mark(key, item)
            last, seen = page[-1][0], seen + len(page)
            if len(page) < _PAGE or seen >= MOST:
                break

    async def forget(self, mark: Mark) -> None:
        """Take a mark away."""
        await self.store.delete(mark.key)
        await self.store.delete(WISH + mark.id)

    # Wishes

    async def wish(self, record: Record, by: str) -> None:
        """Leave word for its worker that it is to end."""
        await self.store.put(WISH + record.id, by.encode("utf-8", "replace"), ttl=WISHED)

    async def wished(self, record: Record) -> bool:
        """Tell whether there is such a word."""
        return await self.store.get(WISH + record.id) is not None

    async def wishes(self) -> dict[str, str]:
        """Return who wants what to end, by id."""
        found: dict[str, str] = {}
        last = ""
        # Of all of them: those that nobody hears any more, as of a worker that died, must not hide the others.
        while page := await self.store.scan(WISH, after=last, limit=_PAGE):
            found |= {key[len(WISH) :]: item.value.decode("utf-8", "replace") for key, item in page}
            last = page[-1][0]
            if len(page) < _PAGE or len(found) >= MOST:
                break
        return found

    async def dismiss(self, record: Record, owner: str) -> None:
        """Note that `owner` need not see it any more."""
        await self.store.put(f"{AWAY}{owner}/{record.id}", b"1", ttl=self._limits.progress_shown + 60)

    async def dismissed(self, owner: str) -> set[str]:
        """Return the ids of what `owner` need not see any more."""
        return {key.rpartition("/")[2] for key, _ in await self.store.scan(f"{AWAY}{owner}/", limit=_PAGE)}


def _place(topic: str, slot: int) -> str:
    return f"{PLACE}{topic}/{slot:03d}"


def _marks(record: Record) -> str:
    return f"{MARK}{record.owner or record.topic}/"


def _mark(key: str, item: Item) -> Mark:
    with suppress(ValueError, TypeError):
        topic, slot, running = json.loads(item.value)
        return Mark(key, str(topic), int(slot), bool(running))
    return Mark(key, "", -1)
