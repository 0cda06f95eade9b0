from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from htmx_rt.frames import Cursor

from ..kit import Site, opened, refused, texts

pytestmark = pytest.mark.anyio


def order(cursor: object = None, *, resumed: Any = (), fresh: Any = (), **changes: object) -> dict[str, Any]:
    tab = {"id": "t", "gen": 1, "vis": True, "grants": list(resumed), "fresh": list(fresh)}
    return {"v": 1, "cursor": cursor, "tabs": [tab]} | changes


# Opening


async def test_a_stream_says_hello_replays_and_goes_live() -> None:
    site = Site()
    ada, page = await opened(site)
    site.rt.topic("board:1").text("#x", "missed")
    async with ada.stream(page) as stream:
        assert stream.hello["cursor"] == str(site.bus.log.position)
        assert stream.hello["heartbeat"] == 15_000
        assert stream.hello["build"] == site.rt.build
        assert set(stream.hello["grants"]) == {"board:1", "user:ada"}
        assert (stream.hello["refused"], stream.hello["lost"]) == ([], [])
        replayed = await stream.event("rt:ops")
        assert replayed.id is None
        assert await stream.checkpoint() == stream.hello["cursor"]
        site.rt.topic("board:1").text("#x", "live")
        live = await stream.event("rt:ops")
        assert live.id == str(Cursor(site.bus.log.epoch, 2))
        assert (live.data["t"], live.data["o"], live.data["ops"]) == ("board:1", 2, [["text", "#x", "live"]])


async def test_the_response_is_no_business_of_caches_and_proxies() -> None:
    site = Site()
    ada, page = await opened(site)
    async with ada.stream(page) as stream:
        headers = dict(stream.response.headers)
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "private, no-store, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert headers["vary"] == "Cookie"
    assert "content-encoding" not in headers
    assert "content-length" not in headers


async def test_hello_tells_plain_readers_when_to_come_back() -> None:
    site = Site()
    ada, page = await opened(site)
    opening = ada.stream(page)
    headers = {"content-type": "application/json"}
    response = await ada._send("POST", "/_rt/stream", opening._body, headers)
    chunk = await response.chunk()
    assert chunk is not None
    assert chunk.startswith(b"event: rt:hello\nretry: 2000\ndata: ")
    await response.close()


@pytest.mark.parametrize(
    "body",
    [
        {}, {"v": 2}, {"v": "1"}, {"v": None}, order(v=2), order(v=[1]), order(cursor=7), order(cursor=[]), order(tabs=None),
        order(tabs={}), order(tabs=[]), order(tabs=["x"]), order(tabs=[[]]), order(tabs=[None]), order(tabs=[{"grants": "x"}]),
        order(tabs=[{"fresh": {"a": 1}}]), order(tabs=[{"grants": [1]}]), order(tabs=[{"fresh": [None]}]),
        order(tabs=[{"grants": [["x"]]}]), order(tabs=[{}] * 33), order(fresh=["x"] * 65), order(resumed=["x"] * 33, fresh=["x"] * 32),
    ],
    ids=lambda body: json.dumps(body)[:60],
)  # fmt: skip
async def test_a_malformed_order_is_refused(body: object) -> None:
    site = Site()
    ada, _ = await opened(site)
    status, problem = await refused(ada.open(body))
    assert (status, problem) in ((400, "bad-request"), (400, "bad-version"))
    assert site.rt.hub().readers == set()


async def test_topics_of_a_tab_and_tabs_of_a_stream_are_bounded() -> None:
    site = Site(limits={"topics_per_tab": 2, "tabs_per_stream": 2})
    ada, page = await opened(site, "/?t=a&t=b")
    a, b = page.grants["a"], page.grants["b"]
    assert await refused(ada.open(order(fresh=[a, b, a]))) == (400, "bad-request")
    assert await refused(ada.open(order(tabs=[{"fresh": [a]}] * 3))) == (400, "bad-request")
    async with ada.open(order(tabs=[{"fresh": [a]}, {"fresh": [b]}])) as stream:
        assert set(stream.hello["grants"]) == {"a", "b"}


# Cursors


@pytest.mark.parametrize(
    ("cursor", "why"),
    [
        ("", "epoch"), ("nonsense", "epoch"), ("1~other000~3", "epoch"), ("2~{epoch}~3", "epoch"), ("1~{epoch}~-1", "epoch"),
        ("1~{epoch}~zzzz", "ahead"), ("1~{epoch}~" + "z" * 12, "ahead"), ("1~{epoch}~" + "z" * 13, "epoch"), ("\ud800", "epoch"),
        ("1~{epoch}~3\r\nid: 1", "epoch"), ("~" * 50_000, "epoch"), ("1~{epoch}~9", "ahead"),
    ],
    ids=lambda value: repr(value)[:24],
)  # fmt: skip
async def test_a_strange_cursor_is_a_resync_of_the_resumed_topics_and_nothing_else(cursor: str, why: str) -> None:
    site = Site()
    ada, page = await opened(site)
    for number in range(8):
        site.rt.topic("board:1").text("#x", str(number))
    async with ada.stream(page, cursor=cursor.replace("{epoch}", site.bus.log.epoch)) as stream:
        event = await stream.event()
        assert (event.name, event.data["why"]) == ("rt:resync", why)
        assert set(event.data["topics"]) == {"board:1", "user:ada"}
        await stream.checkpoint()
        assert stream._events == []  # no history
        site.rt.topic("board:1").text("#x", "live")
        assert await texts(stream, 1) == ["live"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cursor=st.one_of(st.text(), st.from_regex(r"1~[a-z0-9]{1,8}~-?[0-9a-z]{1,14}", fullmatch=True)))
async def test_no_cursor_makes_the_server_fail(cursor: str) -> None:
    site = Site()
    ada, page = await opened(site)
    async with ada.stream(page, cursor=cursor) as stream:
        assert (await stream.event("rt:resync")).data["why"] in ("epoch", "ahead")


async def test_a_made_up_cursor_reads_nothing_that_was_said_before_the_topic_was_granted() -> None:
    site = Site()
    for number in range(5):
        site.rt.topic("board:1").text("#x", f"before {number}")
    ada, page = await opened(site)
    site.rt.topic("board:1").text("#x", "after")
    async with ada.stream(page, cursor=str(Cursor(site.bus.log.epoch, 0))) as stream:
        assert await texts(stream, 1) == ["after"]
        assert stream._events == []


async def test_a_topic_of_several_tabs_starts_where_the_one_farthest_behind_stands() -> None:
    site = Site()
    ada, early = await opened(site)
    cursor = str(site.bus.log.position)
    site.rt.topic("board:1").text("#x", "one")
    late = await ada.get("/")
    site.rt.topic("board:1").text("#x", "two")
    for tabs in (
        [{"fresh": list(early.grants.values())}, {"fresh": list(late.grants.values())}],
        [{"fresh": list(late.grants.values())}, {"fresh": list(early.grants.values())}],
        [{"grants": list(early.grants.values())}, {"fresh": list(late.grants.values())}],
    ):
        async with ada.open(order(cursor, tabs=tabs)) as stream:
            assert await texts(stream, 2) == ["one", "two"]


async def test_a_renewed_grant_still_knows_where_it_was_written() -> None:
    """A page cut after hello and before the end of the replay comes back with the grants of that hello."""
    site = Site()
    ada, page = await opened(site)
    site.rt.topic("board:1").text("#x", "one")
    async with ada.stream(page) as stream:
        renewed = stream.hello["grants"]
    async with ada.stream(page, grants=renewed) as stream:
        assert await texts(stream, 1) == ["one"]


async def test_a_resume_gets_what_it_missed_and_only_newer_states() -> None:
    site = Site()
    ada, page = await opened(site)
    topic = site.rt.topic("board:1")
    topic.state("total", "text", "#total", "1")
    async with ada.stream(page) as stream:
        assert (await stream.event("rt:ops")).data["s"] == "total"
        cursor, grants = await stream.checkpoint(), stream.hello["grants"]
    topic.text("#x", "missed")
    async with ada.stream(page, cursor=cursor, grants=grants) as stream:
        assert await texts(stream, 1) == ["missed"]
        assert stream._events == []
    topic.state("total", "text", "#total", "2")
    async with ada.stream(page, cursor=cursor, grants=grants) as stream:
        assert await texts(stream, 2) == ["missed", "2"]


async def test_a_first_open_gets_every_state_even_those_older_than_the_page() -> None:
    site = Site()
    site.rt.topic("board:1").state("total", "text", "#total", "1")
    ada, page = await opened(site)
    async with ada.stream(page) as stream:
        assert await texts(stream, 1) == ["1"]


async def test_what_no_longer_fits_is_resynced_and_the_rest_replayed() -> None:
    site = Site(limits={"replay": 3})
    ada, page = await opened(site, "/?t=a&t=b")
    for number in range(5):
        site.rt.topic("a").text("#x", str(number))
    site.rt.topic("b").text("#x", "fits")
    async with ada.stream(page) as stream:
        event = await stream.event()
        assert (event.name, event.data["topics"], event.data["why"]) == ("rt:resync", ["a"], "limit")
        assert await texts(stream, 1) == ["fits"]


# Calls, signals, reserved names


async def test_calls_are_in_the_log_and_signals_are_not() -> None:
    site = Site()
    ada, page = await opened(site)
    topic = site.rt.topic("board:1")
    topic.signal("typing", "before")
    topic.event("saved", {"id": 7})
    topic.redirect("/boards")
    topic.refresh("#mine")
    topic.toast("Hello", level="success", key="k")
    async with ada.stream(page) as stream:
        calls = [(await stream.event("rt:call")).data for _ in range(4)]
        assert [(call["name"], call["args"]) for call in calls] == [
            ("event", {"name": "saved", "data": {"id": 7}}),
            ("redirect", {"to": "/boards"}),
            ("refresh", {"target": "#mine"}),
            ("toast", {"text": "Hello", "level": "success", "key": "k", "others": True}),
        ]
        topic.signal("typing", "now")
        event = await stream.event()
        assert (event.name, event.id, event.data) == (
            "rt:signal",
            None,
            {"t": "board:1", "name": "typing", "data": "now"},
        )
