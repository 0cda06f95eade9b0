"""Whispers: words for this moment (typing, pointers) on their way to the readers of one hub; no history, dropped first.

In a large room they are gathered for a moment, and of those that only tell how something is now the newest is kept:
a thousand readers are then written to twice a second, and not once for each key that somebody presses.
"""

from __future__ import annotations

import asyncio
import contextvars
import re
from collections import deque
from collections.abc import Callable, Sized
from typing import Any, Final

from .topics import HERE_PREFIX

CALM: Final = 50  # readers up to which nothing is gathered
SLOWEST: Final = 0.5  # seconds between two deliveries to a room of a thousand
MOST: Final = 2_000  # that one topic may gather
# By the page's own words: topic, name, data, sender; of the names only ours, an app's may be events.
_NOW: Final = re.compile(
    rb'event: rt:signal\ndata: \{"t":"[^"]*","name":"(typing|field|cursor|select|gone)",.*"tab":"([0-9a-f]{16})"\}\}\n\n',
    re.DOTALL,
)
_SPEAKER: Final = re.compile(rb'"from":\{"k":"([0-9a-f]{16})","n":')


Narrow = Callable[[list[tuple[str, bytes]]], list[tuple[Any, bytes]]]


class Whispers:
    """Those of one hub. Added in any thread, taken on its loop."""

    def __init__(
        self,
        most: int,
        readers: Callable[[str], Sized],
        loop: asyncio.AbstractEventLoop,
        again: Callable[[], None],
        context: contextvars.Context,
    ) -> None:
        self._most = most
        self._readers = readers  # of a topic
        self._loop = loop
        self._again = again
        self._context = context
        self.narrow: Narrow | None = None  # where not everybody may hear everybody
        self._new: deque[tuple[str, bytes]] = deque()
        self._gathered: dict[str, dict[object, bytes]] = {}
        self._due: dict[str, float] = {}  # when a topic may be written to again
        self._called: float | None = None

    def add(self, topic: str, frame: bytes) -> bool:
        """Take a word in; False where there are too many."""
        if len(self._new) >= self._most:
            return False
        self._new.append((topic, frame))
        return True

    def take(self, now: float) -> list[tuple[Any, bytes]]:
        """Return what is to be delivered, with the topic, or something else that says to whom."""
        if not self._new and not self._due:
            return []
        ready: list[tuple[str, bytes]] = []
        while self._new:
            topic, frame = self._new.popleft()
            if topic in self._due or (topic.startswith(HERE_PREFIX) and len(self._readers(topic)) > CALM):
                self._gather(topic, frame, now)
            else:
                ready.append((topic, frame))
        for topic, due in tuple(self._due.items()):
            if due <= now:
                ready += self._release(topic, now)
        soonest = min(self._due.values(), default=None)
        if soonest is not None and soonest != self._called:
            self._called = soonest
            self._loop.call_at(soonest, self._again, context=self._context)
        return self.narrow(ready) if self.narrow is not None and ready else [*ready]

    def _gather(self, topic: str, frame: bytes, now: float) -> None:
        room = self._gathered.setdefault(topic, {})
        self._due.setdefault(topic, now)
        name: object = found.groups() if (found := _NOW.fullmatch(frame)) else object()
        room.pop(name, None)
        if len(room) < MOST:
            room[name] = frame

    def _release(self, topic: str, now: float) -> list[tuple[str, bytes]]:
        room = self._gathered.pop(topic, {})
        if room and (count := len(self._readers(topic))) > CALM:
            self._due[topic] = now + min(SLOWEST, count / 2000)
        else:
            del self._due[topic]
        return [(topic, frame) for frame in room.values()]


def speaker(frame: bytes) -> str | None:
    """Return whose word it is, as pages know people; None where the server itself spoke."""
    # The last one: what stands before it may have been made up by whoever speaks.
    found = None
    for found in _SPEAKER.finditer(frame):  # noqa: B007
        pass
    return found[1].decode() if found else None
