"""The errors of htmx-rt.

RealtimeError
├── ConfigurationError        at start: a secret too short, an unknown bus, a second name in use
├── PublishError              at the call: nothing was sent
│   ├── BadTopic
│   ├── BadOperation
│   └── TooLarge
├── BadCursor                 a cursor of a long list that somebody has changed, or of an older version
├── PersonalContent           personal words in HTML that everybody gets
├── BusUnavailable            the bus did not take a message
├── StoreUnavailable          the store cannot be used now
├── StoreConflict             somebody else changed an item first
├── Cancelled                 work with a progress that somebody has cancelled
├── BadUpload                 the files of a form cannot be taken
├── Conflict                  a save that cannot be done as it is, with what to show instead
└── Refused                   a request that the edge answers with a problem
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import Response


class RealtimeError(Exception):
    """Root of every error raised by htmx-rt."""


class ConfigurationError(RealtimeError):
    """Raised if a `Realtime` object cannot start as it was configured."""


class PublishError(RealtimeError, ValueError):
    """Raised at the call if a message could never be delivered; nothing was sent."""


class BadTopic(PublishError):
    """Raised if a topic name is malformed or reserved."""


class BadOperation(PublishError):
    """Raised if a verb, target, name or fragment is malformed."""


class TooLarge(PublishError):
    """Raised if a message is over its limit."""


class BadCursor(RealtimeError, ValueError):
    """Raised if the cursor in an address is none; the first page is the answer."""


class PersonalContent(RealtimeError):
    """Raised if something personal is rendered into HTML that every reader of a topic gets."""


class BusUnavailable(RealtimeError):
    """Raised to whoever awaits a publish that the bus did not take."""


class StoreUnavailable(RealtimeError):
    """Raised if the store cannot be used now: away, full, or locked for too long."""


class StoreConflict(RealtimeError):
    """Raised if an item is not at the revision that a change was made for; `present` is what there is, or None."""

    def __init__(self, key: str, *, wanted: int, present: Any) -> None:
        there = f"revision {present.rev}" if present is not None else "nothing"
        super().__init__(f"{key!r} was to be changed from revision {wanted}, but there is {there}.")
        self.key = key
        self.wanted = wanted
        self.present = present


class Cancelled(RealtimeError):
    """Raised by `update()` and `check()` of a progress that somebody has cancelled; its `with` block ends well by it."""


class BadUpload(RealtimeError):
    """Raised if files of a form cannot be taken; nothing was. Its text is for people, in their language.

    `problem` is "count", "size", "type", "unfinished", "gone", "full" or "unknown"; `name` that of the file, where it
    is one; `status` what to answer with.
    """

    def __init__(self, problem: str, text: str, *, field: str, name: str = "") -> None:
        super().__init__(text)
        self.problem = problem
        self.field = field
        self.name = name
        self.status = {"size": 413, "type": 415, "gone": 409, "unfinished": 409, "full": 507}.get(problem, 422)


class Conflict(RealtimeError):
    """Raised if a save cannot be done as it is: answer with `body`, `status` and `headers`, or `response()`.

    `problem` is a name of `protocol.md` §4, `merge` what became of each field.
    """

    def __init__(self, status: int, problem: str, *, body: str, headers: dict[str, str], merge: Any = None) -> None:
        super().__init__(f"{status} {problem}")
        self.status = status
        self.problem = problem
        self.body = body
        self.headers = headers
        self.merge = merge

    def response(self, make: Callable[..., Any] | None = None) -> Any:
        """Return it as a response of Starlette, or what `make(body, status=…, headers=…)` makes of it."""
        if make is not None:
            return make(self.body, status=self.status, headers=self.headers)
        return Response(self.body, status_code=self.status, headers=self.headers)


class Refused(RealtimeError):
    """Raised inside the edge if a request is answered with a problem (`protocol.md` §4)."""

    def __init__(self, status: int, problem: str, detail: str = "", *, retry_after: int | None = None) -> None:
        super().__init__(f"{status} {problem}" + (f": {detail}" if detail else ""))
        self.status = status
        self.problem = problem
        self.detail = detail
        self.retry_after = retry_after  # seconds
