"""The ordered log: the last messages of all topics, the newest of each state, and what was trimmed."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final, NamedTuple

from .frames import Cursor, Draft
from .types import Limits

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_by_offset: Final = attrgetter("offset")


class Entry:
    """One message in the log; `frame` is the event as it is replayed."""

    __slots__ = ("former", "frame", "offset", "state", "time", "topic")

    def __init__(self, offset: int, draft: Draft, now: float) -> None:
        self.offset = offset
        self.topic = draft.topic
        self.state = draft.state
        self.time = now
        self.former = 0  # offset of the one before it of its topic, states left out
        self.frame = draft.frame(offset)


@dataclass(slots=True)
class Missed:
    """What a reader has to catch up with: whole topics in offset order, and the topics that cannot be."""

    entries: list[Entry] = field(default_factory=list)
    resync: dict[str, str] = field(default_factory=dict)  # topic → why


class Recalled(NamedTuple):
    """What a shared log knows of a topic that is new to this copy."""

    topic: str
    newest: int  # offset of its newest message, states left out; a higher one where that was forgotten
    states: list[tuple[int, float, Draft]]  # offset, age in seconds, message


def new_epoch() -> str:
    """Return the name of a new incarnation of a log."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(8))


class Log:
    """A bounded window over one totally ordered sequence of messages. Safe to use from any thread.

    Positions of readers are plain offsets. A topic can be caught up from position p when nothing of it above p
    was trimmed; for that the last trimmed offset of each topic is kept. A *state* is trimmed only by a newer one
    of its name or by age, because its newest value outlives the window.
    """

    def __init__(
        self, limits: Limits, *, clock: Callable[[], float] = time.monotonic, epoch: str | None = None
    ) -> None:
        self.epoch = epoch or new_epoch()
        self.head = 0
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[int, Entry] = {}  # offset → entry; no offset from _first to head is missing
        self._first = 1
        self._bytes = 0
        self._topics: dict[str, int] = {}  # topic → newest in the window, states left out; the others by `former`
        self._states: dict[str, dict[str, Entry]] = {}  # topic → name → newest
        self._state_order: OrderedDict[tuple[str, str], Entry] = OrderedDict()  # oldest first
        self._state_bytes = 0
        self._trimmed: OrderedDict[str, int] = OrderedDict()  # topic → last trimmed offset
        self._horizon = 0  # below it a topic we remember nothing of counts as trimmed

    @property
    def position(self) -> Cursor:
        """The place of the newest message."""
        with self._lock:  # a copy of a shared log changes its epoch and head together
            return Cursor(self.epoch, self.head)

    def cursor(self, offset: int) -> str:
        """Return `offset` as it is written on the wire."""
        return str(Cursor(self.epoch, offset))

    def append(self, draft: Draft) -> Entry:
        """Give `draft` the next offset and keep it."""
        with self._lock:
            return self._append(Entry(self.head + 1, draft, self._clock()))

    def put(self, draft: Draft, offset: int) -> None:
        """Keep `draft` at the `offset` that a shared log gave it; after a gap nothing from before it is known."""
        with self._lock:
            if offset <= self.head:
                return
            if offset > self.head + 1:
                self._clear(offset - 1)
            self._append(Entry(offset, draft, self._clock()))

    def restart(
        self, epoch: str, head: int, *, entries: Iterable[tuple[int, Draft]] = (), recalled: Iterable[Recalled] = ()
    ) -> None:
        """Begin anew, as a copy of the log `epoch` of which nothing up to `head` is known but `recalled`.

        `entries` follow, each with the offset that the shared log gave it. All at once: no reader is served in between.
        """
        with self._lock:
            self.epoch = epoch
            self._states.clear()
            self._state_order.clear()
            self._state_bytes = 0
            self._clear(head)
            now = self._clock()
            for offset, draft in entries:
                self._append(Entry(offset, draft, now))
            for topic in recalled:
                self._recall(topic)

    def recall(self, recalled: Iterable[Recalled]) -> None:
        """Take in what a shared log knows of topics that are new here."""
        with self._lock:
            for topic in recalled:
                self._recall(topic)
            self._trim(self._clock())

    def _recall(self, recalled: Recalled) -> None:
        topic, newest, states = recalled
        # Whoever stands at its newest message or above has missed nothing, though we never saw it.
        if topic not in self._trimmed and newest < self._horizon:
            self._keep_trimmed(topic, newest)
        for offset, age, draft in states:
            known = self._states.get(topic, {}).get(draft.state or "")
            # One that is above our head comes by itself, in its place.
            if offset <= self.head and (known is None or known.offset < offset):
                self._keep_state(Entry(offset, draft, self._clock() - age))

    def _clear(self, head: int) -> None:
        self.head = self._horizon = head
        self._first = head + 1
        self._entries.clear()
        self._bytes = 0
        self._topics.clear()
        self._trimmed.clear()

    def newest(self, topic: str, state: str) -> bytes | None:
        """Return the event that tells a state of a topic, where this copy knows of one."""
        with self._lock:
            entry = self._states.get(topic, {}).get(state)
            return entry.frame if entry is not None else None

    def after(self, place: Cursor) -> list[Entry] | None:
        """Return everything above `place` in order; None where the window does not reach back so far, or a new epoch began."""
        with self._lock:
            if place.epoch != self.epoch or place.offset + 1 < self._first:
                return None
            return [self._entries[number] for number in range(place.offset + 1, self.head + 1)]

    def missed(self, positions: Mapping[str, int], *, upto: Cursor, fresh: frozenset[str] = frozenset()) -> Missed:
        """Return what readers at `positions` (topic → offset) lack up to `upto`; `fresh` topics get every state.

        Never half a topic: where the whole does not fit into the replay limits, the topics with the most to catch
        up with are resynced instead.
        """
        result = Missed()
        found: list[list[Entry]] = []
        with self._lock:
            if upto.epoch != self.epoch:
                return Missed(resync=dict.fromkeys(positions, "epoch"))
            self._trim(self._clock())
            for topic, position in positions.items():
                if position < self._trimmed_at(topic):
                    result.resync[topic] = "trimmed"
                    continue
                entries = self._newer(topic, position, upto.offset)
                for entry in self._states.get(topic, {}).values():
                    if entry.offset <= upto.offset and (entry.offset > position or topic in fresh):
                        entries.append(entry)
                if entries:
                    found.append(entries)
        found.sort(key=len)
        size = 0
        for entries in found:
            larger = size + sum(len(entry.frame) for entry in entries)
            count = len(result.entries) + len(entries)
            # One message may always exceed the limits, or a large one could never be caught up with.
            if count == 1 or (count <= self._limits.replay and larger <= self._limits.replay_bytes):
                result.entries.extend(entries)
                size = larger
            else:
                result.resync[entries[0].topic] = "limit"
        result.entries.sort(key=_by_offset)
        return result

    def trim(self) -> None:
        """Drop what is too old."""
        with self._lock:
            self._trim(self._clock())

    def _append(self, entry: Entry) -> Entry:
        self.head = entry.offset
        self._entries[entry.offset] = entry
        self._bytes += len(entry.frame)
        if entry.state is None:
            entry.former = self._topics.get(entry.topic, 0)
            self._topics[entry.topic] = entry.offset
        else:
            self._keep_state(entry)
        self._trim(entry.time)
        return entry

    def _newer(self, topic: str, position: int, upto: int) -> list[Entry]:
        entries: list[Entry] = []
        offset = self._topics.get(topic, 0)
        while offset > position and (entry := self._entries.get(offset)) is not None:
            if offset <= upto:
                entries.append(entry)
            offset = entry.former
        entries.reverse()
        return entries

    def _trimmed_at(self, topic: str) -> int:
        known = self._trimmed.get(topic)
        return self._horizon if known is None else known

    def _keep_state(self, entry: Entry) -> None:
        assert entry.state is not None
        names = self._states.setdefault(entry.topic, {})
        former = names.get(entry.state)
        self._state_bytes += len(entry.frame) - (len(former.frame) if former else 0)
        names[entry.state] = entry
        self._state_order[entry.topic, entry.state] = entry
        self._state_order.move_to_end((entry.topic, entry.state))
        if len(names) > self._limits.states_per_topic:
            oldest = min(names.values(), key=_by_offset)
            self._forget_state(oldest)

    def _forget_state(self, entry: Entry) -> None:
        assert entry.state is not None
        names = self._states[entry.topic]
        del names[entry.state]
        if not names:
            del self._states[entry.topic]
        del self._state_order[entry.topic, entry.state]
        self._state_bytes -= len(entry.frame)
        self._remember_trimmed(entry)

    def _trim(self, now: float) -> None:
        limits, entries = self._limits, self._entries
        while entries:
            entry = entries[self._first]
            full = len(entries) > limits.window or self._bytes > limits.window_bytes
            if not full and now - entry.time <= limits.window_age:
                break
            if len(entries) == 1 and not now - entry.time > limits.window_age:
                break  # the newest message is kept, however large
            del entries[entry.offset]
            self._first += 1
            self._bytes -= len(entry.frame)
            if entry.state is None:
                if self._topics[entry.topic] == entry.offset:
                    del self._topics[entry.topic]
                self._remember_trimmed(entry)
        while self._state_order:
            entry = next(iter(self._state_order.values()))
            full = len(self._state_order) > limits.trimmed_topics or self._state_bytes > limits.state_bytes
            if not full and now - entry.time <= limits.state_age:
                break
            self._forget_state(entry)

    def _remember_trimmed(self, entry: Entry) -> None:
        self._keep_trimmed(entry.topic, max(entry.offset, self._trimmed_at(entry.topic)))

    def _keep_trimmed(self, topic: str, offset: int) -> None:
        self._trimmed[topic] = offset
        self._trimmed.move_to_end(topic)
        while len(self._trimmed) > self._limits.trimmed_topics:
            _, forgotten = self._trimmed.popitem(last=False)
            self._horizon = max(self._horizon, forgotten)
