"""Pictures of who is here: when they are drawn, for whom, and how often."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from htmx_rt.exceptions import ConfigurationError
from htmx_rt.gallery import Key
from htmx_rt.views import Views, is_view, parse_view

from .kit import Gate
from .presence_kit import HERE, Place, Tab, picture, tab

pytestmark = pytest.mark.anyio


def views_of(site: Place) -> Views:
    return site.rt._views[site.rt.hub()]


def frames_of(site: Place) -> list[tuple[Key, float]]:
    """Note every picture that is drawn from now on, and when."""
    gallery, loop, noted = site.rt.hub().gallery, asyncio.get_running_loop(), list[tuple[Key, float]]()
    show = gallery.show

    def noting(key: Key, frame: bytes) -> None:
        noted.append((key, loop.time()))
        show(key, frame)

    gallery.show = noting  # type: ignore[method-assign]
    return noted


@pytest.mark.parametrize(
    ("view", "parsed"),
    [
        ("avatars", ("avatars", 5)), ("avatars:7", ("avatars", 7)), ("roster", ("roster", 200)),
        ("roster:999", ("roster", 200)), ("count", ("count", 0)), ("line", ("line", 3)), ("stats", ("stats", 0)),
    ],
)  # fmt: skip
def test_names_of_views(view: str, parsed: tuple[str, int]) -> None:
    assert parse_view(view) == parsed
    assert is_view(view)


@pytest.mark.parametrize("view", ["", "avatar", "avatars:", "avatars:0", "avatars:-1", "avatars:1000", "x:1", None, 7])
def test_names_of_no_views(view: object) -> None:
    assert not is_view(view)
    with pytest.raises(ConfigurationError, match="avatars, count, line, roster, stats"):
        parse_view(view)


async def test_one_change_is_one_picture_for_all_who_look() -> None:
    site = Place()
    tabs = [await tab(site, who) for who in ("ada", "bob", "cleo")]
    streams = [await one.opening().__aenter__() for one in tabs]
    for one, stream in zip(tabs, streams, strict=True):
        await one.show("avatars")
        await picture(stream, has="cleo")
    drawn: list[str] = []
    views = views_of(site)
    inner = views._picture
    views._picture = lambda topic, name, *rest: drawn.append(name) or inner(topic, name, *rest)  # type: ignore[func-returns-value]
    site.presence.track("doc:1", "dora")
    chunks = [await stream.response.chunk() for stream in streams]
    assert drawn == ["avatars"]
    assert chunks[0] is chunks[1] is chunks[2]
    for stream in streams:
        await stream.close()


async def test_changes_that_come_together_make_one_picture_and_at_most_four_come_a_second() -> None:
    site = Place()
    ada = await tab(site)
    async with ada.opening() as stream:
        await ada.show("count")
        await picture(stream, "count")
        drawn = frames_of(site)
        for number in range(50):
            site.presence.track("doc:1", f"p{number}")
        assert (await picture(stream, "count"))["n"] == 51
        for number in range(50, 60):
            site.presence.track("doc:1", f"p{number}")
            await asyncio.sleep(0.05)
        while (await picture(stream, "count"))["n"] != 61:
            pass
    times = [time for _, time in drawn]
    assert all(later - earlier >= 0.24 for earlier, later in itertools.pairwise(times))
    assert len(times) <= 5


async def test_what_looks_the_same_is_not_sent_again() -> None:
    site = Place()
    ada = await tab(site)
    async with ada.opening() as stream:
        await ada.show("count")
        await picture(stream, "count")
        site.presence.track("doc:1", "bot", meta={"a": 1})
        assert (await picture(stream, "count"))["n"] == 2
        drawn = frames_of(site)
        site.presence.update("doc:1", "bot", {"a": 2})
        while not drawn:
            await asyncio.sleep(0.01)
        site.presence.untrack("doc:1", "bot")
        assert (await picture(stream, "count"))["n"] == 1


async def test_who_comes_back_sees_what_happened_while_nobody_looked() -> None:
    """A picture was drawn, its last viewer went, people changed, and somebody looks again."""
    site = Place()
    ada = await tab(site)
    async with ada.opening() as stream:
        await ada.show("count")
        await picture(stream, "count")
    site.presence.track("doc:1", "bot")
    again = await tab(site, "bob")
    async with again.opening() as stream:
        await again.show("count")
        assert (await picture(stream, "count"))["n"] == 3


async def test_a_picture_is_sent_to_whoever_asks_though_nothing_changed() -> None:
    site = Place()
    ada, bob = await tab(site), await tab(site, "bob")
    async with ada.opening() as stream, bob.opening() as other:
        for one, its in ((ada, stream), (bob, other), (ada, stream)):
            await one.show("count")
            assert (await picture(its, "count"))["n"] == 2


async def test_nothing_is_kept_of_pictures_that_nobody_shows() -> None:
    site = Place()
    ada = await tab(site)
    async with ada.opening() as stream:
        await ada.show("count", "avatars")
        await picture(stream, "count")
        gallery = site.rt.hub().gallery
        await ada.show("line")
        await picture(stream, "line")
        assert [key.view for key in gallery.keys] == ["line"]
        await ada.show()
    assert (gallery._pictures, gallery._viewers, gallery._topics) == ({}, {}, {})


async def test_two_tabs_of_one_stream_have_their_own_pictures() -> None:
    site = Place()
    ada = await tab(site)
    second = Tab(ada.browser, await ada.browser.get("/"))
    tokens = list(ada.page.grants.values())
    tabs = [{"id": one.page.tab, "gen": 1, "vis": True, "fresh": tokens} for one in (ada, second)]
    ada.gen = second.gen = 1
    async with ada.browser.open({"v": 1, "cursor": None, "tabs": tabs}) as stream:
        await ada.show("count")
        await second.show("line")
        site.presence.track("doc:1", "bot")
        seen = set()
        while seen != {("count", 2), ("line", 2)}:
            data = (await stream.event("rt:view")).data
            seen |= {(data["s"], data["n"])} if data["n"] == 2 else set()


async def test_a_slow_reader_gets_the_newest_only() -> None:
    site = Place()
    gate = Gate(site.app)
    ada = await tab(site)
    ada.browser.app = gate
    async with ada.opening() as stream:
        await ada.show("count")
        await picture(stream, "count")
        site.rt.hub().loop.call_soon(gate.open.clear)
        await asyncio.sleep(0)
        for number in range(3):
            site.presence.track("doc:1", f"p{number}")
            await asyncio.sleep(0.3)
        gate.open.set()
        counts = [(await picture(stream, "count"))["n"]]
        while counts[-1] != 4:
            counts.append((await picture(stream, "count"))["n"])
    assert len(counts) <= 2


async def test_words_are_in_the_language_of_the_page() -> None:
    site = Place('{{ rt.head(lang="de") }}{{ rt.presence("doc:1", "count") }}', templates={"x.html": ""})
    ada = await tab(site)
    assert ada.page.select(".rt-count")[0].text == "Niemand ist hier"
    async with ada.opening() as stream:
        await ada.show("count")
        assert (await picture(stream, "count"))["text"] == "1 Person hier"


async def test_a_template_of_the_app_that_fails_costs_nobody_else_anything(caplog: pytest.LogCaptureFixture) -> None:
    site = Place(templates={"htmx_rt/presence/line.html": "{{ people[0].nothing.more }}"})
    ada = await tab(site)
    async with ada.opening() as stream:
        await ada.show("line", "count")
        assert (await picture(stream, "count"))["n"] == 1
    assert "could not be drawn" in caplog.text


async def test_templates_are_the_app_s_to_change() -> None:
    site = Place(templates={"htmx_rt/presence/count.html": "<b>{{ count }} with us</b>"})
    ada = await tab(site)
    assert "<b>0 with us</b>" in ada.page.text


async def test_names_are_text_wherever_they_are_drawn() -> None:
    from htmx_rt import User

    site = Place(
        '{{ rt.head() }}{% for v in ["avatars", "line", "roster", "stats:5"] %}{{ rt.presence("doc:1", v) }}{% endfor %}'
    )
    name = "<img src=x onerror=alert(1)>\"'&\u202e"
    site.presence.track("doc:1", User("evil", name), meta={"page": name})
    ada = await tab(site)
    assert "<img" not in ada.page.text
    assert [one.text for one in ada.page.select(".rt-roster-name")] == ["<img src=x onerror=alert(1)>\"'&"]
    assert ada.page.select(".rt-avatar")[0]["title"].startswith("<img")


async def test_dear_pictures_are_drawn_less_often() -> None:
    site = Place()
    ada = await tab(site)
    async with ada.opening() as stream:
        await ada.show("count")
        await picture(stream, "count")
        views = views_of(site)
        inner = views._picture

        def slow(*args: Any) -> str:
            import time

            time.sleep(0.06)
            return inner(*args)

        views._picture = slow
        drawn = frames_of(site)
        for number in range(4):
            site.presence.track("doc:1", f"p{number}")
            while len(drawn) <= number:
                await asyncio.sleep(0.01)
        times = [time for _, time in drawn]
        assert min(later - earlier for earlier, later in itertools.pairwise(times[1:])) >= 0.6


async def test_pictures_of_people_come_when_the_app_has_answered() -> None:
    site = Place()

    @site.presence.fetch
    async def faces(ids: Any) -> dict[str, dict[str, str]]:
        return {identity: {"picture": f"/{identity}.png"} for identity in ids}

    ada = await tab(site)
    async with ada.opening() as stream:
        await ada.show("avatars")
        while '<img src="/ada.png"' not in (await picture(stream))["html"]:
            pass
    again = await ada.browser.get("/")
    assert again.select("img")[0]["src"] == "/ada.png"


async def test_the_view_of_numbers() -> None:
    site = Place('{{ rt.head() }}{{ rt.presence("doc:1", "stats:2") }}')
    site.presence.track("doc:1", "bot", meta={"page": "Prices"})
    guest = await tab(site, None)
    assert [one.text for one in guest.page.select("dd")] == ["1", "1", "0"]
    async with guest.opening() as stream:
        await guest.show("stats:2")
        shown = await picture(stream, "stats:2", has="Visitor")
        assert shown["n"] == 2
        assert "Connections 2 People 1 Visitors 1" in shown["text"]
        assert "bot , active Prices" in shown["text"] or "bot, active Prices" in shown["text"]
    assert HERE in guest.page.grants


async def test_drawing_for_many_who_see_differently_takes_a_tenth_of_a_core_at_most() -> None:
    """It takes several turns of the loop, in which people go on changing."""
    import time

    site = Place()
    site.presence.can_see(lambda viewer, subject: time.sleep(0.002) or True)  # type: ignore[func-returns-value]
    site.presence.track("doc:1", "bot")
    tabs = [await tab(site, f"p{number}") for number in range(12)]
    streams = [await one.opening().__aenter__() for one in tabs]
    for one in tabs:
        await one.show("count")
    loop, drawn = asyncio.get_running_loop(), frames_of(site)
    began = loop.time()
    number = 0
    while loop.time() - began < 1.5:
        site.presence.update("doc:1", "bot", {"n": (number := number + 1)})
        await asyncio.sleep(0.01)
    # 13 people times 12 viewers times 2 ms: a third of a second for one drawing of all.
    assert len(drawn) <= 12
    for stream in streams:
        await stream.close()
