"""Stepping a server's send: whose, and what becomes of one that waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from htmx_rt.lines import server_send, step

pytestmark = pytest.mark.anyio
MESSAGE = {"type": "http.response.body", "body": b"x", "more_body": True}


class Plain:
    """What granian's send returns: an iterator, into which nothing can be thrown."""

    def __init__(self, waits_for: asyncio.Future[None] | None, log: list[str], error: Exception | None = None) -> None:
        self._inner = waits_for.__await__() if waits_for is not None else iter(())
        self._log, self._error = log, error

    def __await__(self) -> Plain:
        return self

    def __iter__(self) -> Plain:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._inner)
        except StopIteration:
            if self._error is not None:
                raise self._error from None
            self._log.append("sent")
            raise


async def coroutine(waits_for: asyncio.Future[None] | None, log: list[str], error: Exception | None = None) -> None:
    if waits_for is not None:
        await waits_for
    if error is not None:
        raise error
    log.append("sent")


Made = Callable[..., Any]


@pytest.fixture(params=[Plain, coroutine], ids=["plain", "coroutine"])
def made(request: pytest.FixtureRequest) -> Made:
    """A way to make what a server's send returns."""
    return request.param  # type: ignore[no-any-return]


async def test_what_is_taken_at_once_leaves_nothing(made: Made) -> None:
    log: list[str] = []
    assert step(lambda message: made(None, log), MESSAGE) is None
    assert log == ["sent"]


async def test_what_waits_is_finished_by_a_task(made: Made) -> None:
    log: list[str] = []
    gate = asyncio.get_running_loop().create_future()
    rest = step(lambda message: made(gate, log), MESSAGE)
    assert rest is not None
    task = asyncio.create_task(rest)
    await asyncio.sleep(0)
    assert log == []
    assert not task.done()
    gate.set_result(None)
    await task
    assert log == ["sent"]


async def test_what_fails_says_so_at_once_or_later(made: Made) -> None:
    with pytest.raises(OSError, match="gone"):
        step(lambda message: made(None, [], OSError("gone")), MESSAGE)
    gate = asyncio.get_running_loop().create_future()
    rest = step(lambda message: made(gate, [], OSError("gone")), MESSAGE)
    assert rest is not None
    gate.set_result(None)
    with pytest.raises(OSError, match="gone"):
        await rest


async def test_a_task_that_waits_can_be_cancelled(made: Made) -> None:
    log: list[str] = []
    gate = asyncio.get_running_loop().create_future()
    rest = step(lambda message: made(gate, log), MESSAGE)
    assert rest is not None
    task = asyncio.create_task(rest)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == []


class Server:
    async def send(self, message: Any) -> None:
        """Not one of those that are known."""


@pytest.mark.parametrize("send", [print, [].append, Server().send, lambda message: None])
def test_nobody_else_is_stepped(send: Any) -> None:
    assert server_send(send) is None
