"""Presence: who is here, which of them only look away, and who is gone; honest about what is not known."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar, overload

from .attendance import Attendance, Ticket, Who
from .buses.base import Bus
from .exceptions import BadOperation, TooLarge
from .faces import F, Faces
from .frames import dump
from .gossip import Gossip
from .leases import Change, Leases
from .people import Person, Room, Tally
from .sight import Group, Policy, Sight, Viewer, arguments
from .topics import VISITORS, check_topic
from .types import Limits, User
from .watchers import W, Watchers

list_ = list  # what the method of that name hides
Loop = asyncio.AbstractEventLoop
_P = TypeVar("_P", bound=Policy)
NOBODY = Tally(0, 0, 0)


class Presence:
    """`rt.presence`: who is here."""

    def __init__(
        self,
        *,
        bus: Bus,
        limits: Limits,
        draw: Callable[[str], None],
        home: Callable[[], Loop | None] = lambda: None,
        later: Callable[[Coroutine[Any, Any, None]], None] = lambda work: work.close(),
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        def most(topic: str) -> int:
            return limits.visitors if topic == VISITORS else limits.tracked_per_topic

        self.leases = Leases(per_topic=most)
        self.gossip = Gossip(
            bus, self.leases, changed=self._changed, touched=self._touched, clock=clock, wall_clock=wall_clock
        )
        self.attendance = Attendance(leases=self.leases, gossip=self.gossip, clock=clock)
        self.gossip.marked = self.attendance.marked
        self.sight = Sight()
        self.faces = Faces(draw=draw, home=home, later=later, clock=clock)
        self.watchers = Watchers(home=home, later=later)
        self._limits = limits
        self._draw = draw  # called in any thread with a topic whose people changed
        self._rooms: dict[str, Room] = {}
        self.moved: Callable[[Change], None] = lambda change: None  # where it happened
        self.asked: Callable[[dict[str, Any]], object] = lambda word: None  # a page's views, told by another worker

    # What apps call

    def list(self, topic: str) -> Sequence[Person]:
        """Return who is on `topic`, in the order they joined."""
        with self.gossip.lock:
            room = self._rooms.get(check_topic(topic))
            return room.all() if room is not None else []

    def count(self, topic: str) -> int:
        """Return how many people are on `topic`, signed in or not."""
        room = self._rooms.get(check_topic(topic))
        return room.count if room is not None else 0

    def tally(self, topic: str) -> Tally:
        """Return how many connections, people signed in, and visitors are on `topic`."""
        with self.gossip.lock:
            room = self._rooms.get(check_topic(topic))
            return room.tally if room is not None else NOBODY

    def track(self, topic: str, user: User | str, *, key: str = "server", meta: dict[str, Any] | None = None) -> None:
        """Show somebody who has no page here, such as an assistant, until `untrack` or the end of this process.

        Raised where `meta` is no dict of at most 1 KiB as JSON, or where the topic is full: `BadOperation`, `TooLarge`.
        """
        who = _by_server(user)
        meta = checked_meta(meta, self._limits)
        if not self.attendance.track(
            check_topic(topic), f"{key}:{who.owner}", who, meta, since=self._since(topic, who)
        ):
            raise TooLarge(f"{topic!r} has as many tabs as are tracked there already.")

    def update(self, topic: str, user: User | str, meta: dict[str, Any], *, key: str = "server") -> None:
        """Change what is known of somebody who was given to `track`: an update, no leaving and joining."""
        self.track(topic, user, key=key, meta=meta)

    def untrack(self, topic: str, user: User | str, *, key: str = "server") -> None:
        """Let somebody go who was given to `track`."""
        who = _by_server(user)
        self.attendance.untrack(check_topic(topic), f"{key}:{who.owner}", who.owner)

    @overload
    def subscribe(self, watch: W) -> W: ...
    @overload
    def subscribe(self, *, once: bool) -> Callable[[W], W]: ...
    def subscribe(self, watch: W | None = None, *, once: bool = False) -> W | Callable[[W], W]:
        """Call `watch(news)` for every join, update and leave, in order; sync or async, a decorator too.

        Every worker calls its own; with `once=True` only the one where it happened.
        """
        if watch is None:
            return lambda given: self.watchers.add(given, once=once)
        return self.watchers.add(watch, once=once)

    def on_join(self, watch: W) -> W:
        """Call `watch(news)` when somebody joins a topic, on one worker; sync or async."""
        return self.watchers.add(watch, what=frozenset(("join",)), once=True)

    def on_leave(self, watch: W) -> W:
        """Call `watch(news)` when somebody leaves a topic, on one worker; sync or async."""
        return self.watchers.add(watch, what=frozenset(("leave",)), once=True)

    @overload
    def can_see(self, policy: _P) -> _P: ...
    @overload
    def can_see(self, *, group: Group) -> Callable[[_P], _P]: ...
    def can_see(self, policy: _P | None = None, *, group: Group | None = None) -> _P | Callable[[_P], _P]:
        """Let `policy(viewer, subject)`, a plain function, decide whom a page shows; a decorator.

        `viewer` is a `User` or None, `subject` a `Person`. It is asked for every viewer and every person on a topic
        whenever it is drawn; viewers for whom `group(viewer)` returns the same are asked for once.
        """
        if policy is None:
            return lambda given: self._look_through(given, group)
        return self._look_through(policy, group)

    def fetch(self, fetch: F) -> F:
        """Ask `fetch(ids)`, sync or async, for pictures of people: `{id: {"picture": url}}`; a decorator."""
        self.faces.ask(fetch)
        return fetch

    def refetch(self, *ids: str) -> None:
        """Ask again for people whose picture has changed, when they are drawn next; on this worker."""
        self.faces.forget(ids)

    # What is drawn

    def first(self, topic: str, most: int, viewer: Viewer | None = None) -> tuple[list_[Person], Tally]:
        """Return the first `most` people on `topic` whom `viewer` may see, and how many of those there are."""
        with self.gossip.lock:
            room = self._rooms.get(check_topic(topic))
            if room is None:
                return [], NOBODY
            if viewer is None or self.sight.policy is None:
                return room.first(most), room.tally
            everybody = room.all()
        seen = self.sight.among(viewer, everybody)
        visitors = sum(person.user is None for person in seen)
        tabs = sum(len(person.leases) for person in seen)
        return seen[:most], Tally(tabs, len(seen) - visitors, visitors)

    def find(self, topic: str, key: str) -> Person | None:
        """Return whom pages know by `key`."""
        with self.gossip.lock:
            room = self._rooms.get(topic)
            return room.known(key) if room is not None else None

    def shown(self, person: Person, topic: str) -> dict[str, Any]:
        """Return what templates show of a person."""
        face = self.faces.of(person.user, topic)
        name = face.name if face.name is not None else person.name
        return {
            "key": person.key, "name": name, "state": person.state, "colour": person.colour,
            "initials": initials(name), "picture": face.picture, "more": face.more, "user": person.user,
            "came": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(person.since / 1000)),
            "pages": person.pages, "meta": person.meta,
        }  # fmt: skip

    # What streams and beats tell

    def join(self, topics: Mapping[str, Ticket], tab: str, gen: int, who: Who, *, visible: bool) -> Sequence[str]:
        """A stream of `tab` has opened; return the topics on which there is no more room."""

        def since(topic: str) -> int:
            return self._since(topic, who)

        return self.attendance.join(topics, tab, gen, who, visible=visible, since=since)

    def beat(
        self, tab: str, gen: int, who: Who, *, visible: bool, idle: bool, meta: Mapping[str, Any] | None = None
    ) -> bool:
        """A sign of life; False where nothing is known of this connection of this person's tab."""
        word: dict[str, Any] = {"vis": visible, "idle": idle}
        return self.attendance.say(tab, gen, who, word | {"meta": dict(meta)} if meta else word)

    def goodbye(self, tab: str, gen: int, who: Who) -> None:
        """The page is being left."""
        self.attendance.say(tab, gen, who, {"bye": True})

    def tick(self) -> None:
        """Look after the tabs of this worker and after the other workers; every half second."""
        self.gossip.tick()
        self.attendance.tick()

    def leave(self, within: float) -> None:
        """This worker is about to stop, and its pages move to others in `within` seconds."""
        self.attendance.leave()
        self.gossip.leave(within)

    # Inside

    def _look_through(self, policy: _P, group: Group | None) -> _P:
        self.sight.policy, self.sight.group = arguments(policy, group)
        return policy

    def _since(self, topic: str, who: Who) -> int:
        """Return when somebody joined a topic, where they are there with another tab."""
        with self.gossip.lock:
            room = self._rooms.get(topic)
            person = room.get(who.owner) if room is not None else None
            return person.since if person is not None else 0

    def _touched(self, word: dict[str, Any]) -> None:
        if "views" in word:
            self.asked(word)
        else:
            self.attendance.touched(word)

    def _changed(self, change: Change, first: bool) -> None:
        topic = change.lease.topic
        if first:
            self.moved(change)
        room = self._rooms.get(topic)
        if room is None:
            room = self._rooms[topic] = Room(topic)
        news = room.apply(change, first=first)
        if room.empty:
            del self._rooms[topic]
        if news is not None:
            self._draw(topic)
            self.watchers.tell(news)


def _by_server(user: User | str) -> Who:
    person = User.of(user)
    if person is None:
        raise BadOperation(f"rt.presence.track({user!r}): pass a User, or the id of one.")
    return Who(f"server:{person.id}", person)


def checked_meta(meta: object, limits: Limits) -> dict[str, Any]:
    """Return `meta`; raise `BadOperation` or `TooLarge` for what cannot be told to others."""
    if meta is None:
        return {}
    if not isinstance(meta, dict) or not all(isinstance(key, str) for key in meta):
        raise BadOperation(f"meta={meta!r:.200} is no dict with text as keys.")
    size = len(dump(meta).encode())
    if size > limits.lease_meta:
        raise TooLarge(f"meta has {size} bytes as JSON; {limits.lease_meta} are the most.")
    return meta


def initials(name: str) -> str:
    """Return one or two letters that stand for a name, or a question mark."""
    parts = [part for part in name.split() if part[0].isalnum()]
    letters = [parts[0][0], parts[-1][0]] if len(parts) > 1 else [parts[0][0]] if parts else ["?"]
    return "".join(letters).upper()
