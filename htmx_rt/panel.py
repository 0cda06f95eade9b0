"""What people see where two of them changed the same: which words differ, what is proposed, what goes along. No I/O."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from .diff import Budget
from .marks import Marks, compared, what_came
from .merge import Field, Merge, Merger, Text, amount, flag, number, text, whole

Kind = Literal["line", "text", "list", "number", "flag"]

LONG: Final = 600  # characters that get a box of their own to scroll in
MOST_ECHOED: Final = 200
MOST_ECHOED_CHARACTERS: Final = 1_048_576

_SECRET = re.compile(
    r"passw|passphrase|passcode|kennwort|contrase|(^|[^a-z])(pass|pwd|pin|otp|cvc|cvv|secret)([^a-z]|$)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Shown:
    """One field, as templates show it. All values are form text; of a list, `…_values` has them one by one."""

    name: str
    label: str
    kind: Kind
    base: str | None  # None where it is not known
    mine: str
    theirs: str
    merged: str
    asked: bool  # whether somebody has to decide
    decision: str  # same, mine, theirs, merged or conflict
    both: bool  # whether `merged` has something of both
    merged_values: list[str] = field(default_factory=list)
    mine_values: list[str] = field(default_factory=list)
    stacked: list[int] = field(default_factory=list)  # lines of `merged` at which mine and then theirs stands
    marks: dict[str, Marks] = field(default_factory=dict)  # of "theirs" and "mine"; of "merged" what came in

    @property
    def long(self) -> bool:
        """Whether it may take more room than there is."""
        return max(map(len, (self.mine, self.theirs, self.merged))) > LONG

    @property
    def rows(self) -> int:
        """How many lines an editor shows."""
        return _rows(self.merged)


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody typed into one field, with nothing to compare it to."""

    name: str
    label: str
    kind: Kind
    text: str
    values: list[str]

    @property
    def rows(self) -> int:
        """How many lines it is shown with."""
        return _rows(self.text)


def describe(merge: Merge, labels: Mapping[str, str], mergers: Mapping[str, Merger]) -> list[Shown]:
    """Return all fields of a merge as the panel shows them, those that are asked about first."""
    budget = Budget()
    # Those that are asked about are compared first, while there is time.
    ordered = sorted(merge.fields.values(), key=lambda one: not one.conflict)
    return [
        _shown(one, labels.get(one.name) or label(one.name), mergers.get(one.name, whole), budget) for one in ordered
    ]


def typed(values: Mapping[str, Text], labels: Mapping[str, str], mergers: Mapping[str, Merger]) -> list[Typed]:
    """Return what was typed, field by field."""
    found = []
    for name, value in values.items():
        kind = _kind(mergers.get(name, whole), value)
        found.append(Typed(name, labels.get(name) or label(name), kind, _text(value), _values(value)))
    return found


def echo(form_items: Iterable[tuple[str, Any]], but: Collection[str]) -> list[tuple[str, str]]:
    """Return what a form held beside `but`, to go along with the next try: no files, no passwords, not without end.

    A name in `but` covers what the panel adds to it: `rt-take-title`, `rt-mine-title` and `rt-base.title`.
    """
    left_out = {f"{prefix}{name}" for name in but for prefix in ("", "rt-take-", "rt-mine-", "rt-base.")}
    found: list[tuple[str, str]] = []
    room = MOST_ECHOED_CHARACTERS
    for name, value in form_items:
        if name in left_out or not isinstance(value, str) or _SECRET.search(name):
            continue
        room -= len(name) + len(value)
        if room < 0 or len(found) == MOST_ECHOED:
            break
        found.append((name, value))
    return found


def label(name: str) -> str:
    """Return a field's name as people would write it."""
    spaced = re.sub(r"[_\-.\[\]]+", " ", name).strip()
    return spaced[:1].upper() + spaced[1:]


def _rows(text: str) -> int:
    return min(max(sum(len(line) // 80 + 1 for line in text.split("\n")) + 1, 3), 16)


def _kind(merger: Merger, *values: Text | None) -> Kind:
    if merger.several or any(isinstance(value, list) for value in values):
        return "list"
    if merger is flag:
        return "flag"
    if merger in (number, amount):
        return "number"
    return "text" if merger is text or any("\n" in value for value in values if isinstance(value, str)) else "line"


def _text(value: Text | None) -> str:
    return ", ".join(value) if isinstance(value, list) else value or ""


def _values(value: Text) -> list[str]:
    return list(value) if isinstance(value, list) else [value]


def _shown(one: Field, label: str, merger: Merger, budget: Budget) -> Shown:
    kind = _kind(merger, one.base, one.mine, one.theirs, one.value)
    value, stacked, marks = one.value, list[int](), dict[str, Marks]()
    if kind == "list":
        mine, theirs, base = _values(one.mine), _values(one.theirs), None if one.base is None else _values(one.base)
        if one.conflict and base is None:
            value = list(dict.fromkeys([*theirs, *mine]))
        marks = {"theirs": _members(base, mine, theirs), "mine": _members(base, theirs, mine)}
        marks["merged"] = _members(mine, [], _values(value))
    elif kind in ("number", "flag"):
        pairs = {"theirs": one.theirs, "mine": one.mine, "merged": one.value}
        marks = {name: [("same", _text(text))] if text else [] for name, text in pairs.items()}
    elif one.conflict:
        base_text = None if one.base is None else _text(one.base)
        found = compared(base_text, _text(one.mine), _text(one.theirs), budget, lines=kind == "text")
        value, stacked = value if found.proposed is None else found.proposed, found.stacked
        marks = {"theirs": found.theirs, "mine": found.mine}
    elif one.decision in ("theirs", "merged"):
        marks["merged"] = what_came(_text(one.mine), _text(one.value), budget)
    return Shown(
        name=one.name, label=label, kind=kind, base=None if one.base is None else _text(one.base),
        mine=_text(one.mine), theirs=_text(one.theirs), merged=_text(value), asked=one.conflict, decision=one.decision,
        both=value not in (one.mine, one.theirs), merged_values=_values(value), mine_values=_values(one.mine),
        stacked=stacked, marks=marks,
    )  # fmt: skip


def _members(base: list[str] | None, other: list[str], side: list[str]) -> Marks:
    """Mark what a list has more and less than its base, or where that is not known, more than the other."""
    known, here = set(other if base is None else base), set(side)
    marks: Marks = [("same" if item in known else "added", item) for item in side]
    return marks + [("removed", item) for item in base or () if item not in here]
