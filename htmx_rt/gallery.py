"""Which readers of a loop show which pictures, and the newest of each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from .reader import Reader


class Key(NamedTuple):
    """One picture: all who show the same get the same bytes."""

    topic: str  # as readers hold it
    view: str  # "avatars" or "avatars:7"
    lang: str
    eyes: str = ""  # of whom, where not everybody sees everybody


class Narrowed:
    """A word that is only for some readers of a topic."""

    def __init__(self, readers: Collection[Reader]) -> None:
        self.readers = readers


Name = str | Key | Narrowed  # what news are about: a topic, a picture, or such a word


class Gallery:
    """The pictures of one hub; `grown` is called when there is one to send."""

    def __init__(self, grown: Callable[[], None]) -> None:
        self._grown = grown
        self._pictures: dict[Key, bytes] = {}
        self._viewers: dict[Key, set[Reader]] = {}
        self._topics: dict[str, set[Key]] = {}
        self._repainted: dict[Key, None] = {}

    def of(self, topic: str) -> set[Key]:
        """Return the pictures of `topic` that somebody shows."""
        return self._topics.get(topic, set())

    @property
    def keys(self) -> Iterable[Key]:
        """The pictures that somebody shows."""
        return self._viewers.keys()

    def has(self, key: Key) -> bool:
        """Tell whether a picture was drawn since somebody shows it."""
        return key in self._pictures

    def viewers(self, key: Key | Narrowed) -> Collection[Reader]:
        """Return who shows a picture, or who a word is for."""
        return key.readers if isinstance(key, Narrowed) else self._viewers.get(key, set())

    def watch(self, reader: Reader, keys: set[Key]) -> None:
        """Let `reader` show exactly these from now on."""
        for key in reader.views - keys:
            readers = self._viewers.get(key, set())
            readers.discard(reader)
            if not readers:
                self._viewers.pop(key, None)
                self._pictures.pop(key, None)
                shown = self._topics.get(key.topic, set())
                shown.discard(key)
                if not shown:
                    self._topics.pop(key.topic, None)
        for key in keys - reader.views:
            self._viewers.setdefault(key, set()).add(reader)
            self._topics.setdefault(key.topic, set()).add(key)
        reader.views, reader.pay = keys, self.pay
        reader.owed &= keys

    def show(self, key: Key, frame: bytes) -> None:
        """Send a picture to everybody who shows it, in the next tick, if it is another than before."""
        if self._pictures.get(key) == frame or key not in self._viewers:
            return
        self._pictures[key] = frame
        self._repainted[key] = None
        self._grown()

    def owe(self, reader: Reader, key: Key) -> None:
        """Send `reader` a picture as it is."""
        if key in self._pictures:
            reader.owed |= {key}
            reader.wake()

    def pay(self, reader: Reader) -> bytes:
        """Return the newest of the pictures that a reader is owed."""
        owed, reader.owed = reader.owed, frozenset()
        return b"".join(self._pictures.get(key, b"") for key in owed)

    def take(self) -> list[tuple[Key, bytes]]:
        """Return what changed since it was asked last."""
        if not self._repainted:
            return []
        repainted, self._repainted = self._repainted, {}
        return [(key, self._pictures[key]) for key in repainted if key in self._pictures]
