"""Token buckets: so many at once, so many a second, for each of many names; bounded, and forgotten when full again."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable


class Buckets:
    """One bucket a name. The least used are forgotten first."""

    def __init__(
        self, rate: float, burst: float, *, most: int = 50_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate  # a second
        self._burst = burst
        self._most = most
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, tokens: float = 1.0) -> bool:
        """Take `tokens` from the bucket of `name`; False where it holds less."""
        now = self._clock()
        level, at = self._levels.pop(name, (self._burst, now))
        level = min(self._burst, level + (now - at) * self._rate)
        enough = level >= tokens
        self._levels[name] = (level - tokens if enough else level, now)
        while len(self._levels) > self._most:
            self._levels.popitem(last=False)
        return enough
