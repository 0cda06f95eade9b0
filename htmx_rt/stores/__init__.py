"""Stores: where receipts, drafts and leases are kept. `connect` chooses one by its URL."""

from __future__ import annotations

from ..exceptions import ConfigurationError
from ..redis_client import connector
from .base import Item as Item
from .base import Store as Store
from .memory import MemoryStore as MemoryStore


def connect(url: str | Store, *, name: str) -> Store:
    """Return the store that `url` names, or `url` itself where it is one already."""
    if isinstance(url, Store):
        return url
    if url == "memory://":
        return MemoryStore()
    if url.startswith("sqlite:///") and len(url) > len("sqlite:///"):
        from .sqlite import SqliteStore

        return SqliteStore(url.removeprefix("sqlite:///"))
    if url.startswith(("redis://", "rediss://", "unix://")):
        from .redis import RedisStore

        return RedisStore(connector(url), name=name)
    raise ConfigurationError(f"Unknown store {url!r}. Use 'memory://', 'sqlite:///path/to/file.db' or 'redis://…'.")
