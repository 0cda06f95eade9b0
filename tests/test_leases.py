"""The table of leases: whatever order words come in, however often, whoever has heard the same has the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from htmx_rt.leases import Lease, Leases, scoped


def lease(topic: str = "doc:1", tab: str = "t1", gen: int = 1, stamp: int = 1, **more: Any) -> Lease:
    values = {"worker": "a", "owner": "o", "user": "ada", "name": "Ada", "joined": stamp} | more
    return Lease(topic, tab, gen, stamp, **values)


def table(most: int = 1000) -> Leases:
    return Leases(per_topic=lambda topic: most)


def contents(leases: Leases) -> dict[tuple[str, str], Lease]:
    return {(topic, tab): one for topic in leases.topics for tab, one in leases.room(topic).items()}


Word = tuple[Any, ...]
LEASES = st.builds(
    lease,
    topic=st.sampled_from(["doc:1", "doc:2"]),
    tab=st.sampled_from(["t1", "t2"]),
    gen=st.integers(1, 3),
    stamp=st.integers(1, 6),
    state=st.sampled_from(["active", "away"]),
)
PUTS = st.tuples(st.just("put"), LEASES)
DROPS = st.builds(lambda one: ("drop", one.topic, one.tab, one.age, "closed"), LEASES)


def unique(words: list[Word]) -> list[Word]:
    """Two words of one age on one lease are the same word: their maker never gives an age twice."""
    ages: dict[tuple[Any, ...], Word] = {}
    for word in words:
        key = (word[1].topic, word[1].tab, word[1].age) if word[0] == "put" else word[1:4]
        ages.setdefault((word[0], *key), word)
    return list(ages.values())


def say(leases: Leases, word: Word) -> None:
    if word[0] == "put":
        leases.put(word[1])
    else:
        leases.drop(*word[1:])


@settings(max_examples=400, deadline=None)
@given(words=st.lists(st.one_of(PUTS, DROPS), max_size=14), data=st.data())
def test_order_and_repetition_make_no_difference(words: list[Word], data: st.DataObject) -> None:
    words = unique(words)
    straight, shuffled = table(), table()
    for word in words:
        say(straight, word)
    again = data.draw(st.lists(st.sampled_from(words), max_size=8)) if words else []
    for word in data.draw(st.permutations(words + again)):
        say(shuffled, word)
    assert contents(straight) == contents(shuffled)
    assert len(straight) == len(contents(straight))


@settings(max_examples=400, deadline=None)
@given(words=st.lists(st.one_of(PUTS, DROPS), max_size=14), data=st.data())
def test_what_was_lost_is_repaired_by_telling_all(words: list[Word], data: st.DataObject) -> None:
    """One worker says all of it; another loses some, hears the rest in any order, and then all that is left."""
    words = unique(words)
    whole, torn = table(), table()
    for word in words:
        say(whole, word)
    heard = data.draw(st.lists(st.sampled_from(words), unique_by=id)) if words else []
    for word in heard:
        say(torn, word)
    left = list(whole.of_worker("a"))
    for one in left:
        torn.put(one)
    torn.reap("a", but=frozenset((one.topic, one.tab) for one in left), upto=99)
    assert contents(torn) == contents(whole)


def test_a_late_goodbye_does_not_remove_a_newer_connection() -> None:
    leases = table()
    leases.put(lease(gen=1, stamp=1))
    leases.put(lease(gen=2, stamp=5, worker="b"))
    assert leases.drop("doc:1", "t1", (1, 9), "closed") is None
    assert leases.room("doc:1")["t1"].worker == "b"


def test_a_word_that_comes_after_its_removal_counts_no_more() -> None:
    leases = table()
    assert leases.drop("doc:1", "t1", (1, 5), "closed") is None
    assert leases.put(lease(gen=1, stamp=5)) is None
    assert leases.put(lease(gen=1, stamp=6)) is not None


def test_an_old_worker_takes_nothing_along_that_another_answers_for_now() -> None:
    leases = table()
    leases.put(lease(worker="a", gen=1))
    leases.put(lease(worker="b", gen=2))
    assert leases.bury("a") == []
    assert leases.reap("a", but=frozenset(), upto=99) == []
    assert leases.put(lease(worker="a", gen=1, stamp=50)) is None
    assert leases.room("doc:1")["t1"].worker == "b"


def test_a_worker_that_seemed_dead_comes_back_with_the_very_same_words() -> None:
    leases = table()
    leases.put(lease())
    assert [change.why for change in leases.bury("a")] == ["lost"]
    assert leases.put(lease()) is not None


def test_a_reaping_spares_what_was_said_after_it() -> None:
    leases = table()
    leases.put(lease(tab="t1", stamp=3))
    leases.put(lease(tab="t2", stamp=4))
    assert [change.lease.tab for change in leases.reap("a", but=frozenset(), upto=3)] == ["t1"]


def test_the_1001st_finds_no_room_but_whoever_is_there_may_change() -> None:
    leases = table()
    for number in range(1000):
        leases.put(lease(tab=f"t{number}"))
    assert leases.full("doc:1", "another")
    assert not leases.full("doc:1", "t7")
    assert not leases.full("doc:2", "another")


def test_what_two_workers_let_in_at_one_moment_is_the_same_on_both() -> None:
    one, other = table(most=1), table(most=1)
    first, second = lease(tab="t1", worker="a"), lease(tab="t2", worker="b")
    for leases, words in ((one, (first, second)), (other, (second, first))):
        for word in words:
            leases.put(word)
    assert contents(one) == contents(other)


def test_nothing_is_left_of_what_is_gone() -> None:
    leases = table()
    leases.put(lease())
    leases.drop("doc:1", "t1", (1, 1), "closed")
    assert (len(leases), list(leases.topics), dict(leases.tabs), list(leases.of_worker("a"))) == (0, [], {}, [])


def test_a_lease_survives_the_way_to_another_worker() -> None:
    one = lease(meta={"role": "editor"}, state="idle")
    assert Lease.unpack("a", one.pack()) == one


@pytest.mark.parametrize("change", [{"state": "sleeping"}, {"meta": "no"}], ids=str)
def test_what_is_no_lease_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is no lease"):
        Lease.unpack("a", replace(lease(), **change).pack())


def test_a_tab_is_named_within_its_owner() -> None:
    assert scoped("ada", "t1") == scoped("ada", "t1")
    assert len({scoped("ada", "t1"), scoped("bob", "t1"), scoped("ada", "t2")}) == 3
