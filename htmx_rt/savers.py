"""Who saved which version of a record, and who took it away: what panels say by name."""

from __future__ import annotations

import json
import logging
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import asdict, dataclass
from typing import Any, Final

from .exceptions import StoreConflict, StoreUnavailable
from .stores.base import Store

log = logging.getLogger("htmx_rt")

PREFIX: Final = "saved:"
KEPT: Final = 7 * 24 * 3600.0  # seconds that it is remembered
MOST: Final = 20  # versions of one record
NEAR: Final = 1_000  # of this worker, for saves that come before the store has taken them
TRIES: Final = 5
GONE: Final = -1  # in place of a version: the end of the record


@dataclass(frozen=True, slots=True)
class Last:
    """Who saved a version, as far as it is known."""

    version: int = 0
    name: str = ""
    at: float = 0.0  # Unix seconds
    key: str = ""  # of that person, as pages know them
    why: str = ""  # of the end: deleted or archived


class Savers:
    """What is remembered of them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._near: OrderedDict[tuple[str, int], Last] = OrderedDict()

    async def last(self, resource: str, version: int) -> Last:
        """Return who saved `version` of a record, or nobody."""
        near = self._near.get((resource, version), Last())
        try:
            item = await self._store.get(PREFIX + resource)
        except StoreUnavailable:
            return near
        kept = [one for one in _lasts(item.value if item else b"") if one.version == version]
        return max([near, *kept], key=lambda one: one.at)

    def note(self, resource: str, last: Last) -> Coroutine[Any, Any, None]:
        """Remember it here at once, and for everybody when what is returned has run."""
        self._near[resource, last.version] = last
        if len(self._near) > NEAR:
            self._near.popitem(last=False)
        return self._keep(resource, last)

    async def _keep(self, resource: str, last: Last) -> None:
        key = PREFIX + resource
        try:
            for _ in range(TRIES):
                item = await self._store.get(key)
                known = [one for one in _lasts(item.value if item else b"") if one.version != last.version]
                value = json.dumps([asdict(one) for one in [*known, last][-MOST:]]).encode()
                try:
                    await self._store.put(key, value, ttl=KEPT, rev=item.rev if item else 0)
                    return
                except StoreConflict:
                    continue
        except StoreUnavailable as error:
            log.warning("Who saved %r could not be noted: %s", resource, error)


def _lasts(value: bytes) -> list[Last]:
    try:
        kept = [Last(**one) for one in json.loads(value or b"[]")]
        return [Last(int(one.version), str(one.name), float(one.at), str(one.key), str(one.why)) for one in kept]
    except (ValueError, TypeError, OverflowError, RecursionError):
        return []
