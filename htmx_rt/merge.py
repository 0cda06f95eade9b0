"""Three-way merge: what two people did to the same values, put together where it can be, named where it cannot.

    merge(base, base, a) = a      merge(base, a, a) = a      nothing that either of them did is lost

Text is merged by lines (diff3, as in S. Khanna, K. Kunal, B. C. Pierce, "A Formal Investigation of Diff3", 2007), sets
by what was added and taken out, numbers by how much. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any, Final, Literal

from .diff import Budget, anchored, cut, matching

Decision = Literal["same", "mine", "theirs", "merged", "conflict"]
Text = str | list[str]  # as a form sends it: several of one name are a list
MergeFunction = Callable[
    [Any, Any, Any], "tuple[Any, bool]"
]  # base, mine, theirs → the result, and whether it is clean

MOST_LINES: Final = 5_000  # longer texts are compared whole


@dataclass(frozen=True, slots=True)
class Merger:
    """How values of one kind are compared and put together; `read` makes them comparable, `write` form text again."""

    merge: MergeFunction
    read: Callable[[Any], Any] = lambda value: _read_text(value)
    write: Callable[[Any], Text] = lambda value: str(value)
    several: bool = False  # a form sends several values by this name
    unchecked: bool = False  # a form that shows it and sends nothing means none of them

    @property
    def plural(self) -> bool:
        """Whether `read` takes all values that came by its name; else there may be one only."""
        return self.several or self.unchecked or self.merge is _join


@dataclass(frozen=True, slots=True)
class Field:
    """What became of one field."""

    name: str
    base: Text | None  # None where it is not known
    mine: Text
    theirs: Text
    value: Text  # the result; of a conflict, what is proposed
    decision: Decision

    @property
    def conflict(self) -> bool:
        """Whether somebody has to decide."""
        return self.decision == "conflict"


@dataclass(frozen=True, slots=True)
class Merge:
    """What became of all fields, by name."""

    fields: dict[str, Field] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, Text]:
        """The result of each field."""
        return {name: one.value for name, one in self.fields.items()}

    @property
    def conflicts(self) -> list[Field]:
        """The fields that both changed, and differently."""
        return [one for one in self.fields.values() if one.conflict]

    @property
    def clean(self) -> bool:
        """Whether nobody has to decide anything."""
        return not self.conflicts

    @property
    def theirs(self) -> list[str]:
        """The fields in which something of the other side was taken over."""
        return [name for name, one in self.fields.items() if one.decision in ("theirs", "merged")]


def merge_fields(
    base: Mapping[str, Any] | None,
    mine: Mapping[str, Any],
    theirs: Mapping[str, Any],
    mergers: Mapping[str, Merger],
) -> Merge:
    """Merge what `mergers` names, field by field. What `mine` does not hold was not changed.

    Where the base of a field is not known, any difference is a conflict: nobody can tell whose change it is.
    """
    found: dict[str, Field] = {}
    budget = Budget()  # of all fields, so that many texts take no longer than one
    for name, merger in mergers.items():
        known = base is not None and name in base
        t = merger.read(theirs.get(name))
        b = merger.read(base[name]) if base is not None and known else None
        m = merger.read(mine[name]) if name in mine else (b if known else t)
        found[name] = _merge_field(name, merger, b, m, t, budget, known=known)
    return Merge(found)


def _merge_field(name: str, merger: Merger, base: Any, mine: Any, theirs: Any, budget: Budget, *, known: bool) -> Field:
    decision: Decision
    if mine == theirs:
        value, decision = mine, "same"
    elif known and mine == base:
        value, decision = theirs, "theirs"
    elif known and theirs == base:
        value, decision = mine, "mine"
    elif not known:
        value, decision = mine, "conflict"
    else:
        by_lines = merger.merge is _by_lines
        value, clean = _by_lines(base, mine, theirs, budget) if by_lines else merger.merge(base, mine, theirs)
        decision = "merged" if clean else "conflict"
    write = merger.write
    return Field(name, write(base) if known else None, write(mine), write(theirs), write(value), decision)


def _take_mine(base: Any, mine: Any, theirs: Any) -> tuple[Any, bool]:
    return mine, False


def _add_up(base: Any, mine: Any, theirs: Any) -> tuple[Any, bool]:
    if not all(isinstance(one, Decimal) for one in (base, mine, theirs)):
        return mine, False
    with localcontext(prec=200):  # more digits than are read, so that none is rounded away
        return mine + (theirs - base), True


def _join(base: tuple[str, ...], mine: tuple[str, ...], theirs: tuple[str, ...]) -> tuple[Any, bool]:
    known, ours, others = frozenset(base), frozenset(mine), frozenset(theirs)
    kept = [one for one in base if one in ours and one in others]
    # In an order that does not depend on who was first.
    return (*kept, *sorted((ours | others) - known)), True


def _by_lines(base: str, mine: str, theirs: str, budget: Budget | None = None) -> tuple[str, bool]:
    b, m, t = sides = [_lines(one) for one in (base, mine, theirs)]
    if max(len(side) for side in sides) > MOST_LINES:
        return mine, False
    budget = budget or Budget()
    ours, others = (matching(b, side, budget) or anchored(b, side) for side in (m, t))
    result: list[str] = []
    clean = True
    for chunk in cut(b, m, t, ours, others):
        was, here, there = (list(side) for side in chunk)
        if here == there or there == was:
            result += here
        elif here == was:
            result += there
        else:
            clean = False
            result += _apart(here, there)
    return "".join(result), clean


def _apart(ours: list[str], others: list[str]) -> list[str]:
    """Both, one after the other, each beginning on a line of its own."""
    if ours and others and not ours[-1].endswith("\n"):
        ours = [*ours[:-1], ours[-1] + "\n"]
    return [*ours, *others]


def _lines(text: str) -> list[str]:
    # By newlines alone: what else Python takes for the end of a line may stand within one.
    return re.findall(r"[^\n]*\n|[^\n]+", text)


# How values are read and written


def _read_text(value: Any) -> str:
    """Return a value as a form sends it; line ends as they are kept, not as they are sent."""
    if isinstance(value, list | tuple):
        value = value[0] if value else ""
    return "" if value is None else str(value).replace("\r\n", "\n").replace("\r", "\n")


def _read_number(value: Any) -> Decimal | str:
    text = _read_text(value).strip()
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    # Exponents such as 1e999999999 would be written out in full.
    return number if number.is_finite() and abs(number.adjusted()) <= 60 and len(text) <= 80 else text


def _write_number(value: Decimal | str) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else value


def _read_members(value: Any) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    found: Iterable[Any] = sorted(map(str, value)) if isinstance(value, set | frozenset) else value
    return tuple(dict.fromkeys(map(_read_text, [found] if isinstance(found, str) else found)))


def _read_words(value: Any) -> tuple[str, ...]:
    parts = [value] if isinstance(value, str) or value is None else value
    split = (word.strip() for part in parts for word in _read_text(part).split(","))
    return tuple(dict.fromkeys(word for word in split if word))


def _read_flag(value: Any) -> bool:
    if isinstance(value, list | tuple):  # a hidden field before a checkbox stands for "off"
        return any(map(_read_flag, value))
    return value if isinstance(value, bool) else _read_text(value).lower() not in ("", "0", "false", "off", "no")


# Mergers

whole: Final = Merger(_take_mine)
"""One or the other: where both changed it, somebody decides."""

text: Final = Merger(_by_lines)
"""By lines; where both changed the same lines differently, mine and then theirs is proposed, and somebody decides."""

number: Final = Merger(_add_up, _read_number, _write_number)
"""What both did is added up: stock that one raised by 2 and the other lowered by 1 is raised by 1.

Two who both raise it from 5 to 6 agree on 6. To count what happens, let the database add: `SET stock = stock + 1`.
"""

amount: Final = Merger(_take_mine, _read_number, _write_number)
"""A number of which one or the other counts, such as a price; 3.5 and 3.50 are the same."""

members: Final = Merger(_join, _read_members, lambda value: list(value), several=True, unchecked=True)
"""Several values of one name, as checkboxes send them: what both kept and what either added."""

words: Final = Merger(_join, _read_words, lambda value: ", ".join(value))
"""A text of words parted by commas, such as tags, as a set."""

flag: Final = Merger(_take_mine, _read_flag, lambda value: "on" if value else "", unchecked=True)
"""A checkbox. Of two who both change it, both have the same in mind."""
