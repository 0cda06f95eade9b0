"""Badges: the same count seen and read out, and the state that changes it."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag

from htmx_rt import Realtime
from htmx_rt.badges import badge, badge_id, shown
from htmx_rt.exceptions import BadOperation
from htmx_rt.testing import running

from .kit import SECRET, Site
from .test_templating import show

pytestmark = pytest.mark.anyio


def drawn(count: int, **options: Any) -> Tag:
    options = {"label": "{n} unread", "plural": lambda n: "one" if n == 1 else "other", **options}
    found = BeautifulSoup(badge("unread", count, **options), "html.parser").span
    assert isinstance(found, Tag)
    return found


@pytest.mark.parametrize(("count", "seen"), [(0, "0"), (1, "1"), (9, "9"), (10, "9+"), (4711, "9+")])
def test_what_is_seen_ends_with_a_plus_and_what_is_read_out_does_not(count: int, seen: str) -> None:
    found = drawn(count)
    number, words = found.find_all("span")
    assert (number.text, words.text) == (seen, f"{count} unread")
    assert (number["aria-hidden"], words["class"]) == ("true", ["rt-visually-hidden"])
    assert (found["id"], found["rt-badge"], found["class"]) == ("rt-badge-unread", str(count), ["rt-badge"])
    assert found.has_attr("hidden") == (count == 0)


def test_it_may_show_more_and_speak_in_plural_forms() -> None:
    assert shown(100, most=99) == "99+"
    found = drawn(1, most=99, title=True, label={"one": "{n} <letter>", "other": "{n} letters"})
    assert found.find_all("span")[1].text == "1 <letter>"
    assert (found["data-most"], found.has_attr("data-title")) == ("99", True)
    assert not drawn(1).has_attr("data-title")


@pytest.mark.parametrize("name", ["", "a b", "a.b", "ä", "x" * 49, 7, None, '"><script>'])
def test_a_name_that_is_no_id_is_refused(name: Any) -> None:
    with pytest.raises(BadOperation, match="badge name"):
        badge_id(name)


@pytest.mark.parametrize("count", [-1, 1.5, "3", None, True, 10**10])
def test_a_count_that_is_none_is_refused(count: Any) -> None:
    with pytest.raises(BadOperation, match="whole number"):
        drawn(count)
    with pytest.raises(BadOperation, match="whole number"):
        Realtime(secret=SECRET).user("ada").badge("unread", count)


@pytest.mark.parametrize("label", [{"one": "x"}, {"other": 7}])
def test_a_label_without_words_is_refused(label: Any) -> None:
    with pytest.raises(BadOperation, match="label"):
        drawn(1, label=label)


async def test_the_macro_speaks_the_language_of_the_page() -> None:
    page = await show("{{ rt.head(lang='es') }}{{ rt.badge('unread', 2) }}")
    assert page.select("#rt-badge-unread .rt-visually-hidden")[0].text == "2 nuevos"


async def test_a_badge_hears_the_personal_topic_or_the_one_it_names() -> None:
    page = await show("{{ rt.badge('a', 2) }}{{ rt.badge('b', 2, topic='board:7') }}")
    assert [found["rt-stream"] for found in page.select(".rt-badge")] == ["user:ada", "board:7"]
    page = await show("{{ rt.badge('a', 2) }}", identify=lambda request: None)
    assert not page.select(".rt-badge")[0].has_attr("rt-stream")


async def test_a_badge_may_be_part_of_what_everybody_gets() -> None:
    site = Site(templates={"row.html": "{{ rt.badge('room-7', 12, most=99) }}"})
    assert 'rt-badge="12"' in site.rt.render("row.html")
    assert "rt-stream" not in site.rt.render("row.html")


async def test_a_count_is_a_state_that_late_readers_get_and_may_be_told_in_any_thread() -> None:
    site = Site(identify=lambda request: "ada")
    async with running(site.app), site.browser() as ada:
        for count in (3, 12):
            thread = threading.Thread(target=lambda n=count: site.rt.user("ada").badge("unread", n).result(5))
            thread.start()
            thread.join()
        async with ada.stream(await ada.get("/")) as stream:
            told = (await stream.event("rt:ops")).data
    assert (told["s"], told["ops"]) == ("badge:unread", [["text", "#rt-badge-unread", "12"]])
