"""What every test of the package shares: asyncio by anyio's plugin, and a check that nothing is left running."""

from __future__ import annotations

from pathlib import Path

import pytest

from .redis_kit import proxy as proxy
from .redis_kit import redis_server as redis_server
from .redis_kit import spawn_redis as spawn_redis


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


# Files that take long, though they hold few tests: begun last, they would be waited for alone.
FIRST = (
    "presence_kill",
    "redis_faults",
    "starlette",
    "undo_kill",
    "slow_readers",
    "exactly_once",
    "redis",
    "undo_runner",
)

REAL = ("buses", "contrib", "doctor", "e2e", "examples", "integration", "stores", "transports")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {f"test_{name}": place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(FIRST)))
    # Real servers, threads and browsers depend on how busy the machine is. Such a test is tried once more, alone, and
    # the end of the run names it and counts it; one that fails twice fails.
    for item in items:
        if item.path.relative_to(Path(__file__).parent).parts[0] in REAL:
            item.add_marker(pytest.mark.flaky(reruns=1))
