"""Cursors: what is put into an address comes back as it was, and nothing else does."""

from __future__ import annotations

import base64
import json
import random
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmx_rt.exceptions import BadCursor, ConfigurationError
from htmx_rt.paging import MOST, Page, keyset, read_cursor, write_cursor

VALUES = [
    0, -1, 2**63 - 1, -(2**63), "", "Ada", "ß…\n\"'<>&#?/+ =%", "x" * 1000, True, False, None,
    0.0, 0.1, -1e-308, 1.5e300, float("inf"),
    Decimal("0"), Decimal("10.00"), Decimal("-0.000001"), Decimal("1E+20"),
    datetime(2026, 2, 28, 23, 59, 59, 999999), datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    datetime(2026, 10, 25, 2, 30, fold=0), date(2026, 1, 2), date.min, date.max, UUID(int=7),
]  # fmt: skip

scalars = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False),
    st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12),
    st.datetimes(),
    st.datetimes(timezones=st.timezones()).map(lambda at: at.astimezone(UTC)),
    st.dates(),
    st.uuids(),
)


def packed(value: Any, version: str = "1.") -> str:
    return version + base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and str(one) == str(other)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    read = read_cursor(write_cursor([value, 7]))
    assert read is not None
    assert same(read[0], value)
    assert read_cursor(write_cursor([value, 7]), (type(value), int)) == read


@given(st.lists(scalars, min_size=1, max_size=8))
def test_any_values_come_back(values: list[Any]) -> None:
    text = write_cursor(values)
    assert len(text) <= MOST
    assert text.replace("-", "").replace("_", "").replace(".", "").isalnum()  # nothing that an address would change
    read = read_cursor(text)
    assert read is not None
    assert all(map(same, read, values))


@given(st.text(max_size=80) | st.binary(max_size=80).map(lambda data: "1." + base64.urlsafe_b64encode(data).decode()))
def test_whatever_somebody_writes_is_refused_in_one_way_or_is_a_cursor(text: str) -> None:
    try:
        read = read_cursor(text)
    except BadCursor:
        return
    assert read is None or write_cursor(read)


@pytest.mark.parametrize(
    "text",
    [
        "7", "1.", "1.!!!!", "2." + packed([1])[2:], "1.ä", packed([]), packed([1] * 9), packed({"a": 1}), packed(7), packed([[]]), packed([["x", "1"]]),
        packed([["t", "yesterday"]]), packed([["t", 7]]), packed([["D", "2026-02-30"]]), packed([["u", "no"]]), packed([["f", "nan"]]), packed([["f", "x"]]),
        packed([["d", "NaN"]]), packed([["d", "1e5000"]]), packed([["d", "x"]]), packed([2**63]), packed([1.5]), packed(["a\0b"]), packed(["\ud800"]), packed([[["t"], "x"]]),
        packed([{"t": "x", "y": 1}]), "1." + "A" * MOST, "1." + base64.urlsafe_b64encode(b"[" * 1200).decode(), "1." + base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        packed([1]) + "\n", packed([1]) + "==", packed([1])[:-1],
    ],
)  # fmt: skip
def test_a_broken_cursor_says_what_to_do(text: str) -> None:
    with pytest.raises(BadCursor, match="first page"):
        read_cursor(text)


def test_without_a_cursor_it_is_the_first_page() -> None:
    assert read_cursor(None) is read_cursor("") is None


def test_a_cursor_of_another_list_is_refused() -> None:
    text = write_cursor([datetime(2026, 1, 1), 7])
    for types in ((int,), (datetime, str), (date, int), (int, datetime)):
        with pytest.raises(BadCursor, match=r"\(datetime, int\)"):
            read_cursor(text, types)
    with pytest.raises(BadCursor):
        read_cursor(write_cursor([True]), (int,))


def test_nothing_may_stand_for_any_value() -> None:
    assert read_cursor(write_cursor([None, 7]), (datetime, int)) == (None, 7)


@pytest.mark.parametrize(
    "value",
    [object(), b"x", float("nan"), Decimal("NaN"), 2**63, "\0", [1], {"a": 1}],
    ids=lambda value: type(value).__name__,
)
def test_what_no_cursor_can_hold_is_told_at_once(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="cannot stand in a cursor"):
        write_cursor([value])


def test_a_cursor_has_a_bound() -> None:
    with pytest.raises(ConfigurationError, match=str(MOST)):
        write_cursor(["x" * 1600])
    for values in ([], [1] * 9):
        with pytest.raises(ConfigurationError):
            write_cursor(values)
    with pytest.raises(ConfigurationError, match="Unicode"):
        write_cursor(["\ud800"])


def test_one_row_more_says_that_there_is_a_next_page() -> None:
    assert keyset([1, 2, 3], size=3, key=lambda n: n) == Page([1, 2, 3], None)
    page = keyset(iter(range(1, 9)), size=3, key=lambda n: (n, "x"))
    assert page.items == [1, 2, 3]
    assert read_cursor(page.next) == (3, "x")
    assert keyset([], key=lambda n: n) == Page([], None)
    with pytest.raises(ConfigurationError, match="at least one"):
        keyset([1], size=0, key=lambda n: n)


def test_no_row_twice_and_none_missed_while_others_come_and_go() -> None:
    """Twenty lists, ordered down by a number that many share and then by the id."""
    seed = random.SystemRandom().randrange(10**6)
    print("seed", seed)
    chance = random.Random(seed)
    for _ in range(20):
        rows = {(chance.randrange(5), n) for n in range(chance.randrange(60))}
        stayed, seen, cursor = set(rows), [], None
        while True:
            last = read_cursor(cursor, (int, int))
            ordered = sorted(rows, reverse=True)
            page = keyset([row for row in ordered if last is None or row < last], size=7, key=lambda row: row)
            seen += page.items
            cursor = page.next
            if cursor is None:
                break
            for _ in range(chance.randrange(4)):
                rows.add((chance.randrange(5), chance.randrange(100, 10_000)))
                gone = chance.choice(sorted(rows))
                rows.discard(gone)
                stayed.discard(gone)
        assert len(seen) == len(set(seen))
        assert stayed <= set(seen)
        assert seen == sorted(seen, reverse=True)
