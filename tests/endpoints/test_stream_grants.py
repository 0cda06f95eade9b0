from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ..kit import Site, nothing_left, opened, refused, texts

pytestmark = pytest.mark.anyio


def order(cursor: object = None, *, resumed: Any = (), fresh: Any = (), **changes: object) -> dict[str, Any]:
    tab = {"id": "t", "gen": 1, "vis": True, "grants": list(resumed), "fresh": list(fresh)}
    return {"v": 1, "cursor": cursor, "tabs": [tab]} | changes


async def test_any_changed_byte_of_a_grant_is_refused_like_a_foreign_one() -> None:
    site = Site()
    ada, page = await opened(site)
    token = page.grants["board:1"]
    for place in range(0, len(token), 7):
        forged = token[:place] + ("A" if token[place] != "A" else "Q") + token[place + 1 :]
        assert await refused(ada.open(order(fresh=[forged]))) == (403, "forbidden"), place
    for foreign in ("", "x", "A" * 5000, Site().rt.signer.dumps("grant", ["board:1"])):
        assert await refused(ada.open(order(fresh=[foreign]))) == (403, "forbidden")


async def test_no_grant_at_all_is_refused() -> None:
    site = Site()
    ada, _ = await opened(site)
    assert await refused(ada.open(order())) == (403, "forbidden")


async def test_one_bad_grant_does_not_cost_the_others() -> None:
    site = Site()
    site.rt.authorize("secret:{id}")(lambda user, id: False)
    ada, page = await opened(site, "/?t=board:1&t=secret:1")
    async with ada.open(order(fresh=[*page.grants.values(), "forged"])) as stream:
        assert set(stream.hello["grants"]) == {"board:1", "user:ada"}
        assert stream.hello["refused"] == ["secret:1"]
    assert await refused(ada.open(order(fresh=[page.grants["secret:1"]]))) == (403, "forbidden")


async def test_a_grant_of_another_user_is_refused_as_user_changed() -> None:
    site = Site()
    _, hers = await opened(site)
    bob, _ = await opened(site, who="bob")
    assert await refused(bob.stream(hers)) == (403, "user-changed")


async def test_a_grant_of_somebody_who_signed_out_is_refused_as_signed_out() -> None:
    site = Site()
    ada, page = await opened(site)
    await ada.get("/out")
    await ada.get("/")
    assert await refused(ada.stream(page)) == (401, "signed-out")


async def test_a_grant_of_another_browser_of_the_same_user_is_fetched_again() -> None:
    site = Site()
    _, elsewhere = await opened(site)
    ada, own = await opened(site)
    async with ada.open(order(fresh=[*own.grants.values(), elsewhere.grants["board:1"]])) as stream:
        assert set(stream.hello["grants"]) == {"board:1", "user:ada"}
        assert stream.hello["refused"] == []
        await stream.checkpoint()
        assert stream._events == []  # the own grant of the topic counts, so nothing is to be fetched
    async with ada.stream(elsewhere) as stream:
        event = await stream.event()
        assert (event.name, event.data["why"]) == ("rt:resync", "grant")
        assert set(event.data["topics"]) == {"board:1", "user:ada"}
        site.rt.topic("board:1").text("#x", "not for this one")
        assert site.rt.hub()._members == {}


async def test_an_expired_grant_counts_as_long_as_the_same_person_asks() -> None:
    site = Site()
    ada, page = await opened(site)
    site.clock.advance(site.rt.limits.grant_life + 1)
    async with ada.stream(page) as stream:
        assert "board:1" in stream.hello["grants"]


async def test_without_a_policy_a_grant_ends_a_day_after_its_render_however_often_renewed() -> None:
    site = Site()
    ada, page = await opened(site)
    grants = page.grants
    for _ in range(24):
        site.clock.advance(3600)
        async with ada.stream(page, grants=grants) as stream:
            grants = stream.hello["grants"]
    site.clock.advance(60)
    async with ada.stream(page, grants=grants) as stream:
        event = await stream.event()
        assert (event.name, event.data["why"]) == ("rt:resync", "grant")
        assert stream.hello["grants"] == {}


async def test_with_a_policy_it_goes_on_for_as_long_as_the_policy_says() -> None:
    site = Site()
    allowed = True
    site.rt.authorize("board:{id}")(lambda user, id: allowed)
    ada, page = await opened(site)
    site.clock.advance(30 * 3600)
    async with ada.stream(page) as stream:
        assert set(stream.hello["grants"]) == {"board:1"}
    allowed = False
    site.clock.advance(1)
    async with ada.stream(page) as stream:
        assert stream.hello["refused"] == ["board:1"]


@pytest.mark.parametrize("failing", ["no", "raise", "hang", "async no"])
async def test_a_policy_that_says_no_fails_or_hangs_gives_nothing_away(
    failing: str, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(limits={"whoami_timeout": 0.02})

    @site.rt.authorize("board:{id}")
    async def policy(user: Any, id: str) -> bool:
        if failing == "raise":
            raise RuntimeError("the database is away")
        if failing == "hang":
            await asyncio.Event().wait()
        return False

    ada, page = await opened(site)
    async with nothing_left():
        expected = (503, "limited") if failing == "hang" else (403, "forbidden")
        assert await refused(ada.open(order(fresh=[page.grants["board:1"]]))) == expected
    assert ("counts as a no" in caplog.text) == (failing == "raise")


async def test_a_policy_sees_who_asks_and_the_fields_and_is_asked_once_per_topic() -> None:
    site = Site()
    asked: list[Any] = []
    site.rt.authorize("board:{id}")(lambda user, id: asked.append((user and user.id, id)) or True)
    ada, page = await opened(site)
    await ada.stream(page).__aenter__()
    token = page.grants["board:1"]
    asked.clear()
    async with ada.open(order(tabs=[{"fresh": [token, token]}, {"fresh": [token]}])):
        assert asked == [("ada", "1")]
    nobody, theirs = await opened(site, who=None)
    asked.clear()
    async with nobody.stream(theirs):
        assert asked == [(None, "1")]
    for stream in tuple(ada._open):
        await stream.close()


async def test_what_was_said_before_a_policy_changed_its_mind_is_not_replayed() -> None:
    site = Site()
    allowed = True
    site.rt.authorize("board:{id}")(lambda user, id: allowed)
    ada, page = await opened(site)
    async with ada.stream(page) as stream:
        cursor, grants = await stream.checkpoint(), stream.hello["grants"]
    site.rt.topic("board:1").text("#x", "secret")
    allowed = False
    async with ada.stream(page, cursor=cursor, grants=grants) as stream:
        assert stream.hello["refused"] == ["board:1"]
        await stream.checkpoint()
        assert stream._events == []


# Revoking


@pytest.mark.parametrize("user", [None, "ada"])
async def test_a_revoked_topic_leaves_open_streams_and_is_not_given_again(user: str | None) -> None:
    site = Site()
    ada, page = await opened(site)
    async with ada.stream(page) as stream:
        await stream.checkpoint()
        site.clock.advance(1)
        site.rt.revoke("board:1", user)
        assert (await stream.event("rt:revoked")).data == {"topics": ["board:1"]}
        site.rt.topic("board:1").text("#x", "secret")
        site.rt.topic("user:ada").text("#x", "still here")
        assert await texts(stream, 1) == ["still here"]
        renewed = stream.hello["grants"]
    for grants in (page.grants, renewed):
        async with ada.stream(page, grants=grants) as stream:
            assert stream.hello["refused"] == ["board:1"]
    site.clock.advance(1)
    async with ada.stream(await ada.get("/")) as stream:
        assert stream.hello["refused"] == []


async def test_revoking_for_one_person_leaves_the_others() -> None:
    site = Site()
    ada, hers = await opened(site)
    bob, his = await opened(site, who="bob")
    async with ada.stream(hers) as one, bob.stream(his) as other:
        site.clock.advance(1)
        site.rt.revoke("board:1", "ada")
        assert (await one.event("rt:revoked")).data == {"topics": ["board:1"]}
        site.rt.topic("board:1").text("#x", "for bob")
        assert await texts(other, 1) == ["for bob"]


async def test_a_topic_revoked_while_the_policy_is_asked_is_not_given() -> None:
    site = Site()
    asked, answer = asyncio.Event(), asyncio.Event()

    @site.rt.authorize("board:{id}")
    async def policy(user: Any, id: str) -> bool:
        asked.set()
        await answer.wait()
        return True

    ada, page = await opened(site)
    opening = asyncio.create_task(refused(ada.open(order(fresh=[page.grants["board:1"]]))))
    await asked.wait()
    site.rt.revoke("board:1")
    answer.set()
    assert await opening == (403, "forbidden")


async def test_a_browser_that_signs_out_while_the_policy_is_asked_gets_no_stream() -> None:
    site = Site()
    asked, answer = asyncio.Event(), asyncio.Event()

    @site.rt.authorize("board:{id}")
    async def policy(user: Any, id: str) -> bool:
        asked.set()
        await answer.wait()
        return True

    ada, page = await opened(site)
    twin = site.browser()
    twin.cookies = dict(ada.cookies)
    opening = asyncio.create_task(refused(twin.stream(page)))
    await asked.wait()
    site.clock.advance(1)
    await ada.get("/out")
    answer.set()
    assert await opening == (401, "signed-out")
