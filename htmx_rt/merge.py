"""Three-way merge: what two people did to the same values, put together where it can be, named where it cannot.

    merge(base, base, a) = a      merge(base, a, a) = a      nothing that either of them did is lost

Text is merged by lines (diff3, as in S. Khanna, K. Kunal, B. C. Pierce, "A Formal Investigation of Diff3", 2007), sets
by what was added and taken out, numbers by how much. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any, Final, Literal

Decision = Literal["same", "mine", "theirs", "merged", "conflict"]
Merger = Callable[[Any, Any, Any], "tuple[Any, bool]"]  # base, mine, theirs → the result, and whether it is clean

MOST_LINES: Final = 5_000  # longer texts are compared whole


@dataclass(frozen=True, slots=True)
class Field:
    """What became of one field."""

    name: str
    base: Any
    mine: Any
    theirs: Any
    value: Any  # the result; of a conflict, what is proposed
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
    def values(self) -> dict[str, Any]:
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
    base: Mapping[str, Any],
    mine: Mapping[str, Any],
    theirs: Mapping[str, Any],
    mergers: Mapping[str, Merger] | None = None,
) -> Merge:
    """Merge field by field; `mergers` says how, by name; a field without one is taken whole."""
    found: dict[str, Field] = {}
    for name in theirs:
        b, m, t = base.get(name), mine.get(name, base.get(name)), theirs[name]
        found[name] = _merge_field(name, b, m, t, (mergers or {}).get(name, whole))
    return Merge(found)


def _merge_field(name: str, base: Any, mine: Any, theirs: Any, merger: Merger) -> Field:
    decision: Decision
    if mine == theirs:
        value, decision = mine, "same"
    elif mine == base:
        value, decision = theirs, "theirs"
    elif theirs == base:
        value, decision = mine, "mine"
    else:
        value, clean = merger(base, mine, theirs)
        decision = "merged" if clean else "conflict"
    return Field(name, base, mine, theirs, value, decision)


# Mergers


def whole(base: Any, mine: Any, theirs: Any) -> tuple[Any, bool]:
    """Take one or the other: where both changed it, somebody decides. Mine is proposed."""
    return mine, False


def number(base: Any, mine: Any, theirs: Any) -> tuple[Any, bool]:
    """Add up what both did: stock that one raised by 2 and the other lowered by 1 is raised by 1."""
    try:
        return mine + (theirs - base), True
    except TypeError:
        return mine, False


def members(base: Any, mine: Any, theirs: Any) -> tuple[Any, bool]:
    """Keep what both kept, add what either added, leave out what either took out; in the order they were met."""
    kinds = (base or [], mine or [], theirs or [])
    if not all(isinstance(kind, Collection) and not isinstance(kind, str | bytes) for kind in kinds):
        return mine, False
    b, m, t = kinds
    result = [one for one in t if one in m or one not in b]
    result += [one for one in m if one not in b and one not in result]
    kind = type(mine) if isinstance(mine, list | tuple | set | frozenset) else list
    return kind(result), True


def words(base: Any, mine: Any, theirs: Any) -> tuple[Any, bool]:
    """Merge a text of words parted by commas, such as tags, as a set."""
    parts = [[word for part in str(text or "").split(",") if (word := part.strip())] for text in (base, mine, theirs)]
    result, clean = members(*parts)
    return ", ".join(result), clean


def text(base: Any, mine: Any, theirs: Any) -> tuple[Any, bool]:
    """Merge by lines; where both changed the same lines differently, mine and then theirs is proposed, and not clean."""
    if not all(isinstance(one, str) for one in (base, mine, theirs)):
        return mine, False
    sides = [_lines(one) for one in (base, mine, theirs)]
    if max(len(side) for side in sides) > MOST_LINES:
        return mine, False
    b, m, t = sides
    result: list[str] = []
    clean = True
    for chunk in _chunks(b, m, t):
        was, ours, others = chunk
        if ours == others or others == was:
            result += ours
        elif ours == was:
            result += others
        else:
            clean = False
            result += _apart(ours, others)
    return "".join(result), clean


def _apart(ours: list[str], others: list[str]) -> list[str]:
    """Both, one after the other, each beginning on a line of its own."""
    if ours and others and not ours[-1].endswith("\n"):
        ours = [*ours[:-1], ours[-1] + "\n"]
    return [*ours, *others]


def _lines(text: str) -> list[str]:
    # By newlines alone: what else Python takes for the end of a line may stand within one.
    return re.findall(r"[^\n]*\n|[^\n]+", text.replace("\r\n", "\n"))


def _chunks(b: list[str], m: list[str], t: list[str]) -> list[tuple[list[str], list[str], list[str]]]:
    """Cut three texts where all agree, and where at least one does not, in turns."""
    stable = _agreed(b, m, t)
    found = []
    at = (0, 0, 0)
    for start, end in [*stable, ((len(b), len(m), len(t)), (len(b), len(m), len(t)))]:
        if start != at:
            found.append((b[at[0] : start[0]], m[at[1] : start[1]], t[at[2] : start[2]]))
        if start != end:
            found.append((b[start[0] : end[0]],) * 3)
        at = end
    return found


def _agreed(b: list[str], m: list[str], t: list[str]) -> list[tuple[tuple[int, int, int], tuple[int, int, int]]]:
    """Return the runs of the base that stand in both others, as (start, end) of places in all three."""
    ours = SequenceMatcher(None, b, m, autojunk=False).get_matching_blocks()
    others = SequenceMatcher(None, b, t, autojunk=False).get_matching_blocks()
    runs = []
    i = j = 0
    while i < len(ours) and j < len(others):
        one, two = ours[i], others[j]
        low, high = max(one.a, two.a), min(one.a + one.size, two.a + two.size)
        if low < high:
            start = (low, one.b + low - one.a, two.b + low - two.a)
            size = high - low
            runs.append((start, (start[0] + size, start[1] + size, start[2] + size)))
        if one.a + one.size < two.a + two.size:
            i += 1
        else:
            j += 1
    return runs
