"""One thing that takes long, as whoever does it reports it: from a coroutine or a thread, as often as they like.

    async with rt.progress("import:7", "Importing prices", total=len(rows)) as p:   # in a thread: with
        for number, row in enumerate(rows):
            p.update(done=number, step="Reading rows")

What is reported is only noted; ten times a second at most it is sent, and the last of it always is.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError as FutureCancelled
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Protocol

from .eventual import Eventual
from .exceptions import Cancelled, ConfigurationError, RealtimeError
from .pace import Pace
from .progress_record import CANCELLED, DONE, FAILED, INTERRUPTED, REASON, RUNNING, STEP, Record, cleaned, number, whole
from .publishing import Published

log = logging.getLogger("htmx_rt")

EVERY: Final = 0.1  # seconds between two messages
AGAIN: Final = 1.0  # seconds until one that the bus did not take is sent again
PATIENCE: Final = 5.0  # seconds that the end of a block waits for the store


class Office(Protocol):
    """What a progress needs of the one that looks after all of them."""

    def begin(self, progress: Progress) -> Eventual[None]:
        """Note that it has begun. Raised where there are too many: `TooLarge`."""

    def end(self, progress: Progress) -> Eventual[None]:
        """Note how it has ended."""

    def say(self, record: Record) -> Published | None:
        """Tell the pages; None where they are not shown it."""

    def toast(self, record: Record, by: str) -> None:
        """Tell its owner how it has ended."""

    def soon(self, progress: Progress) -> None:
        """Call `flush` in a moment."""

    def now(self) -> float:
        """Return the Unix seconds that all workers go by."""


class Progress:
    """`rt.progress(…)`: something that takes long. Its methods may be called from any thread, and never wait."""

    def __init__(self, office: Office, record: Record, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._office = office
        self._record = record  # as it was sent last
        self._clock = clock
        self._lock = threading.RLock()
        self._pace = Pace()
        self._done: float = record.done
        self._total = record.total
        self._step = record.step
        self._begun = False
        self._changed = False  # since it was sent last
        self._next = 0.0  # of the clock: not to be sent before
        self._sent: Published | None = None
        self._cancel_by: str | None = None  # owner's name of whoever cancelled it
        self._quiet = False  # the worker is about to stop, and has said so
        self.noting = threading.Lock()  # held by whoever writes to the store
        self.rev = 0  # of its item there

    def __repr__(self) -> str:
        return f"<Progress {self.title!r} {self.state}>"

    @property
    def id(self) -> str:
        """What its address and its messages call it."""
        return self._record.id

    @property
    def title(self) -> str:
        """What it is called."""
        return self._record.title

    @property
    def state(self) -> str:
        """ "running", "done", "failed", "cancelled" or "interrupted"."""
        return RUNNING if self._quiet and self._record.state == INTERRUPTED else self._record.state

    @property
    def cancelling(self) -> bool:
        """Whether somebody has cancelled it."""
        return self._cancel_by is not None

    # What whoever works reports

    def update(self, *, done: float | None = None, step: str | None = None, total: float | None = None) -> None:
        """Report how far it is. Raised where somebody has cancelled it: `Cancelled`; where it has ended: `RealtimeError`.

        `done` beyond `total` counts as `total`, a negative one as 0, and a total of 0 as not known.
        """
        self._check_running("update")
        if done is not None and (found := number(done, "done")) is not None:
            self._done = found
        if total is not None:
            self._total = whole(total)
        if step is not None:
            self._step = step
        self._changed = True
        if self._cancel_by is not None:
            raise Cancelled(f"{self.title!r} was cancelled by {self._cancel_by or 'its owner'}.")
        if self._clock() >= self._next:
            self.flush()
        else:
            self._office.soon(self)

    def check(self) -> None:
        """Do nothing, unless somebody has cancelled it: `Cancelled`. Raised where it has ended: `RealtimeError`."""
        self._check_running("check")
        if self._cancel_by is not None:
            raise Cancelled(f"{self.title!r} was cancelled by {self._cancel_by or 'its owner'}.")

    def fail(self, reason: str) -> None:
        """End it as failed, for a reason that people are shown; the block goes on, and may clear up."""
        self._check_running("fail")
        self._end(FAILED, cleaned(reason, REASON))

    def _check_running(self, what: str) -> None:
        if not self._begun:
            raise RealtimeError(
                f"p.{what}() of {self.title!r}: it has not begun. Write `async with rt.progress(…) as p:`, "
                "or `with` in a thread."
            )
        if self.state != RUNNING:
            raise RealtimeError(f"p.{what}() of {self.title!r}: it has ended already ({self.state}).")

    # The block

    async def __aenter__(self) -> Progress:
        self._enter()
        await self._office.begin(self)
        return self

    def __enter__(self) -> Progress:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise ConfigurationError(f"On an event loop, write `async with rt.progress(…, {self.title!r})`.")
        self._enter()
        self._office.begin(self).result()
        return self

    def _enter(self) -> None:
        with self._lock:
            if self._begun:
                raise RealtimeError(f"{self.title!r} has begun already: make one rt.progress(…) for each block.")
            self._begun = True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._outcome(error)
        try:
            noted = self._office.end(self)
            if not isinstance(error, asyncio.CancelledError):  # else the task is to end now
                async with asyncio.timeout(PATIENCE):
                    await noted
        except (TimeoutError, RuntimeError, RealtimeError) as failure:  # it must not hide `error`
            log.warning("How %r has ended could not be noted: %r", self.title, failure)
        return isinstance(error, Cancelled)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._outcome(error)
        try:
            self._office.end(self).result(PATIENCE)
        except (TimeoutError, RuntimeError, FutureCancelled, RealtimeError) as failure:  # it must not hide `error`
            log.warning("How %r has ended could not be noted: %r", self.title, failure)
        return isinstance(error, Cancelled)

    def _outcome(self, error: BaseException | None) -> None:
        if self.state != RUNNING:  # by fail()
            return
        if error is None:
            self._end(DONE)
        elif isinstance(error, Cancelled):
            self._end(CANCELLED)
        elif isinstance(error, Exception):
            log.warning("%r failed: %s: %s", self.title, type(error).__name__, error)
            # What other errors say may be nobody's business.
            self._end(FAILED, cleaned(error, REASON) if isinstance(error, RealtimeError) else "")
        else:  # the task, the thread or the process is made to stop
            self._end(INTERRUPTED)

    def _end(self, state: str, reason: str = "") -> None:
        with self._lock:
            late = state == DONE and self._cancel_by is not None
            if state == DONE and self._total is not None:
                self._done = self._total
            self._quiet = False
            self._send(state=state, error=reason, late=late, cancelling=False, left=None, ended=self._office.now())
        self._office.toast(self._record, self._cancel_by or "")

    # What the office asks

    @property
    def record(self) -> Record:
        """What was sent last."""
        return self._record

    @property
    def ended(self) -> bool:
        """Whether nothing follows."""
        return self.state != RUNNING

    @property
    def pending(self) -> bool:
        """Whether there is something that was not sent, or did not arrive."""
        if self._sent is not None and self._sent.done and _refused(self._sent):
            return True
        return self._changed and not self._quiet and not self.ended

    def flush(self) -> None:
        """Send what is new, unless what was sent before is still under way; it is asked for again then."""
        with self._lock:
            now = self._clock()
            if not self._begun or not self.pending:
                return
            lost = self._sent is not None and self._sent.done and _refused(self._sent)
            if now < self._next or (self._sent is not None and not self._sent.done):
                self._office.soon(self)
            elif self.ended or self._quiet:
                self._say(self._record)
            else:
                self._send()
            if lost:
                self._next = now + AGAIN

    def cancelled(self, by: str) -> None:
        """Somebody wants it to end: the next `update` or `check` raises, and pages are told."""
        with self._lock:
            if self._cancel_by is not None or self.ended:
                return
            self._cancel_by = by
            if not self._quiet:
                self._send()

    def place(self, slot: int) -> None:
        """It has a place on its topic, or none: from now on it is shown, or not."""
        with self._lock:
            self._record = replace(self._record, slot=slot)
            if slot >= 0:
                self._send() if not self.ended and not self._quiet else self._say(self._record)

    def alive(self, beat: float) -> Record:
        """Return it as it is to be noted, good until `beat`."""
        with self._lock:
            self._record = replace(self._record, beat=beat)
            stalled = self._record.left is not None and self._pace.left(self._total, self._clock()) is None
            if stalled and not self.ended:
                self._changed = True
                self._office.soon(self)
            return self._record

    def silence(self) -> None:
        """The worker is about to stop: it counts as interrupted, unless it still comes to its end."""
        with self._lock:
            if not self._begun or self.ended or self._quiet:
                return
            self._quiet = True
            self._send(state=INTERRUPTED, left=None, cancelling=False, ended=self._office.now())

    def revive(self, n: int) -> None:
        """Somebody has taken it for dead: say that it is not."""
        with self._lock:
            self._record = replace(self._record, n=max(n, self._record.n))
            if not self._quiet:
                self._say_again()

    def _say_again(self) -> None:
        if self.ended:
            self._record = replace(self._record, n=self._record.n + 1)
            self._say(self._record)
        else:
            self._send()

    def _send(self, **changes: Any) -> None:
        now = self._clock()
        done = self._done if self._total is None else min(self._done, self._total)
        self._pace.note(done, now)
        values: dict[str, Any] = {
            "done": done, "total": self._total, "step": cleaned(self._step, STEP), "n": self._record.n + 1,
            "left": self._pace.left(self._total, now), "cancelling": self._cancel_by is not None,
        }  # fmt: skip
        self._record = replace(self._record, **values | changes)
        self._changed = False
        self._next = now + EVERY
        self._say(self._record)

    def _say(self, record: Record) -> None:
        self._sent = self._office.say(record)


def _refused(sent: Published) -> bool:
    try:
        sent.result(0)
    except Exception:
        return True
    return False
