from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from htmx_rt import Realtime
from htmx_rt.exceptions import PublishError
from htmx_rt.frames import action_key

from .kit import Site

pytestmark = pytest.mark.anyio
ROW = Markup('<li id="a">x</li>')


def said(rt: Realtime) -> list[dict[str, Any]]:
    entries = rt.bus.log.after(rt.bus.log.position._replace(offset=0)) or []
    return [json.loads(entry.frame.split(b"data: ")[1]) for entry in entries]


def publishing_site(status: int = 200, *, fail: bool = False, event: str = "ops") -> Site:
    async def act(request: Request) -> Response:
        if event == "ops":
            site.rt.topic("board:1").text("#x", "done")
        else:
            site.rt.topic("board:1").toast("done")
        if fail:
            raise RuntimeError("after publishing")
        return PlainTextResponse("ok", status)

    site = Site(routes=[Route("/act", act, methods=["POST"])])
    return site


async def test_frames_carry_the_action_and_the_tab_they_came_from() -> None:
    site = publishing_site()
    ada = site.browser("ada")
    page = await ada.get("/")
    async with ada.stream(page) as stream:
        answer = await ada.post("/act", page=page, headers={"idempotency-key": "0000-action"})
        event = await stream.event("rt:ops")
        assert (event.data["key"], event.data["by"]) == (action_key("0000-action"), page.tab)
        assert answer.header("rt-own") == "1"
        assert answer.header("rt-at") == f"1~{site.bus.log.epoch}~0"
        await ada.post("/act")
        event = await stream.event("rt:ops")
        assert "key" not in event.data
        assert "by" not in event.data


@pytest.mark.parametrize("value", ["x" * 65, "a b", "ä", "", "a\tb"], ids=repr)
async def test_strange_ids_of_actions_and_tabs_are_ignored(value: str) -> None:
    site = publishing_site()
    ada = site.browser("ada")
    answer = await ada.post("/act", headers={"idempotency-key": value, "rt-tab": value})
    assert (answer.status, answer.header("rt-at")) == (200, None)
    assert not {"key", "by"} & set(said(site.rt)[0])


@pytest.mark.parametrize(
    ("site", "resynced"),
    [
        (publishing_site(fail=True), True),
        (publishing_site(500), True),
        (publishing_site(422), True),
        (publishing_site(200), False),
        (publishing_site(303), False),
        (publishing_site(500, event="toast"), False),
    ],
    ids=["raised", "500", "422", "200", "303", "only a toast"],
)
async def test_who_published_and_then_failed_makes_the_readers_fetch_again(site: Site, resynced: bool) -> None:
    ada = site.browser("ada")
    page = await ada.get("/")
    async with ada.stream(page) as stream:
        await stream.checkpoint()
        with contextlib.suppress(RuntimeError):
            await ada.post("/act")
        site.rt.topic("board:1").text("#x", "end")
        events = []
        while not events or events[-1].data.get("ops") != [["text", "#x", "end"]]:
            events.append(await stream.event())
    found = [event.data for event in events if event.name == "rt:resync"]
    assert [(data["topics"], data["why"]) for data in found] == ([(["board:1"], "failed")] if resynced else [])


async def test_a_failed_request_whose_messages_waited_for_a_commit_disturbs_nobody() -> None:
    from sqlalchemy.orm import Session

    async def act(request: Request) -> Response:
        with Session() as session:
            session.begin()
            site.rt.topic("board:1").text("#x", "never", after=session)
        return PlainTextResponse("no", 422)

    site = Site(routes=[Route("/act", act, methods=["POST"])])
    await site.browser("ada").post("/act")
    assert said(site.rt) == []


def test_a_publish_error_is_a_value_error() -> None:
    assert issubclass(PublishError, ValueError)
