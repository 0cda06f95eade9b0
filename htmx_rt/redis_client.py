"""How we want our Redis clients: bounded in every wait, and without retries of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from .exceptions import ConfigurationError

CONNECT: Final = 2.0  # seconds
REPLY: Final = 5.0  # seconds; blocking reads ask for less


def connector(url: str) -> Callable[[], Any]:
    """Return what makes a client for `url`. Raised where redis-py is missing: `ConfigurationError`."""
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError:
        raise ConfigurationError(f"{url.split('@')[-1]!r} needs redis-py: pip install 'htmx-rt[redis]'.") from None

    def connect() -> Any:
        # redis-py 8 retries time-outs for a minute by itself; we know better when to try again.
        return Redis.from_url(
            url,
            socket_timeout=REPLY,
            socket_connect_timeout=CONNECT,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )

    return connect
