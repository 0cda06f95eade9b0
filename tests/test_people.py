"""From tabs to people."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from htmx_rt.leases import STATES, Change, Lease
from htmx_rt.people import News, Room, Tally


def lease(tab: str, owner: str = "ada", stamp: int = 1, **more: Any) -> Lease:
    values = {"worker": "a", "user": owner, "name": owner.title(), "joined": stamp} | more
    return Lease("doc:1", tab, 1, stamp, owner=owner, **values)


class Table:
    """A room, and the leases it was told of."""

    def __init__(self) -> None:
        self.room = Room("doc:1")
        self.leases: dict[str, Lease] = {}

    def put(self, one: Lease) -> News | None:
        before = self.leases.get(one.tab)
        self.leases[one.tab] = one
        return self.room.apply(Change(before, one), first=True)

    def drop(self, tab: str, why: str = "closed") -> News | None:
        return self.room.apply(Change(self.leases.pop(tab), None, why), first=True)

    @property
    def names(self) -> list[str]:
        return [person.name for person in self.room.all()]


def test_people_stand_in_the_order_they_joined_in() -> None:
    table = Table()
    for number, name in enumerate(["grace", "ada", "bob"]):
        table.put(lease(f"t{number}", name, 10 + number))
    assert table.names == ["Grace", "Ada", "Bob"]
    assert [person.name for person in table.room.first(2)] == ["Grace", "Ada"]


def test_a_word_that_comes_late_does_not_change_the_order() -> None:
    table = Table()
    table.put(lease("t2", "bob", 20))
    table.put(lease("t1", "ada", 10))
    assert table.names == ["Ada", "Bob"]


def test_three_tabs_are_one_person_who_leaves_with_the_last() -> None:
    table = Table()
    news = [table.put(lease(f"t{number}", stamp=number, meta={"n": number})) for number in range(3)]
    assert [one and one.what for one in news] == ["join", "update", "update"]
    assert table.room.count == 1
    assert [meta["n"] for meta in table.room.all()[0].metas] == [0, 1, 2]
    left = [table.drop(f"t{number}") for number in range(3)]
    assert [one and one.what for one in left] == ["update", "update", "leave"]
    assert left[-1] is not None
    assert (left[-1].person.name, left[-1].why) == ("Ada", "closed")
    assert table.room.empty


def test_somebody_is_as_present_as_their_most_present_tab() -> None:
    table = Table()
    for number, state in enumerate(reversed(STATES)):
        table.put(lease(f"t{number}", stamp=number, state=state))
        assert table.room.all()[0].state == state


def test_a_change_of_meta_is_an_update_and_nothing_else() -> None:
    table = Table()
    table.put(lease("t1"))
    news = table.put(lease("t1", stamp=2, joined=1, meta={"role": "editor"}))
    assert news is not None
    assert (news.what, news.person.meta, news.person.since) == ("update", {"role": "editor"}, 1)


def test_what_nobody_would_see_is_no_news() -> None:
    table = Table()
    table.put(lease("t1"))
    assert table.put(replace(lease("t1"), gen=2, stamp=9)) is None  # a reload


def test_who_was_listed_does_not_change_afterwards() -> None:
    table = Table()
    table.put(lease("t1"))
    before = table.room.all()[0]
    table.put(lease("t1", stamp=2, state="away", joined=1))
    assert (before.state, table.room.all()[0].state) == ("active", "away")


def test_visitors_have_no_name_and_are_counted_apart() -> None:
    table = Table()
    table.put(lease("t1"))
    table.put(lease("t2", stamp=2))
    table.put(lease("t3", "browser", 3, user=None, name=""))
    assert table.room.tally == Tally(connections=3, people=1, visitors=1)
    assert (table.room.all()[1].user, table.room.all()[1].name) == (None, "")
    table.drop("t3")
    assert table.room.tally == Tally(connections=2, people=1, visitors=0)


def test_pages_know_people_by_a_key_that_gives_nothing_away() -> None:
    table = Table()
    table.put(lease("t1"))
    person = table.room.all()[0]
    assert table.room.known(person.key) is person
    assert "ada" not in person.key
    assert 0 <= person.colour < 10
    table.drop("t1")
    assert table.room.known(person.key) is None


STEPS = st.lists(
    st.tuples(st.sampled_from(["a1", "a2", "b1", "c1"]), st.sampled_from(["put", "drop"]), st.sampled_from(STATES)),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS)
def test_joins_and_leaves_always_add_up(steps: list[tuple[str, str, Any]]) -> None:
    table, here = Table(), set()
    for stamp, (tab, what, state) in enumerate(steps, 1):
        if what == "drop" and tab not in table.leases:
            continue
        joined = table.leases[tab].joined if tab in table.leases else stamp
        word = lease(tab, tab[0], stamp, state=state, joined=joined)
        news = table.put(word) if what == "put" else table.drop(tab)
        if news is not None and news.what == "join":
            assert news.person.owner not in here
            here.add(news.person.owner)
        elif news is not None and news.what == "leave":
            here.remove(news.person.owner)
        expected = {one.owner for one in table.leases.values()}
        assert here == expected == {person.owner for person in table.room.all()}
        since = [person.since for person in table.room.all()]
        assert since == sorted(since)
        assert table.room.tally == Tally(len(table.leases), len(expected), 0)
