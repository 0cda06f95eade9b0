"""Presence: who is here, which of them only look away, and who is gone; honest about what is not known.

a stream opens  → join            the page says goodbye  → gone after a moment, in which a reload would come back
a beat          → still here      the stream just ends   → reconnecting, then gone
hidden          → away            nothing is heard       → reconnecting, then gone
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, TypeVar

from .buses.base import Bus
from .exceptions import BadOperation, TooLarge
from .frames import dump
from .gossip import Gossip
from .leases import Change, Lease, Leases, State
from .people import News, Person, Room
from .topics import check_topic
from .types import Limits, User

log = logging.getLogger("htmx_rt")

GRACE: Final = 2.0  # seconds after a goodbye or a closed stream, in which a reload comes back
GREY: Final = 15.0  # seconds without a word from a tab that can be seen
TTL: Final = 25.0  # seconds; then it is gone
AWAY: Final = 300.0  # seconds that a hidden tab may be silent
SETTLE: Final = 0.25  # seconds between two pictures of a topic

list_ = list  # what the method of that name hides
Watch = Callable[[News], "Awaitable[None] | None"]
_W = TypeVar("_W", bound=Watch)


class Who(NamedTuple):
    """Who holds a stream."""

    owner: str
    user: User | None


@dataclass(slots=True)
class Local:
    """What this worker knows of a tab that it answers for; times are of the monotonic clock."""

    gen: int
    seen: float
    visible: bool
    open: bool = True
    idle: bool = False
    closed: float | None = None  # when the client let go of its stream
    goodbye: float | None = None  # when the page said that it leaves


class Presence:
    """`rt.presence`: who is here."""

    def __init__(
        self,
        *,
        bus: Bus,
        limits: Limits,
        draw: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.leases = Leases(per_topic=limits.tracked_per_topic)
        self.gossip = Gossip(bus, self.leases, changed=self._changed, touched=self._touched, clock=clock)
        self._limits = limits
        self._draw = draw  # called in any thread with a topic whose people changed
        self._clock = clock
        self._wall_clock = wall_clock
        self._local: dict[str, Local] = {}
        self._rooms: dict[str, Room] = {}
        self._watches: list[Watch] = []
        self.asked: Callable[[dict[str, Any]], object] = lambda word: None  # a page's views, told by another worker
        self._stamp = 0

    # What apps call

    def list(self, topic: str) -> Sequence[Person]:
        """Return who is on `topic`, in the order they joined."""
        with self.gossip.lock:
            room = self._rooms.get(check_topic(topic))
            return room.all() if room is not None else ()

    def first(self, topic: str, most: int) -> tuple[Sequence[Person], int]:
        """Return the first `most` people on `topic`, and how many there are."""
        with self.gossip.lock:
            room = self._rooms.get(check_topic(topic))
            return (room.first(most), room.count) if room is not None else ([], 0)

    def count(self, topic: str) -> int:
        """Return how many people are on `topic`."""
        room = self._rooms.get(check_topic(topic))
        return room.count if room is not None else 0

    def track(self, topic: str, user: User | str, *, key: str = "server", meta: dict[str, Any] | None = None) -> None:
        """Show somebody who has no page here, such as an assistant, until `untrack`; this worker answers for them."""
        person = User.of(user)
        assert person is not None
        tab = f"{key}:{person.id}"
        now = self._clock()
        self._local.setdefault(tab, Local(gen=0, seen=now, visible=True)).seen = float("inf")
        self._put(check_topic(topic), tab, 0, Who(f"server:{person.id}", person), meta=checked_meta(meta, self._limits))

    def update(self, topic: str, user: User | str, meta: dict[str, Any], *, key: str = "server") -> None:
        """Change what is known of somebody who was given to `track`: an update, no leaving and joining."""
        self.track(topic, user, key=key, meta=meta)

    def untrack(self, topic: str, user: User | str, *, key: str = "server") -> None:
        """Let somebody go who was given to `track`."""
        person = User.of(user)
        assert person is not None
        self._leave(topic, f"{key}:{person.id}", "untracked")

    def subscribe(self, watch: _W) -> _W:
        """Call `watch(news)` for every join, update and leave of a person that this worker hears of; a decorator too."""
        self._watches.append(watch)
        return watch

    def shown(self, person: Person) -> dict[str, Any]:
        """Return what templates show of a person."""
        return {
            "key": person.key, "name": person.name, "state": person.state, "colour": person.colour,
            "initials": initials(person.name), "picture": None, "user": person.user, "since": person.since,
        }  # fmt: skip

    # What streams and beats tell

    def join(self, topics: Iterable[str], tab: str, gen: int, who: Who, *, visible: bool) -> Sequence[str]:
        """A stream of `tab` has opened; return the topics on which there is no more room."""
        there = self._local.get(tab)
        if there is not None and there.gen > gen:
            return []
        idle = there.idle if there is not None else False
        self._local[tab] = Local(gen=gen, seen=self._clock(), visible=visible, idle=idle)
        full: list_[str] = []
        names = tuple(topics)
        for topic in names:
            if self.leases.full(topic, tab):
                full.append(topic)
            else:
                self._put(topic, tab, gen, who)
        for topic in tuple(self.leases.of_tab(tab)):
            if topic not in names:
                self._leave(topic, tab, "closed")
        return full

    def closed(self, tab: str, gen: int, *, by_client: bool) -> None:
        """The stream of connection `gen` has ended."""
        local = self._local.get(tab)
        if local is not None and local.gen == gen:
            local.open = False
            if by_client and local.closed is None:
                local.closed = self._clock()

    def beat(self, tab: str, gen: int, who: Who, *, visible: bool, idle: bool) -> bool:
        """A sign of life; False where nothing is known of this connection of this person's tab."""
        return self._tell(tab, gen, who, {"vis": visible, "idle": idle})

    def goodbye(self, tab: str, gen: int, who: Who) -> None:
        """The page is being left."""
        self._tell(tab, gen, who, {"bye": True})

    def _tell(self, tab: str, gen: int, who: Who, what: dict[str, Any]) -> bool:
        """Hand a word on a tab to the worker that answers for it."""
        # A page may be connecting anew already; what it said before an earlier connection counts no more.
        leases = [lease for lease in self.leases.of_tab(tab).values() if lease.owner == who.owner and lease.gen <= gen]
        if not leases:
            return False
        word = {"tab": tab, "gen": gen, **what}
        if leases[0].worker == self.gossip.worker:
            self._touched(word)
        else:
            self.gossip.touch(word)
        return True

    def end(self, tab: str, gen: int, why: str, topics: Iterable[str] | None = None) -> None:
        """The server takes a tab off its topics: signed out, or a topic was revoked."""
        local = self._local.get(tab)
        if local is not None and local.gen == gen:
            for topic in tuple(self.leases.of_tab(tab)) if topics is None else topics:
                self._leave(topic, tab, why)

    # Time

    def tick(self) -> None:
        """Look after the tabs of this worker and after the other workers; every half second."""
        now = self._clock()
        for change in self.gossip.tick():
            self._changed(change)
        for tab, local in tuple(self._local.items()):
            leases = self.leases.of_tab(tab)
            if not leases or next(iter(leases.values())).worker != self.gossip.worker:
                del self._local[tab]  # gone, or another worker's now
            elif local.goodbye is not None and now - local.goodbye >= GRACE:
                self._leave_all(tab, "closed")
            elif now - local.seen >= (TTL if local.visible else AWAY):
                self._leave_all(tab, "lost")
            else:
                self._set_state(tab, self._state(local, now))

    def _state(self, local: Local, now: float) -> State:
        lost = local.closed is not None and not local.open and now - local.closed >= GRACE
        if (lost or now - local.seen >= GREY) and local.visible:
            return "reconnecting"
        if not local.visible:
            return "away"
        return "idle" if local.idle else "active"

    def _touched(self, word: dict[str, Any]) -> None:
        if "views" in word:
            self.asked(word)
            return
        local = self._local.get(word["tab"])
        if local is None or local.gen > word["gen"]:
            return
        if word.get("bye"):
            local.goodbye = self._clock()
            return
        local.seen, local.visible, local.idle = self._clock(), bool(word["vis"]), bool(word["idle"])
        self._set_state(word["tab"], self._state(local, local.seen))

    def _set_state(self, tab: str, state: State) -> None:
        for lease in tuple(self.leases.of_tab(tab).values()):
            if lease.state != state:
                self._note(lease, state=state)

    # Inside

    def _put(self, topic: str, tab: str, gen: int, who: Who, *, meta: dict[str, Any] | None = None) -> None:
        local = self._local[tab]
        there = self.leases.room(topic).get(tab)
        stamp = self._next()
        lease = Lease(
            topic=topic, tab=tab, gen=gen, stamp=stamp, worker=self.gossip.worker, owner=who.owner,
            user=who.user.id if who.user else None, name=who.user.name if who.user else "",
            joined=there.joined if there is not None else stamp, state=self._state(local, self._clock()),
            meta=meta if meta is not None else there.meta if there is not None else {},
        )  # fmt: skip
        self._said(lease)

    def _note(self, lease: Lease, *, state: State) -> None:
        self._said(replace(lease, state=state, stamp=self._next(), worker=self.gossip.worker))

    def _said(self, lease: Lease) -> None:
        change = self.gossip.put(lease)
        if change is not None:
            self._changed(change)

    def _leave(self, topic: str, tab: str, why: str) -> None:
        lease = self.leases.room(topic).get(tab)
        change = self.gossip.drop(lease, why) if lease is not None else None
        if change is not None:
            self._changed(change)

    def _leave_all(self, tab: str, why: str) -> None:
        for topic in tuple(self.leases.of_tab(tab)):
            self._leave(topic, tab, why)
        self._local.pop(tab, None)

    def _next(self) -> int:
        self._stamp = max(self._stamp + 1, round(self._wall_clock() * 1000))
        return self._stamp

    def _changed(self, change: Change) -> None:
        topic = change.lease.topic
        with self.gossip.lock:
            room = self._rooms.get(topic)
            if room is None:
                room = self._rooms[topic] = Room(topic)
            news = room.apply(change)
            if room.empty:
                del self._rooms[topic]
        if news is None:
            return
        self._draw(topic)
        for watch in self._watches:
            try:
                watch(news)
            except Exception:
                log.exception("A function given to rt.presence.subscribe failed.")


def checked_meta(meta: dict[str, Any] | None, limits: Limits) -> dict[str, Any]:
    """Return `meta`; raise `BadOperation` or `TooLarge` for what cannot be told to others."""
    if meta is None:
        return {}
    if not isinstance(meta, dict) or not all(isinstance(key, str) for key in meta):
        raise BadOperation(f"meta={meta!r} is no dict with text as keys.")
    size = len(dump(meta).encode())
    if size > limits.lease_meta:
        raise TooLarge(f"meta has {size} bytes as JSON; {limits.lease_meta} are the most.")
    return meta


def initials(name: str) -> str:
    """Return one or two letters that stand for a name, or a question mark."""
    parts = [part for part in name.split() if part[0].isalnum()]
    letters = [parts[0][0], parts[-1][0]] if len(parts) > 1 else [parts[0][0]] if parts else ["?"]
    return "".join(letters).upper()
