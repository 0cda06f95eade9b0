"""The marker of tests that fetch something: leave them out with `-m "not network"`."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "network: needs the package index")
