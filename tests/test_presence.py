"""Who is here, and for how long: a clock that moves only when told to, and the bounds of the protocol."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from htmx_rt.exceptions import BadOperation, BadTopic, TooLarge
from htmx_rt.people import News, Tally
from htmx_rt.presence import checked_meta, initials
from htmx_rt.types import Limits, User

from .gossip_kit import TAB, Fleet, Worker, who

OTHER = "b" * 32


@pytest.fixture
def fleet() -> Fleet:
    return Fleet(1)


@pytest.fixture
def worker(fleet: Fleet) -> Worker:
    return fleet.workers[0]


# How long it takes


def test_a_clean_leave_is_seen_within_four_seconds(fleet: Fleet, worker: Worker) -> None:
    worker.join("Ada")
    worker.bye("Ada")
    worker.close("Ada")
    assert fleet.until(lambda: worker.presence.count("doc:1") == 0) <= 4
    assert (worker.told(), worker.news[-1].why) == (["join", "leave"], "closed")


def test_a_reload_within_the_grace_shows_nothing(fleet: Fleet, worker: Worker) -> None:
    worker.join("Ada")
    worker.bye("Ada")
    worker.close("Ada")
    fleet.pass_(1.5)
    worker.join("Ada", gen=2)
    fleet.pass_(10)
    assert worker.told() == ["join"]


@pytest.mark.parametrize("workers", [1, 2])
def test_thirty_fast_reloads_show_nothing(workers: int) -> None:
    fleet = Fleet(workers)
    fleet.workers[0].join("Ada", gen=1)
    for gen in range(1, 31):
        before, after = fleet.workers[gen % workers], fleet.workers[(gen + 1) % workers]
        before.bye("Ada", gen=gen)
        if gen % 3:
            before.close("Ada", gen=gen)
        fleet.pass_(0.5, step=0.25)
        after.join("Ada", gen=gen + 1)
        if not gen % 3:
            before.close("Ada", gen=gen)  # later than the new one
        fleet.wire.deliver()
    fleet.pass_(1)
    for worker in fleet.workers:
        assert worker.told() == ["join"]
        assert worker.states() == {"Ada": "active"}


def test_silence_is_grey_within_15_seconds_and_gone_within_30(fleet: Fleet, worker: Worker) -> None:
    worker.join("Ada")
    assert 10 < fleet.until(lambda: worker.states() == {"Ada": "reconnecting"}) <= 15
    assert fleet.until(lambda: not worker.states()) <= 15
    assert worker.news[-1].why == "lost"


def test_beats_keep_a_tab_here(fleet: Fleet, worker: Worker) -> None:
    worker.join("Ada")
    for _ in range(12):
        fleet.pass_(10)
        assert worker.beat("Ada")
    assert worker.told() == ["join"]


def test_two_lost_beats_cost_nothing_but_grey(fleet: Fleet, worker: Worker) -> None:
    worker.join("Ada")
    fleet.pass_(24)
    worker.beat("Ada")
    fleet.pass_(5)
    assert worker.told() == ["join", "update", "update"]
    assert worker.states() == {"Ada": "active"}


def test_a_stream_that_the_client_closed_is_grey_after_two_seconds(fleet: Fleet, worker: Worker) -> None:
    worker.join("Ada")
    worker.close("Ada")
    assert 2 <= fleet.until(lambda: worker.states() == {"Ada": "reconnecting"}) <= 2.5
    worker.join("Ada", gen=2)
    assert worker.states() == {"Ada": "active"}
    assert worker.told() == ["join", "update", "update"]


def test_a_stream_that_the_server_ended_means_nothing(fleet: Fleet, worker: Worker) -> None:
    worker.join("Ada")
    worker.close("Ada", by_client=False)
    fleet.pass_(10)
    assert worker.told() == ["join"]


def test_a_hidden_tab_is_away_and_gone_within_five_minutes(fleet: Fleet, worker: Worker) -> None:
    worker.join("Ada")
    worker.beat("Ada", visible=False)
    worker.close("Ada")  # it gives its stream back
    fleet.pass_(60)
    assert worker.states() == {"Ada": "away"}
    assert 200 < fleet.until(lambda: not worker.states()) <= 240


def test_a_beat_once_a_minute_keeps_a_hidden_tab(fleet: Fleet, worker: Worker) -> None:
    worker.join("Ada", visible=False)
    for _ in range(20):
        fleet.pass_(60)
        assert worker.beat("Ada", visible=False)
    assert worker.told() == ["join"]


def test_idle_and_back(fleet: Fleet, worker: Worker) -> None:
    worker.join("Ada")
    worker.beat("Ada", idle=True)
    assert worker.states() == {"Ada": "idle"}
    worker.join("Ada", gen=2)  # a new connection does not wake anybody
    assert worker.states() == {"Ada": "idle"}
    worker.beat("Ada", gen=2)
    assert worker.states() == {"Ada": "active"}
    assert worker.told() == ["join", "update", "update"]


def test_a_goodbye_just_when_a_beat_comes_is_still_one(fleet: Fleet, worker: Worker) -> None:
    worker.join("Ada")
    worker.bye("Ada")
    fleet.clock.advance(2.0)
    worker.beat("Ada")
    fleet.pass_(0.5)
    assert worker.states() == {}


# Whose word counts


def test_a_late_goodbye_removes_nobody(fleet: Fleet, worker: Worker) -> None:
    worker.join("Ada", gen=2)
    worker.bye("Ada", gen=1)
    fleet.pass_(5)
    assert worker.told() == ["join"]


def test_the_end_of_an_old_stream_means_nothing(fleet: Fleet, worker: Worker) -> None:
    worker.join("Ada", gen=1)
    worker.join("Ada", gen=2)
    worker.close("Ada", gen=1)
    fleet.pass_(5)
    assert worker.states() == {"Ada": "active"}


def test_a_stream_that_opens_late_changes_nothing(worker: Worker) -> None:
    worker.join("Ada", "doc:1", gen=5)
    worker.join("Ada", "doc:2", gen=4)
    assert (worker.states("doc:1"), worker.states("doc:2")) == ({"Ada": "active"}, {})


def test_nobody_speaks_for_somebody_else_s_tab(fleet: Fleet, worker: Worker) -> None:
    worker.join("Ada")
    worker.join("Eve", gen=2**52)  # with Ada's tab, which she has learnt
    worker.bye("Eve", gen=2**52)
    assert not worker.beat("Mallory", gen=2**52)
    worker.presence.attendance.end(TAB, 1, "o-Mallory", "closed")
    fleet.pass_(5)
    assert worker.states() == {"Ada": "active"}
    assert worker.told("Ada") == ["join"]


def test_a_page_says_what_it_says_before_an_earlier_connection_in_vain(worker: Worker) -> None:
    worker.join("Ada", gen=3)
    assert not worker.beat("Ada", gen=2, visible=False)
    assert worker.states() == {"Ada": "active"}


def test_going_to_another_page_leaves_the_one_before(worker: Worker) -> None:
    worker.join("Ada", "doc:1")
    worker.join("Ada", "doc:2", gen=2)
    assert (worker.states("doc:1"), worker.states("doc:2")) == ({}, {"Ada": "active"})


def test_two_tabs_are_one_person(fleet: Fleet, worker: Worker) -> None:
    worker.join("Ada")
    worker.join("Ada", tab=OTHER)
    worker.beat("Ada", tab=OTHER, visible=False)
    assert worker.states() == {"Ada": "active"}
    worker.bye("Ada")
    fleet.pass_(4)
    assert worker.states() == {"Ada": "away"}
    assert worker.told("Ada").count("leave") == 0


def test_a_second_tab_keeps_the_place_of_the_first(fleet: Fleet, worker: Worker) -> None:
    worker.join("Ada")
    fleet.pass_(1)
    worker.join("Bob", tab=OTHER)
    worker.join("Ada", tab="c" * 32)
    worker.bye("Ada")
    fleet.pass_(4)
    assert list(worker.states()) == ["Ada", "Bob"]


def test_the_1001st_is_told_that_there_is_no_room() -> None:
    fleet = Fleet(1, tracked_per_topic=2)
    worker = fleet.workers[0]
    assert worker.join("Ada", "doc:1", "doc:2") == []
    assert worker.join("Bob", "doc:1", tab=OTHER) == []
    assert worker.join("Cleo", "doc:1", "doc:2", tab="c" * 32) == ["doc:1"]
    assert (list(worker.states("doc:1")), list(worker.states("doc:2"))) == (["Ada", "Bob"], ["Ada", "Cleo"])
    assert worker.join("Ada", "doc:1", "doc:2", gen=2) == []
    assert worker.join("Dora", "doc:1", tab="d" * 32) == ["doc:1"]
    assert worker.beat("Dora", tab="d" * 32)  # not lost, as there is nothing to come back to
    fleet.pass_(61)
    assert not worker.beat("Dora", tab="d" * 32)  # but by now there may be
    assert worker.join("Ada", "doc:1", gen=3) == []
    assert worker.join("Bob", "doc:1", tab=OTHER, gen=2) == []
    with pytest.raises(TooLarge, match="doc:1"):
        worker.presence.track("doc:1", "bot")


def test_nothing_is_kept_of_who_is_gone(fleet: Fleet, worker: Worker) -> None:
    for number in range(20):
        worker.join(f"P{number}", tab=f"{number:032x}")
        worker.bye(f"P{number}", tab=f"{number:032x}")
    fleet.pass_(5)
    presence = worker.presence
    assert (presence._rooms, presence.attendance._local, len(presence.leases)) == ({}, {}, 0)


def test_a_tab_on_no_topic_is_not_kept(worker: Worker) -> None:
    assert worker.presence.join({}, TAB, 1, who("Ada"), visible=True) == []
    assert worker.presence.attendance._local == {}


# By the server itself


def test_an_assistant_is_shown_changed_and_let_go(fleet: Fleet, worker: Worker) -> None:
    bot = User("bot", "Robin")
    worker.presence.track("doc:1", bot, meta={"doing": "reading"})
    fleet.pass_(400)
    worker.presence.update("doc:1", bot, {"doing": "writing"})
    assert worker.presence.list("doc:1")[0].metas == [{"doing": "writing"}]
    worker.presence.untrack("doc:1", bot)
    worker.presence.untrack("doc:1", bot)
    assert worker.told() == ["join", "update", "leave"]
    assert worker.news[-1].why == "untracked"
    fleet.pass_(1)
    assert worker.presence.attendance._local == {}


def test_an_assistant_is_not_the_person_of_the_same_id(worker: Worker) -> None:
    worker.join("Ada")
    worker.presence.track("doc:1", User("ada", "Ada’s assistant"))
    assert worker.presence.tally("doc:1") == Tally(2, 2, 0)


@pytest.mark.parametrize("meta", [[], "x", {1: 2}, {"a": ...}, {"a": float("nan")}, {"a": "\ud800"}], ids=repr)
def test_meta_of_a_wrong_shape_is_refused(worker: Worker, meta: Any) -> None:
    with pytest.raises(BadOperation):
        worker.presence.track("doc:1", "bot", meta=meta)
    assert worker.presence.count("doc:1") == 0


def test_meta_over_its_limit_is_refused(worker: Worker) -> None:
    assert checked_meta({"a": "x" * 1000}, Limits()) == {"a": "x" * 1000}
    with pytest.raises(TooLarge, match="1024"):
        worker.presence.track("doc:1", "bot", meta={"a": "x" * 1024})


def test_a_bad_topic_or_nobody_is_refused(worker: Worker) -> None:
    with pytest.raises(BadTopic):
        worker.presence.list("no topic")
    with pytest.raises(BadOperation):
        worker.presence.track("doc:1", "")


# Functions that watch


def test_watchers_are_told_in_order_and_survive_their_failures(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[tuple[str, str]] = []

    @worker.presence.subscribe
    def fail(news: News) -> None:
        raise RuntimeError("no")

    @worker.presence.on_join
    def joined(news: News) -> None:
        heard.append(("join", news.person.name))

    @worker.presence.on_leave
    def left(news: News) -> None:
        heard.append(("leave", news.person.name))

    worker.join("Ada")
    worker.join("Bob", tab=OTHER)
    worker.presence.attendance.end(TAB, 1, "o-Ada", "closed")
    assert heard == [("join", "Ada"), ("join", "Bob"), ("leave", "Ada")]
    assert "which watches who is here, failed" in caplog.text


def test_one_worker_alone_tells_of_a_join_where_one_should() -> None:
    fleet = Fleet(3)
    once: list[str] = []
    for worker in fleet.workers:
        worker.presence.on_join(lambda news: once.append(news.person.name))
        worker.presence.subscribe(once=True)(lambda news: once.append(news.what))
    fleet.workers[1].join("Ada")
    fleet.wire.deliver()
    assert once == ["Ada", "join"]


def test_a_watcher_may_ask_who_is_there(worker: Worker) -> None:
    counts: list[int] = []
    worker.presence.subscribe(lambda news: counts.append(worker.presence.count(news.topic)))
    worker.join("Ada")
    worker.join("Bob", tab=OTHER)
    assert counts == [1, 2]


@pytest.mark.anyio
async def test_async_watchers_run_on_the_loop_one_after_the_other(worker: Worker) -> None:
    loop, tasks = asyncio.get_running_loop(), set[asyncio.Task[None]]()
    watchers = worker.presence.watchers
    watchers._home = lambda: loop
    watchers._later = lambda work: tasks.add(loop.create_task(work))
    heard, done = [], asyncio.Event()

    @worker.presence.subscribe
    async def slow(news: News) -> None:
        heard.append(f"{news.what} {news.person.name}")
        await asyncio.sleep(0)
        heard.append("done")
        if len(heard) == 6:
            done.set()
        if news.person.name == "Bob":
            raise RuntimeError("no")

    def elsewhere() -> None:
        worker.join("Ada")
        worker.join("Bob", tab=OTHER)
        worker.join("Cleo", tab="c" * 32)

    await asyncio.to_thread(elsewhere)
    async with asyncio.timeout(5):
        await done.wait()
    assert heard == ["join Ada", "done", "join Bob", "done", "join Cleo", "done"]
    await asyncio.gather(*tasks)


# Who sees whom


def test_everybody_sees_themselves_and_whom_the_app_says(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    from htmx_rt.sight import Viewer

    for number, name in enumerate(["Ada", "Bob", "Cleo"]):
        worker.join(name, tab=f"{number:032x}")

    @worker.presence.can_see
    def can_see(viewer: User | None, subject: Any) -> bool:
        if subject.name == "Cleo":
            raise RuntimeError("no")
        return viewer is not None and viewer.id == "bob"

    def seen(name: str) -> list[str]:
        people, tally = worker.presence.first("doc:1", 9, Viewer(f"o-{name}", who(name).user))
        assert tally.people == len(people)
        return [person.name for person in people]

    assert (seen("Ada"), seen("Bob"), seen("Cleo")) == (["Ada"], ["Ada", "Bob"], ["Cleo"])
    assert "counts as a no" in caplog.text
    caplog.set_level(logging.CRITICAL)
    assert len(worker.presence.list("doc:1")) == 3  # the app itself sees all


def test_a_policy_has_to_be_a_plain_function(worker: Worker) -> None:
    async def can_see(viewer: User | None, subject: Any) -> bool:
        return True

    with pytest.raises(TypeError, match="plain function"):
        worker.presence.can_see(can_see)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Ada Lovelace", "AL"), ("ada", "A"), ("", "?"), ("<b> (x)", "?"), ("Åsa von Ö", "ÅÖ"), ("李 小龍", "李小"), ("👩 Ada", "A")],
)  # fmt: skip
def test_initials(name: str, letters: str) -> None:
    assert initials(name) == letters


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Ada\x00\x1b[31m\nLove", "Ada[31mLove"),
        ("\u202eAda\u2066", "Ada"),
        ("x" * 500, "x" * 80),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        (" A\u00a0\t b ", "A b"),
    ],
    ids=["control", "bidi", "long", "markup", "spaces"],
)
def test_names_are_cleaned_before_anybody_sees_them(worker: Worker, name: str, kept: str) -> None:
    worker.presence.track("doc:1", User("x", name))
    assert worker.presence.list("doc:1")[0].name == kept
