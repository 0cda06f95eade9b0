from __future__ import annotations

from htmx_rt.buckets import Buckets

from .kit import Clock


def test_so_many_at_once_and_then_so_many_a_second() -> None:
    clock = Clock()
    buckets = Buckets(2, 3, clock=clock)
    assert [buckets.take("a") for _ in range(4)] == [True, True, True, False]
    clock.advance(1)
    assert [buckets.take("a") for _ in range(3)] == [True, True, False]
    clock.advance(1000)
    assert [buckets.take("a") for _ in range(4)] == [True, True, True, False]


def test_each_name_has_its_own() -> None:
    buckets = Buckets(1, 1, clock=Clock())
    assert (buckets.take("a"), buckets.take("b"), buckets.take("a")) == (True, True, False)


def test_a_refusal_costs_nothing_and_several_may_be_taken() -> None:
    clock = Clock()
    buckets = Buckets(1, 4, clock=clock)
    assert (buckets.take("a", 3), buckets.take("a", 3), buckets.take("a", 1)) == (True, False, True)


def test_the_least_used_are_forgotten() -> None:
    buckets = Buckets(1, 1, most=2, clock=Clock())
    assert [buckets.take(name) for name in "abc"] == [True] * 3
    assert not buckets.take("c")
    assert buckets.take("a")
    assert len(buckets._levels) == 2


def test_a_clock_that_stands_still_gives_nothing() -> None:
    buckets = Buckets(100, 1, clock=Clock())
    assert [buckets.take("a") for _ in range(3)] == [True, False, False]
