"""`GET /_rt/presence/{topic}` and `POST /_rt/signal`."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote

import pytest
from starlette.routing import Route

from htmx_rt import User

from ..kit import problem
from ..presence_kit import HERE, Place, Tab, picture, tab

pytestmark = pytest.mark.anyio
JSON = {"accept": "application/json"}


# Who is here


async def test_who_is_here_as_json_and_as_html() -> None:
    site = Place()
    site.presence.track("doc:1", User("x", "<b>Grace</b>"), meta={"role": "editor"})
    site.rt.authorize("doc:{id}")(lambda user, id: user is not None)
    ada = await tab(site)
    async with ada.opening():
        page = await ada.browser.get("/_rt/presence/doc:1", headers=JSON)
        answer = json.loads(page.text)
        assert (answer["topic"], answer["count"]) == ("doc:1", 2)
        assert [(one["name"], one["state"], one["metas"]) for one in answer["people"]] == [
            ("<b>Grace</b>", "active", [{"role": "editor"}]), ("ada", "active", [{}]),
        ]  # fmt: skip
        assert "user" not in answer["people"][0]
        html = await ada.browser.get("/_rt/presence/doc:1")
    assert html.select(".rt-roster-name")[0].text == "<b>Grace</b>"
    for one in (page, html):
        assert (one.header("cache-control"), one.header("vary")) == ("private, no-store", "Accept, Cookie")


@pytest.mark.parametrize("order", [1, -1])
async def test_what_one_of_several_grants_of_a_tab_says_of_it_is_told(order: int) -> None:
    role = '<head>{{ rt.head() }}</head>{{ rt.presence("doc:1", meta={"role": "author"}) }}'
    site = Place(templates={"role.html": role}, routes=[Route("/role", lambda request: site.html("role.html"))])
    ada = await tab(site)
    other = await ada.browser.get("/role")
    async with ada.opening([ada.page.grants[HERE], other.grants[HERE]][::order]) as stream:
        await stream.checkpoint()
        assert [person.metas for person in site.presence.list("doc:1")] == [[{"role": "author"}]]


async def test_without_a_policy_or_grant_nobody_learns_who_is_there() -> None:
    site = Place()
    ada, eve = await tab(site), await tab(site, "eve")
    address = "/_rt/presence/doc:1"
    assert problem(await ada.browser.get(address)) == (403, "forbidden")
    assert (await ada.browser.get(f"{address}?grant={quote(ada.page.grants[HERE])}")).status == 200
    assert problem(await eve.browser.get(f"{address}?grant={quote(ada.page.grants[HERE])}")) == (403, "forbidden")
    assert problem(await ada.browser.get(f"{address}?grant=x")) == (403, "forbidden")
    other = f"/_rt/presence/doc:2?grant={quote(ada.page.grants[HERE])}"
    assert problem(await ada.browser.get(other)) == (403, "forbidden")


async def test_the_policy_s_no_is_stronger_than_a_grant() -> None:
    site = Place()
    site.rt.authorize("doc:{id}")(lambda user, id: user is not None and user.id != "ada")
    ada = await tab(site)
    address = f"/_rt/presence/doc:1?grant={quote(ada.page.grants[HERE])}"
    assert problem(await ada.browser.get(address)) == (403, "forbidden")


@pytest.mark.parametrize("topic", ["%20", "a%00b", "a" * 125])
async def test_what_is_no_topic_is_refused(topic: str) -> None:
    ada = await tab(Place())
    assert problem(await ada.browser.get(f"/_rt/presence/{topic}"))[0] in (400, 404)


async def test_only_those_whom_one_may_see_are_told_of() -> None:
    site = Place()
    site.rt.authorize("doc:{id}")(lambda user, id: True)
    site.presence.can_see(lambda viewer, subject: subject.user != "spy")
    site.presence.track("doc:1", "spy")
    site.presence.track("doc:1", "grace")
    ada = await tab(site)
    assert "spy" not in ada.page.text
    answer = json.loads((await ada.browser.get("/_rt/presence/doc:1", headers=JSON)).text)
    assert answer["count"] == 1


# Words for now


async def test_a_word_reaches_the_others_with_who_said_it() -> None:
    site = Place()
    ada, bob = await tab(site), await tab(site, "bob")
    async with ada.opening(), bob.opening() as stream:
        assert (await ada.say("typing", {"on": True, "field": "title"})).status == 204
        heard = (await stream.event("rt:signal")).data
        person = site.presence.list("doc:1")[0]
        assert (heard["t"], heard["name"], heard["data"]) == (HERE, "typing", {"on": True, "field": "title"})
        assert (heard["from"]["k"], heard["from"]["n"], heard["from"]["c"]) == (person.key, "ada", person.colour)
        assert ada.page.tab not in json.dumps(heard)


async def test_nobody_speaks_with_somebody_else_s_tab_or_name() -> None:
    site = Place()
    ada, eve, bob = await tab(site), await tab(site, "eve"), await tab(site, "bob")
    async with ada.opening(), eve.opening(), bob.opening() as stream:
        await ada.say("wave", 1)
        await eve.say("wave", 1, tab=ada.page.tab, **{"from": {"k": "x", "n": "Ada"}})
        first, second = [(await stream.event("rt:signal")).data["from"] for _ in range(2)]
        assert (first["n"], second["n"]) == ("ada", "eve")
        assert first["tab"] != second["tab"]


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"grant": None}, (403, "forbidden")),
        ({"grant": "x" * 50}, (403, "forbidden")),
        ({"tab": None}, (403, "forbidden")),
        ({"tab": "nonsense"}, (403, "forbidden")),
        ({"name": ""}, (400, "bad-request")),
        ({"name": "rt:mine"}, (400, "bad-request")),
        ({"name": 7}, (400, "bad-request")),
        ({"data": "x" * 2000}, (400, "bad-request")),
        ({"data": "\ud800"}, (400, "bad-request")),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_bad_words_are_refused(change: dict[str, Any], answer: tuple[int, str]) -> None:
    ada = await tab(Place())
    said = {"name": "typing", "data": {"on": True}} | change
    assert problem(await ada.say(said.pop("name"), said.pop("data"), **said)) == answer


async def test_a_grant_only_to_read_does_not_let_speak() -> None:
    site = Place('{{ rt.head() }}<p {{ rt.stream("doc:1") }}></p>')
    ada = await tab(site)
    assert problem(await ada.say("typing", {}, topic="doc:1")) == (403, "forbidden")


async def test_a_revoked_or_expired_grant_does_not_let_speak() -> None:
    site = Place()
    ada, bob = await tab(site), await tab(site, "bob")
    site.clock.advance(1)
    site.rt.revoke("doc:1", "ada")
    assert problem(await ada.say("typing", {})) == (403, "forbidden")
    site.clock.advance(1000)
    assert problem(await bob.say("typing", {})) == (403, "forbidden")
    stranger = Tab(site.browser("bob"), bob.page)
    assert problem(await stranger.say("typing", {})) == (401, "no-cookie")


async def test_of_a_flood_of_pointers_the_newest_comes_ten_times_a_second() -> None:
    site = Place()
    ada, bob = await tab(site), await tab(site, "bob")
    async with ada.opening(), bob.opening() as stream:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(70):
            assert (await ada.say("cursor", {"at": ["x", number, 0]})).status == 204
        took = loop.time() - began
        heard = []
        while not heard or heard[-1] != 69:
            heard.append((await stream.event("rt:signal")).data["data"]["at"][1])
    assert heard[0] == 0
    assert heard == sorted(heard)
    assert len(heard) <= 2 + took / 0.1 + 1
    assert not site.rt.speech._held or len(site.rt.speech._held) == 1


async def test_a_flood_of_other_words_is_refused() -> None:
    site = Place()
    ada = await tab(site)
    answers = [await ada.say("wave", number) for number in range(60)]
    assert {problem(one) for one in answers} == {(204, None), (429, "limited")}
    assert [one.status for one in answers[:40]] == [204] * 40


async def test_a_flood_from_ever_new_tabs_is_refused() -> None:
    site = Place()
    ada = await tab(site)
    site.rt.speech._people._clock = site.clock
    answers = [await ada.say("wave", {}, tab=f"{number:032x}") for number in range(170)]
    assert answers[-1].status == 429


async def test_that_somebody_still_types_is_passed_on_less_often() -> None:
    site = Place()
    site.rt.speech._clock = site.clock
    ada, bob = await tab(site), await tab(site, "bob")
    async with ada.opening(), bob.opening() as stream:
        for data in ({"on": True}, {"on": True}, {"on": False}, {"on": True}):
            await ada.say("typing", data)
        site.clock.advance(2.1)
        await ada.say("typing", {"on": True})
        await ada.say("wave", "end")
        heard = []
        while (event := (await stream.event("rt:signal")).data)["name"] == "typing":
            heard.append(event["data"]["on"])
    assert heard == [True, False, True, True]


async def test_where_a_tab_pointed_is_not_told_after_it_has_gone() -> None:
    site = Place()
    ada, bob = await tab(site), await tab(site, "bob")
    async with ada.opening(), bob.opening() as stream:
        for name, data in (("cursor", 1), ("cursor", 2), ("gone", None)):
            await ada.say(name, data)
        while site.rt.speech._held:
            await asyncio.sleep(0.01)
        await ada.say("wave", "end")
        heard = []
        while not heard or heard[-1] != ("wave", "end"):
            event = (await stream.event("rt:signal")).data
            heard.append((event["name"], event["data"]))
    assert heard == [("cursor", 1), ("gone", None), ("wave", "end")]


async def test_who_is_not_shown_does_not_show_by_typing() -> None:
    site = Place('{{ rt.head() }}{{ rt.presence("doc:1", track=False) }}{{ rt.typing("doc:1") }}')
    spy, bob = await tab(site, "spy"), await tab(site, "bob")
    async with spy.opening(), bob.opening() as stream:
        for name in ("typing", "field", "cursor", "select", "gone"):
            assert (await spy.say(name, {})).status == 204
        assert (await spy.say("wave", 1)).status == 204  # what an app says, it says
        assert (await stream.event("rt:signal")).data["name"] == "wave"


async def test_words_of_whom_one_may_not_see_are_not_heard() -> None:
    site = Place()
    site.presence.can_see(lambda viewer, subject: viewer is not None and viewer.id in ("grace", subject.user))
    ada, bob, grace = await tab(site), await tab(site, "bob"), await tab(site, "grace")
    async with ada.opening(), bob.opening() as bobs, grace.opening() as graces:
        await ada.say("typing", {"on": True})
        site.rt._publisher.signal(HERE, "end", None)
        assert (await bobs.event("rt:signal")).data["name"] == "end"
        assert (await graces.event("rt:signal")).data["name"] == "typing"


# Pictures by who looks


async def test_each_sees_whom_they_may_see() -> None:
    site = Place()
    site.presence.can_see(lambda viewer, subject: viewer is not None and subject.user != "spy")
    ada, spy = await tab(site), await tab(site, "spy")
    async with ada.opening() as adas, spy.opening() as spies:
        await ada.show("line")
        await spy.show("line")
        site.presence.track("doc:1", "grace")
        assert "spy" not in (await picture(adas, "line", has="grace"))["text"]
        assert "spy" in (await picture(spies, "line", has="grace"))["text"]


async def test_a_group_sees_the_same_and_none_of_it_by_being_asked_for() -> None:
    site = Place()
    asked: list[str] = []

    @site.presence.can_see(group=lambda viewer: viewer.id[0] if viewer else "")
    def can_see(viewer: User | None, subject: Any) -> bool:
        asked.append(subject.user)
        return subject.user == "x"

    tabs = [await tab(site, who) for who in ("a1", "a2", "b1")]
    streams = [await one.opening().__aenter__() for one in tabs]
    for one in tabs:
        await one.show("line")
    asked.clear()
    site.presence.track("doc:1", "x")
    texts = [(await picture(stream, "line", has="x"))["text"] for stream in streams]
    assert texts == ["Online: x"] * 3
    assert asked.count("x") <= 2  # once a group
    for stream in streams:
        await stream.close()
