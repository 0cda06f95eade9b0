"""What two sequences share: as much as there is, and never at a price that the input sets."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from htmx_rt.diff import ONE, STEPS, Budget, chunks, matching


class Counted:
    """An item that counts how often it is compared."""

    compared = 0

    def __init__(self, name: object) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return isinstance(other, Counted) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


def longest(a: str, b: str) -> int:
    """Return how many items two sequences can share, by the book."""
    row = [0] * (len(b) + 1)
    for x in a:
        new = [0]
        for j, y in enumerate(b):
            new.append(row[j] + 1 if x == y else max(new[-1], row[j + 1]))
        row = new
    return row[-1]


def some(chance: random.Random) -> str:
    return "".join(chance.choice("abcd") for _ in range(chance.randrange(12)))


def test_runs_stand_in_both_in_order_and_are_as_long_as_they_can_be() -> None:
    chance = random.Random(5)
    for _ in range(5_000):
        a, b = some(chance), some(chance)
        runs = matching(a, b, Budget())
        assert runs is not None
        x = y = 0
        for run in runs:
            assert run.size > 0
            assert run.a >= x
            assert run.b >= y
            x, y = run.a + run.size, run.b + run.size
            assert a[run.a : x] == b[run.b : y]
        assert sum(run.size for run in runs) == longest(a, b), (a, b)


def test_chunks_hold_all_of_all_three() -> None:
    chance = random.Random(6)
    for _ in range(5_000):
        sides = some(chance), some(chance), some(chance)
        cut = chunks(*sides, Budget())
        assert cut is not None
        for at, side in enumerate(sides):
            assert "".join("".join(chunk[at]) for chunk in cut) == side
        agreed = [len(set(map(tuple, chunk))) == 1 for chunk in cut]
        assert not any(one and other for one, other in itertools.pairwise(agreed)), (sides, cut)


def numbered(sign: int) -> list[object]:
    return [sign * n for n in range(1, 20_001)]


WORST: dict[str, tuple[list[Any], list[Any]]] = {
    "nothing in common": (numbered(1), numbered(-1)),
    "all the same, one twice as long": (["a"] * 20_000, ["a", "b"] * 20_000),
    "shifted by one": (list("ab" * 10_000), list("ba" * 10_000)),
    "turned round": (list(range(20_000)), list(range(20_000))[::-1]),
    "two signs at random": tuple([random.Random(n).choice("ab") for _ in range(20_000)] for n in (1, 2)),  # type: ignore[dict-item]
    "one sign, then nothing in common": (["a"] * 10_000 + numbered(1), ["b"] + ["a"] * 10_000 + numbered(-1)),
    "equal": (list(range(20_000)), list(range(20_000))),
}


@pytest.mark.parametrize("case", WORST)
def test_the_worst_input_takes_no_more_steps_than_were_meant(case: str) -> None:
    a, b = ([Counted(name) for name in side] for side in WORST[case])
    Counted.compared = 0
    budget = Budget()
    matching(a, b, budget)
    ends = 2 * (len(a) + len(b))  # what both begin and end with is taken off first
    assert Counted.compared <= ends + 2 * ONE
    assert budget.left >= STEPS - ONE


def test_one_comparison_leaves_something_for_the_others() -> None:
    budget = Budget()
    for _ in range(100):
        assert matching(numbered(1), numbered(-1), budget) is None
    assert budget.left >= 0
    assert matching("same", "same", budget) == [(0, 0, 4)]


def test_what_takes_too_long_is_no_difference_but_none() -> None:
    assert matching("abc", "xyz", Budget(2)) is None
    assert chunks("abc", "xyz", "abc", Budget(2)) is None
