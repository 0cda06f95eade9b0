"""Hearing of the end: SIGTERM and SIGINT, chained in front of the server's own handlers.

No server but hypercorn tells an open stream that it is shutting down; uvicorn and granian wait for streams that
nobody ends. So the first open stream's process asks for the signals itself, passes them on, and puts the former
handler back if it is still ours to put back.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import weakref
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, Protocol

log = logging.getLogger("htmx_rt")

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Drainable(Protocol):
    """What is told of the end; called in a signal handler, so it must only hand over to its loops."""

    def begin_drain(self) -> None:
        """Send all streams away."""


_waiting: weakref.WeakSet[Any] = weakref.WeakSet()
# Signal → the handlers in front of which we were put, the newest last, and how many of them lead to us right now.
_chain: dict[int, list[Any]] = {number: [] for number in SIGNALS}
_depth: dict[int, int] = dict.fromkeys(SIGNALS, 0)


def _handle(number: int, frame: FrameType | None) -> None:
    depth, chain = _depth[number], _chain[number]
    if not depth:
        for drainable in tuple(_waiting):
            try:
                drainable.begin_drain()
            except Exception:  # whatever happens here, the server must hear of its end
                log.exception("Could not send the streams of %r away.", drainable)
    # One that was chained in front of us passes the signal on to us; whom we preceded then is the one before it.
    previous = chain[-1 - depth] if depth < len(chain) else None
    _depth[number] += 1
    try:
        if callable(previous):
            previous(number, frame)
        elif previous == signal.SIG_DFL:
            # Nobody else was listening: let the signal do what it would have done without us.
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
    finally:
        _depth[number] -= 1


def heard(number: int = signal.SIGTERM) -> bool:
    """Tell whether a signal reaches us first."""
    return signal.getsignal(number) is _handle


def watch(drainable: Drainable) -> Callable[[], None]:
    """Tell `drainable` of SIGTERM and SIGINT from now on; return what ends that. Only the main thread can."""
    _waiting.add(drainable)
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            handler, chain = signal.getsignal(number), _chain[number]
            # None: installed from C, and not ours to call. Ignored: the process goes on, and so do its streams.
            # A server that replaced us is put in front of again.
            if handler not in (_handle, None, signal.SIG_IGN):
                if handler in chain:
                    del chain[chain.index(handler) :]
                chain.append(handler)
                signal.signal(number, _handle)

    def stop() -> None:
        _waiting.discard(drainable)
        if _waiting or threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            if _chain[number] and signal.getsignal(number) is _handle:
                with contextlib.suppress(TypeError, ValueError):
                    signal.signal(number, _chain[number].pop())

    return stop
