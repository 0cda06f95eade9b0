"""Regions that name entities fetch themselves when one changes, on htmx 4 and htmx 2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page
from starlette.requests import Request

from .lab import Gate, Lab

Start = Callable[..., tuple[Lab, str]]
BOARD = """
<ul id="tasks" {{ rt.region("/tasks", on="board:3/task") }}>{% for task in tasks %}<li>{{ task }}</li>{% endfor %}</ul>
<p id="one" {{ rt.region("/one", on="task:7") }}>{{ tasks[0] }}</p>
<p id="count" {{ rt.region("/count", on="task") }}>{{ tasks | length }}</p>
<p id="calm" {{ rt.stream("entity:task") }}>as it was</p>
"""


def opened(lab: Start, open_page: Callable[..., Page]) -> tuple[Lab, Page, list[str]]:
    app, address = lab()
    tasks = ["a", "b"]
    app.page("/", BOARD, tasks=tasks)
    app.get("/tasks", lambda request: "".join(f"<li>{task}</li>" for task in tasks))
    app.get("/one", lambda request: tasks[0])
    app.get("/count", lambda request: str(len(tasks)))
    page = open_page(address)
    page.locator("html[data-rt=connected]").wait_for()
    return app, page, tasks


def text(page: Page, css: str, expected: str) -> None:
    page.wait_for_function(
        "([css, text]) => document.querySelector(css).innerText.trim() === text", arg=[css, expected]
    )


def test_each_region_hears_of_what_it_names(lab: Start, open_page: Callable[..., Page]) -> None:
    app, page, tasks = opened(lab, open_page)
    tasks[0] = "A"
    app.rt.changed("task", 7, parent=("board", 3))
    text(page, "#one", "A")
    page.locator("#tasks li", has_text="A").wait_for()
    tasks.append("c")
    app.rt.changed("task", 8, "created", parent=("board", 4))  # another board's: no news for the list
    text(page, "#count", "3")
    assert (app.count("/one"), app.count("/tasks"), app.count("/count"), app.count("/")) == (1, 1, 2, 1)
    assert page.locator("#tasks li").all_inner_texts() == ["A", "b"]


def test_many_changes_at_once_are_one_fetch(lab: Start, open_page: Callable[..., Page]) -> None:
    app, page, tasks = opened(lab, open_page)
    for number in range(20):
        tasks.append(str(number))
        app.rt.changed("task", number + 10, "created", parent=("board", 3))
    text(page, "#count", "22")
    page.locator("#tasks li").nth(21).wait_for()
    assert (app.count("/count"), app.count("/tasks"), app.count("/one")) == (1, 1, 0)


def test_a_change_while_fetching_is_fetched_too(lab: Start, open_page: Callable[..., Page]) -> None:
    app, page, tasks = opened(lab, open_page)
    gate = Gate()

    async def count(request: Request) -> str:
        now = str(len(tasks))
        await gate.wait()
        return now

    app.get("/count", count)
    tasks.append("c")
    app.rt.changed("task", 8, "created")
    gate.reached()  # it is about to answer 3
    tasks.append("d")
    app.rt.changed("task", 9, "created")
    gate.open()
    text(page, "#count", "4")


def test_a_bulk_change_reaches_whoever_watches_one_of_them(lab: Start, open_page: Callable[..., Page]) -> None:
    app, page, tasks = opened(lab, open_page)
    tasks[:] = ["x", "y", "z"]
    app.rt.changed("task")
    text(page, "#one", "x")
    text(page, "#count", "3")
    page.locator("#tasks li", has_text="z").wait_for()
    assert (app.count("/one"), app.count("/tasks"), app.count("/count")) == (1, 1, 1)


def test_a_page_hears_of_it_as_an_event_and_may_do_it_itself(lab: Start, open_page: Callable[..., Page]) -> None:
    app, page, tasks = opened(lab, open_page)
    page.evaluate("""() => {
        window.heard = [];
        document.addEventListener("rt:entity", ({ target, detail }) => heard.push([target.id, detail]));
        document.querySelector("#one").addEventListener("rt:resync", (event) => event.preventDefault());
    }""")
    tasks[:] = ["A", "b", "c"]
    app.rt.changed("task", 7, "deleted")
    text(page, "#count", "3")  # fetched together with what else was asked for
    heard: list[Any] = page.evaluate("heard")
    detail = {"kind": "task", "id": "7", "action": "deleted", "parent": None}
    assert sorted(heard) == [["calm", detail], ["count", detail], ["one", detail]]
    assert app.count("/one") == 0
    assert page.locator("#one").inner_text() == "a"
