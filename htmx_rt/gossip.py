"""How workers keep each other's leases: every change is told at once, and numbered, so that a missed one is noticed.

Words go over the bus as signals, at most once each. A worker says every few seconds that it lives and which number it
is at; whoever missed one asks for all of its leases. A worker that says nothing for long is dead, and what it answered
for is removed; while the bus is away nobody is, because nobody can be heard.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from .buses.base import Bus, Mark
from .leases import Change, Lease, Leases

log = logging.getLogger("htmx_rt")

CHANNEL: Final = "_rt.leases"  # no topic an app could name
BEAT: Final = 5.0  # seconds between signs of life
DEAD: Final = 15.0  # seconds of silence
PART: Final = 100  # leases in one word
ASK: Final = 1.0  # seconds between two questions to the same worker


class Peer:
    """Another worker."""

    __slots__ = ("asked", "at", "heard", "parts")

    def __init__(self, now: float) -> None:
        self.heard = now
        self.at = -1  # number of its last word that we have; -1 until all of its leases came
        self.asked = -ASK
        self.parts: dict[int, list[list[Any]]] = {}


class Gossip:
    """This worker's voice and ear."""

    def __init__(
        self,
        bus: Bus,
        leases: Leases,
        *,
        changed: Callable[[Change], None],
        touched: Callable[[dict[str, Any]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.worker = secrets.token_hex(6)
        self.lock = threading.RLock()  # guards the table; words come in any thread
        self._bus = bus
        self._leases = leases
        self._changed = changed
        self._touched = touched
        self._clock = clock
        self._number = 0
        self._peers: dict[str, Peer] = {}
        self._beat_at = 0.0
        self._deaf_since: float | None = None
        self._stop: Callable[[], None] | None = None

    def start(self) -> None:
        """Listen, and ask who is there."""
        if self._stop is None:
            self._stop = self._bus.listen(self)
            self._say({"k": "hello"})

    def stop(self) -> None:
        """Fall silent; clients of this worker come back elsewhere, and what is left of it goes when it counts as dead."""
        if self._stop is not None:
            self._stop()
            self._stop = None

    # Speaking

    def put(self, lease: Lease) -> Change | None:
        """Note a lease of this worker and tell the others."""
        with self.lock:
            change = self._leases.put(lease)
            if change is not None:
                self._number += 1
                self._say({"k": "put", "n": self._number, "e": [lease.pack()]})
        return change

    def drop(self, lease: Lease, why: str) -> Change | None:
        """Remove a lease and tell the others."""
        with self.lock:
            change = self._leases.drop(lease.topic, lease.tab, lease.age, why)
            if change is not None:
                self._number += 1
                self._say({"k": "drop", "n": self._number, "x": [lease.topic, lease.tab, *lease.age, why]})
        return change

    def touch(self, word: dict[str, Any]) -> None:
        """Tell the worker that answers for a tab that it lives."""
        self._say({"k": "touch", **word})

    def tick(self) -> list[Change]:
        """Give a sign of life when it is time, and return what was removed with workers that are dead."""
        now = self._clock()
        if self._bus.shared and now - self._beat_at >= BEAT:
            self._beat_at = now
            self._say({"k": "beat", "n": self._number})
        if not getattr(self._bus, "up", True):
            self._deaf_since = now
            return []
        changes: list[Change] = []
        with self.lock:
            for worker, peer in tuple(self._peers.items()):
                # After a time without the bus everybody gets the whole time again to be heard.
                if now - max(peer.heard, self._deaf_since or 0.0) > DEAD:
                    del self._peers[worker]
                    changes += self._leases.reap(worker)
        return changes

    def _say(self, word: dict[str, Any]) -> None:
        if self._bus.shared:
            text = json.dumps({"w": self.worker, **word}, separators=(",", ":"))
            self._bus.signal(CHANNEL, text.encode())

    def _say_all(self) -> None:
        with self.lock:
            number, mine = self._number, [lease.pack() for lease in self._leases.of_worker(self.worker)]
        parts = [mine[start : start + PART] for start in range(0, len(mine), PART)] or [[]]
        at = round(time.time() * 1000)
        for index, part in enumerate(parts):
            self._say({"k": "all", "n": number, "at": at, "i": index, "of": len(parts), "e": part})

    # Hearing; the bus calls these in any thread

    def grown(self) -> None:
        """The log is none of our business."""

    def marked(self, mark: Mark) -> None:
        """Nor are revocations: they end streams, which ends leases."""

    def signalled(self, topic: str, frame: bytes) -> None:
        """Take a word of another worker in."""
        if topic != CHANNEL:
            return
        try:
            word = json.loads(frame)
            worker = word["w"]
            if worker != self.worker:
                self._hear(worker, word)
        except (ValueError, KeyError, TypeError) as error:
            log.warning("Another worker said something about leases that is not understood: %s", error)

    def _hear(self, worker: str, word: dict[str, Any]) -> None:
        kind = word["k"]
        with self.lock:
            peer = self._peers.get(worker)
            if peer is None:
                peer = self._peers[worker] = Peer(self._clock())
            peer.heard = self._clock()
        if kind in ("hello", "ask"):
            if kind == "hello":
                self._ask(worker, peer)
            if kind == "hello" or word["of"] == self.worker:
                self._say_all()
        elif kind == "touch":
            self._touched(word)
        elif kind == "all":
            self._hear_all(worker, peer, word)
        elif kind == "beat":
            if word["n"] != peer.at:
                self._ask(worker, peer)
        else:
            self._hear_change(worker, peer, word)

    def _hear_change(self, worker: str, peer: Peer, word: dict[str, Any]) -> None:
        changes: list[Change | None] = []
        with self.lock:
            if word["k"] == "put":
                changes = [self._leases.put(Lease.unpack(worker, packed)) for packed in word["e"]]
            elif word["k"] == "drop":
                topic, tab, gen, stamp, why = word["x"]
                changes = [self._leases.drop(topic, tab, (int(gen), int(stamp)), why)]
            missed = peer.at >= 0 and word["n"] > peer.at + 1
            if not missed and peer.at >= 0:
                peer.at = max(peer.at, word["n"])
        for change in changes:
            if change is not None:
                self._changed(change)
        if missed:
            self._ask(worker, peer)

    def _hear_all(self, worker: str, peer: Peer, word: dict[str, Any]) -> None:
        changes: list[Change | None] = []
        with self.lock:
            if word["i"] == 0:
                peer.parts = {}
            peer.parts[word["i"]] = word["e"]
            if len(peer.parts) < word["of"]:
                return
            leases = [Lease.unpack(worker, packed) for part in peer.parts.values() for packed in part]
            peer.parts = {}
            peer.at = word["n"]
            changes += [self._leases.put(lease) for lease in leases]
            there = frozenset((lease.topic, lease.tab) for lease in leases)
            changes += self._leases.reap(worker, but=there, upto=word["at"])
        for change in changes:
            if change is not None:
                self._changed(change)

    def _ask(self, worker: str, peer: Peer) -> None:
        now = self._clock()
        if now - peer.asked >= ASK:
            peer.asked = now
            self._say({"k": "ask", "of": worker})
