"""What is known of one request, and which one is being worked on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from .frames import Cursor
from .types import Scope, User


class Silence:
    """Nobody has said who is asking, which is not the same as nobody asking."""

    def __repr__(self) -> str:
        return "<silence>"


SILENCE: Final = Silence()


class Claim(Protocol):
    """What an endpoint may say of the action it runs, on the loop that its request came in by."""

    loop: asyncio.AbstractEventLoop

    async def may_repeat(self) -> None:
        """It may be run again, should nobody learn how it ended."""


class Sealed(NamedTuple):
    """What the identity cookie says."""

    browser: str
    user: User | None
    at: float  # Unix seconds of the arrival of the request it was sealed in
    spoken: float  # Unix seconds when the app last said who it is


@dataclass(slots=True, eq=False)
class RequestState:
    """What is known of one request; one mutable object, seen from every thread and loop that works on it."""

    scope: Scope
    arrived: float  # Unix seconds
    position: Cursor  # of the log, before any data was read
    sealed: Sealed | None
    https: bool
    tab: str | None = None
    action: str | None = None
    spoken: User | Silence | None = SILENCE
    browser: str | None = None  # of a new identity, once it is needed
    wrote: bool = False  # a macro wrote a grant or the head
    told: bool = False  # set_user() or sign_out() was called
    claim: Claim | None = None  # of the action that it runs
    lang: str = "en"  # of the page, as rt.head() was told
    visiting: dict[str, Any] | None = None  # what rt.visitors.track() was told of the page
    draft: str | None = None  # key of the draft that its form has
    saved_version: int | None = None  # of the guarded record that it saved
    own: int = 0  # offset of its last own publish
    topics: set[str] | None = None  # that it published to
    toasts: list[dict[str, Any]] | None = None  # for the actor
    carried: list[dict[str, Any]] | None = None  # toasts of the request before, from the cookie
    carried_shown: bool = False
    internal: bool = False  # whoami asking the app
    answered: bool = False  # its response has started
    failed: bool = False  # its response is a refusal, or the app raised
    deferred: list[Any] | None = None  # what it put off
    uploads: list[Path] | None = None  # files that it was handed and may not have saved

    @property
    def silent(self) -> bool:
        """Whether nothing was said in it, nor asked, that its response would have to carry."""
        return not (self.wrote or self.told or self.toasts or self.carried_shown) and self.tab is None

    def header(self, name: bytes) -> str | None:
        """Return the first request header `name` (lower case), or None."""
        return header(self.scope, name)


# Realtime object → its state of the current request. Keyed by object, so that two of them never meet.
_current: ContextVar[dict[int, RequestState]] = ContextVar("htmx_rt_requests")


def current(owner: object) -> RequestState | None:
    """Return the request that `owner` is working on in this context, or None outside one."""
    found = _current.get({})
    return found.get(id(owner))


def enter(owner: object, state: RequestState) -> Callable[[], None]:
    """Make `state` the current request of `owner`; return what ends that."""
    token = _current.set({**_current.get({}), id(owner): state})
    return lambda: _current.reset(token)


def header(scope: Scope, name: bytes) -> str | None:
    """Return the first header `name` (lower case) of `scope`, or None."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return None
