"""Something that comes later, for code of either kind: await it on any loop, or ask for its `result` in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from .exceptions import ConfigurationError

_T = TypeVar("_T")
Home = Callable[[], "asyncio.AbstractEventLoop | None"]  # the loop that work is done on


class Eventual(Generic[_T]):
    """The outcome of work that has begun already, whether or not anybody waits for it."""

    __slots__ = ("_future", "_home", "_task")

    def __init__(self, work: Coroutine[Any, Any, _T], home: Home) -> None:
        here = _running()
        self._home = home() or here
        self._task: asyncio.Task[_T] | None = None
        self._future: Future[_T] | None = None
        if self._home is None:
            work.close()
            raise ConfigurationError("htmx-rt has not started: wrap the app in RealtimeMiddleware(app, rt=rt).")
        if here is self._home:
            self._task = here.create_task(work)
        else:
            self._future = asyncio.run_coroutine_threadsafe(work, self._home)

    def __await__(self) -> Generator[Any, None, _T]:
        # Shielded: who gives up waiting must not stop the work.
        if self._task is not None and _running() is self._home:
            return (yield from asyncio.shield(self._task).__await__())
        return (yield from asyncio.shield(asyncio.wrap_future(self._as_future())).__await__())

    def result(self, timeout: float | None = None) -> _T:
        """Return the outcome; block at most `timeout` seconds. For threads: on the event loop, await it instead."""
        if _running() is self._home and not (self._task and self._task.done()):
            raise ConfigurationError(
                "result() would stop the event loop for ever here: await it instead, or make the endpoint a plain def."
            )
        return self._as_future().result(timeout)

    def _as_future(self) -> Future[_T]:
        if self._future is None:
            assert self._task is not None
            assert self._home is not None
            self._future = Future()
            task, future = self._task, self._future

            def settle(_: object = None) -> None:
                if task.cancelled():
                    future.cancel()
                elif (error := task.exception()) is not None:
                    future.set_exception(error)
                else:
                    future.set_result(task.result())

            if task.done():
                settle()
            else:
                self._home.call_soon_threadsafe(task.add_done_callback, settle)
        return self._future


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
