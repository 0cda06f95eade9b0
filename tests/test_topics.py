from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmx_rt.exceptions import BadTopic, ConfigurationError, PublishError
from htmx_rt.topics import Pattern, check_topic, is_topic, user_topic


@pytest.mark.parametrize("name", ["a", "7", "board:7", "a.b_c-d:e", "x" * 128])
def test_legal_topics(name: str) -> None:
    assert is_topic(name)
    assert check_topic(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ":a",
        "-a",
        "_a",
        ".a",
        "a b",
        "a\n",
        "a\r",
        "a\0",
        "a\nb",
        "ä",
        "a/b",
        "a,b",
        "x" * 129,
        "१",
        None,
        7,
        b"a",
        "a\ud800",
    ],
    ids=repr,
)
def test_illegal_topics_are_refused_with_the_rule(name: object) -> None:
    assert not is_topic(name)
    with pytest.raises(BadTopic, match="1 to 128 letters"):
        check_topic(name)


def test_a_bad_topic_is_a_publish_error_and_a_value_error() -> None:
    assert issubclass(BadTopic, PublishError)
    assert issubclass(BadTopic, ValueError)


def test_plain_ids_stay_readable_and_others_are_hashed() -> None:
    assert user_topic("ada") == "user:ada"
    assert user_topic("7") == "user:7"
    hashed = user_topic("ada@example.org")
    assert hashed.startswith("user:h.")
    assert len(hashed) == len("user:h.") + 22


@given(st.text(min_size=1), st.text(min_size=1))
def test_every_person_has_a_legal_topic_of_their_own(one: str, other: str) -> None:
    assert is_topic(user_topic(one))
    assert (user_topic(one) == user_topic(other)) == (one == other)


def test_nobody_can_name_themselves_into_a_hashed_topic() -> None:
    victim = user_topic("ada@example.org").removeprefix("user:")
    assert user_topic(victim) != user_topic("ada@example.org")


def test_a_pattern_gives_its_fields() -> None:
    pattern = Pattern("org:{org}:board:{id}")
    assert pattern.match("org:acme:board:7") == {"org": "acme", "id": "7"}
    assert pattern.match("org:acme:board:7:x") is None
    assert pattern.match("org:acme:board:") is None
    assert pattern.match("xorg:acme:board:7") is None


def test_dots_in_a_pattern_are_dots() -> None:
    assert Pattern("a.b").match("a.b") == {}
    assert Pattern("a.b").match("axb") is None


@pytest.mark.parametrize("text", ["board {id}", "board:{}", "board:{7}", "board:{id", "{id}:{id}", "böard:{id}"])
def test_a_pattern_that_can_never_match_is_refused_at_start(text: str) -> None:
    with pytest.raises(ConfigurationError):
        Pattern(text)
