"""What is known of something that takes long: how it lies in the store, and what pages are told of it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from .exceptions import BadOperation
from .pace import Left
from .stores.base import Item
from .topics import public_key
from .types import clean_name

RUNNING, DONE, FAILED, CANCELLED, INTERRUPTED = "running", "done", "failed", "cancelled", "interrupted"
STATES: Final = (RUNNING, DONE, FAILED, CANCELLED, INTERRUPTED)
TITLE: Final = 120  # characters
STEP: Final = 200
REASON: Final = 300
_MOST: Final = 2.0**53 - 1  # that JavaScript can count up to
_INSIDE: Final = frozenset(("owner", "user", "lang", "toast", "beat", "slot", "topic"))


@dataclass(frozen=True, slots=True)
class Record:
    """Something that takes, or took, long."""

    id: str
    topic: str
    title: str
    owner: str = ""  # who may cancel it; empty where nobody is known
    by: str = ""  # the owner's name, as others are shown it
    total: float | None = None
    done: float = 0
    step: str = ""
    left: Left | None = None  # time it takes still
    state: str = RUNNING
    cancel: str | None = None  # who may: "owner", "all" or nobody
    cancelling: bool = False
    late: bool = False  # done, though it was to be cancelled
    error: str = ""  # why it failed, as far as people are told
    started: float = 0.0  # Unix seconds, as the other times
    ended: float | None = None
    beat: float = 0.0  # until when it counts as running without another word of its worker
    n: int = 0  # grows with each change
    slot: int = -1  # place on its topic; -1 where there is none
    user: str = ""  # id of the owner, for toasts
    lang: str = "en"
    toast: bool = True

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self.state == RUNNING

    @property
    def percent(self) -> int | None:
        """How much is done; 100 only where all is, None where nobody knows how much there is."""
        if self.total is None:
            return 100 if self.state == DONE else None
        return 100 if self.done >= self.total else min(99, math.floor(100 * self.done / self.total))

    @property
    def public(self) -> dict[str, Any]:
        """What pages may know, without what says nothing."""
        known = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in _INSIDE}
        known |= {"percent": self.percent, "who": public_key(self.owner) if self.owner else None}
        return {
            name: value for name, value in known.items() if value is not None and value is not False and value != ""
        }

    def encoded(self) -> bytes:
        """Return it as a value for the store."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")

    @classmethod
    def read(cls, item: Item | None) -> Record | None:
        """Return what lies in the store; None where it is none of ours."""
        try:
            values = json.loads(item.value) if item is not None else {}
            left = values.get("left")
            known = {field.name for field in fields(cls)}
            kept = {name: value for name, value in values.items() if name in known}
            return cls(**kept | {"left": (str(left[0]), int(left[1])) if left else None})
        except (ValueError, TypeError, AttributeError, IndexError, KeyError):
            return None


def number(value: object, what: str) -> float | None:
    """Return a number that is not negative and can be shown; None for NaN. Raised where it is none: `BadOperation`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadOperation(f"p.update({what}={value!r}): give a number.")
    if value != value:
        return None
    return max(0, min(value, _MOST))


def whole(value: object) -> float | None:
    """Return how much there is; None where that is nothing, or nobody knows."""
    total = None if value is None else number(value, "total")
    return total if total else None


def cleaned(text: object, most: int) -> str:
    """Return one line of text without control and direction-changing characters, at most `most` of them."""
    found = str(text)
    if len(found) <= most and found.isascii() and found.isprintable():
        return found.strip()
    # Of a huge one only the beginning is looked at.
    short = clean_name(" ".join(found[: 4 * most].split()), most=most + 1)
    return short if len(short) <= most else short[: most - 1].rstrip() + "…"
