"""What people see where two of them changed the same: which words differ, what is proposed, what goes along. No I/O."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from .diff import Budget, chunks, matching
from .merge import Field, Merge, Merger, Text, flag, number, text, whole

Kind = Literal["line", "text", "list", "number", "flag"]
Mark = tuple[Literal["same", "added", "removed", "gap"], str]  # a gap is text that nobody changed, folded away
Marks = list[Mark]

MOST_WORDS: Final = 2_000  # of what is compared by words; longer stretches are marked by lines
MOST_CHARACTERS: Final = 20_000
MOST_LINES: Final = 5_000  # longer texts are not marked at all
LONG: Final = 600  # characters that get a box of their own to scroll in
AROUND: Final = 1  # unchanged lines that are shown beside a change
MOST_MARKS: Final = 400  # on one side of one field: who would read more?
FOLDED: Final = 3  # fewer lines than this are not worth folding
MOST_ECHOED: Final = 200
MOST_ECHOED_CHARACTERS: Final = 1_048_576

_EACH: Final = "\u3040-\u30ff\u3400-\u9fff"  # written without spaces: each sign is a word
_TOKEN = re.compile(rf"\s+|[{_EACH}]|[^\W{_EACH}]+|[^\w\s]")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
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
    if merger is number:
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
        value, stacked, marks["theirs"], marks["mine"] = _compared(one, kind, budget)
    elif one.decision in ("theirs", "merged"):
        marks["merged"] = _what_came(_text(one.mine), _text(one.value), budget)
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


# Text


def _compared(one: Field, kind: Kind, budget: Budget) -> tuple[str, list[int], Marks, Marks]:
    """Return what is proposed, where in it both stand, and how theirs and mine are marked."""
    mine, theirs, known = _text(one.mine), _text(one.theirs), one.base is not None
    base = _text(one.base) if known else mine
    cut = _cut(base, mine, theirs, budget) if kind == "text" else [(base, mine, theirs)]
    if cut is None:
        return _text(one.value), [], [("same", theirs)], [("same", mine)]
    their_marks: Marks = []
    my_marks: Marks = []
    for at, (was, ours, others) in enumerate(cut):
        if was == ours == others:
            folded = _folded(was, first=at == 0, last=at == len(cut) - 1)
            their_marks += folded
            my_marks += folded
        else:
            their_marks += _difference(was if known else ours, others, budget, removed=known)
            my_marks += _difference(was if known else others, ours, budget, removed=known)
    proposed = _proposed(cut, kind, budget) if known else None
    value, stacked = proposed or (_text(one.value), [])
    return value, stacked, _joined(their_marks), _joined(my_marks)


def _what_came(mine: str, merged: str, budget: Budget) -> Marks:
    """Mark what the merge took over from the other side."""
    cut = _cut(mine, mine, merged, budget)
    marks: Marks = [("same", merged)] if cut is None else []
    for at, (was, _, now) in enumerate(cut or ()):
        same = was == now
        marks += _folded(was, first=at == 0, last=at == len(cut or ()) - 1) if same else _difference(was, now, budget)
    return _joined(marks)


def _cut(base: str, mine: str, theirs: str, budget: Budget) -> list[tuple[str, str, str]] | None:
    """Cut three texts by lines where all agree and where one does not, in turns; None where that takes too long."""
    sides = [_LINE.findall(side) for side in (base, mine, theirs)]
    if max(map(len, sides)) > MOST_LINES:
        return None
    found = chunks(sides[0], sides[1], sides[2], budget)
    return None if found is None else [("".join(b), "".join(m), "".join(t)) for b, m, t in found]


def _proposed(cut: list[tuple[str, str, str]], kind: Kind, budget: Budget) -> tuple[str, list[int]] | None:
    """Put together by words what did not fit by lines; lines that still do not fit follow each other, mine first."""
    parts: list[str] = []
    stacked: list[int] = []
    line = 1
    for was, ours, others in cut:
        merged = others if ours == was else ours if others in (was, ours) else _by_words(was, ours, others, budget)
        if merged is None:
            if kind != "text":
                return None
            stacked.append(line)
            merged = ours + ("\n" if ours and others and not ours.endswith("\n") else "") + others
        parts.append(merged)
        line += merged.count("\n")
    return "".join(parts), stacked


def _by_words(was: str, ours: str, others: str, budget: Budget) -> str | None:
    sides = [_words(side) for side in (was, ours, others)]
    found = chunks(sides[0], sides[1], sides[2], budget) if None not in sides else None
    if found is None:
        return None
    merged: list[str] = []
    for b, m, t in found:
        one = t if m == b else m if t in (b, m) else _around(b, m, t)
        if one is None:
            return None
        merged += one
    return "".join(merged)


def _around(b: Sequence[str], m: Sequence[str], t: Sequence[str]) -> Sequence[str] | None:
    """Put together what one side changed and the other only wrote something before or after."""
    for longer, changed in ((t, m), (m, t)):
        if b and longer[: len(b)] == b:
            return [*changed, *longer[len(b) :]]
        if b and longer[-len(b) :] == b:
            return [*longer[: -len(b)], *changed]
    return None


def _words(text: str) -> list[str]:
    # Cut off, a stretch that is too long is its own only word.
    found = _TOKEN.findall(text) if len(text) <= MOST_CHARACTERS else [text]
    return found if len(found) <= 2 * MOST_WORDS else [text]


def _difference(old: str, new: str, budget: Budget, *, removed: bool = True) -> Marks:
    """Mark by words what became of `old`, and where the two have little in common, one for the other."""
    if old == new:
        return [("same", new)]
    one, other = _words(old), _words(new)
    runs = matching(one, other, budget) or []
    # A space or a comma in common, with changes on both sides, tears apart what is read as one.
    ends = (0, len(one))
    runs = [
        x for x in runs if x.a in ends or x.a + x.size in ends or re.search(r"\w", "".join(one[x.a : x.a + x.size]))
    ]
    shared = sum(len("".join(one[x.a : x.a + x.size]).strip()) for x in runs)
    if shared * 4 < min(len(old), len(new)):
        runs = []
    marks: Marks = []
    at = (0, 0)
    for a, b, size in [*runs, (len(one), len(other), 0)]:
        if removed:
            marks.append(("removed", "".join(one[at[0] : a])))
        marks += [("added", "".join(other[at[1] : b])), ("same", "".join(other[b : b + size]))]
        at = (a + size, b + size)
    return marks


def _folded(text: str, *, first: bool, last: bool) -> Marks:
    """Leave of what nobody changed what stands beside a change."""
    lines = _LINE.findall(text)
    begin, end = 0 if first else AROUND, len(lines) - (0 if last else AROUND)
    # An empty line beside a change says nothing of where that is.
    begin -= begin > 0 and begin < len(lines) and not lines[begin - 1].strip()
    end += 0 < end < len(lines) and not lines[end].strip()
    if end - begin < FOLDED:
        return [("same", text)]
    parts = lines[:begin], lines[begin:end], lines[end:]
    return [("same", "".join(parts[0])), ("gap", "".join(parts[1])), ("same", "".join(parts[2]))]


def _joined(marks: Marks) -> Marks:
    """Join neighbours of one kind, and leave out what is empty; all marks where there are too many of them."""
    found: Marks = []
    for kind, words in marks:
        if not words:
            continue
        if found and found[-1][0] == kind:
            found[-1] = (kind, found[-1][1] + words)
        else:
            found.append((kind, words))
    if len(found) > MOST_MARKS:
        return [("same", "".join(words for kind, words in found if kind != "removed"))]
    return found
