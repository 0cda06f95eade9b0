"""From tabs to people: everybody on a topic once, however many tabs they have, in the order in which they joined."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Literal, NamedTuple

from .leases import STATES, Change, Lease, State
from .topics import public_key

COLOURS: Final = 10  # in the palette of the style sheet

What = Literal["join", "update", "leave"]


@dataclass(slots=True, eq=False)
class Person:
    """Somebody on a topic. `leases` are their tabs there."""

    owner: str
    since: int  # Unix milliseconds
    leases: dict[str, Lease] = field(default_factory=dict)

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
        """As present as their most present tab."""
        return min((lease.state for lease in self.leases.values()), key=STATES.index)

    @property
    def metas(self) -> list[dict[str, Any]]:
        """What each of their tabs said about itself."""
        return [lease.meta for lease in self.leases.values()]

    @property
    def _newest(self) -> Lease:
        return max(self.leases.values(), key=lambda lease: lease.stamp)


class News(NamedTuple):
    """What became of a person."""

    what: What
    topic: str
    person: Person
    why: str  # of a leave: closed, lost, signed-out, revoked, untracked


class Room:
    """The people on one topic. Changes cost the same however many there are."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self._people: dict[str, Person] = {}
        self._order: list[tuple[int, str]] = []  # (since, owner)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._order)

    @property
    def connections(self) -> int:
        """How many tabs there are."""
        return sum(len(person.leases) for person in self._people.values())

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

    def apply(self, change: Change) -> News | None:
        """Take a change of the table in, and say what it means for a person; None where nobody would see it."""
        if change.after is None:
            return self._left(change.lease, change.why)
        lease = change.after
        if change.before is not None and change.before.owner != lease.owner:
            self._left(change.before, "lost")  # the tab is somebody else's now
        person = self._people.get(lease.owner)
        if person is None:
            person = self._people[lease.owner] = Person(lease.owner, lease.joined, {lease.tab: lease})
            insort(self._order, (person.since, person.owner))
            return News("join", self.topic, person, "")
        before = (person.state, person.name, person.metas)
        person.leases[lease.tab] = lease
        since = min(other.joined for other in person.leases.values())
        if since < person.since:
            self._unlist(person)
            person.since = since
            insort(self._order, (since, person.owner))
        return News("update", self.topic, person, "") if before != (person.state, person.name, person.metas) else None

    def _left(self, lease: Lease, why: str) -> News | None:
        person = self._people.get(lease.owner)
        if person is None or lease.tab not in person.leases:
            return None
        before = (person.state, person.metas)
        if len(person.leases) > 1:
            del person.leases[lease.tab]
            return News("update", self.topic, person, "") if before != (person.state, person.metas) else None
        # The last tab stays with the person, so that who left can be named.
        del self._people[lease.owner]
        self._unlist(person)
        return News("leave", self.topic, person, why)

    def _unlist(self, person: Person) -> None:
        place = bisect_left(self._order, (person.since, person.owner))
        if place < len(self._order) and self._order[place][1] == person.owner:
            del self._order[place]
