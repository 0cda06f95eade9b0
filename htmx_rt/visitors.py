"""Who is on the site: people and visitors, on which page, since when; `rt.visitors` and `rt.stats()`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .leases import State
from .people import Person, Tally
from .presence import Presence, checked_meta
from .request_state import RequestState
from .topics import VISITORS
from .types import Limits


class Visitor(NamedTuple):
    """Somebody on the site."""

    key: str  # short and stable, without a meaning
    user: str | None  # their id; None for a visitor
    name: str
    state: State
    pages: list[str]  # of their tabs
    since: int  # Unix milliseconds
    person: Person


@dataclass(frozen=True, slots=True)
class Stats:
    """How many there are. Each counts once in all, on however many topics they are."""

    connections: int  # tabs that are on any topic
    people: int  # signed in
    visitors: int  # nobody's browsers
    streams: int  # open at this worker
    workers: int
    topics: dict[str, Tally] = field(default_factory=dict)
    pages: dict[str, int] = field(default_factory=dict)  # page → how many tabs show it, the most first


class Visitors:
    """`rt.visitors`: who is on the site, told by the pages that say so."""

    topic = VISITORS  # for rt.presence("rt:visitors", "stats:50", track=False) on a page for a few

    def __init__(self, *, presence: Presence, limits: Limits, request: Callable[[str], RequestState]) -> None:
        self._presence = presence
        self._limits = limits
        self._request = request

    def track(self, page: str | None = None, **meta: Any) -> None:
        """Count whoever gets the page that is being made, from now until they leave it; `page` says where they are.

        Call it before `rt.head()` is rendered. Raised outside a request: `ConfigurationError`; where what is said is
        longer than 1 KiB: `TooLarge`.
        """
        state = self._request("rt.visitors.track()")
        state.visiting = checked_meta(meta | {"page": page or str(state.scope["path"])[:200]}, self._limits)

    def list(self) -> Sequence[Visitor]:
        """Return who is there, in the order they came."""
        return [
            Visitor(person.key, person.user, person.name, person.state, person.pages, person.since, person)
            for person in self._presence.list(VISITORS)
        ]

    def count(self) -> int:
        """Return how many there are, signed in or not."""
        return self._presence.count(VISITORS)

    def stats(self, *, streams: int) -> Stats:
        """Return how many there are, by topic and in all; looks at every tab."""
        presence = self._presence
        with presence.gossip.lock:
            # Any lease of a tab tells whose it is.
            owners = {lease.owner: lease.user for held in presence.leases.tabs.values() for lease in held.values()}
            connections, workers = len(presence.leases.tabs), len(presence.gossip.workers)
            topics = {topic: presence.tally(topic) for topic in presence.leases.topics}
            tabs = [str(lease.meta.get("page", "")) for lease in presence.leases.room(VISITORS).values()]
        topics.pop(VISITORS, None)
        visitors = sum(user is None for user in owners.values())
        on = dict(Counter(page for page in tabs if page).most_common())
        return Stats(connections, len(owners) - visitors, visitors, streams, workers, topics, on)
