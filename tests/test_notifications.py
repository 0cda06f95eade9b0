"""What one person is told: kept for them, read once, never lost to somebody who sends at the same moment."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from htmx_rt.exceptions import BadOperation, BadTopic, ConfigurationError, PersonalContent, StoreUnavailable
from htmx_rt.notifications import Notes
from htmx_rt.stores import Store
from htmx_rt.stores.sqlite import SqliteStore
from htmx_rt.topics import user_topic

from .desk import Desk, Shaky
from .desk import store as store
from .kit import opened, running

pytestmark = pytest.mark.anyio
DAY = 24 * 3600.0


def texts(notes: Notes) -> list[str]:
    return [note.text for note in notes]


async def test_what_was_sent_is_there_newest_first_and_unread(store: Store) -> None:
    desk = Desk(store)
    async with running(desk.app):
        first = await desk.rt.notifications.send("ada", "Grace mentioned you", href="/tasks/7?a=b#c")
        desk.clock.advance(60)
        await desk.rt.notifications.send("ada", "Zwei 🎈")
        await desk.rt.notifications.send("grace", "For somebody else")
        notes = await desk.rt.notifications.list("ada")
        assert (texts(notes), notes.unread, notes.user_id) == (["Zwei 🎈", "Grace mentioned you"], 2, "ada")
        assert notes[1] == first
        assert (first.href, first.at, first.read) == ("/tasks/7?a=b#c", desk.clock() - 60, False)
        assert await desk.rt.notifications.unread("ada") == 2
        assert await desk.rt.notifications.unread("nobody") == 0


async def test_some_or_all_are_read(store: Store) -> None:
    desk = Desk(store)
    async with running(desk.app):
        notes = desk.rt.notifications
        ids = [(await notes.send("ada", f"Number {n}")).id for n in range(4)]
        assert await notes.read("ada", [ids[1], "not one"]) == 3
        assert await notes.read("ada", ids[2]) == 2
        assert [note.read for note in await notes.list("ada")] == [False, True, True, False]
        assert await notes.read("grace", ids) == 0
        assert await notes.read("ada") == 0
        assert (await notes.list("ada")).unread == 0


async def test_a_key_replaces_in_place_and_makes_unread_again(store: Store) -> None:
    desk = Desk(store)
    async with running(desk.app):
        notes = desk.rt.notifications
        first = await notes.send("ada", "3 comments", key="comments:7", href="/a")
        await notes.send("ada", "Another")
        await notes.read("ada")
        second = await notes.send("ada", "4 comments", key="comments:7", href="/b")
        await notes.send("grace", "Hers", key="comments:7")
        there = await notes.list("ada")
    assert second.id == first.id
    assert [(note.text, note.href, note.read) for note in there] == [
        ("4 comments", "/b", False),
        ("Another", None, True),
    ]


async def test_there_are_a_hundred_and_the_oldest_gives_way() -> None:
    desk = Desk(limits={"notifications_per_person": 5})
    async with running(desk.app):
        for n in range(8):
            await desk.rt.notifications.send("ada", f"Number {n}")
        there = await desk.rt.notifications.list("ada")
    assert texts(there) == [f"Number {n}" for n in (7, 6, 5, 4, 3)]


async def test_each_goes_after_thirty_days(store: Store) -> None:
    desk = Desk(store)
    async with running(desk.app):
        await desk.rt.notifications.send("ada", "Old")
        desk.clock.advance(29 * DAY)
        await desk.rt.notifications.send("ada", "New")
        assert await desk.rt.notifications.unread("ada") == 2
        desk.clock.advance(2 * DAY)
        assert texts(await desk.rt.notifications.list("ada")) == ["New"]
        desk.clock.advance(30 * DAY)
        assert await desk.rt.notifications.list("ada") == []


async def test_of_two_hundred_at_once_none_is_lost(tmp_path: Path) -> None:
    """From several workers and readers at the same moment."""
    seed = random.randrange(10**9)
    print("seed", seed)
    dice = random.Random(seed)
    limits = {"notifications_per_person": 1000}
    desks = [Desk(SqliteStore(str(tmp_path / "rt.db")), limits=limits) for _ in range(3)]
    async with running(desks[0].app), running(desks[1].app), running(desks[2].app):

        async def send(n: int) -> None:
            await asyncio.sleep(dice.random() / 50)
            await dice.choice(desks).rt.notifications.send("ada", f"Number {n}")

        async def read() -> None:
            await asyncio.sleep(dice.random() / 50)
            await dice.choice(desks).rt.notifications.read("ada", ["none"])

        await asyncio.gather(*(send(n) for n in range(200)), *(read() for _ in range(20)))
        there = await desks[0].rt.notifications.list("ada")
    assert sorted(texts(there)) == sorted(f"Number {n}" for n in range(200))
    assert there.unread == 200
    assert len({note.id for note in there}) == 200


async def test_they_outlive_a_restart(tmp_path: Path) -> None:
    for run in range(2):
        desk = Desk(SqliteStore(str(tmp_path / "rt.db")))
        async with running(desk.app):
            if run == 0:
                await desk.rt.notifications.send("ada", "Still here", key="k")
            assert texts(await desk.rt.notifications.list("ada")) == ["Still here"]


async def test_every_page_of_theirs_hears_of_it() -> None:
    desk = Desk()
    async with running(desk.app):
        browser, page = await opened(desk)
        _, other = await opened(desk, who="grace")
        async with browser.stream(page) as stream, browser.stream(page) as second:
            note = await desk.rt.notifications.send("ada", "Grace mentioned <b>you</b>")
            for one in (stream, second):
                call = (await one.event("rt:call")).data
                assert (call["t"], call["name"]) == ("user:ada", "notes")
                assert call["args"] == {"unread": 1, "rev": note.rev, "text": "Grace mentioned <b>you</b>"}
            await desk.rt.notifications.read("ada")
            args = (await stream.event("rt:call")).data["args"]
            assert (args["unread"], "text" in args) == (0, False)
            assert args["rev"] > note.rev
        assert user_topic("ada") not in other.text


async def test_who_comes_later_hears_how_it_stands() -> None:
    desk = Desk()
    async with running(desk.app):
        browser, page = await opened(desk)
        for n in range(5):
            await desk.rt.notifications.send("ada", f"Number {n}")
        async with browser.stream(page) as stream:
            assert (await stream.event("rt:call")).data["args"]["unread"] in range(1, 6)
        later = await browser.get("/")
        async with browser.stream(later) as stream:
            assert (await stream.event("rt:call")).data["args"]["unread"] == 5


async def test_reading_what_is_read_says_nothing() -> None:
    desk = Desk()
    async with running(desk.app):
        await desk.rt.notifications.send("ada", "One")
        await desk.rt.notifications.read("ada")
        before = (await desk.rt.notifications.list("ada")).rev
        await desk.rt.notifications.read("ada")
        await desk.rt.notifications.read("ada", ["none"])
        assert (await desk.rt.notifications.list("ada")).rev == before


async def test_a_store_that_forgets_still_counts_upwards() -> None:
    desk = Desk()
    async with running(desk.app):
        before = await desk.rt.notifications.send("ada", "One")
        for key, _ in await desk.rt.store.scan("notes:"):
            await desk.rt.store.delete(key)
        desk.clock.advance(1)
        assert (await desk.rt.notifications.send("ada", "Two")).rev > before.rev


async def test_a_clock_that_goes_back_still_counts_upwards() -> None:
    desk = Desk()
    async with running(desk.app):
        before = await desk.rt.notifications.send("ada", "One")
        desk.clock.advance(-3600)
        after = await desk.rt.notifications.send("ada", "Two")
        assert after.rev > before.rev
        assert texts(await desk.rt.notifications.list("ada")) == ["Two", "One"]


async def test_it_is_sent_from_threads_too() -> None:
    desk = Desk()
    async with running(desk.app):
        note = await asyncio.to_thread(lambda: desk.rt.notifications.send("ada", "From a thread").result(5))
        assert note.text == "From a thread"
        assert await asyncio.to_thread(lambda: desk.rt.notifications.unread("ada").result(5)) == 1


@pytest.mark.parametrize(
    "href",
    ["https://evil.example/x", "//evil.example", "/\\evil.example", "javascript:alert(1)", "tasks/7", "", "/a b", "/a\n",
     "/" + "x" * 1100, "/a\x00", "/a\u202eb", 7],
)  # fmt: skip
async def test_it_leads_to_a_path_of_this_site_only(href: object) -> None:
    desk = Desk()
    async with running(desk.app):
        with pytest.raises(BadOperation, match="path on this site"):
            desk.rt.notifications.send("ada", "Look", href=href)  # type: ignore[arg-type]
        assert await desk.rt.notifications.list("ada") == []


@pytest.mark.parametrize("text", ["", "  \n ", "\u202e\u0000", None, 7])
async def test_it_says_something(text: object) -> None:
    desk = Desk()
    async with running(desk.app):
        with pytest.raises(BadOperation):
            desk.rt.notifications.send("ada", text)  # type: ignore[arg-type]


async def test_the_text_is_one_plain_line() -> None:
    desk = Desk()
    async with running(desk.app):
        note = await desk.rt.notifications.send("ada", "  One\n\ttwo \u202ethree\x07  ")
        assert note.text == "One two three"
        long = await desk.rt.notifications.send("ada", "x" * 600)
        assert (len(long.text), long.text[-1]) == (500, "…")


@pytest.mark.parametrize("person", ["", None, 7, "x" * 300])
async def test_it_is_for_somebody(person: object) -> None:
    desk = Desk()
    async with running(desk.app):
        with pytest.raises(BadTopic, match="identify"):
            desk.rt.notifications.send(person, "Hello")  # type: ignore[arg-type]
        with pytest.raises(BadTopic):
            desk.rt.notifications.read(person)  # type: ignore[arg-type]


async def test_a_bad_key_is_refused() -> None:
    desk = Desk()
    async with running(desk.app):
        with pytest.raises(BadOperation, match="notification key"):
            desk.rt.notifications.send("ada", "Hello", key="no spaces")


async def test_a_store_that_is_away_is_told_to_who_waits() -> None:
    shaky = Shaky()
    desk = Desk(shaky)
    async with running(desk.app):
        shaky.away = True
        with pytest.raises(StoreUnavailable):
            await desk.rt.notifications.send("ada", "Hello")


async def test_a_damaged_item_is_forgotten_with_a_word(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    async with running(desk.app):
        await desk.rt.notifications.send("ada", "Hello")
        ((key, _),) = await desk.rt.store.scan("notes:")
        await desk.rt.store.put(key, b'{"rev": 1, "notes": [{"x": 1}]}', ttl=60)
        assert await desk.rt.notifications.list("ada") == []
        await desk.rt.notifications.send("ada", "Again")
        assert texts(await desk.rt.notifications.list("ada")) == ["Again"]
    assert "damaged" in caplog.text


async def test_an_id_of_any_shape_has_its_own() -> None:
    desk = Desk()
    async with running(desk.app):
        for person in ("a b", "ü/..", "x" * 255, "\ud800"):
            await desk.rt.notifications.send(person, f"For {len(person)}")
            assert await desk.rt.notifications.unread(person) == 1


# The bell


async def bell(desk: Desk, notes: Notes | list[object] | None, who: str | None = "ada") -> str:
    async def show(request: Request) -> Response:
        return desk.html("bell.html", notes=notes)

    desk.does["bell"] = show
    return (await desk.browser(who).get("/do/bell")).text


def with_bell() -> Desk:
    return Desk(templates={"bell.html": "{{ rt.bell(notes) }}"})


async def test_nobody_has_a_bell() -> None:
    desk = with_bell()
    async with running(desk.app):
        assert await bell(desk, None, who=None) == ""


async def test_the_bell_shows_what_it_was_given_escaped() -> None:
    desk = with_bell()
    async with running(desk.app):
        await desk.rt.notifications.send("ada", "<img src=x>", href='/a?"<b>')
        await desk.rt.notifications.send("ada", "Plain")
        text = await bell(desk, await desk.rt.notifications.list("ada"))
    assert "<img" not in text
    assert "&lt;img src=x&gt;" in text
    assert 'href="/a?&#34;&lt;b&gt;"' in text
    assert 'rt-badge="2"' in text
    assert text.count("rt-bell-unread") == 2


async def test_no_page_shows_the_notifications_of_another() -> None:
    desk = with_bell()
    async with running(desk.app):
        theirs = await desk.rt.notifications.list("grace")
        for given in (theirs, []):
            with pytest.raises(ConfigurationError, match=r"rt\.notifications\.list"):
                await bell(desk, given)


async def test_the_bell_is_no_part_of_what_everybody_gets() -> None:
    desk = with_bell()
    async with running(desk.app):
        with pytest.raises(PersonalContent):
            desk.rt.render("bell.html", notes=None)
