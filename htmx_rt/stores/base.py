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
MAX_SCAN: Final = 10_000  # items

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
        if not key or len(key) > MAX_KEY or not _plain(key):
            raise ValueError(f"Bad key {key[:80]!r}: use 1 to {MAX_KEY} characters without NUL and lone surrogates.")
        if len(value) > MAX_VALUE:
            raise TooLarge(f"The value of {key!r} has {len(value)} bytes; {MAX_VALUE} are the most.")
        if not 0 < ttl <= MAX_LIFE:
            raise ValueError(
                f"ttl={ttl!r} of {key!r}: give seconds, more than 0 and at most 400 days. Everything stored expires."
            )

    def check_scan(self, prefix: str, after: str, upto: str | None, limit: int) -> None:
        """Raise `ValueError` for what no store walks."""
        if not 1 <= limit <= MAX_SCAN:
            raise ValueError(f"scan(limit={limit!r}): from 1 to {MAX_SCAN} at once; go on with after= the last key.")
        for text in (prefix, after, upto or ""):
            if len(text) > MAX_KEY or not _plain(text):
                raise ValueError(f"Bad key {text[:80]!r}: no key is like it.")


def _plain(text: str) -> bool:
    return "\x00" not in text and (text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text))


def after_prefix(prefix: str) -> str | None:
    """Return the least text that sorts above everything beginning with `prefix`; None where there is none."""
    kept = prefix.rstrip("\U0010ffff")
    if not kept:
        return None
    code = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if 0xD800 <= code <= 0xDFFF else code)


def conflict(key: str, rev: int, present: Item | None) -> StoreConflict:
    """Return the error for a `put` or `delete` whose `rev` is not the present one."""
    return StoreConflict(key, wanted=rev, present=present)
