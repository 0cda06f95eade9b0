"""Undo: a destructive action is put off, not done, until the time to take it back is over.

Each deferred action is one item of the store, whose key begins with the moment it is due; so all workers find what is
due, and a change from one state to the next has one winner.

    pending → undone                                       taken back in time
    pending → running → done | failed | unknown            it was due; unknown: who ran it died half way
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from .deferred import DONE, ENDED, PENDING, PREFIX, RUNNING, UNDONE
from .deferred import Deferred as Deferred
from .eventual import Eventual, Home
from .exceptions import ConfigurationError, RealtimeError, Refused, StoreConflict, StoreUnavailable, TooLarge
from .identity import Identity, RequestState
from .stores.base import Item, Store
from .stores.hold import encode
from .transactions import mark_once
from .types import Limits

log = logging.getLogger("htmx_rt")

SLACK: Final = 1.0  # seconds: a press at the last moment of the toast takes that long to get here
MOST_DELAY: Final = 3600.0  # seconds
MOST: Final = 10_000  # deferred at once, in all
CLEARING: Final = 10.0  # seconds in which nobody else clears away what has just ended
SHOWN: Final = 100  # of what has ended, to its owner
_PAGE: Final = 500

Handler = Callable[..., "Awaitable[Any] | Any"]
_H = TypeVar("_H", bound=Handler)


@dataclass(frozen=True, slots=True)
class Registered:
    """How an action is done and how its traces are cleared away."""

    run: Handler
    transactional: bool


class Undo:
    """`rt.undo`: put actions off, and take them back."""

    def __init__(
        self,
        *,
        store: Store,
        identity: Identity,
        limits: Limits,
        home: Home,
        request: Callable[[str], RequestState],
        toast: Callable[[RequestState, Deferred], None],
    ) -> None:
        self.store = store
        self.handlers: dict[str, Registered] = {}
        self.restores: dict[str, Handler] = {}
        self.wake: Callable[[float], None] = lambda due: None  # tells the runner of this process
        self.claim = mark_once
        self._identity = identity
        self._limits = limits
        self._home = home
        self._request = request
        self._toast = toast

    # What an app says

    def handler(self, action: str, *, transactional: bool = False) -> Callable[[_H], _H]:
        """Register what does `action` when its time is over: `f(undo, **args)`, sync or async.

        With `transactional` it calls `rt.undo.claim(session, undo.id)` in the transaction of its effect, and so may be
        run again after a crash; without, an interrupted one counts as unknown and is not run again.
        """

        def register(run: _H) -> _H:
            if action in self.handlers:
                raise ConfigurationError(f"rt.undo.handler({action!r}) is there already. One name, one handler.")
            self.handlers[action] = Registered(run, transactional)
            return run

        return register

    def restore(self, action: str) -> Callable[[_H], _H]:
        """Register what shows an item as it is: `f(undo, **args)`, called when it was undone, failed or is unknown."""

        def register(show: _H) -> _H:
            self.restores[action] = show
            return show

        return register

    def defer(
        self,
        action: str,
        args: dict[str, Any] | None = None,
        *,
        item: object = None,
        delay: float = 5.0,
        text: str = "",
    ) -> Eventual[Deferred]:
        """Put `action` off for `delay` seconds; with `text`, tell whoever asked, with a button to take it back.

        `args` are passed to the handler, as JSON. `item` is what views know it by; `args["id"]` where not given. What
        is deferred for an item already is returned instead of a second one. Raised at the call for an action without a
        handler, a delay over an hour or what is no JSON: `ConfigurationError`; when awaited for more than 100 at once:
        `TooLarge`, and `StoreUnavailable`.
        """
        args = args or {}
        if action not in self.handlers:
            known = ", ".join(self.handlers) or "none"
            raise ConfigurationError(
                f"No handler for {action!r}. Write one with @rt.undo.handler({action!r}). Known: {known}."
            )
        if not 0 < delay <= MOST_DELAY:
            raise ConfigurationError(f"rt.undo.defer(delay={delay!r}): give seconds, at most {MOST_DELAY:.0f}.")
        try:
            json.dumps(args)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"rt.undo.defer({action!r}): args are kept as JSON, and {error}.") from None
        state = self._request("rt.undo.defer()")
        self._identity.speak(state)
        name = str(args.get("id", "") if item is None else item) or secrets.token_hex(8)
        due = self.store.clock() + delay
        deferred = Deferred(
            id=f"{round(due * 1000):012x}{secrets.token_hex(12)}", action=action, args=args, item=name,
            owner=self._identity.owner(state), user=self._identity.user(state), due=due, delay=delay, text=text,
        )  # fmt: skip
        # Nobody but the cookie says who may take it back, so this answer must bring one.
        state.wrote = True
        return Eventual(self._defer(deferred, state), self._home)

    async def _defer(self, deferred: Deferred, state: RequestState) -> Deferred:
        if (other := await self._noted(await self.store.get(deferred.item_key))) is not None:
            return other
        there = await self.all()
        if sum(other.owner == deferred.owner for other in there) >= self._limits.undo_per_person or len(there) >= MOST:
            raise TooLarge(f"{self._limits.undo_per_person} actions of one person are deferred already. Wait a moment.")
        life = deferred.delay + self._limits.undo_kept
        try:
            rev = await self.store.put(deferred.key, encode(deferred.record()), ttl=life, rev=0)
            other = await self._note(deferred)
        except StoreUnavailable:
            with contextlib.suppress(StoreUnavailable):  # it may be there all the same; nobody was told so
                await self.store.delete(deferred.key)
            raise
        if other is not None:  # somebody did the same at the same moment; ours is not due yet
            await self.store.delete(deferred.key, rev=rev)
            return other
        self.wake(deferred.due + SLACK)
        if state.failed:
            await self.give_up(deferred)
        state.deferred = [*(state.deferred or []), deferred]
        if deferred.text and not state.answered:
            self._toast(state, deferred)
        return deferred

    async def _note(self, deferred: Deferred) -> Deferred | None:
        """Note under the item that `deferred` is the one; return what was there first."""
        rev = 0
        while True:
            try:
                await self.store.put(deferred.item_key, deferred.id.encode(), ttl=2 * MOST_DELAY, rev=rev)
                return None
            except StoreConflict as conflict:
                if (other := await self._noted(conflict.present)) is not None:
                    return other
                rev = conflict.present.rev if conflict.present is not None else 0

    async def _noted(self, note: Item | None) -> Deferred | None:
        """Return what a note under an item speaks of, if that is still to be done."""
        key = PREFIX + note.value.decode(errors="replace") if note is not None else PREFIX
        item = await self.store.get(key) if note is not None else None
        other = Deferred.read(key, item) if item is not None else None
        return other if other is not None and other.state in (PENDING, RUNNING) else None

    def hidden(self, action: str) -> Eventual[frozenset[str]]:
        """Return the items that whoever asks has put `action` off for: leave them out of what you show them."""
        state = self._request("rt.undo.hidden()")
        self._identity.speak(state)
        owner = self._identity.owner(state)

        async def find() -> frozenset[str]:
            return frozenset(one.item for one in await self.all() if one.action == action and one.owner == owner)

        return Eventual(find(), self._home)

    def pending(self, action: str) -> Eventual[dict[str, Deferred]]:
        """Return what `action` is put off for, by item, whoever did it: show it to others as about to happen."""

        async def find() -> dict[str, Deferred]:
            return {one.item: one for one in await self.all() if one.action == action}

        return Eventual(find(), self._home)

    # What the endpoint asks

    async def mine(self, state: RequestState) -> list[Deferred]:
        """Return what whoever asks has put off and what became of the last of it, the newest first."""
        owner = self._identity.owner(state)
        ended = deque(await self._read(f"{ENDED}{owner}:"), maxlen=SHOWN)
        there = [one for one in await self.all() if one.owner == owner]
        there += [one for one in ended if one.id not in {other.id for other in there}]
        return sorted(there, key=lambda one: one.due, reverse=True)

    async def take_back(self, state: RequestState, id: str) -> Deferred:
        """Take an action back. Raised otherwise: `Refused` 403 somebody else's, 404 not known, 409 too late."""
        owner = self._identity.owner(state)
        while True:
            item = await self.store.get(PREFIX + id)
            ended = await self.store.get(f"{ENDED}{owner}:{id}") if item is None else None
            found = item or ended
            deferred = Deferred.read(PREFIX + id, found) if found is not None else None
            if deferred is None:
                raise Refused(404, "gone", "There is nothing to take back here.")
            if deferred.owner != owner:
                raise Refused(403, "forbidden", "Only who did this may take it back.")
            if deferred.state not in (PENDING, UNDONE):
                raise Refused(409, "already-done", "It is too late: this was done already.")
            if item is None:
                return deferred
            if (undone := await self._undo(deferred, item)) is not None:
                return undone

    async def give_up(self, deferred: Deferred) -> None:
        """Take back what was deferred by a request that then failed: its answer said that nothing was done."""
        try:
            item = await self.store.get(deferred.key)
            there = Deferred.read(deferred.key, item) if item is not None else None
            if item is None or there is None or there.state == UNDONE:
                return
            if there.state != PENDING or await self._undo(there, item) is None:
                log.warning("A request that deferred %r failed, but it is being done already.", deferred.action)
        except StoreUnavailable as error:
            log.warning("A request that deferred %r failed, and it could not be taken back: %s", deferred.action, error)

    async def _undo(self, deferred: Deferred, item: Item) -> Deferred | None:
        """Take back what is pending in `item`, or clear away what was; None where somebody else was faster."""
        rev = item.rev
        if deferred.state == PENDING:
            deferred = replace(deferred, state=UNDONE)
            kept, until = deferred.delay + self._limits.undo_kept, self.store.clock() + CLEARING
            try:
                rev = await self.store.put(deferred.key, encode(deferred.record(until=until)), ttl=kept, rev=rev)
            except StoreConflict:
                return None
        await self.end(deferred, rev)
        return deferred

    # What the runner asks

    async def all(self) -> list[Deferred]:
        """Return everything that is put off or being done now, the first due first."""
        return [one for one in await self._read(PREFIX) if one.state in (PENDING, RUNNING)]

    async def _read(self, prefix: str) -> list[Deferred]:
        found: list[Deferred] = []
        after = ""
        while len(found) < MOST:
            page = await self.store.scan(prefix, after=after, limit=_PAGE)
            found += [one for key, item in page if (one := Deferred.read(key, item)) is not None]
            if len(page) < _PAGE:
                break
            after = page[-1][0]
        return found

    async def call(self, handler: Handler, deferred: Deferred) -> None:
        """Call a function of the app, in a thread where it is no coroutine."""
        if inspect.iscoroutinefunction(handler):
            await handler(deferred, **deferred.args)
            return
        answer = await asyncio.to_thread(handler, deferred, **deferred.args)
        if inspect.isawaitable(answer):
            await answer

    async def end(self, deferred: Deferred, rev: int) -> None:
        """Clear away what has ended in the state it has; doing so twice does no harm."""
        if deferred.state != DONE and (show := self.restores.get(deferred.action)) is not None:
            try:
                await self.call(show, deferred)
            except Exception:
                log.exception(
                    "rt.undo.restore(%r) failed; pages show the item again when they are reloaded.", deferred.action
                )
        try:
            life = self._limits.undo_kept
            await self.store.put(f"{ENDED}{deferred.owner}:{deferred.id}", encode(deferred.record()), ttl=life)
            with contextlib.suppress(StoreConflict):  # cleared away by somebody else
                await self.store.delete(deferred.key, rev=rev)
            item = await self.store.get(deferred.item_key)
            if item is not None and item.value == deferred.id.encode():
                with contextlib.suppress(StoreConflict):
                    await self.store.delete(deferred.item_key, rev=item.rev)
        except RealtimeError as error:  # the runner finds it again
            log.warning("What became of a deferred %r could not be noted: %s", deferred.action, error)
