"""The words that people read."""

from __future__ import annotations

import re
from typing import Any

import pytest
from markupsafe import Markup

from htmx_rt.catalogue import FOLDER, Catalogue, plural, shipped
from htmx_rt.exceptions import ConfigurationError

LANGUAGES = sorted(path.stem for path in FOLDER.glob("*.json"))


def forms(word: Any) -> dict[str, str]:
    return {"other": word} if isinstance(word, str) else word


def fields(word: Any) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", forms(word)["other"]))


def test_english_german_and_spanish_are_shipped() -> None:
    assert set(LANGUAGES) >= {"de", "en", "es"}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_language_has_every_word_with_the_same_fields(lang: str) -> None:
    english, other = shipped("en"), shipped(lang)
    assert set(other) == set(english)
    for name, word in english.items():
        assert fields(other[name]) == fields(word), name
        assert isinstance(other[name], dict) == isinstance(word, dict), name
        assert all(fields(form) <= fields(word) for form in forms(other[name]).values()), name


@pytest.mark.parametrize(
    ("lang", "n", "text"),
    [
        ("en", 1, "1 person here"), ("en", 0, "0 people here"), ("en", 3, "3 people here"),
        ("de", 1, "1 Person hier"), ("de-AT", 2, "2 Personen hier"), ("es", 5, "5 personas aquí"),
        ("xx", 2, "2 people here"), ("", 2, "2 people here"), ("../en", 2, "2 people here"),
    ],
)  # fmt: skip
def test_the_form_and_the_language_fit(lang: str, n: int, text: str) -> None:
    assert Catalogue().say(lang, "here.count", n=n) == text


def test_an_app_replaces_words_and_adds_languages() -> None:
    words = Catalogue(
        {
            "en": {"here.visitor": "Guest"},
            "de-AT": {"here.count": {"one": "{n} Leiwand", "other": "{n} Leiwande"}},
            "nl": {"here.nobody": "Niemand hier"},
        }
    )
    assert words.say("en", "here.visitor") == "Guest"
    assert words.say("es", "here.visitor") == "Visitante"
    assert words.say("de-AT", "here.count", n=1) == "1 Leiwand"
    assert words.say("de", "here.count", n=1) == "1 Person hier"
    assert words.say("nl", "here.nobody") == "Niemand hier"
    assert words.say("nl", "here.visitor") == "Guest"


@pytest.mark.parametrize("word", [7, None, {"one": "x"}, {"other": 7}, []], ids=repr)
def test_words_of_a_wrong_shape_are_refused(word: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"words\['en'\]\['here.count'\]"):
        Catalogue({"en": {"here.count": word}})


def test_a_word_that_is_not_there_is_told_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"no word 'here.nothing'.*here\.count"):
        Catalogue().say("en", "here.nothing")


def test_markup_stays_markup_and_everything_else_is_escaped() -> None:
    words = Catalogue({"en": {"here.line": "<i>Online</i>: {names}"}})
    text = words.say("en", "here.line", names=Markup("<b>Ada</b>"))
    assert text == Markup("<i>Online</i>: <b>Ada</b>")
    assert isinstance(text, Markup)
    assert not isinstance(words.say("en", "here.line", names="<b>"), Markup)
    assert words.say("en", "typing.two", a=Markup("<b>A</b>"), b="<x>") == "<b>A</b> and &lt;x&gt; are typing…"


def test_what_stands_in_a_name_is_not_read_as_a_field() -> None:
    assert Catalogue().say("en", "typing.one", a="{n.__class__}") == "{n.__class__} is typing…"


def test_scripts_get_the_words_they_need() -> None:
    words = Catalogue({"en": {"typing.one": "{a} writes"}}).all("en", "typing.", "field.")
    assert words["typing.one"] == "{a} writes"
    assert isinstance(words["typing.many"], dict)
    assert {name.partition(".")[0] for name in words} == {"typing", "field"}


@pytest.mark.parametrize(
    ("lang", "numbers", "form"),
    [
        ("en", [1], "one"), ("en", [0, 2, 11], "other"), ("fr", [0, 1], "one"), ("pt-BR", [0], "one"),
        ("ja", [1, 5], "other"), ("ru", [1, 21], "one"), ("ru", [2, 34], "few"), ("ru", [5, 11, 12], "other"),
        ("pl", [1], "one"), ("pl", [2, 24], "few"), ("pl", [5, 12, 21], "many"), ("cs", [3], "few"), ("cs", [5], "other"),
    ],
)  # fmt: skip
def test_plural_forms(lang: str, numbers: list[int], form: str) -> None:
    assert {plural(lang, n) for n in numbers} == {form}
