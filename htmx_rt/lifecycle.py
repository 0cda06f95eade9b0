"""The life of a `Realtime` in one process: a hub for each event loop, starting, draining, stopping."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Final

from .buses.base import Bus
from .drain import watch
from .hub import Hub
from .locks import Locks
from .presence import Presence
from .reader import Reader
from .sockets import tune_listeners
from .solitude import Solitude
from .stores.base import Store
from .topics import HERE_PREFIX, base_topic
from .types import Limits
from .undo_runner import Runner
from .views import Picture, Views

PULSE: Final = 0.5  # seconds between looks at who has gone silent
MOST_TASKS: Final = 10_000
MOVE: Final = 5.0  # seconds that pages take to move to another worker, after their turn has come


class Lifecycle:
    """What a `Realtime` does over its life; everything that belongs to one loop is let go of with that loop."""

    def begin_life(
        self,
        *,
        bus: Bus,
        store: Store,
        limits: Limits,
        runner: Runner,
        solitude: Solitude,
        presence: Presence,
        locks: Locks,
        picture: Picture,
    ) -> None:
        """Take what has a life; nothing is started yet."""
        self._bus = bus
        self._store = store
        self._limits = limits
        self._runner = runner
        self._presence = presence
        self._locks = locks
        self._picture = picture
        self._solitude = solitude
        self.draining = False
        self.opening: Counter[str] = Counter()  # browser → WebSockets that have not said yet what they want
        self.tasks: set[asyncio.Task[None]] = set()  # of endpoints, kept from being collected
        self._hubs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = weakref.WeakKeyDictionary()
        self._started: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()
        self._tuned: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()
        self._views: weakref.WeakKeyDictionary[Hub, Views] = weakref.WeakKeyDictionary()
        self._pulses: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.TimerHandle] = (
            weakref.WeakKeyDictionary()
        )
        self._lock = threading.Lock()
        self._stop_watching: Callable[[], None] | None = None

    def hub(self) -> Hub:
        """Return the hub of the running loop, making it where this loop is new."""
        loop = asyncio.get_running_loop()
        hub = self._hubs.get(loop)
        if hub is None:
            with self._lock:
                for other in tuple(self._hubs):
                    if other.is_closed():  # without a word, as test clients do
                        self._hubs.pop(other).close()
                hub = self._hubs.get(loop)
                if hub is None:
                    hub = self._hubs[loop] = Hub(loop, self._bus, self._limits)
                    hub.withdrawn = self._withdrawn
                    self._views[hub] = Views(hub, self._presence, self._picture)
        return hub

    # Presence

    def people_changed(self, topic: str) -> None:
        """Draw who is on `topic` anew, wherever it is shown; from any thread."""
        name = HERE_PREFIX + topic
        for hub in tuple(self._hubs.values()):
            # Whoever shows it from now on begins with how it looks then.
            views = self._views.get(hub) if hub.gallery.of(name) else None
            if views is not None:
                hub.call(views.changed, name)

    def show_views(self, word: dict[str, Any]) -> bool:
        """Let a stream of ours show the views that its page asked for; False where it is none of ours."""
        for loop, hub in tuple(self._hubs.items()):
            reader, views = hub.reader_of(word["owner"], word["tab"], word["gen"]), self._views.get(hub)
            with contextlib.suppress(RuntimeError):
                if reader is not None and views is not None:
                    loop.call_soon_threadsafe(views.want, reader, word["tab"], word["views"])
                    return True
        return False

    def _withdrawn(self, reader: Reader, topic: str) -> None:
        for tab, gen in reader.tabs.items():
            self._presence.attendance.end(tab, gen, reader.owner, "revoked", [base_topic(topic)])

    def _pulse(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop in self._started:
            if self._stop_watching is not None and not self.draining:  # a server may have put its own on top since
                self._stop_watching = watch(self)
            self._presence.tick()
            if self.home() is loop:
                self._locks.tick()
                self._tend()
            self._pulses[loop] = loop.call_later(PULSE, self._pulse, loop)

    def _tend(self) -> None:
        """Do what services do now and then."""

    def _part(self) -> None:
        """Say, on a loop, what is left undone here, before its streams end."""

    async def _leave(self) -> None:
        """Note what is left undone here."""

    @property
    def streams(self) -> int:
        """How many streams are open at this worker."""
        return sum(len(hub.readers) for hub in tuple(self._hubs.values()))

    @property
    def alone(self) -> bool:
        """Whether no other process of this app was found on this machine when this one began; over Redis it is no matter."""
        return self._bus.shared or self._solitude.held

    @property
    def started(self) -> bool:
        """Whether somebody has started us for the running loop."""
        return asyncio.get_running_loop() in self._started

    async def start(self) -> None:
        """Start for the running loop; called at lifespan startup, or by the first request where there is none.

        Does nothing the second time. Raised if the bus cannot be started: `BusUnavailable`.
        """
        if self.started:
            return
        loop = asyncio.get_running_loop()
        self._started.add(loop)
        try:
            self.hub()
            await self._bus.start()
            await self._store.start()
            self._runner.start()
        except BaseException:
            self._started.discard(loop)
            raise
        self._presence.gossip.start()
        self._pulses[loop] = loop.call_later(PULSE, self._pulse, loop)
        if not self._bus.shared:
            self._solitude.claim()

    def watch(self) -> None:
        """Hear of SIGTERM and SIGINT; asked for at each stream, repeated while there are any: servers have handlers, too."""
        if not self.draining and self._stop_watching is None:
            self._stop_watching = watch(self)

    def tune(self) -> None:
        """Set options of the server's sockets, at the first stream: servers open them after the app has started."""
        loop = asyncio.get_running_loop()
        if loop not in self._tuned:
            self._tuned.add(loop)
            loop.call_soon(tune_listeners)

    def begin_drain(self) -> None:
        """Send all streams away, to come back elsewhere; safe in a signal handler and in any thread."""
        if self.draining:
            return
        self.draining = True
        for loop, hub in tuple(self._hubs.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._part)
                loop.call_soon_threadsafe(self._presence.leave, hub.spread + MOVE)
                loop.call_soon_threadsafe(hub.drain)

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Have `work` done on the running loop, at most until it stops; too much is not begun."""
        if len(self.tasks) >= MOST_TASKS:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def drain(self) -> None:
        """End all streams of this worker and wait until those of the running loop have ended, at most a second."""
        self.begin_drain()
        await self.hub().emptied(within=1.0)

    async def stop(self) -> None:
        """Let go of everything that belongs to the running loop, and only to it; it may be started again."""
        loop = asyncio.get_running_loop()
        hub = self._hubs.get(loop)
        if hub is None:
            return
        spread = hub.spread
        others = [other for other in tuple(self._started) if other is not loop and other.is_running()]
        if not others:
            self._part()
        hub.drain()
        await hub.emptied(within=1.0)
        if not others:
            await self._leave()
        if await self._runner.stop(forgets=not others) and others:
            others[0].call_soon_threadsafe(self._runner.start)
        asking = [task for task in tuple(self.tasks) if task.get_loop() is loop]
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        self._views.pop(hub).close()
        hub.withdrawn = lambda reader, topic: None  # its timers hold it for a moment longer, and must not hold us
        hub.close()
        self._hubs.pop(loop, None)
        self._started.discard(loop)
        self._tuned.discard(loop)
        if (pulse := self._pulses.pop(loop, None)) is not None:
            pulse.cancel()
        await self._store.stop()
        if any(not other.is_closed() for other in self._hubs):
            return
        if not self.draining:
            self._presence.leave(spread + MOVE)
        self._presence.gossip.stop()
        await self._bus.stop()
        self._solitude.release()
        if self._stop_watching is not None:
            self._stop_watching()
            self._stop_watching = None
        self.draining = False

    def home(self) -> asyncio.AbstractEventLoop | None:
        """The loop to do our own work on: this one where we are at home here, else any that runs."""
        with contextlib.suppress(RuntimeError):
            here = asyncio.get_running_loop()
            if here in self._started:
                return here
        return next((loop for loop in tuple(self._started) if loop.is_running()), None)
