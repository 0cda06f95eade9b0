"""Undo: a destructive action is put off, not done, until the time to take it back is over.

Each deferred action is one item of the store, whose key begins with the moment it is due; so all workers find what is
due, and a change from one state to the next has one winner.

    pending → undone                                       taken back in time
    pending → running → done | failed | unknown            it was due; unknown: who ran it died half way
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from .eventual import Eventual, Home
from .exceptions import ConfigurationError, RealtimeError, Refused, StoreConflict, TooLarge
from .identity import Identity, RequestState
from .stores.base import Item, Store
from .stores.hold import Record, decode, encode
from .transactions import mark_once
from .types import Limits, User

log = logging.getLogger("htmx_rt")

PENDING, RUNNING, UNDONE, DONE, FAILED, UNKNOWN = "pending", "running", "undone", "done", "failed", "unknown"
PREFIX: Final = "undo:p:"  # deferred, by the moment it is due
ENDED: Final = "undo:x:"  # what became of it, by its owner
SLACK: Final = 1.0  # seconds: a press at the last moment of the toast takes that long to get here
MOST_DELAY: Final = 3600.0  # seconds
MOST: Final = 10_000  # deferred at once, in all
_PAGE: Final = 500

Handler = Callable[..., "Awaitable[Any] | Any"]
_H = TypeVar("_H", bound=Handler)


@dataclass(frozen=True, slots=True)
class Deferred:
    """An action that was put off."""

    id: str
    action: str
    args: dict[str, Any] = field(repr=False)
    item: str  # what views know it by
    owner: str  # who may take it back
    user: User | None  # who did it; None where nobody was signed in
    due: float  # Unix seconds until which it may be taken back
    delay: float  # seconds
    text: str  # what was done, in the words of the toast
    state: str = PENDING

    @property
    def key(self) -> str:
        """Where it lies in the store."""
        return PREFIX + self.id

    def record(self, **changes: Any) -> Record:
        """Return what is kept of it."""
        user = [self.user.id, self.user.name] if self.user else None
        values = {
            name: getattr(self, name) for name in ("action", "args", "item", "owner", "due", "delay", "text", "state")
        }
        return values | {"user": user} | changes

    @classmethod
    def of(cls, key: str, record: Record) -> Deferred:
        """Return what `record` was made from."""
        names = ("action", "args", "item", "owner", "due", "delay", "text", "state")
        user = record["user"]
        return cls(
            id=key.rpartition(":")[2], user=User(*user) if user else None, **{name: record[name] for name in names}
        )


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
        is deferred for an item already is returned instead of a second one. Raised for an action without a handler or
        a delay over an hour: `ConfigurationError`; for more than 100 at once: `TooLarge`; `StoreUnavailable`.
        """
        args = args or {}
        if action not in self.handlers:
            known = ", ".join(self.handlers) or "none"
            raise ConfigurationError(
                f"No handler for {action!r}. Write one with @rt.undo.handler({action!r}). Known: {known}."
            )
        if not 0 < delay <= MOST_DELAY:
            raise ConfigurationError(f"rt.undo.defer(delay={delay!r}): give seconds, at most {MOST_DELAY:.0f}.")
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
        there = await self.all()
        for other in there:
            if (other.action, other.item) == (deferred.action, deferred.item):
                return other
        if sum(other.owner == deferred.owner for other in there) >= self._limits.undo_per_person or len(there) >= MOST:
            raise TooLarge(f"{self._limits.undo_per_person} actions of one person are deferred already. Wait a moment.")
        life = deferred.delay + self._limits.undo_kept
        await self.store.put(deferred.key, encode(deferred.record()), ttl=life, rev=0)
        self.wake(deferred.due + SLACK)
        if deferred.text and not state.answered:
            self._toast(state, deferred)
        return deferred

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
        """Return what whoever asks has put off and what became of it, the newest first."""
        owner = self._identity.owner(state)
        ended = await self.store.scan(f"{ENDED}{owner}:", limit=_PAGE)
        there = [one for one in await self.all() if one.owner == owner]
        return sorted((*there, *(_read(key, item) for key, item in ended)), key=lambda one: one.due, reverse=True)

    async def take_back(self, state: RequestState, id: str) -> Deferred:
        """Take an action back. Raised otherwise: `Refused` 403 somebody else's, 404 not known, 409 too late."""
        owner = self._identity.owner(state)
        item = await self.store.get(PREFIX + id)
        if item is None:
            ended = await self.store.get(f"{ENDED}{owner}:{id}")
            if ended is None:
                raise Refused(404, "gone", "There is nothing to take back here.")
            deferred = _read(PREFIX + id, ended)
            if deferred.state == UNDONE:
                return deferred
            raise Refused(409, "already-done", "It is too late: this was done already.")
        deferred = _read(PREFIX + id, item)
        if deferred.owner != owner:
            raise Refused(403, "forbidden", "Only who did this may take it back.")
        if deferred.state == UNDONE:
            return deferred
        if deferred.state != PENDING:
            raise Refused(409, "already-done", "It is too late: this was done already.")
        record = deferred.record(state=UNDONE)
        try:
            rev = await self.store.put(deferred.key, encode(record), ttl=self._limits.undo_kept, rev=item.rev)
        except StoreConflict:
            raise Refused(409, "already-done", "It is too late: this was done already.") from None
        await self.end(Deferred.of(deferred.key, record), rev)
        return Deferred.of(deferred.key, record)

    # What the runner asks

    async def all(self) -> list[Deferred]:
        """Return everything that is put off or being done now, the first due first."""
        found: list[Deferred] = []
        after = ""
        while len(found) < MOST:
            page = await self.store.scan(PREFIX, after=after, limit=_PAGE)
            found += [one for key, item in page if (one := _read(key, item)).state in (PENDING, RUNNING)]
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
        key = f"{ENDED}{deferred.owner}:{deferred.id}"
        try:
            await self.store.put(key, encode(deferred.record()), ttl=self._limits.undo_kept)
            await self.store.delete(deferred.key, rev=rev)
        except RealtimeError as error:  # the runner finds it again
            log.warning("What became of a deferred %r could not be noted: %s", deferred.action, error)


def _read(key: str, item: Item) -> Deferred:
    return Deferred.of(key, decode(item)[0])
