"""From tabs to people: everybody on a topic once, however many tabs they have, in the order in which they joined."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final, Literal, NamedTuple

from .leases import STATES, Change, Lease, State
from .topics import public_key

COLOURS: Final = 10  # in the palette of the style sheet

What = Literal["join", "update", "leave"]


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """Somebody on a topic, as they were at one moment. `leases` are their tabs there, by tab."""

    owner: str
    since: int  # Unix milliseconds
    leases: Mapping[str, Lease]

    @property
    def key(self) -> str:
        """A short stable name that pages may see; the same on all topics."""
        return public_key(self.owner)

    @property
    def colour(self) -> int:
        """Which colour of the palette they have everywhere, from 0."""
        return int(self.key, 16) % COLOURS

    @property
    def user(self) -> str | None:
        """Their id; None for a visitor."""
        return self._newest.user

    @property
    def name(self) -> str:
        """Their name; empty for a visitor."""
        return self._newest.name

    @property
    def state(self) -> State:
        """As present as their most present tab: "active", "idle", "away" or "reconnecting"."""
        return min((lease.state for lease in self.leases.values()), key=STATES.index)

    @property
    def metas(self) -> list[dict[str, Any]]:
        """What each of their tabs said about itself."""
        return [lease.meta for lease in self.leases.values()]

    @property
    def meta(self) -> dict[str, Any]:
        """What the tab said that was heard of last."""
        return self._newest.meta

    @property
    def pages(self) -> list[str]:
        """The pages that their tabs show, where these say so."""
        return list(dict.fromkeys(str(meta["page"]) for meta in self.metas if meta.get("page")))

    @property
    def _newest(self) -> Lease:
        return max(self.leases.values(), key=lambda lease: lease.stamp)

    @property
    def _seen(self) -> tuple[object, ...]:
        """What others see of them."""
        return self.state, self.user, self.name, self.metas


class News(NamedTuple):
    """What became of a person."""

    what: What
    topic: str
    person: Person  # after a leave as they were before
    why: str  # of a leave: closed, lost, signed-out, user-changed, revoked, untracked
    first: bool  # this worker is the one to act on it, where one should


class Tally(NamedTuple):
    """How many there are."""

    connections: int  # tabs
    people: int  # signed in
    visitors: int  # nobody's browsers


class Room:
    """The people on one topic. Changes cost the same however many there are."""

    __slots__ = ("_keys", "_order", "_people", "_tabs", "_visitors", "topic")

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self._people: dict[str, Person] = {}
        self._order: list[tuple[int, str]] = []  # (since, owner)
        self._keys: dict[str, str] = {}  # as pages know people → owner
        self._tabs = 0
        self._visitors = 0

    @property
    def count(self) -> int:
        """How many there are, signed in or not."""
        return len(self._order)

    @property
    def tally(self) -> Tally:
        """How many tabs, people and visitors there are."""
        return Tally(self._tabs, len(self._order) - self._visitors, self._visitors)

    @property
    def empty(self) -> bool:
        """Whether nobody is here."""
        return not self._people

    def first(self, most: int) -> list[Person]:
        """Return the first `most` people."""
        return [self._people[owner] for _, owner in islice(self._order, most)]

    def all(self) -> Sequence[Person]:
        """Return everybody."""
        return self.first(len(self._order))

    def get(self, owner: str) -> Person | None:
        """Return one person, or None."""
        return self._people.get(owner)

    def known(self, key: str) -> Person | None:
        """Return whom pages know by `key`, or None."""
        owner = self._keys.get(key)
        return self._people.get(owner) if owner is not None else None

    def apply(self, change: Change, *, first: bool) -> News | None:
        """Take a change of the table in, and say what it means for a person; None where nobody would see it."""
        if change.after is None:
            return self._left(change.lease, change.why, first)
        lease = change.after
        self._tabs += change.before is None
        before = self._people.get(lease.owner)
        if before is None:
            person = self._people[lease.owner] = Person(lease.owner, lease.joined, {lease.tab: lease})
            insort(self._order, (person.since, person.owner))
            self._keys[person.key] = person.owner
            self._visitors += lease.user is None
            return News("join", self.topic, person, "", first)
        leases = {**before.leases, lease.tab: lease}
        return self._changed(before, replace(before, leases=leases), first)

    def _left(self, lease: Lease, why: str, first: bool) -> News | None:
        before = self._people.get(lease.owner)
        if before is None or lease.tab not in before.leases:
            return None
        self._tabs -= 1
        leases = {tab: other for tab, other in before.leases.items() if tab != lease.tab}
        if leases:
            return self._changed(before, replace(before, leases=leases), first)
        del self._people[lease.owner]
        self._unlist(before)
        self._keys.pop(before.key, None)
        self._visitors -= before.user is None
        return News("leave", self.topic, before, why, first)

    def _changed(self, before: Person, after: Person, first: bool) -> News | None:
        since = min(lease.joined for lease in after.leases.values())
        if since != before.since:
            self._unlist(before)
            after = replace(after, since=since)
            insort(self._order, (since, after.owner))
        self._people[after.owner] = after
        self._visitors += (after.user is None) - (before.user is None)
        return News("update", self.topic, after, "", first) if before._seen != after._seen else None

    def _unlist(self, person: Person) -> None:
        place = bisect_left(self._order, (person.since, person.owner))
        if place < len(self._order) and self._order[place][1] == person.owner:
            del self._order[place]
