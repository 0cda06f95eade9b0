"""Entity events: which topics a change is told on, and what a region that names entities carries."""

from __future__ import annotations

from typing import Any

import pytest

from htmx_rt import Realtime
from htmx_rt.entities import Entity, entity_topic, watched
from htmx_rt.exceptions import BadOperation, BadTopic, PersonalContent, PublishError
from htmx_rt.topics import is_topic

from .kit import SECRET, Site, running

pytestmark = pytest.mark.anyio


@pytest.fixture
def rt() -> Realtime:
    return Realtime(secret=SECRET)


def topics(rt: Realtime) -> list[str]:
    return [entry.topic for entry in rt.bus.log.after(rt.bus.log.position._replace(offset=0)) or []]


@pytest.mark.parametrize(
    ("on", "names"),
    [
        ("task", ["entity:task"]),
        ("task:7", ["entity:task:7", "entities:task"]),
        ("board:3/task", ["entity:board:3:task", "entities:task"]),
    ],
)
def test_what_a_region_names(on: str, names: list[str]) -> None:
    assert watched(on) == names


@pytest.mark.parametrize(
    "on", ["", "task:", ":7", "board/task", "board:3/", "board:/task", "a:b/c:d/e", "ta sk", "x" * 33, None, 7]
)
def test_what_a_region_cannot_name(on: Any) -> None:
    with pytest.raises(BadTopic, match="on="):
        watched(on)


@pytest.mark.parametrize("identity", ["ä", "a:b", " ", "x" * 200, "h.abc", "\n"])
def test_any_id_makes_a_legal_topic_of_its_own(identity: str) -> None:
    (name, _) = watched(f"task:{identity}")
    assert name == entity_topic("task", identity)
    assert is_topic(name)
    assert watched(f"board:{identity}/task")[0] == entity_topic("task", parent=("board", identity))


@pytest.mark.parametrize(
    ("entity", "heard"),
    [
        (Entity("task", "7"), {"task", "task:7"}),
        (Entity("task", "7", ("board", "3")), {"task", "task:7", "board:3/task"}),
        (Entity("task", None, ("board", "3")), {"task", "task:7", "task:8", "board:3/task", "board:4/task"}),
        (Entity("task"), {"task", "task:7", "task:8", "board:3/task", "board:4/task"}),
        (Entity("board", "3"), {"board:3"}),
    ],
)
def test_who_hears_of_a_change(entity: Entity, heard: set[str]) -> None:
    regions = ("task", "task:7", "task:8", "board:3/task", "board:4/task", "board:3", "board:4")
    assert {on for on in regions if set(watched(on)) & set(entity.topics)} == heard


def test_a_change_is_told_where_it_is_watched(rt: Realtime) -> None:
    receipts = rt.changed("task", 7, "created", parent=("board", 3))
    assert [receipt.result(1) for receipt in receipts] == [1, 2, 3]
    assert topics(rt) == ["entity:task", "entity:task:7", "entity:board:3:task"]
    frame = (rt.bus.log.after(rt.bus.log.position._replace(offset=0)) or [])[0].frame.decode()
    assert (
        '"args":{"name":"rt:entity","data":{"kind":"task","id":"7","action":"created","parent":["board","3"]}}' in frame
    )


@pytest.mark.parametrize(
    ("arguments", "error"),
    [(("task", 7, "moved"), BadOperation), (("ta:sk", 7), BadTopic), ((7,), BadTopic)],
    ids=["action", "kind", "no kind"],
)
def test_a_bad_change_is_refused_at_the_call(
    rt: Realtime, arguments: tuple[Any, ...], error: type[PublishError]
) -> None:
    with pytest.raises(error):
        rt.changed(*arguments)
    assert topics(rt) == []


async def test_a_region_is_subscribed_to_what_it_names() -> None:
    page = """{% import "htmx_rt/macros.html" as imported %}{{ rt.head() }}
    <div id="a" {{ rt.region("/a", "board:3", on=["board:3/task", "board:3"]) }}></div>
    <div id="b" {{ imported.region("/b", on="task") }}></div>
    <div id="c" {{ rt.region("/c", "entity:task", on=["task", "task"]) }}></div>
    <div id="d" {{ rt.region("/d") }}></div>"""
    site = Site(templates={"page.html": page})
    async with running(site.app), site.browser() as browser:
        answer = await browser.get("/")
        a, b, c, d = answer.select("div")
        assert a["rt-on"] == "entity:board:3:task entities:task entity:board:3 entities:board"
        assert a["rt-stream"] == "board:3 " + str(a["rt-on"])
        assert (b["rt-src"], b["rt-on"], b["rt-stream"]) == ("/b", "entity:task", "entity:task")
        assert c["rt-stream"] == "entity:task"
        assert not d.has_attr("rt-on")
        assert not d.has_attr("rt-stream")
        async with browser.stream(answer) as stream:
            site.rt.changed("task", 7, parent=("board", 3))
            told = [(await stream.event("rt:call")).data for _ in range(2)]
    assert [call["t"] for call in told] == ["entity:task", "entity:board:3:task"]
    assert told[0]["args"]["data"] == {"kind": "task", "id": "7", "action": "updated", "parent": ["board", "3"]}


async def test_a_region_is_personal() -> None:
    site = Site(templates={"shared.html": '{{ rt.region("/a", on="task") }}'})
    with pytest.raises(PersonalContent):
        site.rt.render("shared.html")
