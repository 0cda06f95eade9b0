from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmx_rt.exceptions import ConfigurationError
from htmx_rt.types import Limits, User, clean_name


@given(st.text(max_size=300))
def test_names_hold_nothing_that_turns_or_hides_text(name: str) -> None:
    cleaned = clean_name(name)
    assert len(cleaned) <= 80
    assert cleaned == cleaned.strip()
    for char in cleaned:
        assert unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp")
        assert unicodedata.bidirectional(char) not in ("RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI", "FSI", "PDI")


def test_names_keep_joiners_and_become_nfc() -> None:
    assert clean_name("Ada\u202e evil\u0000\u200b") == "Ada evil"
    assert clean_name("می\u200cخواهم") == "می\u200cخواهم"
    assert clean_name("e\u0301") == "é"


@pytest.mark.parametrize("bad", ["", 7, None, "x" * 256, b"ada"], ids=repr)
def test_a_user_id_is_a_string_of_bounded_length(bad: object) -> None:
    with pytest.raises(ConfigurationError, match=r"str\(user.id\)"):
        User(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [None, 7, b"Ada"], ids=repr)
def test_a_name_that_is_no_string_is_refused_with_the_cure(bad: object) -> None:
    with pytest.raises(ConfigurationError, match="name"):
        User("ada", bad)  # type: ignore[arg-type]


def test_what_identify_may_return() -> None:
    assert User.of(None) is None
    assert User.of("") is None
    assert User.of("ada") == User("ada")
    ada = User("ada", "Ada")
    assert User.of(ada) is ada
    with pytest.raises(ConfigurationError, match="no user"):
        User.of(7)  # type: ignore[arg-type]


def test_limits_take_changes_by_name() -> None:
    assert Limits.of({"topics_per_tab": 3}).topics_per_tab == 3
    assert Limits.of(None) == Limits()
    changed = Limits(streams=1)
    assert Limits.of(changed) is changed


@pytest.mark.parametrize("value", [0, -1, True, "7", None, float("nan")], ids=repr)
def test_a_limit_is_a_positive_number(value: object) -> None:
    with pytest.raises(ConfigurationError, match="positive number"):
        Limits.of({"streams": value})


def test_an_unknown_limit_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="topics_per_tab"):
        Limits.of({"topics": 3})
