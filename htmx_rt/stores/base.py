"""The seam for what must be kept: an ordered map of bytes with revisions, life times and fences.

Receipts, drafts, undo and leases are policies over this one noun. A key is text with its owner first, such as
`draft:ada:7`; keys sort, so that `scan` can walk a prefix in order. Every item expires.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, NamedTuple

from ..exceptions import StoreConflict, TooLarge

MAX_KEY: Final = 512  # characters
MAX_VALUE: Final = 1024 * 1024  # bytes
MAX_LIFE: Final = 400 * 24 * 3600.0  # seconds

Clock = Callable[[], float]  # Unix seconds; the same on all workers to within a second


class Item(NamedTuple):
    """What is kept under a key. `rev` is 1 at first and grows by one with each change."""

    value: bytes
    rev: int
    expires: float  # Unix seconds


class Store(ABC):
    """Keeps items. Every method may raise `StoreUnavailable`, and is safe to call from the loop that called `start`."""

    survives: bool  # a restart of the process

    def __init__(self, *, clock: Clock = time.time) -> None:
        self.clock = clock

    async def start(self) -> None:
        """Open, in the process that uses it: after a fork."""

    async def stop(self) -> None:
        """Let go of everything."""

    @abstractmethod
    async def get(self, key: str) -> Item | None:
        """Return the item under `key`, or None where there is none or it has expired."""

    @abstractmethod
    async def put(self, key: str, value: bytes, *, ttl: float, rev: int | None = None) -> int:
        """Keep `value` for `ttl` seconds and return its revision.

        With `rev` only where the present revision is that; 0 means that there is none. Raised otherwise:
        `StoreConflict`, with the item that is there.
        """

    @abstractmethod
    async def delete(self, key: str, *, rev: int | None = None) -> bool:
        """Forget `key` and return whether there was something. With `rev` as in `put`."""

    @abstractmethod
    async def scan(
        self, prefix: str, *, after: str = "", upto: str | None = None, limit: int = 100
    ) -> list[tuple[str, Item]]:
        """Return at most `limit` items whose keys begin with `prefix`, in order; above `after`, and not above `upto`."""

    @abstractmethod
    async def fence(self, name: str) -> int:
        """Return a number greater than every one before for `name`: max(last + 1, Unix milliseconds).

        It grows even after everything was forgotten, so that a late write with an old number can be told.
        """

    def check(self, key: str, value: bytes = b"", ttl: float = 1.0) -> None:
        """Raise `ValueError` or `TooLarge` for what no store takes."""
        if not key or len(key) > MAX_KEY or "\x00" in key:
            raise ValueError(f"Bad key {key[:80]!r}: use 1 to {MAX_KEY} characters without NUL.")
        if len(value) > MAX_VALUE:
            raise TooLarge(f"The value of {key!r} has {len(value)} bytes; {MAX_VALUE} are the most.")
        if not 0 < ttl <= MAX_LIFE:
            raise ValueError(
                f"ttl={ttl!r} of {key!r}: give seconds, more than 0 and at most 400 days. Everything stored expires."
            )


def after_prefix(prefix: str) -> str:
    """Return the least text that sorts above everything beginning with `prefix`."""
    return prefix + "\U0010ffff"


def conflict(key: str, rev: int, present: Item | None) -> StoreConflict:
    """Return the error for a `put` or `delete` whose `rev` is not the present one."""
    return StoreConflict(key, wanted=rev, present=present)
