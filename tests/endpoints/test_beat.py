"""`POST /_rt/beat`: signs of life, goodbyes, and which pictures a page shows."""

from __future__ import annotations

from typing import Any

import pytest

from ..kit import problem
from ..presence_kit import HERE, Place, Tab, picture, tab

pytestmark = pytest.mark.anyio


async def test_a_stream_with_a_grant_to_be_counted_shows_its_reader() -> None:
    site = Place()
    ada = await tab(site)
    async with ada.opening() as stream:
        assert site.names() == ["ada"]
        assert stream.hello["lost"] == []
    site.presence.tick()
    assert site.names() == ["ada"]  # for the grace


async def test_without_the_grant_to_be_counted_nobody_is_shown() -> None:
    site = Place('{{ rt.head() }}{{ rt.presence("doc:1", track=False) }}')
    ada = await tab(site)
    async with ada.opening():
        assert site.names() == []
        assert (await ada.beat()).status == 200
        assert site.names() == []


async def test_a_grant_of_somebody_else_shows_nobody() -> None:
    site = Place()
    ada, eve = await tab(site), await tab(site, "eve")
    with pytest.raises(AssertionError, match="403 user-changed"):
        async with eve.opening(ada.page.grants.values()):
            pass
    assert site.names() == []


async def test_the_renewed_grant_still_counts_its_reader() -> None:
    """The page also has one, written later, that only lets it speak."""
    site = Place()
    ada = await tab(site)
    async with ada.opening() as stream:
        renewed = stream.hello["grants"]
    async with ada.opening(renewed.values()):
        assert site.names() == ["ada"]
        assert (await ada.say("typing", {"on": True}, grant=renewed[HERE])).status == 204


async def test_the_server_knows_who_is_lost() -> None:
    site = Place()
    ada = await tab(site)
    answer = await ada.beat()
    assert (answer.status, answer.text) == (200, f'{{"lost": ["{ada.page.tab}"]}}')
    assert (await ada.beat(here=False)).text == '{"lost": []}'
    async with ada.opening():
        assert (await ada.beat()).text == '{"lost": []}'
    assert answer.header("cache-control") == "no-store"


async def test_going_away_and_coming_back() -> None:
    site = Place()
    ada = await tab(site)
    async with ada.opening():
        for body, state in (
            ({"vis": False}, "away"),
            ({"vis": True, "idle": True}, "idle"),
            ({"vis": True, "idle": False}, "active"),
        ):
            await ada.beat(**body)
            assert site.presence.list("doc:1")[0].state == state


async def test_a_goodbye_is_a_leave_after_the_grace() -> None:
    site = Place()
    site.presence.attendance._clock = site.clock
    ada = await tab(site)
    async with ada.opening():
        assert (await ada.beat(bye=True)).status == 200
        site.presence.tick()
        assert site.names() == ["ada"]
        site.clock.advance(2.1)
        site.presence.tick()
        assert site.names() == []


@pytest.mark.parametrize("bye", [{"gen": 0}, {"id": "0" * 32}, {"gen": 2**52, "id": "1" * 32}], ids=str)
async def test_a_forged_goodbye_removes_nobody(bye: dict[str, Any]) -> None:
    site = Place()
    site.presence.attendance._clock = site.clock
    ada, eve = await tab(site), await tab(site, "eve")
    async with ada.opening(), eve.opening():
        await eve.beat(bye=True, id=ada.page.tab, gen=2**52)  # the tab of somebody else
        await ada.beat(bye=True, **bye)
        site.clock.advance(5)
        site.presence.tick()
        assert site.names() == ["ada", "eve"]


async def test_somebody_else_s_tab_cannot_be_taken_over() -> None:
    site = Place()
    ada, eve = await tab(site), await tab(site, "eve")
    async with ada.opening() as stream:
        await ada.show("avatars")
        eve.page.tab, eve.gen = ada.page.tab, 2**52
        async with eve.opening():
            assert site.names() == ["ada", "eve"]
            assert "eve" in (await picture(stream, has="eve"))["text"]
            await ada.show("count")
            assert (await picture(stream, "count"))["n"] == 2


async def test_the_1001st_is_told_so_in_hello() -> None:
    site = Place(limits={"tracked_per_topic": 1})
    ada, bob = await tab(site), await tab(site, "bob")
    async with ada.opening(), bob.opening() as stream:
        assert stream.hello["lost"] == ["doc:1"]
        assert site.names() == ["ada"]


async def test_the_pictures_a_page_shows_come_at_once_and_when_they_change() -> None:
    site = Place()
    ada, bob = await tab(site), await tab(site, "bob")
    async with ada.opening() as stream:
        await ada.show("avatars", "count")
        assert {(await stream.event("rt:view")).data["s"] for _ in range(2)} == {"avatars", "count"}
        async with bob.opening():
            both = [(await stream.event("rt:view")).data for _ in range(2)]
            assert {(one["t"], one["s"], one["n"]) for one in both} == {(HERE, "avatars", 2), (HERE, "count", 2)}
            assert "2 people here" in both[0]["html"] + both[1]["html"]


async def test_pictures_of_what_a_page_may_not_read_are_not_sent() -> None:
    site = Place(templates={"other.html": '{{ rt.head() }}{{ rt.presence("doc:2") }}'})
    ada, bob = await tab(site), await tab(site, "bob")
    async with ada.opening() as stream, bob.opening():
        site.presence.track("doc:2", "spy")
        await ada.beat(views={"here:doc:2": ["roster"], "doc:1": ["roster"], HERE: ["count"]})
        assert (await stream.event("rt:view")).data["s"] == "count"
        site.presence.track("doc:2", "another")
        site.presence.track("doc:1", "more")
        assert (await picture(stream, "count"))["n"] == 3


async def test_what_a_tab_says_of_itself_the_others_learn() -> None:
    site = Place()
    ada = await tab(site)
    async with ada.opening():
        assert (await ada.beat(meta={"doc:1": {"role": "editor"}, "doc:9": {"x": 1}})).status == 200
        assert site.presence.list("doc:1")[0].metas == [{"role": "editor"}]
        assert site.names("doc:9") == []


async def test_what_the_server_said_of_a_tab_the_page_cannot_change() -> None:
    site = Place('{{ rt.head() }}{{ rt.presence("doc:1", meta={"role": "reader"}) }}')
    ada = await tab(site)
    async with ada.opening() as stream:
        assert site.presence.list("doc:1")[0].metas == [{"role": "reader"}]
        await ada.beat(meta={"here:doc:1": {"role": "admin", "mood": "fine"}})
        assert site.presence.list("doc:1")[0].metas == [{"role": "reader", "mood": "fine"}]
        renewed = stream.hello["grants"].values()
    async with ada.opening(renewed):
        assert site.presence.list("doc:1")[0].metas == [{"role": "reader", "mood": "fine"}]


@pytest.mark.parametrize(
    ("tabs", "status"),
    [
        (None, 400), ([], 400), ([{}], 400), ([{"id": "x", "gen": 1}], 400), ([{"id": "A" * 32, "gen": 1}], 400),
        (["x"], 400), ([{"id": "a" * 32}], 400), ([{"id": "a" * 32, "gen": True}], 400),
        ([{"id": "a" * 32, "gen": -1}], 400), ([{"id": "a" * 32, "gen": 2**53}], 400),
        ([{"id": "a" * 32, "gen": 1.5}], 400), ([{"id": "a" * 32, "gen": 1}] * 33, 400),
    ],
)  # fmt: skip
async def test_a_malformed_beat_is_refused(tabs: Any, status: int) -> None:
    ada = await tab(Place())
    answer = await ada.post("/_rt/beat", {"tabs": tabs})
    assert problem(answer) == (status, "bad-request")


@pytest.mark.parametrize(
    ("more", "answer"),
    [
        ({"views": ["avatars"]}, (400, "bad-request")),
        ({"views": {"here:doc:1": "avatars"}}, (400, "bad-request")),
        ({"views": {"here:doc:1": ["nothing"]}}, (400, "bad-request")),
        ({"views": {"here:doc:1": ["avatars:0"]}}, (400, "bad-request")),
        ({"views": {"here:doc:1": ["avatars"] * 33}}, (400, "bad-request")),
        ({"views": {f"t{n}": ["avatars"] for n in range(33)}}, (400, "bad-request")),
        ({"meta": []}, (400, "bad-request")),
        ({"meta": {"doc:1": []}}, (400, "bad-request")),
        ({"meta": {"no topic": {}}}, (400, "bad-request")),
        ({"meta": {f"t{n}": {} for n in range(65)}}, (400, "bad-request")),
        ({"meta": {"doc:1": {"a": "x" * 1024}}}, (413, "too-large")),
        ({"meta": {"doc:1": {"a": "x" * 70_000}}}, (413, "too-large")),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_bad_views_and_meta_are_refused(more: dict[str, Any], answer: tuple[int, str]) -> None:
    site = Place()
    ada = await tab(site)
    async with ada.opening():
        assert problem(await ada.beat(**more)) == answer
        assert site.presence.list("doc:1")[0].metas == [{}]


async def test_a_flood_is_refused_but_goodbyes_are_heard() -> None:
    site = Place()
    site.presence.attendance._clock = site.clock
    ada = await tab(site)
    async with ada.opening():
        answers = [await ada.beat() for _ in range(60)]
        assert {problem(one) for one in answers} == {(200, None), (429, "limited")}
        assert [one.status for one in answers[:40]] == [200] * 40
        refused = next(one for one in answers if one.status == 429)
        assert refused.header("retry-after") == "2"
        assert (await ada.beat(bye=True)).status == 200
        site.clock.advance(3)
        site.presence.tick()
        assert site.names() == []


async def test_a_flood_from_ever_new_tabs_is_refused_too() -> None:
    site = Place()
    ada = await tab(site)
    site.rt.speech._people._clock = site.clock
    answers = [await ada.beat(id=f"{number:032x}") for number in range(170)]
    assert answers[-1].status == 429


async def test_without_the_cookie_or_from_another_site_nothing_is_heard() -> None:
    site = Place()
    ada = await tab(site)
    async with ada.opening():
        stranger = Tab(site.browser(), ada.page)
        stranger.gen = 1
        assert problem(await stranger.beat()) == (401, "no-cookie")
        kind = {"content-type": "application/json", "sec-fetch-site": "cross-site"}
        assert problem(await ada.browser.request("POST", "/_rt/beat", b"{}", headers=kind)) == (403, "forbidden")


async def test_who_signs_out_is_gone_at_once() -> None:
    site = Place()
    ada = await tab(site)
    async with ada.opening() as stream:
        await ada.browser.get("/out")
        assert site.names() == []
        assert (await stream.event("rt:stop")).data["why"] == "signed-out"


async def test_a_hidden_tab_without_a_stream_is_gone_at_once_when_its_person_signs_out() -> None:
    site = Place()
    ada = await tab(site)
    async with ada.opening():
        await ada.beat(vis=False)
    assert site.names() == ["ada"]
    await ada.browser.get("/out")
    assert site.names() == []


async def test_who_may_not_read_a_topic_any_more_is_gone_at_once() -> None:
    site = Place()
    ada, bob = await tab(site), await tab(site, "bob")
    async with ada.opening(), bob.opening():
        site.clock.advance(1)
        site.rt.revoke("doc:1", "ada")
        assert site.names() == ["bob"]
        site.rt.revoke("doc:1")
        assert site.names() == []


async def test_visitors_are_the_same_for_as_long_as_their_browser_is() -> None:
    site = Place()
    guest, other = await tab(site, None), await tab(site, None)
    async with guest.opening() as stream, other.opening():
        people = site.presence.list("doc:1")
        assert [(person.user, person.name) for person in people] == [(None, "")] * 2
        assert len({person.key for person in people}) == 2
        await guest.show("line")
        assert (await picture(stream, "line"))["text"] == "Online: Visitor , Visitor"
    again = Tab(guest.browser, await guest.browser.get("/"))
    async with again.opening():
        assert people[0].key in {person.key for person in site.presence.list("doc:1")}
        assert site.presence.tally("doc:1").visitors == 2
