"""Workers that tell each other of their leases, over a line that loses, doubles and is away."""

from __future__ import annotations

import json
import os

import pytest

from htmx_rt.buses.base import Mark
from htmx_rt.gossip import CHANNEL

from .gossip_kit import Fleet, Worker, who


def kinds(fleet: Fleet, kind: str) -> int:
    return sum(json.loads(frame)["k"] == kind for topic, frame in fleet.wire.said if topic == CHANNEL)


def agree(*workers: Worker) -> bool:
    return all(worker.table() == workers[0].table() for worker in workers)


def test_what_one_worker_says_all_know() -> None:
    fleet = Fleet(3)
    fleet.workers[0].join("Ada")
    fleet.wire.deliver()
    assert [worker.states() for worker in fleet.workers] == [{"Ada": "active"}] * 3


def test_a_new_worker_is_told_of_everybody() -> None:
    fleet = Fleet(2)
    for number in range(250):  # in several words
        fleet.workers[number % 2].join(f"P{number}", tab=f"{number:032x}")
    late = fleet.start()
    fleet.until(lambda: late.presence.count("doc:1") == 250, most=2)
    assert agree(*fleet.workers)


def test_a_missed_word_is_noticed_and_asked_for() -> None:
    fleet = Fleet(2)
    a, b = fleet.workers
    fleet.wire.loss = 1.0
    a.join("Ada")
    fleet.wire.loss = 0.0
    a.join("Bob", tab="b" * 32)
    fleet.wire.deliver()
    assert fleet.until(lambda: agree(a, b), most=10) <= 1.5


def test_a_missed_last_word_is_noticed_by_the_next_sign_of_life() -> None:
    fleet = Fleet(2)
    a, b = fleet.workers
    fleet.pass_(1)
    fleet.wire.loss = 1.0
    a.join("Ada")
    fleet.wire.loss = 0.0
    assert fleet.until(lambda: agree(a, b), most=10) <= 6.0


@pytest.mark.parametrize("seed", range(6))
def test_a_bad_line_makes_no_lasting_difference(seed: int) -> None:
    fleet = Fleet(3, seed=seed)
    rng = fleet.wire.random
    fleet.wire.loss, fleet.wire.doubling = 0.3, 0.2
    gens = dict.fromkeys(range(12), 0)
    for _ in range(200):
        number = rng.randrange(12)
        worker = rng.choice(fleet.workers)
        if rng.random() < 0.7:
            gens[number] += 1
            worker.join(f"P{number}", tab=f"{number:032x}", gen=gens[number], visible=rng.random() < 0.8)
        else:
            worker.bye(f"P{number}", tab=f"{number:032x}", gen=gens[number])
        if rng.random() < 0.3:
            fleet.pass_(0.5)
    fleet.wire.loss = fleet.wire.doubling = 0.0
    fleet.pass_(11)  # twice a sign of life, and an answer
    assert agree(*fleet.workers)
    rooms = [[person.owner for person in worker.presence.list("doc:1")] for worker in fleet.workers]
    assert rooms[0] == rooms[1] == rooms[2]
    for worker in fleet.workers:
        assert {news.person.owner for news in worker.news if news.what == "join"} >= set(rooms[0])


def test_a_dead_worker_s_people_are_gone_in_twenty_seconds() -> None:
    fleet = Fleet(3)
    fleet.workers[0].join("Ada")
    fleet.wire.deliver()
    fleet.pass_(4.5)
    fleet.workers[0].kill()
    seconds = fleet.until(lambda: not fleet.workers[1].states(), most=30)
    assert 10 <= seconds <= 16
    assert [news.why for news in fleet.workers[2].news][-1] == "lost"


def test_one_worker_only_acts_on_what_became_of_a_dead_one() -> None:
    fleet = Fleet(3)
    fleet.workers[0].join("Ada")
    fleet.wire.deliver()
    assert [[news.first for news in worker.news] for worker in fleet.workers] == [[True], [False], [False]]
    fleet.workers[0].kill()
    fleet.pass_(20)
    assert sorted(worker.news[-1].first for worker in fleet.workers[1:]) == [False, True]


def test_who_moves_from_a_dead_worker_to_another_never_leaves() -> None:
    fleet = Fleet(2)
    a, b = fleet.workers
    a.join("Ada")
    fleet.wire.deliver()
    a.kill()
    fleet.pass_(3)
    b.join("Ada", gen=2)
    fleet.pass_(30, meanwhile=lambda: b.beat("Ada", gen=2))
    assert b.told() == ["join"]


def test_while_the_bus_is_away_nobody_is_removed_and_soon_after_all_is_right() -> None:
    fleet = Fleet(2)
    a, b = fleet.workers
    a.join("Ada")
    b.join("Bob", tab="b" * 32)
    fleet.pass_(1)

    def live() -> None:
        a.beat("Ada")
        b.beat("Bob", tab="b" * 32)

    fleet.wire.away = True
    fleet.pass_(20, meanwhile=live)
    a.join("Cleo", tab="c" * 32)  # only one hears of her
    b.bye("Bob", tab="b" * 32)
    fleet.pass_(100, meanwhile=live)
    assert (set(a.states()), set(b.states())) == ({"Ada", "Bob"}, {"Ada"})  # Cleo said nothing for long
    a.join("Cleo", tab="c" * 32, gen=2)
    fleet.wire.away = False
    seconds = fleet.until(lambda: agree(a, b), most=20)
    assert seconds <= 10
    assert set(a.states()) == {"Ada", "Cleo"}


def test_a_worker_that_was_cut_off_comes_back_with_its_people() -> None:
    """Its own line was down, so the others took it for dead; its words are the same as before."""
    fleet = Fleet(2)
    a, b = fleet.workers
    a.join("Ada")
    fleet.pass_(1)
    a.bus.cut = True
    fleet.pass_(25, meanwhile=lambda: a.beat("Ada"))
    assert (a.states(), b.states()) == ({"Ada": "active"}, {})
    a.bus.cut = False
    assert fleet.until(lambda: b.states() == {"Ada": "active"}, most=20) <= 10


def test_a_worker_that_stops_says_so_and_nobody_leaves_while_pages_move() -> None:
    fleet = Fleet(2)
    a, b = fleet.workers
    a.join("Ada")
    a.join("Bob", tab="b" * 32)
    fleet.pass_(1)
    a.close("Ada", by_client=False)
    a.presence.leave(35.0)
    fleet.wire.deliver()
    a.kill()
    fleet.pass_(25)
    assert b.states() == {"Ada": "active", "Bob": "active"}
    b.join("Ada", gen=2)
    fleet.pass_(15, meanwhile=lambda: b.beat("Ada", gen=2))
    assert b.states() == {"Ada": "active"}  # Bob came nowhere
    assert b.told("Ada") == ["join"]


def test_who_leaves_while_their_worker_stops_is_gone_like_anybody_else() -> None:
    fleet = Fleet(2)
    a, b = fleet.workers
    a.join("Ada")
    fleet.pass_(1)
    a.presence.leave(35.0)
    fleet.wire.deliver()
    a.kill()
    b.bye("Ada")
    assert fleet.until(lambda: not b.states(), most=10) <= 2.5


def test_what_a_page_says_finds_the_worker_that_answers_for_it() -> None:
    fleet = Fleet(2)
    a, b = fleet.workers
    a.join("Ada")
    fleet.wire.deliver()
    fleet.pass_(40, meanwhile=lambda: b.beat("Ada", idle=True))
    assert (a.states(), b.states()) == ({"Ada": "idle"}, {"Ada": "idle"})
    b.bye("Ada")
    assert fleet.until(lambda: not a.states(), most=10) <= 2.5


def test_many_who_ask_at_once_are_answered_once() -> None:
    fleet = Fleet(6)
    fleet.pass_(2)
    before = kinds(fleet, "all")
    fleet.wire.loss = 1.0
    fleet.workers[0].join("Ada")
    fleet.wire.loss = 0.0
    fleet.workers[0].join("Bob", tab="b" * 32)
    fleet.wire.deliver()
    fleet.pass_(2)
    assert agree(*fleet.workers)
    assert kinds(fleet, "all") - before <= 2


def test_parts_of_two_tellings_are_not_mixed() -> None:
    fleet = Fleet(2)
    a, b = fleet.workers
    for number in range(250):
        a.join(f"P{number}", tab=f"{number:032x}")
    fleet.wire.deliver()
    gossip = a.presence.gossip
    gossip._say_all()
    fleet.wire.waiting = [one for one in fleet.wire.waiting if json.loads(one[2])["i"] < 2]
    fleet.wire.deliver()
    a.presence.attendance.end(f"{0:032x}", 1, "o-P0", "closed")
    fleet.wire.deliver()
    gossip._say_all()
    fleet.wire.waiting = [one for one in fleet.wire.waiting if json.loads(one[2])["i"] > 0]
    fleet.wire.deliver()
    assert agree(a, b)
    assert b.presence.count("doc:1") == 249


def test_words_that_are_not_understood_are_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    fleet = Fleet(1)
    for frame in (b"{", b"[]", b"{}", b'{"w":"x","k":"put","n":1,"e":[[1]]}', b'{"w":"x","k":"drop","n":"a","x":[]}'):
        fleet.workers[0].presence.gossip.signalled(CHANNEL, frame)
    assert "is not understood" in caplog.text
    fleet.workers[0].join("Ada")
    assert fleet.workers[0].states() == {"Ada": "active"}


def test_one_process_alone_says_nothing() -> None:
    fleet = Fleet(1)
    fleet.workers[0].bus.shared = False
    before = len(fleet.wire.said)
    fleet.workers[0].join("Ada")
    fleet.pass_(12)
    assert len(fleet.wire.said) == before


def test_a_forked_worker_has_a_name_of_its_own() -> None:
    fleet = Fleet(1)
    gossip = fleet.workers[0].presence.gossip
    fleet.workers[0].presence.track("doc:1", "bot")
    gossip.stop()
    before, gossip._process = gossip.worker, os.getpid() + 1
    gossip.start()
    assert gossip.worker != before
    assert [lease.worker for lease in fleet.workers[0].presence.leases.room("doc:1").values()] == [gossip.worker]


def test_who_is_revoked_is_gone_at_once_everywhere() -> None:
    fleet = Fleet(2)
    a, b = fleet.workers
    a.join("Ada", issued=fleet.clock.now)
    a.join("Bob", tab="b" * 32, issued=fleet.clock.now)
    a.close("Ada", by_client=False)  # a hidden tab that gave its stream back
    fleet.wire.mark(Mark("topic", "doc:1", "ada", fleet.clock.now))
    fleet.wire.deliver()
    assert (a.states(), b.states()) == ({"Bob": "active"}, {"Bob": "active"})
    assert a.news[-1].why == "revoked"


def test_a_grant_written_after_the_revocation_counts() -> None:
    fleet = Fleet(1)
    fleet.workers[0].join("Ada", issued=fleet.clock.now + 5)
    fleet.wire.mark(Mark("topic", "doc:1", "ada", fleet.clock.now))
    assert fleet.workers[0].states() == {"Ada": "active"}


def test_who_signs_out_is_gone_at_once_from_all_topics() -> None:
    fleet = Fleet(2)
    a, b = fleet.workers
    a.join("Ada", "doc:1", "doc:2")
    fleet.wire.mark(Mark("browser", who("Ada").browser, None, fleet.clock.now, "signed-out"))
    fleet.wire.deliver()
    assert (b.states("doc:1"), b.states("doc:2")) == ({}, {})
    assert {news.why for news in a.news if news.what == "leave"} == {"signed-out"}


def test_a_worker_that_starts_again_is_no_longer_about_to_stop() -> None:
    fleet = Fleet(2)
    a, b = fleet.workers
    a.join("Ada")
    a.presence.leave(9.0)
    fleet.wire.deliver()
    a.presence.gossip.stop()
    a.presence.gossip.start()
    fleet.pass_(30, meanwhile=lambda: a.beat("Ada"))
    assert b.states() == {"Ada": "active"}


def test_a_worker_whose_clock_is_behind_takes_over_all_the_same() -> None:
    fleet = Fleet(2)
    a, b = fleet.workers
    a.join("Ada")
    fleet.wire.deliver()
    b.presence.gossip._wall_clock = lambda: fleet.clock.now - 3600
    a.presence.leave(9.0)
    fleet.wire.deliver()
    a.kill()
    fleet.pass_(20, meanwhile=lambda: b.beat("Ada", idle=True))
    assert b.states() == {"Ada": "idle"}
    assert [lease.worker for lease in b.presence.leases.room("doc:1").values()] == [b.presence.gossip.worker]


@pytest.mark.parametrize(
    "mark",
    [
        Mark("topic", "doc:1", "ada", 1_800_000_100.0),
        Mark("topic", "doc:1", None, 1_800_000_100.0),
        Mark("browser", "b-Ada", None, 1_800_000_100.0, "signed-out"),
    ],
    ids=str,
)
def test_who_was_taken_over_can_be_revoked(mark: Mark) -> None:
    fleet = Fleet(2)
    a, b = fleet.workers
    a.join("Ada", issued=fleet.clock.now)
    a.presence.leave(9.0)
    fleet.wire.deliver()
    a.kill()
    b.beat("Ada")
    fleet.pass_(10)
    assert b.states() == {"Ada": "active"}
    fleet.wire.mark(mark)
    assert b.states() == {}
