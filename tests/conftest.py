"""What every test of the package shares: asyncio by anyio's plugin, and a check that nothing is left running."""

from __future__ import annotations

import pytest

from .redis_kit import proxy as proxy
from .redis_kit import redis_server as redis_server
from .redis_kit import spawn_redis as spawn_redis


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
