"""What the app knows of people beyond their names, pictures above all: one question for many of them, remembered.

    @rt.presence.fetch
    async def faces(ids):
        return {user.id: {"picture": user.avatar_url} for user in await load_users(ids)}

Drawing never waits: whoever is not known yet is drawn with initials, and again when the answer is there.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from .types import clean_name

log = logging.getLogger("htmx_rt")

SOON: Final = 0.02  # seconds in which questions gather
BATCH: Final = 500  # people in one question
MOST: Final = 20_000  # people remembered, or waiting to be asked for
AGE: Final = 300.0  # seconds until somebody is asked for again
AGAIN: Final = 15.0  # seconds after a question that failed
WAIT: Final = 10.0  # seconds that an answer may take
_SAFE: Final = re.compile(r"(?:https://[^/\s\\]|/(?![/\\]))[^\s\x00-\x1f\\]{0,2000}|/")

Record = Mapping[str, Any]
Fetch = Callable[[Sequence[str]], "Awaitable[Mapping[str, Record]] | Mapping[str, Record]"]
F = TypeVar("F", bound=Fetch)


class Face(NamedTuple):
    """What is shown of somebody beside their name."""

    picture: str | None = None  # an address of this site, or https
    name: str | None = None  # in place of the one they signed in with
    more: Record = {}  # noqa: RUF012  # whatever else the app gave; for its own templates


NOBODY: Final = Face()


class Faces:
    """Those of one app. `draw` is told of topics that show somebody who is known now."""

    def __init__(
        self,
        *,
        draw: Callable[[str], None],
        home: Callable[[], asyncio.AbstractEventLoop | None],
        later: Callable[[Coroutine[Any, Any, None]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._draw = draw
        self._home = home
        self._later = later
        self._clock = clock
        self._fetch: Fetch | None = None
        self._known: OrderedDict[str, tuple[Face, float]] = OrderedDict()  # id → face, when to ask again
        self._wanted: dict[str, set[str]] = {}  # id → topics that show it
        self._planned = False
        self._lock = threading.Lock()

    def ask(self, fetch: Fetch) -> None:
        """Ask `fetch` from now on."""
        self._fetch = fetch

    def forget(self, ids: Sequence[str]) -> None:
        """Ask for these people again the next time they are drawn; for all where there are no `ids`."""
        with self._lock:
            for identity in ids or tuple(self._known):
                self._known.pop(identity, None)

    def of(self, identity: str | None, topic: str) -> Face:
        """Return what is known of somebody now; what is not is asked for, and `topic` is drawn again."""
        if self._fetch is None or identity is None:
            return NOBODY
        with self._lock:
            face, until = self._known.get(identity, (NOBODY, 0.0))
            if self._clock() < until:
                return face
            if identity in self._wanted or len(self._wanted) < MOST:
                self._wanted.setdefault(identity, set()).add(topic)
            if self._planned:
                return face
            loop = self._home()
            if loop is not None:
                self._planned = True
        if loop is not None:
            loop.call_soon_threadsafe(loop.call_later, SOON, self._begin)
        return face

    def _begin(self) -> None:
        self._later(self._run())

    async def _run(self) -> None:
        try:
            while self._wanted:
                with self._lock:
                    ids = list(self._wanted)[:BATCH]
                await self._ask(ids)
                with self._lock:
                    topics = set().union(*(self._wanted.pop(identity, set()) for identity in ids))
                for topic in topics:
                    self._draw(topic)
        finally:
            self._planned = False

    async def _ask(self, ids: list[str]) -> None:
        assert self._fetch is not None
        found: Mapping[str, Record] = {}
        until = self._clock() + AGE
        try:
            async with asyncio.timeout(WAIT):
                if inspect.iscoroutinefunction(self._fetch):
                    found = await self._fetch(ids)
                else:
                    answer: Any = await asyncio.to_thread(self._fetch, ids)
                    found = await answer if inspect.isawaitable(answer) else answer
            faces = {identity: face(found.get(identity)) for identity in ids}
        except Exception:
            log.exception("The function given to rt.presence.fetch failed; people are shown without their pictures.")
            until = self._clock() + AGAIN
            faces = {identity: self._known.get(identity, (NOBODY, 0.0))[0] for identity in ids}
        with self._lock:
            for identity, one in faces.items():
                self._known[identity] = one, until
                self._known.move_to_end(identity)
            while len(self._known) > MOST:
                self._known.popitem(last=False)


def face(record: Record | None) -> Face:
    """Return what an app said of somebody, without a picture that would come from just anywhere."""
    if not record:
        return NOBODY
    picture = record.get("picture")
    if picture is not None and not (isinstance(picture, str) and _SAFE.fullmatch(picture)):
        log.warning("The picture %.200r is left out: give a path of this site, or an https address.", picture)
        picture = None
    name = record.get("name")
    more = {key: value for key, value in record.items() if key not in ("picture", "name")}
    return Face(picture, clean_name(name) if isinstance(name, str) else None, more)
