"""What is kept of a lock: who holds a resource, until when, who asks for it, and who held it before."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal

from .people import COLOURS
from .stores.base import Item
from .topics import public_key

FORMER: Final = 8  # holders before that are remembered
NEW: Final = -1  # in place of a fence that is still to be given
TIMES: Final = {"lock": (30.0, 10.0), "owner": (12.0, 4.0)}  # seconds: life without a word, and between two words
CLOSED: Final = {"lock": 15.0, "owner": 4.0}  # seconds after the line closed, where the guard does not say

Kind = Literal["lock", "owner"]


@dataclass(frozen=True, slots=True)
class Holder:
    """A tab of somebody."""

    owner: str
    tab: str  # scoped
    name: str = ""

    def public(self) -> dict[str, Any]:
        """Return what pages may know of them."""
        key = public_key(self.owner)
        return {"k": key, "n": self.name, "c": int(key, 16) % COLOURS, "tab": public_key(self.tab)}


@dataclass(frozen=True, slots=True)
class Asking:
    """Somebody who would like to have it, and gets it at `until` unless they are refused."""

    who: Holder
    until: float  # Unix seconds


@dataclass(frozen=True, slots=True)
class Terms:
    """How a guard wants a resource to be held; signed into the grants of its pages."""

    kind: Kind
    grace: float  # seconds after the line of who holds it closed
    auto: float = 20.0  # seconds until who asks gets it

    @property
    def ttl(self) -> float:
        """Seconds that it is held without a word."""
        return TIMES[self.kind][0]

    @property
    def beat(self) -> float:
        """Seconds between two words."""
        return TIMES[self.kind][1]


@dataclass(frozen=True, slots=True)
class Lock:
    """What the store knows of a resource."""

    terms: Terms
    fence: int = 0  # of who holds it, or held it last
    holder: Holder | None = None
    until: float = 0.0  # Unix seconds
    asking: Asking | None = None
    former: tuple[tuple[int, str], ...] = field(default=())  # fence and owner of those before, the last one last

    def held(self, now: float) -> bool:
        """Tell whether somebody holds it."""
        return self.holder is not None and now < self.until

    @property
    def due(self) -> float:
        """When something happens by time alone."""
        return min(self.until, self.asking.until if self.asking else self.until)


def handed(lock: Lock, to: Holder | None, until: float = 0.0) -> Lock:
    """Return `lock` in the hands of `to`, with a new fence to be filled in; of nobody it keeps the one it has."""
    former = lock.former
    if lock.holder is not None:
        former = (*former, (lock.fence, lock.holder.owner))[-FORMER:]
    fence = lock.fence if to is None else NEW
    return replace(lock, fence=fence, holder=to, until=until, asking=None, former=former)


def encode(lock: Lock) -> bytes:
    """Return a record as a value for the store."""
    return json.dumps(asdict(lock), separators=(",", ":")).encode()


def decode(item: Item) -> Lock | None:
    """Return what was kept; None for what an earlier release kept otherwise, or nobody understands."""
    try:
        kept = json.loads(item.value)
        terms, holder, asking = kept["terms"], kept["holder"], kept["asking"]
        TIMES[terms["kind"]]
        return Lock(
            terms=Terms(terms["kind"], float(terms["grace"]), float(terms["auto"])),
            fence=int(kept["fence"]),
            holder=_holder(holder) if holder else None,
            until=float(kept["until"]),
            asking=Asking(_holder(asking["who"]), float(asking["until"])) if asking else None,
            former=tuple((int(fence), str(owner)) for fence, owner in kept["former"]),
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _holder(kept: dict[str, str]) -> Holder:
    return Holder(str(kept["owner"]), str(kept["tab"]), str(kept["name"]))
