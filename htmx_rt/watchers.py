"""Functions of the app that are told who joins and leaves: in order, on the app's loop, never in anybody's way."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from .people import News, What

log = logging.getLogger("htmx_rt")

MOST: Final = 10_000  # news that may wait; the oldest are dropped
ALL: Final[frozenset[What]] = frozenset(("join", "update", "leave"))

Watch = Callable[[News], "Awaitable[None] | None"]
W = TypeVar("W", bound=Watch)


class Watcher:
    """One function, and what it has not been told yet."""

    def __init__(self, watch: Watch, what: frozenset[What], once: bool) -> None:
        self.watch = watch
        self.what = what
        self.once = once
        self.waiting: deque[News] = deque(maxlen=MOST)
        self.busy = False

    async def run(self) -> None:
        """Tell the function what waits, one after the other."""
        if self.busy:
            return
        self.busy = True
        try:
            while self.waiting:
                answer = self.call(self.waiting.popleft())
                if inspect.isawaitable(answer):
                    try:
                        await answer
                    except Exception:
                        log.exception("%r, which watches who is here, failed.", self.watch)
        finally:
            self.busy = False

    def call(self, news: News) -> object:
        """Call the function; what it raises is logged."""
        try:
            return self.watch(news)
        except Exception:
            log.exception("%r, which watches who is here, failed.", self.watch)
            return None


class Watchers:
    """All of them. `home` is the loop to call them on; where there is none, plain functions are called in place."""

    def __init__(
        self,
        *,
        home: Callable[[], asyncio.AbstractEventLoop | None],
        later: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._home = home
        self._later = later
        self._watchers: list[Watcher] = []
        self._news: deque[News] = deque(maxlen=MOST)
        self._planned = False
        self._lock = threading.Lock()

    def add(self, watch: W, *, what: frozenset[What] = ALL, once: bool = False) -> W:
        """Call `watch` from now on; with `once` on one worker only."""
        self._watchers.append(Watcher(watch, what, once))
        return watch

    def tell(self, news: News) -> None:
        """Pass on what happened; from any thread, and at once."""
        if not self._watchers:
            return
        with self._lock:
            self._news.append(news)
            if self._planned:
                return
            self._planned = True
        loop = self._home()
        try:
            if loop is None:
                self._deliver()
            else:
                loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:  # the loop has just been closed
            self._deliver()

    def _deliver(self) -> None:
        with self._lock:
            self._planned = False
            news, self._news = self._news, deque(maxlen=MOST)
        for one in news:
            for watcher in self._watchers:
                if one.what in watcher.what and (one.first or not watcher.once):
                    watcher.waiting.append(one)
        for watcher in self._watchers:
            if watcher.waiting and not watcher.busy:
                self._start(watcher)

    def _start(self, watcher: Watcher) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # no server runs, as in a script
            while watcher.waiting and not inspect.iscoroutinefunction(watcher.watch):
                watcher.call(watcher.waiting.popleft())
        else:
            self._later(watcher.run())
