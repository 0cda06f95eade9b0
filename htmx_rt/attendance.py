"""The tabs that this worker answers for: what is heard of them, and what becomes of those that are not heard of.

a stream opens  → join            the page says goodbye  → gone after a moment, in which a reload would come back
a beat          → still here      the stream just ends   → reconnecting, then gone
hidden          → away            nothing is heard       → reconnecting, then gone
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from .buses.base import Mark
from .gossip import Gossip
from .leases import Lease, Leases, State, scoped
from .topics import EDIT_PREFIX, subjects
from .types import User

GRACE: Final = 2.0  # seconds after a goodbye or a closed stream, in which a reload comes back
GREY: Final = 14.0  # seconds without a word from a tab that can be seen
TTL: Final = 25.0  # seconds; then it is gone
AWAY: Final = 295.0  # seconds that a hidden tab may be silent
AGAIN: Final = 60.0  # seconds after which a tab for which there was no room may try again
MOST_FULL: Final = 10_000  # of those tabs
NEVER: Final = float("inf")


class Who(NamedTuple):
    """Who holds a stream."""

    owner: str
    user: User | None
    browser: str = ""
    at: float = NEVER  # Unix seconds of the identity that it was opened with


class Ticket(NamedTuple):
    """What lets a tab in on a topic."""

    issued: float = NEVER  # Unix seconds
    meta: dict[str, Any] | None = None  # what the server said of it, which the page cannot change

    def beside(self, other: Ticket) -> Ticket:
        """Return what both are worth together, where a tab holds several for a topic."""
        return Ticket(max(self.issued, other.issued), self.meta or other.meta)


@dataclass(slots=True)
class Local:
    """What this worker knows of a tab that it answers for; times are of the monotonic clock."""

    gen: int
    seen: float
    visible: bool
    who: Who
    tickets: Mapping[str, Ticket] = field(default_factory=dict)
    open: bool = True
    idle: bool = False
    closed: float | None = None  # when the client let go of its stream
    goodbye: float | None = None  # when the page said that it leaves
    due: float = 0.0  # when it has to be looked at next

    def state(self, now: float) -> State:
        """Return how present it is."""
        lost = self.closed is not None and not self.open and now - self.closed >= GRACE
        if (lost or now - self.seen >= GREY) and self.visible:
            return "reconnecting"
        if not self.visible:
            return "away"
        return "idle" if self.idle else "active"

    def gone(self, now: float) -> str | None:
        """Return why it counts as gone, if it does."""
        if self.goodbye is not None and now - self.goodbye >= GRACE:
            return "closed"
        return "lost" if now - self.seen >= (TTL if self.visible else AWAY) else None

    def plan(self, now: float) -> None:
        """Note when something could change by time alone; what is so already was told, unless it is gone."""
        times = [self.seen + GREY, self.seen + (TTL if self.visible else AWAY)]
        if self.closed is not None or self.goodbye is not None:
            times += [time + GRACE for time in (self.closed, self.goodbye) if time is not None]
        self.due = now if self.gone(now) else min([time for time in times if time > now], default=now)


class Attendance:
    """All of them, under the lock of the gossip."""

    def __init__(self, *, leases: Leases, gossip: Gossip, clock: Callable[[], float] = time.monotonic) -> None:
        self._leases = leases
        self._gossip = gossip
        self._clock = clock
        self._lock = gossip.lock
        self._local: dict[str, Local] = {}
        self._full: OrderedDict[str, float] = OrderedDict()  # tabs for which there was no room, and when

    # What streams and beats tell

    def join(
        self, topics: Mapping[str, Ticket], tab: str, gen: int, who: Who, *, visible: bool, since: Callable[[str], int]
    ) -> Sequence[str]:
        """A stream of `tab` has opened; return the topics on which there is no more room."""
        name = scoped(who.owner, tab)
        with self._lock:
            held = self._leases.of_tab(name)
            there = self._local.get(name)
            if (there is not None and there.gen > gen) or any(lease.gen > gen for lease in held.values()):
                return []  # a stream that the page has given up already
            if not topics and not held:
                return []
            full = [topic for topic in topics if self._leases.full(topic, name)]
            joined = {topic: ticket for topic, ticket in topics.items() if topic not in full}
            now = self._clock()
            if full:
                self._full[name] = now
                while len(self._full) > MOST_FULL:
                    self._full.popitem(last=False)
            idle = there.idle if there is not None else False
            local = self._local[name] = Local(gen, now, visible, who, joined, idle=idle)
            local.plan(now)
            for topic, ticket in joined.items():
                before = held.get(topic)
                self._put(
                    topic, name, local, since=before.joined if before else since(topic),
                    meta=(before.meta if before else {}) | (ticket.meta or {}),
                )  # fmt: skip
            for topic in tuple(held):
                if topic not in topics:
                    self._leave(topic, name, "closed")
            return full

    def closed(self, tab: str, gen: int, owner: str, *, by_client: bool) -> None:
        """The stream of connection `gen` has ended."""
        with self._lock:
            local = self._local.get(scoped(owner, tab))
            if local is not None and local.gen == gen:
                local.open = False
                if by_client and local.closed is None:
                    local.closed = self._clock()
                    local.plan(local.closed)

    def say(self, tab: str, gen: int, who: Who, what: dict[str, Any]) -> bool:
        """Take what a page says of itself to whoever answers for it; False where nothing is known of this connection."""
        name = scoped(who.owner, tab)
        with self._lock:
            # A page may be connecting anew already; what it said before an earlier connection counts no more.
            leases = [lease for lease in self._leases.of_tab(name).values() if lease.gen <= gen]
            if not leases:
                # Who was told that there is no room is not lost, but may ask again after a while.
                return self._clock() - self._full.get(name, -AGAIN) < AGAIN
            word = {"tab": name, "gen": gen, **what}
            worker = leases[0].worker
            if worker != self._gossip.worker and worker in self._gossip.workers:
                self._gossip.touch(word)
                return True
            if worker != self._gossip.worker:
                self._adopt(name, leases, who)
            self.touched(word)
            return True

    def end(self, tab: str, gen: int, owner: str, why: str, topics: Iterable[str] | None = None) -> None:
        """The server takes a tab off its topics."""
        name = scoped(owner, tab)
        with self._lock:
            local = self._local.get(name)
            if local is not None and local.gen == gen:
                for topic in tuple(self._leases.of_tab(name)) if topics is None else topics:
                    self._leave(topic, name, why)

    def touched(self, word: dict[str, Any]) -> None:
        """Take note of what a page said, here or at another worker."""
        with self._lock:
            local = self._local.get(word["tab"])
            if local is None or local.gen > word["gen"]:
                return
            now = self._clock()
            if word.get("bye"):
                local.goodbye = now
            else:
                local.seen, local.visible, local.idle = now, bool(word["vis"]), bool(word["idle"])
                self._look(word["tab"], local, now, word.get("meta") or {})
            local.plan(now)

    def marked(self, mark: Mark) -> None:
        """Somebody has signed out, or may not read a topic any more; from any thread."""
        with self._lock:
            if mark.kind == "browser":
                for name, local in tuple(self._local.items()):
                    if local.who.browser == mark.subject and local.who.at <= mark.not_before:
                        self._leave_all(name, mark.why)
                return
            parts = [topic for topic in self._leases.topics if mark.subject in subjects(topic)[1:]]
            for topic in (mark.subject, EDIT_PREFIX + mark.subject, *parts):
                for name, lease in tuple(self._leases.room(topic).items()):
                    there = self._local.get(name)
                    ticket = there.tickets.get(topic) if there is not None else None
                    if ticket is not None and ticket.issued <= mark.not_before and mark.user in (None, lease.user):
                        self._leave(topic, name, "revoked")

    # Somebody without a page

    def track(self, topic: str, tab: str, who: Who, meta: dict[str, Any], *, since: int) -> bool:
        """Show somebody for whom this worker itself speaks; False where there is no more room."""
        name = scoped(who.owner, tab)
        with self._lock:
            if self._leases.full(topic, name):
                return False
            local = self._local.setdefault(name, Local(0, NEVER, True, who))
            before = self._leases.room(topic).get(name)
            self._put(topic, name, local, since=before.joined if before else since, meta=meta)
            return True

    def untrack(self, topic: str, tab: str, owner: str) -> None:
        """Let them go."""
        name = scoped(owner, tab)
        with self._lock:
            self._leave(topic, name, "untracked")
            if not self._leases.of_tab(name):
                self._local.pop(name, None)

    # Time

    def tick(self) -> None:
        """Look after the tabs of this worker."""
        now = self._clock()
        with self._lock:
            for name, local in tuple(self._local.items()):
                if now < local.due:
                    continue
                leases = self._leases.of_tab(name)
                if not any(lease.worker == self._gossip.worker for lease in leases.values()):
                    del self._local[name]  # gone, or another worker's now
                elif (why := local.gone(now)) is not None:
                    self._leave_all(name, why)
                else:
                    self._look(name, local, now)
                    local.plan(now)

    def leave(self) -> None:
        """This worker is about to stop: who is leaving anyway is gone, as nobody will look after them."""
        with self._lock:
            for name, local in tuple(self._local.items()):
                if local.goodbye is not None:
                    self._leave_all(name, "closed")
                elif local.seen == NEVER:
                    self._leave_all(name, "untracked")

    # Inside

    def _adopt(self, name: str, leases: Sequence[Lease], who: Who) -> None:
        """Answer for a tab whose worker does no more, until its stream comes to somebody."""
        first = leases[0]
        # When its grants were written is not known here, so whatever is revoked counts.
        tickets = {lease.topic: Ticket(issued=0.0) for lease in leases}
        self._local[name] = local = Local(first.gen, self._clock(), first.state != "away", who, tickets, open=False)
        local.idle = first.state == "idle"
        for lease in leases:
            self._gossip.put(replace(lease, worker=self._gossip.worker, stamp=self._gossip.stamp(lease)))

    def _put(self, topic: str, name: str, local: Local, *, since: int, meta: dict[str, Any]) -> None:
        user = local.who.user
        stamp = self._gossip.stamp(self._leases.room(topic).get(name))
        lease = Lease(
            topic=topic, tab=name, gen=local.gen, stamp=stamp, worker=self._gossip.worker, owner=local.who.owner,
            user=user.id if user else None, name=user.shown if user else "", joined=since or stamp,
            state=local.state(self._clock()), meta=meta,
        )  # fmt: skip
        self._gossip.put(lease)

    def _look(self, name: str, local: Local, now: float, metas: Mapping[str, dict[str, Any]] | None = None) -> None:
        """Tell of what has changed."""
        state = local.state(now)
        for topic, lease in tuple(self._leases.of_tab(name).items()):
            if lease.worker != self._gossip.worker:
                continue
            meta = lease.meta
            if metas and topic in metas:
                ticket = local.tickets.get(topic)
                meta = metas[topic] | ((ticket.meta if ticket is not None else None) or {})
            if lease.state != state or lease.meta != meta:
                self._gossip.put(replace(lease, state=state, meta=meta, stamp=self._gossip.stamp(lease)))

    def _leave(self, topic: str, name: str, why: str) -> None:
        lease = self._leases.room(topic).get(name)
        if lease is not None:
            self._gossip.drop(lease, why)

    def _leave_all(self, name: str, why: str) -> None:
        for topic in tuple(self._leases.of_tab(name)):
            self._leave(topic, name, why)
        self._local.pop(name, None)
