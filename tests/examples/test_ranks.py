"""Places between places."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

FASTAPI = Path(__file__).parents[2] / "examples" / "fastapi"


@pytest.fixture(scope="module")
def ranks() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FASTAPI))
        yield importlib.import_module("ranks")
        sys.modules.pop("ranks", None)


@given(st.lists(st.integers(0, 1_000), max_size=60))
def test_there_is_room_between_any_two(ranks: Any, places: list[int]) -> None:
    order: list[str] = []
    for place in places:
        at = place % (len(order) + 1)
        low, high = order[at - 1] if at else "", order[at] if at < len(order) else ""
        rank = ranks.between(low, high)
        assert rank > low
        assert not high or rank < high
        assert rank[-1] != "0", "nothing would fit in front of it"
        order.insert(at, rank)
    assert order == sorted(set(order))


@pytest.mark.parametrize("grow", ["on top", "at the end"])
def test_a_list_that_grows_at_one_end_has_short_ranks(ranks: Any, grow: str) -> None:
    rank = ranks.between("", "")
    for _ in range(1_000):
        rank = ranks.between("", rank) if grow == "on top" else ranks.between(rank, "")
    assert len(rank) < 20


def test_always_into_the_same_gap(ranks: Any) -> None:
    low, high = "1", "2"
    for _ in range(100):
        high = ranks.between(low, high)
    assert len(high) < 30


@pytest.mark.parametrize(("low", "high"), [("b", "a"), ("a", "a"), ("ab", "a")])
def test_what_is_no_gap_is_refused(ranks: Any, low: str, high: str) -> None:
    with pytest.raises(ValueError, match="Nothing lies between"):
        ranks.between(low, high)
