from __future__ import annotations

from typing import Any, cast

from htmx_rt.crowds import Crowd, join, part
from htmx_rt.reader import Reader


def readers(count: int) -> list[Reader]:
    return [cast(Any, object()) for _ in range(count)]


def test_one_is_a_tuple_and_more_are_a_dict_in_order_of_arrival() -> None:
    crowds: dict[str, Crowd] = {}
    first, second, third = readers(3)
    join(crowds, "a", first)
    join(crowds, "b", second)
    assert crowds == {"a": (first,), "b": (second,)}
    join(crowds, "a", second)
    join(crowds, "a", third)
    join(crowds, "a", second)
    assert list(crowds["a"]) == [first, second, third]
    assert isinstance(crowds["a"], dict)


def test_who_is_not_there_takes_nobody_along_and_the_last_one_ends_it() -> None:
    crowds: dict[str, Crowd] = {}
    first, second, third = readers(3)
    join(crowds, "a", first)
    part(crowds, "a", second)
    part(crowds, "b", second)
    assert crowds == {"a": (first,)}
    join(crowds, "a", second)
    part(crowds, "a", third)
    part(crowds, "a", first)
    assert list(crowds["a"]) == [second]
    part(crowds, "a", second)
    join(crowds, "b", third)
    part(crowds, "b", third)
    assert crowds == {}
