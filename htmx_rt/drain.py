"""Hearing of the end: SIGTERM and SIGINT, chained in front of the server's own handlers.

No server but hypercorn tells an open stream that it is shutting down; uvicorn and granian wait for streams that
nobody ends. So the first open stream's process asks for the signals itself, passes them on, and puts the former
handler back if it is still ours to put back.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import weakref
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, Protocol

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Drainable(Protocol):
    """What is told of the end; called in a signal handler, so it must only hand over to its loops."""

    def begin_drain(self) -> None:
        """Send all streams away."""


_waiting: weakref.WeakSet[Any] = weakref.WeakSet()
_previous: dict[int, Any] = {}


def _handle(number: int, frame: FrameType | None) -> None:
    for drainable in tuple(_waiting):
        drainable.begin_drain()
    previous = _previous.get(number)
    if callable(previous):
        previous(number, frame)
    elif previous == signal.SIG_DFL:
        # Nobody else was listening: let the signal do what it would have done without us.
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)


def watch(drainable: Drainable) -> Callable[[], None]:
    """Tell `drainable` of SIGTERM and SIGINT from now on; return what ends that. Only the main thread can."""
    _waiting.add(drainable)
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            handler = signal.getsignal(number)
            # None: installed from C, and not ours to call. Ignored: the process goes on, and so do its streams.
            # A server that replaced us is put in front of again.
            if handler not in (_handle, None, signal.SIG_IGN):
                _previous[number] = handler
                signal.signal(number, _handle)

    def stop() -> None:
        _waiting.discard(drainable)
        if _waiting or threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            previous = _previous.pop(number, None)
            if previous is not None and signal.getsignal(number) is _handle:
                with contextlib.suppress(TypeError, ValueError):
                    signal.signal(number, previous)

    return stop
