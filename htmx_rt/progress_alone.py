"""A loop of our own for what runs in a process that serves nobody, such as a queue's worker."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Final

IDLE: Final = 10.0  # seconds without anything to do, after which it ends


class Alone:
    """One thread with one loop: begun when it is first asked for, ended when it was idle for long."""

    def __init__(
        self, tick: Callable[[], None], leave: Callable[[], Awaitable[None]], idle: Callable[[], bool], *, pulse: float
    ) -> None:
        self._tick = tick
        self._leave = leave
        self._idle = idle
        self._pulse = pulse
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rest = IDLE

    def loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop."""
        with self._lock:
            self._rest = IDLE
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._run, args=(self._loop,), name="htmx-rt-progress", daemon=True).start()
            return self._loop

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_soon(self._beat, loop)
        try:
            loop.run_forever()
            loop.run_until_complete(self._leave())
        finally:
            loop.close()

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._tick()
        with self._lock:
            self._rest = self._rest - self._pulse if self._idle() else IDLE
            if self._rest <= 0:
                self._loop = None  # whoever asks from now on gets another one
                loop.stop()
                return
        loop.call_later(self._pulse, self._beat, loop)
