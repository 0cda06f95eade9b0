"""One stream for several tabs of a browser: each is told what became of its own grants, and of nobody else's."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from htmx_rt.testing import Page

from ..kit import Site, opened
from ..presence_kit import Place, picture

pytestmark = pytest.mark.anyio

LOOKING_ON = """<html><head>{{ rt.head() }}</head><body>{{ rt.presence("doc:1", track="looks-on" not in topics) }}</body></html>"""


def tab(page: Page, name: str, *, gen: int = 1, resumed: Any = (), fresh: Any = None) -> dict[str, Any]:
    tokens = list(page.grants.values()) if fresh is None else list(fresh)
    return {"id": name * 32, "gen": gen, "vis": True, "grants": list(resumed), "fresh": tokens}


def order(*tabs: dict[str, Any], cursor: str | None = None) -> dict[str, Any]:
    return {"v": 1, "cursor": cursor, "tabs": list(tabs)}


async def test_a_lone_tab_is_told_as_ever() -> None:
    ada, page = await opened(Site())
    async with ada.open(order(tab(page, "a"))) as stream:
        assert "tabs" not in stream.hello


async def test_each_tab_is_told_of_its_own_topics() -> None:
    site = Site()
    ada, one = await opened(site, "/?t=board:1")
    two = await ada.get("/?t=board:2")
    async with ada.open(order(tab(one, "a"), tab(two, "b"))) as stream:
        assert set(stream.hello["grants"]) == {"board:1", "board:2", "user:ada"}
        told = stream.hello["tabs"]
        assert {name: set(answer["grants"]) for name, answer in told.items()} == {
            "a" * 32: {"board:1", "user:ada"},
            "b" * 32: {"board:2", "user:ada"},
        }
        site.rt.topic("board:2").text("#x", "for b")
        assert (await stream.event("rt:ops")).data["t"] == "board:2"


async def test_what_one_tab_may_does_not_spread_to_another() -> None:
    site = Place(LOOKING_ON)
    ada, shown = await opened(site)
    hidden = await ada.get("/?t=looks-on")
    async with ada.open(order(tab(shown, "a"), tab(hidden, "b"))) as stream:
        tokens = {name[0]: answer["grants"]["here:doc:1"] for name, answer in stream.hello["tabs"].items()}
        caps = {name: site.rt.signer.read_grant(token).caps for name, token in tokens.items()}  # type: ignore[union-attr]
    assert caps == {"a": "prs", "b": "rs"}
    again = tab(hidden, "b", gen=2, resumed=[tokens["b"]], fresh=[])
    async with ada.open(order(again, cursor=stream.hello["cursor"])):
        assert site.rt.presence.tally("doc:1").connections == 1  # a's, which has just been closed


async def test_what_is_refused_and_what_is_to_be_fetched_again_is_each_tabs_own() -> None:
    site = Site()
    site.rt.authorize("secret:{id}")(lambda user, id: False)
    _, elsewhere = await opened(site)
    ada, own = await opened(site)
    secret = await ada.get("/?t=secret:1")
    tabs = [tab(own, "a"), tab(secret, "b"), tab(elsewhere, "c")]
    async with ada.open(order(*tabs)) as stream:
        told = {name[0]: answer for name, answer in stream.hello["tabs"].items()}
        assert told["a"]["refused"] == told["a"]["again"] == []
        assert (told["b"]["refused"], set(told["b"]["grants"])) == (["secret:1"], {"user:ada"})
        assert (set(told["c"]["again"]), told["c"]["grants"]) == ({"board:1", "user:ada"}, {})


async def test_a_stream_that_replaces_another_of_the_same_connections_shows_nobody_as_gone() -> None:
    site = Place()
    ada, page = await opened(site)
    other = await ada.get("/")
    async with ada.open(order(tab(page, "a"))) as first, ada.open(order(tab(page, "a"), tab(other, "b"))) as stream:
        await first.close()
        body = {"tabs": [{"id": "a" * 32, "gen": 1, "vis": True, "here": True, "views": {"here:doc:1": ["avatars"]}}]}
        kind = {"content-type": "application/json"}
        answer = await ada.request("POST", "/_rt/beat", json.dumps(body).encode(), headers=kind)
        assert json.loads(answer.text) == {"lost": []}
        await picture(stream, has="ada")
        await asyncio.sleep(0)
        local = site.rt.presence.attendance._local
        assert all(one.open and one.closed is None for one in local.values())
        assert len(local) == 2
