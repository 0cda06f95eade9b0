"""The bus of one process: nothing to install, nothing survives a restart."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future

from ..frames import Draft
from ..log import Log, new_epoch
from ..types import Limits
from .base import Bus, Known, Mark, Revocations

_logs: weakref.WeakSet[Log] = weakref.WeakSet()


def _part_ways() -> None:
    """Begin new epochs in a forked child: its log goes its own way, and cursors of the parent's must not fit."""
    for log in _logs:
        log.epoch = new_epoch()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_part_ways)


class MemoryBus(Bus):
    """One log behind a lock, for every thread and loop of this process."""

    shared = False

    def __init__(
        self,
        limits: Limits,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.log = Log(limits, clock=clock)
        _logs.add(self.log)
        self.revocations = Revocations(limits, clock=wall_clock)
        self._lock = threading.Lock()

    def publish(self, draft: Draft) -> Future[int]:
        offset = self.log.append(draft).offset
        for listener in self._listeners:
            listener.grown()
        return Known(offset)

    def signal(self, topic: str, frame: bytes) -> None:
        for listener in self._listeners:
            listener.signalled(topic, frame)

    def revoke(self, mark: Mark) -> Future[None]:
        with self._lock:
            self.revocations.add(mark)
        for listener in self._listeners:
            listener.marked(mark)
        return Known(None)
