"""Which words differ, in texts that were changed by two people, and what they are when put together. No I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from .diff import Budget, Run, chunks, matching

Mark = tuple[Literal["same", "added", "removed", "gap"], str]  # a gap is text that nobody changed, folded away
Marks = list[Mark]

MOST_WORDS: Final = 2_000  # of what is compared by words; longer stretches are marked by lines
MOST_CHARACTERS: Final = 20_000
MOST_LINES: Final = 5_000  # longer texts are not marked at all
AROUND: Final = 1  # unchanged lines that are shown beside a change
FOLDED: Final = 3  # fewer lines than this are not worth folding
MOST_MARKS: Final = 400  # on one side of one field: who would read more?

_EACH: Final = "\u3040-\u30ff\u3400-\u9fff"  # written without spaces: each sign is a word
_TOKEN = re.compile(rf"\s+|[{_EACH}]|[^\W{_EACH}]+|[^\w\s]")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


class Compared(NamedTuple):
    """What is proposed, at which of its lines mine and then theirs stands, and how both are marked."""

    proposed: str | None  # None where nothing better is known
    stacked: list[int]
    theirs: Marks
    mine: Marks


def compared(base: str | None, mine: str, theirs: str, budget: Budget, *, lines: bool) -> Compared:
    """Compare two texts with what they were made of, or where that is not known, with each other."""
    known, was = base is not None, mine if base is None else base
    cut = _cut(was, mine, theirs, budget) if lines else [(was, mine, theirs)]
    if cut is None:
        return Compared(None, [], [("same", theirs)], [("same", mine)])
    their_marks: Marks = []
    my_marks: Marks = []
    for at, (before, ours, others) in enumerate(cut):
        if before == ours == others:
            folded = _folded(before, first=at == 0, last=at == len(cut) - 1)
            their_marks += folded
            my_marks += folded
        else:
            their_marks += _difference(before, others, budget, removed=known)
            my_marks += _difference(before if known else others, ours, budget, removed=known)
    proposed, stacked = (_proposed(cut, budget, lines=lines) if known else None) or (None, [])
    return Compared(proposed, stacked, _joined(their_marks), _joined(my_marks))


def what_came(mine: str, merged: str, budget: Budget) -> Marks:
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


def _proposed(cut: list[tuple[str, str, str]], budget: Budget, *, lines: bool) -> tuple[str, list[int]] | None:
    """Put together by words what did not fit by lines; lines that still do not fit follow each other, mine first."""
    parts: list[str] = []
    stacked: list[int] = []
    line = 1
    for was, ours, others in cut:
        merged = others if ours == was else ours if others in (was, ours) else _by_words(was, ours, others, budget)
        if merged is None:
            if not lines:
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
    runs = _in_common(one, other, budget)
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


def _in_common(one: list[str], other: list[str], budget: Budget) -> list[Run]:
    """Match words, and only then the spaces beside them: there are so many of those that they would outvote words."""
    ours, others = ([at for at, word in enumerate(side) if not word.isspace()] for side in (one, other))
    pairs: list[tuple[int, int]] = []

    def add(a: int, b: int) -> None:
        after = pairs[-1] if pairs else (-1, -1)
        if after[0] < a < len(one) and after[1] < b < len(other) and one[a] == other[b]:
            pairs.append((a, b))

    for run in matching([one[at] for at in ours], [other[at] for at in others], budget) or ():
        # A comma in common, with changes on both sides, tears apart what is read as one.
        if not any(_is_word(one[ours[run.a + n]]) for n in range(run.size)) and run.a and run.a + run.size < len(ours):
            continue
        for n in range(run.size):
            a, b = ours[run.a + n], others[run.b + n]
            if a and b and one[a - 1].isspace():
                add(a - 1, b - 1)
            add(a, b)
            if a + 1 < len(one) and one[a + 1].isspace():
                add(a + 1, b + 1)
    add(len(one) - 1, len(other) - 1)  # the end of a line
    return [Run(a, b, 1) for a, b in pairs]


def _is_word(token: str) -> bool:
    return token[0].isalnum() or token[0] == "_"


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
