"""Taking a save back that was put together with somebody else's: the same form once more, with the values before it.

It is an ordinary save through the app's own route, so what was changed in the meantime is not overwritten either.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from .identity import RequestState
from .stores.base import Store

PREFIX: Final = "revert:"
KEPT: Final = 600.0  # seconds
LEFT: Final = 10.0  # seconds that its toast offers it
MOST: Final = 512 * 1024  # bytes; a longer one is not offered
_TOKENS: Final = (b"x-csrf-token", b"x-csrftoken", b"x-xsrf-token")


@dataclass(frozen=True, slots=True)
class Revert:
    """What would be posted."""

    method: str
    path: str
    query: str
    fields: Sequence[tuple[str, str]]
    headers: Sequence[tuple[str, str]] = ()  # that frameworks look for a CSRF token in


def revert_of(state: RequestState, fields: Sequence[tuple[str, str]]) -> Revert:
    """Return what takes back the save that a request is."""
    scope = state.scope
    tokens = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"] if name in _TOKENS]
    return Revert(
        scope["method"], str(scope["path"]), scope.get("query_string", b"").decode("latin-1"), list(fields), tokens
    )


class Reverts:
    """Those that may still be taken back."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def name(self) -> str:
        """Return the id of a new one."""
        return secrets.token_hex(18)

    def fits(self, revert: Revert) -> bool:
        """Tell whether it can be kept."""
        return len(_encode(revert)) <= MOST

    async def keep(self, owner: str, id: str, revert: Revert) -> None:
        """Keep it for its owner for a while. Raised where it cannot be noted: `StoreUnavailable`."""
        await self._store.put(f"{PREFIX}{owner}:{id}", _encode(revert), ttl=KEPT)

    async def take(self, owner: str, id: str) -> Revert | None:
        """Return it, once. Raised where the store is away: `StoreUnavailable`."""
        key = f"{PREFIX}{owner}:{id}"
        item = await self._store.get(key)
        if item is None or not await self._store.delete(key):
            return None
        return Revert(**json.loads(item.value))


def _encode(revert: Revert) -> bytes:
    return json.dumps(asdict(revert), separators=(",", ":")).encode()
