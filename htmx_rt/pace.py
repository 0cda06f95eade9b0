"""How fast something goes, and how long it may take still."""

from __future__ import annotations

import math
from typing import Final

SMOOTH: Final = 10.0  # seconds over which the pace is averaged
SAMPLE: Final = 0.5  # seconds between looks
SILENT: Final = 3.0  # seconds before anything is said
STALLED: Final = 15.0  # seconds without a step, after which nothing is said any more
MEANT: Final = 0.01  # part of the whole that must be done before anything is said

Left = tuple[str, int]  # unit ("few", "s", "min", "h") and number


class Pace:
    """An exponential average of the steps a second; of one who uses it at a time."""

    __slots__ = ("_at", "_began", "_done", "_first", "_rate")

    def __init__(self) -> None:
        self._began: float | None = None
        self._at = self._done = self._first = self._rate = 0.0

    def note(self, done: float, now: float) -> None:
        """Take in that `done` steps are done at `now`, seconds of a clock that only goes forward."""
        if self._began is None or done < self._done:  # it begins, or begins again
            self._began = self._at = now
            self._first = self._done = done
            self._rate = 0.0
            return
        passed = now - self._at
        if passed < SAMPLE or done == self._done:
            return
        rate = (done - self._done) / passed
        weight = 1 - math.exp(-passed / SMOOTH) if self._rate else 1.0
        self._rate += weight * (rate - self._rate)
        self._at, self._done = now, done

    def left(self, total: float | None, now: float) -> Left | None:
        """Return how long it takes still, roughly; None where nobody could tell."""
        if total is None or self._began is None or self._rate <= 0 or self._done >= total:
            return None
        early = now - self._began < SILENT or self._done - self._first < MEANT * total
        if early or now - self._at > STALLED:
            return None
        return rounded((total - self._done) / self._rate - (now - self._at))


def rounded(seconds: float) -> Left | None:
    """Return seconds as people say them: a few, tens, minutes, hours; None beyond two days."""
    if seconds <= 7.5:
        return "few", 0
    if seconds < 55:
        return "s", 10 * max(1, round(seconds / 10))
    if seconds < 57 * 60:
        return "min", max(1, round(seconds / 60))
    hours = round(seconds / 3600)
    return ("h", max(1, hours)) if hours <= 48 else None
