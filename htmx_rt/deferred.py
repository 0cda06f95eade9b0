"""An action that was put off, and how it lies in the store."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field
from typing import Any, Final

from .exceptions import ConfigurationError
from .stores.base import Item
from .stores.hold import Record, decode
from .types import User

log = logging.getLogger("htmx_rt")

PENDING, RUNNING, UNDONE, DONE, FAILED, UNKNOWN = "pending", "running", "undone", "done", "failed", "unknown"
PREFIX: Final = "undo:p:"  # deferred, by the moment it is due
ENDED: Final = "undo:x:"  # what became of it, by its owner
ITEM: Final = "undo:i:"  # which one is deferred for an item


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

    @property
    def item_key(self) -> str:
        """Where it is noted which one is deferred for the item."""
        return ITEM + hashlib.sha256(f"{self.action}\0{self.item}".encode()).hexdigest()[:32]

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

    @classmethod
    def read(cls, key: str, item: Item) -> Deferred | None:
        """Return what lies in the store under `key`; None, with a word in the log, where it is none of ours."""
        try:
            return cls.of(key, decode(item)[0])
        except (KeyError, TypeError, ConfigurationError):
            log.error("What lies under %r is no deferred action; it is left alone.", key)
            return None
