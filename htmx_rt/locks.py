"""Locks and ownership: who may write to a record now, as a lease with a fence (`protocol.md` §5).

One item of the store per resource says who holds it and until when; every change compares revisions, so of two who
take it at the same moment one gets it. The fence grows whenever it changes hands, and a save carries it.

    free ──take──▶ held ──renew──▶ held        released, left, expired ──▶ the next in line (owner), or free (lock)
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, Literal

from .buckets import Buckets
from .exceptions import Refused, StoreConflict, StoreUnavailable
from .leases import Change, Lease, Leases
from .lock_record import NEW, Asking, Holder, Lock, Terms, decode, encode, handed
from .stores.base import Store
from .topics import EDIT_PREFIX

log = logging.getLogger("htmx_rt")

PREFIX: Final = "lease:"
KEPT: Final = 24 * 3600.0  # seconds that it is remembered who held it before
CONFIRM: Final = 4.0  # seconds in which a page that was promoted has to say that it is there
HIDDEN: Final = 300.0  # seconds for a page that is looked away from, as browsers let those say little
NOTICED: Final = 2.5  # seconds of those that are over when it is told that a line is closed
TRIES: Final = 20  # to change what others change at the same moment
WORK_RATE: Final = 6.0  # calls a second in which a tab shows what is not saved; pages make five
WORK_BURST: Final = 15.0
WATCHED: Final = 100_000  # resources that one worker looks after

Standing = Literal["free", "mine", "late", "fenced", "locked"]
Publish = Callable[[str, str, dict[str, Any], "str | None"], object]  # resource, name, arguments, name of a state


class Locks:
    """All of them. `publish` tells the pages of a resource, `leases` knows who is on it."""

    def __init__(
        self,
        *,
        store: Store,
        leases: Leases,
        lock: threading.RLock,
        publish: Publish,
        home: Callable[[], asyncio.AbstractEventLoop | None],
        later: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._store = store
        self._leases = leases
        self._lock = lock  # of the leases
        self._publish = publish
        self._home = home
        self._later = later
        self._work = Buckets(WORK_RATE, WORK_BURST)
        self._due: dict[str, float] = {}  # resource → Unix seconds when it is to be looked at

    # What pages ask for

    async def find(self, resource: str) -> Lock | None:
        """Return what is known of a resource."""
        item = await self._store.get(PREFIX + resource)
        return decode(item) if item is not None else None

    async def take(self, resource: str, me: Holder, terms: Terms, *, hidden: bool = False) -> Lock:
        """Take it where it is free, or keep it; return how it stands."""

        def change(lock: Lock, now: float) -> Lock | None:
            ttl = HIDDEN if hidden else terms.ttl
            if lock.holder is not None and lock.holder.tab == me.tab:
                return replace(lock, terms=terms, holder=me, until=now + ttl)
            return None if lock.held(now) else self._after(resource, lock, me, now, ttl)

        return await self._change(resource, change, why="taken", terms=terms) or Lock(terms)

    async def release(self, resource: str, tab: str, *, why: str = "released") -> Lock | None:
        """Let go of it: it goes to whoever asked for it, to the next in line, or is free."""

        def change(lock: Lock, now: float) -> Lock | None:
            if lock.holder is None or lock.holder.tab != tab:
                return None
            return self._next(resource, lock, now)

        return await self._change(resource, change, why=why)

    async def ask(self, resource: str, me: Holder) -> Lock | None:
        """Ask whoever holds it to let go; nothing where somebody else has asked already."""

        def change(lock: Lock, now: float) -> Lock | None:
            if lock.holder is None or lock.holder.tab == me.tab:
                return None
            if not lock.held(now):
                return self._after(resource, lock, me, now, lock.terms.ttl)
            if lock.asking is not None and now < lock.asking.until:
                return None
            return replace(lock, asking=Asking(me, now + lock.terms.auto))

        return await self._change(resource, change, why="asked")

    async def answer(self, resource: str, tab: str, *, give: bool) -> Lock | None:
        """Give it to who asked, or keep it; only who holds it may."""

        def change(lock: Lock, now: float) -> Lock | None:
            if lock.asking is None or lock.holder is None or lock.holder.tab != tab:
                return None
            if give:
                return handed(lock, lock.asking.who, now + CONFIRM)
            return replace(lock, asking=None)

        return await self._change(resource, change, why="given" if give else "kept")

    async def here(self, resource: str, me: Holder, terms: Terms) -> Lock:
        """Take it over from another tab of the same person."""

        def change(lock: Lock, now: float) -> Lock | None:
            mine = lock.holder is not None and lock.holder.owner == me.owner and lock.holder.tab != me.tab
            if mine:
                return handed(lock, me, now + terms.ttl)
            return None if lock.held(now) else self._after(resource, lock, me, now, terms.ttl)

        return await self._change(resource, change, why="here", terms=terms) or Lock(terms)

    async def work(self, resource: str, tab: str, fence: int, version: int, fields: Mapping[str, Any]) -> None:
        """Show unsaved values of who holds it to the others. Raised where they do not any more: `Refused` (409, 429)."""
        if not self._work.take(tab):
            raise Refused(429, "limited", "Too much work to show.", retry_after=1)
        lock = await self.find(resource)
        if lock is None or lock.holder is None or lock.holder.tab != tab or lock.fence != fence:
            raise Refused(409, "fenced", "Somebody else is editing now.")
        who = lock.holder.public()
        for name, value in fields.items():
            args = {"fence": fence, "v": version, "field": name, "value": value, "who": who}
            self._publish(resource, "work", args, f"work.{name}")

    # What saves ask for

    async def standing(self, resource: str, owner: str, fence: int | None) -> tuple[Standing, Lock | None]:
        """Tell whether `owner` may save with `fence`, the number of the lease they held while they typed."""
        lock = await self.find(resource)
        if lock is None:
            return ("free" if fence is None else "fenced"), None
        mine = lock.holder is not None and lock.holder.owner == owner and fence == lock.fence
        if lock.held(self._store.clock()) and not mine:
            if fence is None:
                return "locked", lock
            return ("late" if (fence, owner) in lock.former else "fenced"), lock
        if fence is None or fence == lock.fence:
            return ("mine" if mine else "free"), lock
        # A number that was never given, such as one of the future, is nobody's.
        return ("late" if (fence, owner) in lock.former else "fenced"), lock

    # What happens by itself

    def moved(self, change: Change) -> None:
        """Somebody on a record has left, or their line has closed; at the worker where it happened, in any thread."""
        lease = change.lease
        if not lease.topic.startswith(EDIT_PREFIX):
            return
        resource = lease.topic.removeprefix(EDIT_PREFIX)
        if change.after is None:
            self._run(self._left(resource, lease.tab, change.why or "left"))
        elif change.after.state == "reconnecting":
            self._run(self._closed(resource, lease.tab))

    def tick(self) -> None:
        """Look at what is due; every half second, on a loop."""
        now = self._store.clock()
        for resource in [resource for resource, due in tuple(self._due.items()) if due <= now]:
            self._due[resource] = now + 5.0  # again where this fails
            self._later(self._look(resource))

    async def _left(self, resource: str, tab: str, why: str) -> None:
        try:
            await self.release(resource, tab, why=why)
        except StoreUnavailable as error:
            log.warning("%r was left by who edited it, which could not be noted: %s", resource, error)

    async def _closed(self, resource: str, tab: str) -> None:
        """Their line has closed: they have a moment to come back."""

        def change(lock: Lock, now: float) -> Lock | None:
            until = now + max(0.5, lock.terms.grace - NOTICED)
            if lock.holder is None or lock.holder.tab != tab or lock.until <= until:
                return None
            return replace(lock, until=until)

        try:
            await self._change(resource, change, why="")
        except StoreUnavailable as error:
            log.warning("The line of who edits %r has closed, which could not be noted: %s", resource, error)

    async def _look(self, resource: str) -> None:
        why = ""

        def change(lock: Lock, now: float) -> Lock | None:
            nonlocal why
            why = "expired"
            if lock.holder is not None and now >= lock.until:
                return self._next(resource, lock, now)
            if lock.asking is not None and now >= lock.asking.until:
                why = "granted"
                there = self._there(resource, lock.asking.who.tab)
                return handed(lock, lock.asking.who, now + CONFIRM) if there else replace(lock, asking=None)
            return None

        try:
            lock = await self._change(resource, change, why=lambda: why)
        except StoreUnavailable as error:
            log.warning("Who edits %r could not be looked up: %s", resource, error)
            return
        if lock is None or lock.holder is None:
            self._due.pop(resource, None)

    # Inside

    def _next(self, resource: str, lock: Lock, now: float) -> Lock:
        """Hand it on: to who asked, to the next in line, or to nobody."""
        leaving = lock.holder.tab if lock.holder is not None else ""
        if lock.asking is not None and self._there(resource, lock.asking.who.tab):
            return handed(lock, lock.asking.who, now + CONFIRM)
        heir = self._heir(resource, leaving) if lock.terms.kind == "owner" else None
        if heir is not None:
            return handed(lock, heir, now + CONFIRM)
        return handed(lock, None)

    def _after(self, resource: str, lock: Lock, me: Holder, now: float, ttl: float) -> Lock:
        """Hand what has run out, or is free, to `me`; who asked or waits comes first, though nobody has looked yet."""
        after = self._next(resource, lock, now) if lock.holder is not None else lock
        return after if after.holder is not None and after.holder.tab != me.tab else handed(lock, me, now + ttl)

    def _heir(self, resource: str, leaving: str) -> Holder | None:
        """Return who came first of those who look at it."""
        with self._lock:
            there: Iterable[Lease] = tuple(self._leases.room(EDIT_PREFIX + resource).values())
        waiting = [one for one in there if one.tab != leaving and one.state in ("active", "idle")]
        first = min(waiting, key=lambda one: (one.joined, one.gen, one.tab), default=None)
        return Holder(first.owner, first.tab, first.name) if first is not None else None

    def _there(self, resource: str, tab: str) -> bool:
        with self._lock:
            return tab in self._leases.room(EDIT_PREFIX + resource)

    async def _change(
        self,
        resource: str,
        change: Callable[[Lock, float], Lock | None],
        *,
        why: str | Callable[[], str],
        terms: Terms | None = None,
    ) -> Lock | None:
        """Replace what is kept by what `change` makes of it, and tell the pages where it changed hands.

        A fence that is `NEW` in what it makes is filled in.
        """
        key = PREFIX + resource
        for _ in range(TRIES):
            item = await self._store.get(key)
            before = decode(item) if item is not None else None
            lock = before or (Lock(terms) if terms is not None else None)
            if lock is None:
                return None
            after = change(lock, self._store.clock())
            if after is None:
                self._watch(resource, lock)
                return lock
            if after.fence == NEW:
                # Above the last one even where the store has forgotten that and the clock has gone back.
                after = replace(after, fence=max(await self._store.fence(key), lock.fence + 1))
            try:
                await self._store.put(key, encode(after), ttl=KEPT, rev=item.rev if item is not None else 0)
            except StoreConflict:
                continue
            self._watch(resource, after)
            if (lock.holder, lock.fence, lock.asking) != (after.holder, after.fence, after.asking):
                self._tell(resource, after, why if isinstance(why, str) else why())
            return after
        raise StoreUnavailable(f"{resource!r} is changed by too many at once.")

    def _tell(self, resource: str, lock: Lock, why: str) -> None:
        self._publish(resource, "lease", self.public(lock) | {"why": why}, "lease")

    def public(self, lock: Lock) -> dict[str, Any]:
        """Return what pages may know of it."""
        asking: dict[str, Any] | None = None
        if lock.asking is not None:
            asking = lock.asking.who.public() | {"ms": max(0, round((lock.asking.until - self._store.clock()) * 1000))}
        holder = lock.holder.public() if lock.holder is not None else None
        return {"kind": lock.terms.kind, "fence": lock.fence, "holder": holder, "ask": asking}

    def _watch(self, resource: str, lock: Lock) -> None:
        if lock.holder is None:
            self._due.pop(resource, None)
        elif resource in self._due or len(self._due) < WATCHED:
            self._due[resource] = lock.due

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        loop = self._home()
        try:
            if loop is None:
                work.close()
            else:
                loop.call_soon_threadsafe(self._later, work)
        except RuntimeError:  # the loop has just been closed
            work.close()
