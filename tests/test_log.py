from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from htmx_rt.frames import draft
from htmx_rt.log import Entry, Log, Missed
from htmx_rt.types import Limits

from .kit import Clock


def make_log(clock: Clock | None = None, **limits: float) -> Log:
    return Log(Limits.of(limits), clock=clock or Clock(), epoch="epoch")


def say(log: Log, topic: str, text: str = "x", *, state: str | None = None) -> Entry:
    return log.append(draft(topic, "rt:ops", {"ops": [["text", "#x", text]]}, state=state))


def offsets(missed: Missed) -> list[int]:
    return [entry.offset for entry in missed.entries]


def test_offsets_grow_by_one_over_all_topics() -> None:
    log = make_log()
    assert [say(log, topic).offset for topic in "abca"] == [1, 2, 3, 4]
    assert str(log.position) == "1~epoch~4"


def test_a_reader_gets_what_its_topics_lack_in_offset_order() -> None:
    log = make_log()
    for topic in "abcabc":
        say(log, topic)
    assert offsets(log.missed({"a": 1, "b": 0}, upto=log.position._replace(offset=6))) == [2, 4, 5]
    assert offsets(log.missed({"a": 0}, upto=log.position._replace(offset=3))) == [1]
    assert offsets(log.missed({"a": 6}, upto=log.position._replace(offset=6))) == []
    assert log.missed({"unheard-of": 0}, upto=log.position._replace(offset=6)) == Missed()


def test_a_topic_is_never_replayed_in_part_once_something_of_it_was_trimmed() -> None:
    log = make_log(window=3)
    for topic in "aabab":
        say(log, topic)
    missed = log.missed({"a": 0, "b": 0}, upto=log.position._replace(offset=5))
    assert missed.resync == {"a": "trimmed"}
    assert offsets(missed) == [3, 5]
    assert offsets(log.missed({"a": 2}, upto=log.position._replace(offset=5))) == [4]


def test_what_is_too_old_goes_even_when_nothing_new_comes() -> None:
    clock = Clock()
    log = make_log(clock, window_age=300)
    say(log, "a")
    clock.advance(301)
    assert log.missed({"a": 0}, upto=log.position._replace(offset=1)).resync == {"a": "trimmed"}


def test_bytes_are_bounded_but_the_newest_message_is_kept_however_large() -> None:
    log = make_log(window_bytes=1000)
    say(log, "a", "x" * 100)
    say(log, "b", "x" * 5000)
    assert offsets(log.missed({"b": 0}, upto=log.position._replace(offset=2))) == [2]
    assert log.missed({"a": 0}, upto=log.position._replace(offset=2)).resync == {"a": "trimmed"}


def test_a_state_outlives_the_window_and_only_the_newest_counts() -> None:
    log = make_log(window=2)
    for text in "123":
        say(log, "a", text, state="total")
    for _ in range(5):
        say(log, "b")
    missed = log.missed({"a": 0}, upto=log.position._replace(offset=8))
    assert offsets(missed) == [3]
    assert missed.resync == {}


def test_a_first_open_gets_every_state_and_a_resume_only_newer_ones() -> None:
    log = make_log()
    say(log, "a", state="one")
    say(log, "a", state="two")
    assert offsets(log.missed({"a": 1}, upto=log.position._replace(offset=2))) == [2]
    assert offsets(log.missed({"a": 1}, upto=log.position._replace(offset=2), fresh=frozenset("a"))) == [1, 2]
    assert offsets(log.missed({"a": 2}, upto=log.position._replace(offset=2), fresh=frozenset("a"))) == [1, 2]


def test_states_expire_and_say_so() -> None:
    clock = Clock()
    log = make_log(clock, state_age=60)
    say(log, "a", state="one")
    clock.advance(61)
    missed = log.missed({"a": 0}, upto=log.position._replace(offset=1), fresh=frozenset("a"))
    assert missed.entries == []
    assert missed.resync == {"a": "trimmed"}


def test_one_name_too_many_drops_the_oldest_state_of_the_topic() -> None:
    log = make_log(states_per_topic=2)
    for name in ("one", "two", "three"):
        say(log, "a", state=name)
    assert log.missed({"a": 0}, upto=log.position._replace(offset=3)).resync == {"a": "trimmed"}
    assert offsets(log.missed({"a": 1}, upto=log.position._replace(offset=3), fresh=frozenset("a"))) == [2, 3]


def test_states_of_all_topics_together_are_bounded_in_bytes() -> None:
    log = make_log(state_bytes=10_000, window=1)
    for number in range(100):
        say(log, f"board:{number}", "x" * 1000, state="total")
    kept = [
        n
        for n in range(100)
        if log.missed(
            {f"board:{n}": 100}, upto=log.position._replace(offset=100), fresh=frozenset([f"board:{n}"])
        ).entries
    ]
    assert kept == list(range(100))[-len(kept) :]
    assert 5 <= len(kept) <= 10
    assert log.missed({"board:0": 0}, upto=log.position._replace(offset=100)).resync == {"board:0": "trimmed"}


def test_what_does_not_fit_into_a_replay_is_resynced_by_whole_topics_the_fullest_first() -> None:
    log = make_log(replay=4)
    for topic in "aaaabbc":
        say(log, topic)
    missed = log.missed({"a": 0, "b": 0, "c": 0}, upto=log.position._replace(offset=7))
    assert missed.resync == {"a": "limit"}
    assert offsets(missed) == [5, 6, 7]


def test_a_topic_that_does_not_fit_costs_the_others_nothing() -> None:
    log = make_log(replay_bytes=2000)
    say(log, "large", "x" * 1500)
    say(log, "larger", "x" * 1800)
    for _ in range(3):
        say(log, "small", "x")
    missed = log.missed({"large": 0, "larger": 0, "small": 0}, upto=log.position._replace(offset=5))
    assert missed.resync == {"larger": "limit"}
    assert offsets(missed) == [1, 3, 4, 5]


def test_one_message_may_always_exceed_the_limits() -> None:
    log = make_log(replay_bytes=100)
    say(log, "a", "x" * 5000)
    assert offsets(log.missed({"a": 0}, upto=log.position._replace(offset=1))) == [1]


def test_a_forgotten_topic_counts_as_stale_below_the_horizon() -> None:
    log = make_log(window=1, trimmed_topics=2)
    for number in range(6):
        say(log, f"t{number}")
    assert log.missed({"t0": 0}, upto=log.position._replace(offset=6)).resync == {"t0": "trimmed"}
    assert log.missed({"unheard-of": 0}, upto=log.position._replace(offset=6)).resync == {"unheard-of": "trimmed"}
    assert log.missed({"unheard-of": 6}, upto=log.position._replace(offset=6)) == Missed()


def test_a_forgotten_topic_stays_stale_when_an_old_state_of_it_goes_later() -> None:
    """Found by the machine below: the state's offset stood for all that was trimmed of the topic."""
    log = make_log(window=1, trimmed_topics=1)
    say(log, "a", state="one")
    say(log, "a")
    say(log, "b")
    say(log, "b", state="one")
    assert log.missed({"a": 1}, upto=log.position._replace(offset=2)).resync == {"a": "trimmed"}


def test_after_gives_everything_or_admits_that_it_cannot() -> None:
    log = make_log(window=3)
    for topic in "abcde":
        say(log, topic)
    newer = log.after(log.position._replace(offset=2))
    assert newer is not None
    assert [entry.offset for entry in newer] == [3, 4, 5]
    assert log.after(log.position._replace(offset=1)) is None
    assert log.after(log.position._replace(offset=5)) == []
    assert log.after(log.position._replace(offset=99)) == []


def test_nothing_grows_with_the_number_of_topics_ever_used() -> None:
    clock = Clock()
    log = make_log(clock, window=10, trimmed_topics=20, state_age=60)
    for number in range(1000):
        say(log, f"t{number}")
        say(log, f"s{number}", state="x")
        clock.advance(1)
    assert len(log._entries) <= 10
    assert len(log._topics) <= 10
    assert len(log._trimmed) <= 20
    assert len(log._states) <= 61
    assert log._bytes == sum(len(entry.frame) for entry in log._entries.values())


def test_threads_get_distinct_offsets_without_a_hole() -> None:
    log = make_log()
    found: list[list[int]] = [[] for _ in range(4)]

    def work(mine: list[int]) -> None:
        mine.extend(say(log, "a").offset for _ in range(250))

    threads = [threading.Thread(target=work, args=(mine,)) for mine in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(itertools.chain(*found)) == list(range(1, 1001))
    assert all(mine == sorted(mine) for mine in found)


TOPICS = st.sampled_from(["a", "b", "c", "d"])
NAMES = st.sampled_from([None, None, None, "one", "two", "three"])


class LogMachine(RuleBasedStateMachine):
    """The model is a plain list of everything ever said: no silent gap, never half a topic."""

    @initialize(
        window=st.integers(1, 12), replay=st.integers(1, 8), states=st.integers(1, 3), trimmed=st.integers(1, 4),
        size=st.integers(100, 1500),
    )  # fmt: skip
    def begin(self, window: int, replay: int, states: int, trimmed: int, size: int) -> None:
        self.clock = Clock()
        self.limits = Limits.of(
            {"window": window, "replay": replay, "states_per_topic": states, "trimmed_topics": trimmed,
             "window_bytes": size, "replay_bytes": 600, "window_age": 10, "state_age": 40}
        )  # fmt: skip
        self.log = Log(self.limits, clock=self.clock)
        self.said: list[Entry] = []

    @rule(topic=TOPICS, state=NAMES, size=st.integers(0, 200))
    def append(self, topic: str, state: str | None, size: int) -> None:
        self.said.append(say(self.log, topic, "x" * size, state=state))

    @rule(seconds=st.floats(0, 15))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def trim(self) -> None:
        self.log.trim()

    @rule(data=st.data(), fresh=st.sets(TOPICS))
    def resume(self, data: st.DataObject, fresh: set[str]) -> None:
        head = len(self.said)
        positions: Mapping[str, int] = data.draw(st.dictionaries(TOPICS, st.integers(0, head), min_size=1))
        upto = data.draw(st.integers(max(positions.values()), head))
        missed = self.log.missed(positions, upto=self.log.position._replace(offset=upto), fresh=frozenset(fresh))
        got = [entry.offset for entry in missed.entries]
        assert got == sorted(set(got))
        assert set(missed.resync) <= set(positions)
        for topic, position in positions.items():
            mine = [entry for entry in missed.entries if entry.topic == topic]
            if topic in missed.resync:
                assert mine == []  # never half a topic
                continue
            for entry in self.said[position:upto]:
                if entry.topic != topic or entry in mine:
                    continue
                # Only a state that a newer one of its name has replaced may be left out.
                assert entry.state is not None
                assert any(later.topic == topic and later.state == entry.state for later in self.said[entry.offset :])
            for entry in mine:
                assert entry.offset > position or (entry.state is not None and topic in fresh)
        assert len(got) <= self.limits.replay or len(got) == 1
        assert sum(len(entry.frame) for entry in missed.entries) <= 600 or len(got) == 1

    @rule(data=st.data())
    def tail(self, data: st.DataObject) -> None:
        position = data.draw(st.integers(0, len(self.said)))
        newer = self.log.after(self.log.position._replace(offset=position))
        assert newer is None or newer == self.said[position:]

    @invariant()
    def bounded(self) -> None:
        if hasattr(self, "log"):
            assert len(self.log._entries) <= self.limits.window
            assert len(self.log._trimmed) <= self.limits.trimmed_topics


TestLogAgainstAList = LogMachine.TestCase
TestLogAgainstAList.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("hole", [1, 5, 10])
def test_a_reader_that_resumes_often_enough_misses_nothing(hole: int) -> None:
    log = make_log(window=10)
    position, seen = 0, []
    for number in range(200):
        say(log, "a" if number % 3 else "b")
        if number % hole == 0:
            missed = log.missed({"a": position, "b": position}, upto=log.position._replace(offset=log.head))
            assert missed.resync == {}
            seen += offsets(missed)
            position = log.head
    assert seen == list(range(1, position + 1))
