"""What pages say for this moment, before it goes out: bounded by tab and by person, and pointers only the newest.

Where somebody points is worth nothing once they point elsewhere: of a flood of such words the newest is kept for the
next tenth of a second. That somebody is typing is said again every half second for those who have just come, and
passed on less often. Everything else over its rate is refused.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from .buckets import Buckets
from .exceptions import Refused
from .types import Limits

NEWEST: Final = ("cursor", "select")
OURS: Final = (*NEWEST, "typing", "field", "gone")  # what only those say who are shown
EVERY: Final = 0.1  # seconds between two of those of one tab
REPEAT: Final = 2.0  # seconds in which the same word on typing is not passed on again
TABS: Final = 4  # how many tabs' worth one person may say
MOST: Final = 20_000  # tabs whose last word is remembered

Name = tuple[str, str, str]  # tab, topic, name


class Speech:
    """The words of all pages of this worker. `send` passes one on."""

    def __init__(
        self,
        limits: Limits,
        send: Callable[[str, bytes], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._clock = clock
        self._tabs = Buckets(limits.calls_per_second, limits.calls_burst, clock=clock)
        self._people = Buckets(limits.calls_per_second * TABS, limits.calls_burst * TABS, clock=clock)
        self._held: dict[Name, tuple[str, bytes] | None] = {}  # the newest, while it is too early to send it
        self._typed: OrderedDict[Name, tuple[Any, float]] = OrderedDict()

    def take(self, owner: str, tab: str) -> None:
        """Count a call of a tab. Raised where there are too many: `Refused` (429)."""
        self._count(self._people, owner)
        self._count(self._tabs, tab)

    def say(self, topic: str, name: str, data: object, frame: bytes, *, owner: str, tab: str) -> None:
        """Pass a word on, now or soon. Raised where there are too many: `Refused` (429)."""
        if name in NEWEST:
            self._count(self._people, owner)
            self._say_newest((tab, topic, name), topic, frame)
            return
        self.take(owner, tab)
        if name == "gone":  # where it pointed before is not to be told afterwards
            self._held |= {key: None for other in NEWEST if (key := (tab, topic, other)) in self._held}
            self._typed.pop((tab, topic, "typing"), None)  # and who begins again has begun
        if name != "typing" or self._is_news((tab, topic, name), data):
            self._send(topic, frame)

    def _count(self, buckets: Buckets, name: str) -> None:
        if not buckets.take(name):
            raise Refused(429, "limited", "Too many calls from here.", retry_after=2)

    def _say_newest(self, key: Name, topic: str, frame: bytes) -> None:
        if key in self._held:
            self._held[key] = topic, frame
        else:
            self._send(topic, frame)
            self._wait(key)

    def _wait(self, key: Name) -> None:
        self._held[key] = None
        asyncio.get_running_loop().call_later(EVERY, self._due, key)

    def _due(self, key: Name) -> None:
        held = self._held.pop(key)
        if held is not None:
            self._send(*held)
            self._wait(key)

    def _is_news(self, key: Name, data: object) -> bool:
        now = self._clock()
        said, at = self._typed.pop(key, (None, 0.0))
        again = said == data and now - at < REPEAT
        self._typed[key] = said if again else data, at if again else now
        while len(self._typed) > MOST:
            self._typed.popitem(last=False)
        return not again
