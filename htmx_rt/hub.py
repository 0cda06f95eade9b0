"""From the log to this loop's readers.

A reader is a position in the log. Once per loop tick the hub takes what is new of *all* topics in offset order,
groups readers by which of those topics they hold, joins each group's frames once, and offers every reader of a
group the same bytes. A reader whose last bytes are still being sent is *behind*: it is offered nothing, only its
position is kept, and when its send returns it is brought forward from the log. There is no queue per reader.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Collection, Iterable

from . import frames, protocol
from .buses.base import Bus, Mark
from .crowds import Crowd, join, part
from .gallery import Gallery, Name
from .lines import Body, body
from .log import Entry, Log
from .reader import Reader
from .rounds import Round, addressed
from .topics import subjects, topics_of
from .types import Limits
from .whispers import Whispers


class Hub:
    """All readers of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, bus: Bus, limits: Limits) -> None:
        self.loop = loop
        self.limits = limits
        self.readers: set[Reader] = set()
        self._log: Log = bus.log
        self._thread = threading.get_ident()
        # Empty, so that no request's variables are seen here; of its own, because two loops cannot be in one at once.
        self._context = contextvars.Context()
        self._members: dict[str, Crowd] = {}  # by topic
        self._users: dict[str | None, Crowd] = {}  # streams of one person, in order of arrival
        # Readers are looked after in turns: one slot a tick, every slot once a heartbeat.
        self._every = min(1.0, limits.heartbeat, limits.send_timeout / 2)  # seconds
        self._slots: list[set[Reader]] = [set() for _ in range(max(1, round(limits.heartbeat / self._every)))]
        self._late: set[Reader] = set()  # those that were busy when there was something for them
        self.whispers = Whispers(limits.window, self.members, loop, self.grown, self._context)
        self.gallery = Gallery(self.grown)
        self.withdrawn: Callable[[Reader, str], None] = lambda reader, topic: None  # told of each topic taken away
        self._tabs: dict[tuple[str, str], Reader] = {}  # owner, tab → the stream of its newest connection
        self._armed = False
        self._round: Round | None = None  # a flush that has let others run
        self._timer: asyncio.TimerHandle | None = None
        self._ticks = 0
        self._place = self._log.position
        self._emptied: asyncio.Future[None] | None = None
        self._stop_listening = bus.listen(self)

    @property
    def cursor(self) -> str:
        """Up to where every reader that is not behind has been offered everything, as written on the wire."""
        return str(self._place)

    @property
    def place(self) -> frames.Cursor:
        """The position and its epoch."""
        return self._place

    def add(self, reader: Reader, seen: Callable[[], int] = lambda: 0) -> None:
        """Subscribe `reader`, whose page may have `seen` the log up to there, at the position of this moment."""
        news = self._armed or self._log.position != self._place
        if news and (self._round is None or seen() > self._place.offset):  # during a flush, the log may be ahead of us
            self.flush()
        reader.position = self._place.offset
        self.readers.add(reader)
        self._slots[reader.number % len(self._slots)].add(reader)
        for topic in reader.topics:
            join(self._members, topic, reader)
        for tab in reader.tabs:
            self._tabs[reader.owner, tab] = reader
        join(self._users, reader.user or reader.browser, reader)
        if self._timer is None and self._round is None:
            self._timer = self.loop.call_later(self._every, self._tick, context=self._context)

    def members(self, topic: str) -> Collection[Reader]:
        """Return who reads `topic`."""
        return self._members.get(topic, ())

    def reader_of(self, owner: str, tab: str, gen: int) -> Reader | None:
        """Return the stream of somebody's tab as its connection `gen` may know it, where it is one of ours."""
        reader = self._tabs.get((owner, tab))
        return reader if reader is not None and reader.tabs[tab] <= gen else None

    def crowd(self, user: str | None, browser: str) -> list[Reader]:
        """Return the open streams of one person, the oldest first."""
        return [reader for reader in self._users.get(user or browser, ()) if reader.final is None]

    def remove(self, reader: Reader) -> None:
        """Forget `reader`."""
        reader.end()
        reader.final = reader.final or b""
        self.readers.discard(reader)
        self._late.discard(reader)
        self._slots[reader.number % len(self._slots)].discard(reader)
        for topic in tuple(reader.topics):
            self._leave(reader, topic)
        self.gallery.watch(reader, set())
        for tab in reader.tabs:
            if self._tabs.get((reader.owner, tab)) is reader:
                del self._tabs[reader.owner, tab]
        part(self._users, reader.user or reader.browser, reader)
        if not self.readers and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    def _leave(self, reader: Reader, topic: str) -> None:
        reader.topics.pop(topic, None)
        part(self._members, topic, reader)

    def withdraw(self, readers: Iterable[Reader], topic: str) -> None:
        """Take `topic` away from `readers`."""
        self._settle()
        frame = frames.event(protocol.REVOKED, {"topics": [topic]})
        for reader in readers:
            # What was published before the withdrawal and not yet sent is not sent any more.
            self._leave(reader, topic)
            self.withdrawn(reader, topic)
            reader.tell(frame)

    # What the bus tells, from any thread

    def grown(self) -> None:
        """Deliver what is new in the log in the next tick."""
        if self._armed:
            return
        self._armed = True
        self.call(self.flush)

    def signalled(self, topic: str, frame: bytes) -> None:
        """Deliver an ephemeral frame in the next tick, or before long."""
        if topic in self._members and self.whispers.add(topic, frame):
            self.grown()

    def marked(self, mark: Mark) -> None:
        """End what was signed out or revoked."""
        self.call(self._obey, mark)

    def call(self, function: Callable[..., None], *args: object) -> None:
        """Have the loop call `function` in its next turn; from any thread."""
        try:
            if threading.get_ident() == self._thread:
                self.loop.call_soon(function, *args, context=self._context)
            else:
                self.loop.call_soon_threadsafe(function, *args, context=self._context)
        except RuntimeError:  # the loop was closed without a word, as test clients do
            self._stop_listening()

    def _obey(self, mark: Mark) -> None:
        if mark.kind == "topic":
            parts = [topic for topic in self._members if mark.subject in subjects(topic)[1:]]
            for topic in (*topics_of(mark.subject), *parts):
                members = self._members.get(topic, ())
                whose = [reader for reader in members if mark.user in (None, reader.user)]
                self.withdraw([reader for reader in whose if reader.topics[topic] <= mark.not_before], topic)
            return
        for reader in tuple(self.readers):
            if reader.browser == mark.subject and reader.iat <= mark.not_before:
                reader.ended = mark.why
                reader.finish(frames.event(protocol.STOP, {"why": mark.why}))

    # Delivery

    def flush(self) -> None:
        """Offer every reader what is new, in offset order, each group's bytes joined once."""
        self._settle()
        self._armed = False
        signals = self.whispers.take(self.loop.time())
        pictures = self.gallery.take()
        before, fresh = self._place.offset, self._log.after(self._place)
        if fresh is None:
            self._leap()
            return
        if not fresh and not signals and not pictures:
            return
        if fresh:
            self._place = frames.Cursor(self._place.epoch, fresh[-1].offset)
        news: list[tuple[Name, Entry | bytes]] = [(entry.topic, entry) for entry in fresh]
        news += [*signals, *pictures]
        todo, painted = addressed(news, self._concerned, self._live), frozenset(key for key, _ in pictures)
        self._round = Round(
            todo, before if fresh else None, self._place.offset, painted, self._put_behind, self.loop.time
        )
        self._deliver()

    def _concerned(self, name: Name) -> Collection[Reader]:
        return self.members(name) if isinstance(name, str) else self.gallery.viewers(name)

    def _deliver(self) -> None:
        """Hand out for a moment, and go on in the next turn of the loop."""
        if self._round is not None and not self._round.run():
            self._armed = True  # what comes meanwhile waits for its turn
            self.call(self._deliver)
            return
        self._round = None  # as it may be already, where something had to come after it
        if self._timer is None:
            self._tick()
        if self._armed:
            self.call(self.flush)  # what came meanwhile

    def _settle(self) -> None:
        """Finish a flush that has let others run, because what follows must come after it."""
        if self._round is not None:
            self._round.run(whole=True)
            self._round = None

    def _leap(self) -> None:
        """Go on at the end of a log that has run past us within one tick, or has begun a new epoch."""
        before, self._place = self._place, self._log.position
        if before.epoch != self._place.epoch:
            # Offsets mean something else now, so each page starts again, with a hello of the new epoch.
            self._send_away(max(500, len(self.readers)))
            return
        for reader in self.readers:
            self._put_behind(reader, before.offset)
            reader.wake()

    def bring_forward(self, reader: Reader) -> bytes:
        """Return everything a reader that was behind has missed, from the log; it is behind no more."""
        positions = dict.fromkeys(reader.topics, reader.position)
        missed = self._log.missed(positions, upto=self._place)
        reader.behind, reader.position = False, self._place.offset
        chunks = [self.resync(missed.resync)] if missed.resync else []
        chunks.extend(self._live(entry) for entry in missed.entries)
        return b"".join(chunks)

    def resync(self, topics: dict[str, str]) -> bytes:
        """Encode the word that `topics` (topic → why) must be fetched again."""
        # Spread over time what hits many pages at once: 1 ms a reader, up to ten seconds.
        return frames.resync_events(topics, spread=min(10_000, len(self.readers)))

    def _live(self, entry: Entry) -> bytes:
        return f"id: {frames.Cursor(self._place.epoch, entry.offset)}\n".encode() + entry.frame

    def _put_behind(self, reader: Reader, position: int) -> None:
        if not reader.behind:
            reader.behind = True
            reader.position = position
        self._late.add(reader)

    # Time

    def _tick(self) -> None:
        self._timer = None
        if not self.readers or self._round is not None:  # a heartbeat says how far one is: it comes after the round
            return
        self._timer = self.loop.call_later(self._every, self._tick, context=self._context)
        self._ticks = slot = (self._ticks + 1) % len(self._slots)
        if slot == 0:
            self._log.trim()
        now, beat = self.loop.time(), body(frames.HEARTBEAT + frames.checkpoint(self.cursor))
        for reader in tuple(self._slots[slot]):
            self._look_after(reader, now, beat)
        for reader in tuple(self._late):
            if not reader.busy:
                self._late.discard(reader)
            elif now - reader.sending_since > self.limits.send_timeout:
                self._late.discard(reader)
                reader.abort()

    def _look_after(self, reader: Reader, now: float, beat: Body) -> None:
        if now >= reader.expires:
            reader.finish(frames.event(protocol.BYE, {"in": 1000}))
        elif now - reader.checked >= self.limits.identity_age and reader.link is not None:
            reader.checked = now
            reader.link.check(reader)
        if reader.busy:
            self._late.add(reader)
        elif not reader.behind:
            reader.offer(beat)

    # The end

    @property
    def spread(self) -> float:
        """Seconds in which all could move: four at least, and no more than 500 a second at the worker that takes them."""
        return min(30.0, max(4.0, len(self.readers) / 500))

    def drain(self) -> None:
        """Send every reader away, to come back somewhat later, and end all streams."""
        self.flush()
        self._settle()
        self._send_away(round(self.spread * 1000))
        # One that takes nothing must not hold up the exit.
        self.loop.call_later(0.3, self._abort_rest, context=self._context)

    def _send_away(self, spread: int) -> None:
        # A slot for each: left to chance, the fullest second would have a third more than its share.
        for place, reader in enumerate(self.readers):
            at = (2 * place + 1) * spread // (2 * len(self.readers))
            reader.finish(frames.event(protocol.BYE, {"in": spread, "at": at}))

    def _abort_rest(self) -> None:
        for reader in tuple(self.readers):
            reader.abort()

    async def emptied(self, *, within: float) -> None:
        """Wait until no reader is left, at most `within` seconds."""
        if self.readers:
            self._emptied = self.loop.create_future()
            await asyncio.wait([self._emptied], timeout=within)

    def close(self) -> None:
        """Stop listening; the loop is about to end."""
        self._stop_listening()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
