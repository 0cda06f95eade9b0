"""Servers for the length of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from servers import Server
from visitor import Visitor


@pytest.fixture
def spawn() -> Iterator[Callable[..., Server]]:
    """`spawn("flask_app:app", "--port", "0")` runs a server process, ended with the test."""
    with ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(Server(*arguments, **options))


@pytest.fixture
def visit() -> Iterator[Callable[..., Visitor]]:
    """`visit(address)` is a new browser, closed with the test."""
    with ExitStack() as stack:

        def visit(address: str, **options: Any) -> Visitor:
            return stack.enter_context(Visitor(address, **options))

        yield visit
