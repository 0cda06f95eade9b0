"""The store of one process: nothing to install, nothing survives."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, bisect_right, insort
from itertools import islice
from typing import Final

from ..exceptions import StoreUnavailable
from .base import Clock, Item, Store, conflict

OVERHEAD: Final = 300  # bytes that an item takes beside its key and value
SWEEP: Final = 1.0  # seconds between searches for what has expired, where there is no room


class MemoryStore(Store):
    """A dictionary and a sorted list of its keys, bounded in bytes."""

    survives = False

    def __init__(self, *, clock: Clock = time.time, most: int = 256 * 1024 * 1024) -> None:
        super().__init__(clock=clock)
        self._most = most  # bytes
        self._items: dict[str, Item] = {}
        self._keys: list[str] = []
        self._bytes = 0
        self._fences: dict[str, int] = {}
        self._lock = threading.Lock()
        self._sweep_at = 1024  # items
        self._swept = 0.0

    async def get(self, key: str) -> Item | None:
        self.check(key)
        with self._lock:
            return self._live(key)

    async def put(self, key: str, value: bytes, *, ttl: float, rev: int | None = None) -> int:
        self.check(key, value, ttl)
        with self._lock:
            present = self._live(key)
            now = present.rev if present else 0
            if rev is not None and rev != now:
                raise conflict(key, rev, present)
            size = _size(key, value)
            freed = _size(key, present.value) if present else 0
            if self._bytes + size - freed > self._most:
                if self.clock() >= self._swept + SWEEP:
                    self._sweep()
                if self._bytes + size - freed > self._most:
                    raise StoreUnavailable(
                        f"The in-process store is full ({self._most} bytes). Use store='sqlite:///path' or Redis."
                    )
            if present is None:
                insort(self._keys, key)
            self._items[key] = Item(value, now + 1, self.clock() + ttl)
            self._bytes += size - freed
            if len(self._items) > self._sweep_at:
                self._sweep()
                self._sweep_at = max(1024, 2 * len(self._items))
            return now + 1

    async def delete(self, key: str, *, rev: int | None = None) -> bool:
        self.check(key)
        with self._lock:
            present = self._live(key)
            if rev is not None and rev != (present.rev if present else 0):
                raise conflict(key, rev, present)
            if present is not None:
                self._drop(key)
            return present is not None

    async def scan(
        self, prefix: str, *, after: str = "", upto: str | None = None, limit: int = 100
    ) -> list[tuple[str, Item]]:
        self.check_scan(prefix, after, upto, limit)
        found: list[tuple[str, Item]] = []
        with self._lock:
            start = bisect_right(self._keys, after) if after >= prefix else bisect_left(self._keys, prefix)
            now = self.clock()
            for key in islice(self._keys, start, None):
                if not key.startswith(prefix) or (upto is not None and key > upto) or len(found) == limit:
                    break
                if self._items[key].expires > now:
                    found.append((key, self._items[key]))
        return found

    async def fence(self, name: str) -> int:
        self.check(name)
        with self._lock:
            self._fences[name] = number = max(self._fences.pop(name, 0) + 1, round(self.clock() * 1000))
            while len(self._fences) > 100_000:  # a forgotten one starts again from the clock, which is above it
                del self._fences[next(iter(self._fences))]
            return number

    def _live(self, key: str) -> Item | None:
        item = self._items.get(key)
        if item is not None and item.expires <= self.clock():
            self._drop(key)
            return None
        return item

    def _drop(self, key: str) -> None:
        self._bytes -= _size(key, self._items.pop(key).value)
        del self._keys[bisect_right(self._keys, key) - 1]

    def _sweep(self) -> None:
        now = self._swept = self.clock()
        self._items = {key: item for key, item in self._items.items() if item.expires > now}
        self._keys = sorted(self._items)
        self._bytes = sum(_size(key, item.value) for key, item in self._items.items())


def _size(key: str, value: bytes) -> int:
    return OVERHEAD + len(key) + len(value)
