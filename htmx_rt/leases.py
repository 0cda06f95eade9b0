"""Leases: who holds what, from which tab, and which worker answers for it. One table, copied to every worker.

A lease is named by (topic, tab). Of two that meet, the one of the later connection (`gen`) wins, and of the same
connection the later word (`stamp`). A removal is a word as well: it counts against what is as old or older, so a late
goodbye or a worker that was slow cannot take away what came after. Words may come in any order, twice, and late: all
tables that have heard the same are the same. No I/O and no clock in here.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

TOMBSTONES: Final = 100_000
MOST: Final = 200_000  # leases of all topics

State = Literal["active", "idle", "away", "reconnecting"]
STATES: Final = ("active", "idle", "away", "reconnecting")  # the most present first


@dataclass(frozen=True, slots=True)
class Lease:
    """One tab's hold on a topic."""

    topic: str
    tab: str  # a name of the tab within its owner, which no other owner can take: `scoped`
    gen: int  # of the tab's connection
    stamp: int  # Unix milliseconds of this word, growing with each
    worker: str  # that answers for it
    owner: str  # whose it is: a person on all devices, or one browser of nobody
    user: str | None  # their id; None for a visitor
    name: str
    joined: int  # Unix milliseconds
    state: State = "active"
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def age(self) -> tuple[int, int]:
        """What decides between two words on the same lease."""
        return self.gen, self.stamp

    def pack(self) -> list[Any]:
        """Return it as JSON can carry it."""
        return [
            self.topic, self.tab, self.gen, self.stamp, self.owner, self.user, self.name, self.joined, self.state,
            self.meta,
        ]  # fmt: skip

    @classmethod
    def unpack(cls, worker: str, packed: list[Any]) -> Lease:
        """Return what `pack` was called on; raise `ValueError` or `TypeError` for anything else."""
        topic, tab, gen, stamp, owner, user, name, joined, state, meta = packed
        if state not in STATES or not isinstance(meta, dict):
            raise ValueError(f"{packed!r} is no lease.")
        return cls(topic, tab, int(gen), int(stamp), worker, owner, user, name, int(joined), state, meta)


@dataclass(frozen=True, slots=True)
class Change:
    """What one word did to the table."""

    before: Lease | None
    after: Lease | None
    why: str = ""  # of a removal

    @property
    def lease(self) -> Lease:
        """The lease it is about."""
        found = self.after or self.before
        assert found is not None
        return found


class Leases:
    """The table."""

    def __init__(self, *, per_topic: Callable[[str], int]) -> None:
        self._per_topic = per_topic
        self._rooms: dict[str, dict[str, Lease]] = {}
        self._tabs: dict[str, dict[str, Lease]] = {}  # tab → topic → lease
        self._workers: dict[str, dict[tuple[str, str], Lease]] = {}
        self._gone: OrderedDict[tuple[str, str], tuple[int, int]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def room(self, topic: str) -> dict[str, Lease]:
        """Return the leases on `topic`, by tab."""
        return self._rooms.get(topic, {})

    @property
    def topics(self) -> Iterable[str]:
        """The topics that anybody holds."""
        return self._rooms.keys()

    @property
    def tabs(self) -> Mapping[str, dict[str, Lease]]:
        """Every tab that holds anything, with its leases by topic."""
        return self._tabs

    def of_tab(self, tab: str) -> dict[str, Lease]:
        """Return the leases of a tab, by topic."""
        return self._tabs.get(tab, {})

    def of_worker(self, worker: str) -> Iterator[Lease]:
        """Yield the leases that `worker` answers for."""
        yield from self._workers.get(worker, {}).values()

    def full(self, topic: str, tab: str) -> bool:
        """Tell whether there is no room for a further tab on `topic`; whoever lets people in asks before."""
        room = self.room(topic)
        return tab not in room and (len(room) >= self._per_topic(topic) or self._count >= MOST)

    def put(self, lease: Lease) -> Change | None:
        """Take a word in; None where it is no news."""
        key = (lease.topic, lease.tab)
        before = self._rooms.get(lease.topic, {}).get(lease.tab)
        # What another worker let in counts here, too, though both let the last one in at the same moment.
        if before is None and (lease.age <= self._gone.get(key, (-1, -1)) or self._count >= 2 * MOST):
            return None
        if before is not None:
            if before.age >= lease.age:
                return None
            self._forget(before)
        self._gone.pop(key, None)
        self._rooms.setdefault(lease.topic, {})[lease.tab] = lease
        self._tabs.setdefault(lease.tab, {})[lease.topic] = lease
        self._workers.setdefault(lease.worker, {})[key] = lease
        self._count += 1
        return Change(before, lease)

    def drop(self, topic: str, tab: str, age: tuple[int, int], why: str) -> Change | None:
        """Remove a lease that is as old as `age` or older; None where there is none."""
        before = self._rooms.get(topic, {}).get(tab)
        if before is not None and before.age > age:
            return None
        key = (topic, tab)
        self._gone[key] = max(age, self._gone.pop(key, age))
        while len(self._gone) > TOMBSTONES:
            self._gone.popitem(last=False)
        if before is None:
            return None
        self._forget(before)
        return Change(before, None, why)

    def reap(self, worker: str, *, but: frozenset[tuple[str, str]], upto: int) -> list[Change]:
        """Remove what `worker` no longer answers for, by its own word: all up to its stamp `upto`, except `but`."""
        leases = tuple(self._workers.get(worker, {}).items())
        gone = (self.drop(*key, lease.age, "lost") for key, lease in leases if key not in but and lease.stamp <= upto)
        return [change for change in gone if change is not None]

    def bury(self, worker: str) -> list[Change]:
        """Remove what `worker` answers for, as it seems dead. Should it come back, its words count as before."""
        leases = tuple(self._workers.get(worker, {}).values())
        for lease in leases:
            self._forget(lease)
        return [Change(lease, None, "lost") for lease in leases]

    def _forget(self, lease: Lease) -> None:
        self._count -= 1
        for table, outer, inner in (
            (self._rooms, lease.topic, lease.tab),
            (self._tabs, lease.tab, lease.topic),
            (self._workers, lease.worker, (lease.topic, lease.tab)),
        ):
            found: Any = table.get(outer)
            if found is not None:
                found.pop(inner, None)
                if not found:
                    table.pop(outer, None)


def scoped(owner: str, tab: str) -> str:
    """Return the name of a tab within its owner: who learns of somebody's tab still cannot speak for it."""
    return hashlib.sha256(f"{owner}\0{tab}".encode()).hexdigest()[:32]
