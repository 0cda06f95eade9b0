"""Buses: how workers hear of each other. `connect` chooses one by its URL."""

from __future__ import annotations

from ..exceptions import ConfigurationError
from ..types import Limits
from .base import Bus as Bus
from .base import Listener as Listener
from .base import Mark as Mark
from .memory import MemoryBus as MemoryBus


def connect(url: str | Bus, limits: Limits, *, name: str = "app") -> Bus:
    """Return the bus that `url` names, or `url` itself where it is one already."""
    if isinstance(url, Bus):
        return url
    if url == "memory://":
        return MemoryBus(limits)
    if url.startswith(("redis://", "rediss://", "unix://")):
        from ..redis_client import connector
        from .redis import RedisBus

        return RedisBus(connector(url), limits, name=name)
    raise ConfigurationError(
        f"Unknown bus {url!r}. Use 'memory://', 'redis://…', or pass an object of htmx_rt.buses.Bus."
    )
