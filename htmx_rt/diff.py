"""What two sequences share, and where three part: E. W. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986.

Every comparison spends steps of a `Budget`, so that no input, however it is made, takes longer than was meant. No I/O.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Final, NamedTuple, TypeVar

T = TypeVar("T", bound=Hashable)

STEPS: Final = 1_000_000  # about 0.1 s
ONE: Final = 300_000  # the most that one comparison may take of it


class Run(NamedTuple):
    """Where `size` items of one sequence stand in the other."""

    a: int
    b: int
    size: int


class Budget:
    """How much may still be compared."""

    def __init__(self, steps: int = STEPS) -> None:
        self.left = steps

    def spend(self, steps: int) -> bool:
        """Take `steps`; False where there are not as many left."""
        self.left -= steps
        return self.left >= 0

    def part(self) -> Budget:
        """Return what one comparison may use, so that one alone does not leave the others without."""
        return Budget(min(ONE, self.left // 2))


def matching(a: Sequence[T], b: Sequence[T], budget: Budget) -> list[Run] | None:
    """Return the runs that stand in both, in order, as many items as there can be; None where it takes too long."""
    start = 0
    while start < len(a) and start < len(b) and a[start] == b[start]:
        start += 1
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    part = budget.part()
    before = part.left
    middle = _middle(a[start : len(a) - end], b[start : len(b) - end], part)
    budget.spend(min(before, before - part.left))
    if middle is None:
        return None
    runs = [Run(0, 0, start), *(Run(x + start, y + start, size) for x, y, size in middle)]
    return [run for run in (*runs, Run(len(a) - end, len(b) - end, end)) if run.size]


def _middle(a: Sequence[T], b: Sequence[T], budget: Budget) -> list[Run] | None:
    """Go as far as one can with 0, 1, 2 … items left out or put in, on each diagonal, until the end is reached."""
    if not a or not b:
        return []
    far = {1: 0}
    trace: list[dict[int, int]] = []
    for d in range(len(a) + len(b) + 1):
        if not budget.spend(2 * len(far) + 1):
            return None
        trace.append(far.copy())
        for k in range(-d, d + 1, 2):
            x = far[k + 1] if k == -d or (k != d and far[k - 1] < far[k + 1]) else far[k - 1] + 1
            y = begun = x - k
            while x < len(a) and y < len(b) and a[x] == b[y]:
                x, y = x + 1, y + 1
            far[k] = x
            if x >= len(a) and y >= len(b):
                return _way_back(trace, x, y)
            if y != begun and not budget.spend(y - begun):
                return None
    raise AssertionError("leaving out all and putting in all is a way")


def _way_back(trace: list[dict[int, int]], x: int, y: int) -> list[Run]:
    runs = []
    for d in range(len(trace) - 1, -1, -1):
        far, k = trace[d], x - y
        down = k == -d or (k != d and far[k - 1] < far[k + 1])
        last = k + 1 if down else k - 1
        from_x, from_y = far[last], far[last] - last
        begin = from_x if down else from_x + 1
        if d and x > begin:
            runs.append(Run(begin, begin - k, x - begin))
        elif not d and x:
            runs.append(Run(0, 0, x))
        x, y = from_x, from_y
    return runs[::-1]


def anchored(a: Sequence[T], b: Sequence[T]) -> list[Run]:
    """Return runs that stand in both, in order, around what stands once in each: maybe fewer items than there can be.

    That is how "patience diff" begins. It takes n log n steps.
    """
    there = {item: place for place, item in enumerate(b)}
    counts = Counter(a), Counter(b)
    pairs = [(x, there[item]) for x, item in enumerate(a) if counts[0][item] == counts[1][item] == 1]
    runs: list[Run] = []
    end = (0, 0)
    for x, y in [*_rising(pairs), (len(a), len(b))]:
        if x < end[0] or y < end[1]:
            continue
        first, last = (x, y), (x, y)
        while first > end and first[0] > end[0] and first[1] > end[1] and a[first[0] - 1] == b[first[1] - 1]:
            first = first[0] - 1, first[1] - 1
        while last[0] < len(a) and last[1] < len(b) and a[last[0]] == b[last[1]]:
            last = last[0] + 1, last[1] + 1
        runs.append(Run(first[0], first[1], last[0] - first[0]))
        end = last
    return [run for run in runs if run.size]


def _rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return as many of the pairs, which are in order of their first numbers, as are in order of their second ones."""
    piles: list[int] = []  # the last numbers of the best rows of each length
    tops: list[int] = []  # and their places
    before: list[int] = []
    for place, (_, y) in enumerate(pairs):
        pile = bisect_left(piles, y)
        piles[pile : pile + 1] = [y]
        tops[pile : pile + 1] = [place]
        before.append(tops[pile - 1] if pile else -1)
    found = []
    at = tops[-1] if tops else -1
    while at >= 0:
        found.append(pairs[at])
        at = before[at]
    return found[::-1]


Chunk = tuple[Sequence[T], Sequence[T], Sequence[T]]


def chunks(base: Sequence[T], mine: Sequence[T], theirs: Sequence[T], budget: Budget) -> list[Chunk[T]] | None:
    """Cut three sequences where all agree and where at least one does not, in turns; None where it takes too long."""
    ours = matching(base, mine, budget)
    others = matching(base, theirs, budget) if ours is not None else None
    return None if ours is None or others is None else cut(base, mine, theirs, ours, others)


def cut(
    base: Sequence[T], mine: Sequence[T], theirs: Sequence[T], ours: list[Run], others: list[Run]
) -> list[Chunk[T]]:
    """Cut them, where `ours` and `others` are the runs of the base that stand in `mine` and `theirs`."""
    found: list[Chunk[T]] = []
    at = (0, 0, 0)
    ends = (len(base), len(mine), len(theirs))
    for start, size in [*_agreed(ours, others), (ends, 0)]:
        if start != at:
            found.append((base[at[0] : start[0]], mine[at[1] : start[1]], theirs[at[2] : start[2]]))
        if size:
            found.append((base[start[0] : start[0] + size],) * 3)
        at = (start[0] + size, start[1] + size, start[2] + size)
    return found


def _agreed(ours: list[Run], others: list[Run]) -> list[tuple[tuple[int, int, int], int]]:
    """Return the runs of the base that stand in both others: where in all three, and how long."""
    runs = []
    i = j = 0
    while i < len(ours) and j < len(others):
        one, two = ours[i], others[j]
        low, high = max(one.a, two.a), min(one.a + one.size, two.a + two.size)
        if low < high:
            runs.append(((low, one.b + low - one.a, two.b + low - two.a), high - low))
        if one.a + one.size < two.a + two.size:
            i += 1
        else:
            j += 1
    return runs
