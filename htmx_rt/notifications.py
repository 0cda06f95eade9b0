"""Notifications: what one person is told, kept for them until they have read it, on all their pages and devices.

One item of the store per person holds all of theirs, so that a change of any is one compare-and-set. The revision in it
goes by the clock: pages tell by it which of two counts is the newer one, also after a store has forgotten everything.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import random
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final
from weakref import WeakValueDictionary

from .eventual import Eventual, Home
from .exceptions import BadOperation, BadTopic, StoreConflict, StoreUnavailable
from .operations import checked_name
from .stores.base import MAX_VALUE, Item, Store
from .types import MAX_USER_ID, Limits

log = logging.getLogger("htmx_rt")

PREFIX: Final = "notes:"
TEXT: Final = 500  # characters
HREF: Final = 1024
TRIES: Final = 60  # to change what others change at the same moment
PAUSE: Final = 0.005  # seconds, times how often it was tried, at most
_PATH: Final = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*")
_JOINERS: Final = "\u200c\u200d"

Tell = Callable[[str, dict[str, Any]], object]  # user id, what their pages are to know


@dataclass(frozen=True, slots=True)
class Note:
    """One notification."""

    id: str
    text: str
    href: str | None
    at: float  # Unix seconds
    rev: int  # of the list, when it was sent last
    read: bool = False
    key: str | None = None


class Notes(list[Note]):
    """The notifications of one person, the newest first, as they stood at revision `rev`."""

    def __init__(self, notes: Iterable[Note] = (), *, user_id: str = "", rev: int = 0) -> None:
        super().__init__(notes)
        self.user_id = user_id
        self.rev = rev

    @property
    def unread(self) -> int:
        """How many of them have not been read."""
        return sum(not note.read for note in self)


Change = Callable[[Notes, int, float], "list[Note] | None"]  # what there is, the next revision, now → what is to be


class Notifications:
    """Those of everybody. `tell` reaches the pages of a person."""

    def __init__(self, *, store: Store, limits: Limits, home: Home, tell: Tell) -> None:
        self._store = store
        self._limits = limits
        self._home = home
        self._tell = tell
        # Those who change the same list in this process take turns; only other workers are met by compare-and-set.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def send(self, user_id: str, text: str, *, href: str | None = None, key: str | None = None) -> Eventual[Note]:
        """Tell a person something; one with a `key` takes the place of the one before and is unread again.

        `text` is plain, `href` a path on this site. Raised at once for anything else: `BadOperation`, `BadTopic`; to who
        waits for it: `StoreUnavailable`. In a transaction, send after its commit.
        """
        person, words, path = _person(user_id), _text(text), _href(href)
        name = checked_name(key, "notification key") if key is not None else None

        async def run() -> Note:
            sent: Note | None = None

            def add(notes: Notes, rev: int, now: float) -> list[Note]:
                nonlocal sent
                before = next((note for note in notes if name is not None and note.key == name), None)
                sent = Note(before.id if before else secrets.token_hex(8), words, path, now, rev, key=name)
                return [sent, *(note for note in notes if note is not before)]

            await self._change(person, add, text=words)
            assert sent is not None
            return sent

        return Eventual(run(), self._home)

    def list(self, user_id: str) -> Eventual[Notes]:
        """Return the notifications of a person, the newest first."""
        return Eventual(self.find(_person(user_id)), self._home)

    def unread(self, user_id: str) -> Eventual[int]:
        """Return how many a person has not read."""
        person = _person(user_id)

        async def run() -> int:
            return (await self.find(person)).unread

        return Eventual(run(), self._home)

    def read(self, user_id: str, ids: Iterable[str] | None = None) -> Eventual[int]:
        """Mark those of `ids`, or all, as read, and return how many are left; their other pages follow at once."""
        person = _person(user_id)
        chosen = None if ids is None else frozenset([ids] if isinstance(ids, str) else ids)

        async def run() -> int:
            return (await self.mark(person, chosen)).unread

        return Eventual(run(), self._home)

    # Inside

    async def find(self, user_id: str) -> Notes:
        """Return what is kept for a person."""
        return self._read(user_id, await self._store.get(_key(user_id)))

    async def mark(self, user_id: str, ids: frozenset[str] | None, *, upto: int | None = None) -> Notes:
        """Mark as read, of all only those that a page of revision `upto` has shown; return what there is then."""

        def mark(notes: Notes, rev: int, now: float) -> list[Note] | None:
            def meant(note: Note) -> bool:
                return note.id in ids if ids is not None else upto is None or note.rev <= upto

            if all(note.read or not meant(note) for note in notes):
                return None
            return [replace(note, read=True) if meant(note) else note for note in notes]

        return await self._change(user_id, mark)

    async def _change(self, user_id: str, change: Change, *, text: str | None = None) -> Notes:
        key = _key(user_id)
        turn = self._turns.setdefault(key, asyncio.Lock())
        async with turn:
            for attempt in range(TRIES):
                item = await self._store.get(key)
                before, now = self._read(user_id, item), self._store.clock()
                rev = max(before.rev + 1, round(now * 1000))
                changed = change(before, rev, now)
                if changed is None:
                    return before
                after = Notes(changed[: int(self._limits.notifications_per_person)], user_id=user_id, rev=rev)
                try:
                    await self._store.put(
                        key, _dump(after), ttl=self._limits.notification_life, rev=item.rev if item else 0
                    )
                except StoreConflict:
                    await asyncio.sleep(random.random() * PAUSE * (attempt + 1))
                    continue
                self._tell(user_id, {"unread": after.unread, "rev": rev} | ({"text": text} if text else {}))
                return after
        raise StoreUnavailable(f"The notifications of {user_id!r} are changed by too many at once.")

    def _read(self, user_id: str, item: Item | None) -> Notes:
        if item is None:
            return Notes(user_id=user_id)
        try:
            record = json.loads(item.value)
            oldest = self._store.clock() - self._limits.notification_life
            kept = [note for fields in record["notes"] if (note := Note(**fields)).at > oldest]
            return Notes(kept, user_id=user_id, rev=record["rev"])
        except (ValueError, KeyError, TypeError):
            log.warning("The notifications of %r cannot be read, and are forgotten: the item is damaged.", user_id)
            return Notes(user_id=user_id)


def _dump(notes: Notes) -> bytes:
    while True:
        record = {"rev": notes.rev, "notes": [asdict(note) for note in notes]}
        value = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
        if len(value) <= MAX_VALUE:
            return value
        notes.pop()  # the oldest; only where somebody allows thousands of long ones


def _person(user_id: object) -> str:
    if isinstance(user_id, str) and 0 < len(user_id) <= MAX_USER_ID:
        return user_id
    raise BadTopic(f"rt.notifications: {user_id!r} is nobody. Pass the same str id that identify() gives.")


def _text(text: object) -> str:
    """Return plain text on one line, without what could turn its direction, at most 500 characters."""
    if not isinstance(text, str):
        raise BadOperation(f"The text of a notification is a str, not {text!r}.")
    words = "".join(char if char.isprintable() or char in _JOINERS else " " for char in text).split()
    line = " ".join(words)
    if not line:
        raise BadOperation(f"{text!r} says nothing. A notification is a short sentence, such as 'Grace mentioned you'.")
    return line if len(line) <= TEXT else line[: TEXT - 1] + "…"


def _href(href: object) -> str | None:
    if href is None:
        return None
    if isinstance(href, str) and len(href) <= HREF and href.isprintable() and _PATH.fullmatch(href):
        return href
    raise BadOperation(
        f"A notification cannot lead to {href!r}. Give a path on this site of at most {HREF} characters, such as '/tasks/7'."
    )


def _key(user_id: str) -> str:
    return PREFIX + hashlib.sha256(user_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]
