"""How workers keep each other's leases: every change is told at once, and numbered, so that a missed one is noticed.

Words go over the bus as signals, at most once each. A worker says every few seconds that it lives and which number it
is at; whoever missed one asks for all of its leases. A worker that says nothing for long is dead, and what it answered
for is removed. One that hears not even itself is deaf: until it hears again it removes nobody. A worker that is about
to stop says so, and its leases are kept for as long as its pages take to move.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from .buses.base import Bus, Mark
from .leases import Change, Lease, Leases

log = logging.getLogger("htmx_rt")

CHANNEL: Final = "_rt.leases"  # no topic an app could name
BEAT: Final = 5.0  # seconds between signs of life
DEAD: Final = 15.0  # seconds of silence
DEAF: Final = 7.5  # seconds in which one does not hear oneself
PART: Final = 100  # leases in one word
ASK: Final = 1.0  # seconds between two questions to the same worker
AGAIN: Final = 0.5  # seconds between two times of telling all


class Peer:
    """Another worker."""

    __slots__ = ("asked", "at", "heard", "leaves", "parts", "parts_of")

    def __init__(self, now: float) -> None:
        self.heard = now
        self.at = -1  # number of its last word that we have; -1 until all of its leases came
        self.asked = -ASK
        self.leaves: float | None = None  # when its pages will have moved, where it is about to stop
        self.parts: dict[int, list[list[Any]]] = {}  # of all of its leases
        self.parts_of = -1  # as they were at its word of this number


class Gossip:
    """This worker's voice and ear. `changed` is called under `lock`, in the order of the table's own changes."""

    def __init__(
        self,
        bus: Bus,
        leases: Leases,
        *,
        changed: Callable[[Change, bool], None],
        touched: Callable[[dict[str, Any]], None],
        marked: Callable[[Mark], None] = lambda mark: None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.worker = secrets.token_hex(6)
        self.lock = threading.RLock()  # guards the table; words come in any thread
        self.marked = marked
        self._process = os.getpid()
        self._bus = bus
        self._leases = leases
        self._changed = changed
        self._touched = touched
        self._clock = clock
        self._wall_clock = wall_clock
        self._number = 0
        self._stamp = 0
        self._peers: dict[str, Peer] = {}
        self._beat_at = float("-inf")
        self._told_at = float("-inf")
        self._asked = False  # for all our leases, a moment after they were told
        self._heard_self = self._clock()
        self._deaf_since: float | None = None  # or when we were last
        self._deaf = False
        self._stop: Callable[[], None] | None = None

    def start(self) -> None:
        """Listen, and ask who is there."""
        if self._stop is not None:
            return
        if self._process != os.getpid():  # forked: two workers of one name would not hear each other
            self._process, self.worker, before = os.getpid(), secrets.token_hex(6), self.worker
            for lease in tuple(self._leases.of_worker(before)):
                self.put(replace(lease, worker=self.worker, stamp=self.stamp(lease)))
        self._heard_self = self._clock()
        self._stop = self._bus.listen(self)
        self._say({"k": "hello"})

    def leave(self, within: float) -> None:
        """Tell the others that this worker is about to stop, and that its pages move to others in `within` seconds."""
        self._say({"k": "leave", "in": within})

    def stop(self) -> None:
        """Fall silent."""
        if self._stop is not None:
            self._stop()
            self._stop = None

    @property
    def workers(self) -> set[str]:
        """Those that answer for their leases: this one, and the others that live."""
        return {self.worker, *(name for name, peer in self._peers.items() if peer.leaves is None)}

    def stamp(self, lease: Lease | None = None) -> int:
        """Return the next stamp: the time in Unix milliseconds, but after all before, and after that of `lease`."""
        with self.lock:
            before = max(self._stamp, lease.stamp if lease is not None else 0)  # clocks of workers may differ
            self._stamp = max(before + 1, round(self._wall_clock() * 1000))
            return self._stamp

    # Speaking

    def put(self, lease: Lease) -> bool:
        """Note a lease of this worker and tell the others; False where it is no news."""
        with self.lock:
            change = self._leases.put(lease)
            if change is None:
                return False
            self._number += 1
            self._say({"k": "put", "n": self._number, "e": [lease.pack()]})
            self._changed(change, True)
            return True

    def drop(self, lease: Lease, why: str) -> None:
        """Remove a lease and tell the others."""
        with self.lock:
            change = self._leases.drop(lease.topic, lease.tab, lease.age, why)
            if change is not None:
                self._number += 1
                self._say({"k": "drop", "n": self._number, "x": [lease.topic, lease.tab, *lease.age, why]})
                self._changed(change, True)

    def touch(self, word: dict[str, Any]) -> None:
        """Pass on what a tab said to the worker that answers for it."""
        self._say({"k": "touch", **word})

    def tick(self) -> None:
        """Give a sign of life when it is time, and remove what dead workers answered for."""
        now = self._clock()
        if not self._bus.shared:
            return
        if now - self._beat_at >= BEAT:
            self._beat_at = now
            self._say({"k": "beat", "n": self._number})
        with self.lock:
            if self._asked and now - self._told_at >= AGAIN:
                self._say_all()
            if now - self._heard_self > DEAF or not getattr(self._bus, "up", True):
                self._deaf, self._deaf_since = True, now
                return
            # After a time of deafness everybody gets the whole time again to be heard.
            since = self._deaf_since if self._deaf_since is not None else float("-inf")
            for worker, peer in tuple(self._peers.items()):
                dead = now - max(peer.heard, since) > DEAD if peer.leaves is None else now >= peer.leaves
                if dead:
                    del self._peers[worker]
                    first = self.worker == min(self.workers)
                    self._apply(self._leases.bury(worker), first)

    def _say(self, word: dict[str, Any]) -> None:
        if self._bus.shared:
            text = json.dumps({"w": self.worker, **word}, separators=(",", ":"))
            self._bus.signal(CHANNEL, text.encode())

    def _say_all(self) -> None:
        with self.lock:  # said under it, so that no later word overtakes
            self._asked, self._told_at = False, self._clock()
            mine = [lease.pack() for lease in self._leases.of_worker(self.worker)]
            parts = [mine[start : start + PART] for start in range(0, len(mine), PART)] or [[]]
            for index, part in enumerate(parts):
                self._say({"k": "all", "n": self._number, "at": self._stamp, "i": index, "of": len(parts), "e": part})

    # Hearing; the bus calls these in any thread

    def grown(self) -> None:
        """The log is none of our business."""

    def signalled(self, topic: str, frame: bytes) -> None:
        """Take a word of another worker in."""
        if topic != CHANNEL:
            return
        try:
            word = json.loads(frame)
            worker = word["w"]
            if worker == self.worker:
                self._hear_self()
            else:
                self._hear(worker, word)
        except (ValueError, KeyError, TypeError) as error:
            log.warning("Another worker said something about leases that is not understood: %r", error)

    def _hear_self(self) -> None:
        with self.lock:
            self._heard_self = self._clock()
            back, self._deaf = self._deaf, False
            if back:
                self._deaf_since = self._heard_self
        if back:
            self._say({"k": "hello"})  # what was said meanwhile is told anew, by us and by all others

    def _hear(self, worker: str, word: dict[str, Any]) -> None:
        kind = word["k"]
        if kind == "touch":
            self._touched(word)
            return
        with self.lock:
            now = self._clock()
            peer = self._peers.get(worker)
            if peer is None:
                peer = self._peers[worker] = Peer(now)
            peer.heard = now
            if kind == "hello":
                peer.leaves = None
                self._ask(worker, peer)
                self._tell_all(now)
            elif kind == "ask":
                if word["of"] == self.worker:
                    self._tell_all(now)
            elif kind == "all":
                self._hear_all(worker, peer, word)
            elif kind == "leave":
                peer.leaves = now + float(word["in"])
            elif kind == "beat":
                if word["n"] != peer.at:
                    self._ask(worker, peer)
            else:
                self._hear_change(worker, peer, word)

    def _tell_all(self, now: float) -> None:
        """Tell all, but not once for each of many who ask at the same time."""
        if now - self._told_at >= AGAIN:
            self._say_all()
        else:
            self._asked = True

    def _hear_change(self, worker: str, peer: Peer, word: dict[str, Any]) -> None:
        if word["k"] == "put":
            self._apply((self._leases.put(Lease.unpack(worker, packed)) for packed in word["e"]), False)
        elif word["k"] == "drop":
            topic, tab, gen, stamp, why = word["x"]
            self._apply([self._leases.drop(topic, tab, (int(gen), int(stamp)), why)], False)
        if 0 <= peer.at < word["n"] - 1:
            self._ask(worker, peer)
        elif peer.at >= 0:
            peer.at = max(peer.at, word["n"])

    def _hear_all(self, worker: str, peer: Peer, word: dict[str, Any]) -> None:
        if word["n"] != peer.parts_of:  # those of an earlier time, of which some were lost
            peer.parts, peer.parts_of = {}, word["n"]
        peer.parts[word["i"]] = word["e"]
        if len(peer.parts) < word["of"]:
            return
        leases = [Lease.unpack(worker, packed) for part in peer.parts.values() for packed in part]
        peer.parts = {}
        peer.at = max(peer.at, word["n"])
        self._apply((self._leases.put(lease) for lease in leases), False)
        there = frozenset((lease.topic, lease.tab) for lease in leases)
        self._apply(self._leases.reap(worker, but=there, upto=word["at"]), False)

    def _apply(self, changes: Iterable[Change | None], first: bool) -> None:
        for change in changes:
            if change is not None:
                self._changed(change, first)

    def _ask(self, worker: str, peer: Peer) -> None:
        now = self._clock()
        if now - peer.asked >= ASK:
            peer.asked = now
            self._say({"k": "ask", "of": worker})
