"""`rt-optimistic="insert:…"`: one row in every frame, whatever comes first; and what failed stays with its reason."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from markupsafe import Markup
from playwright.sync_api import Page, expect
from starlette.responses import HTMLResponse, Response

from .conftest import Htmx
from .lab import Lab
from .optimism import Actions, body, frames, push, ready, watch
from .people import Person

Start = Callable[..., tuple[Lab, str]]
Arrive = Callable[..., Person]
Playing = tuple[Lab, Actions, Page]

PAGE = """
<ul id="tasks" {{ rt.stream("tasks") }}>{{ rows }}</ul>
<form id="form" hx-post="/do" hx-target="#tasks" hx-swap="beforeend" rt-optimistic="insert:#tpl on #tasks at end; inc on #count">
  <input name="title" id="title"><button id="go">Add</button></form>
<b id="count" {{ rt.stream("tasks") }}>{{ count }}</b>
<template id="tpl"><li class="task" data-title="{title}" hx-get="/{title}" hx-on:click="x{title}"><a href="/{title}" id="link">{title}</a></li></template>"""


class Tasks:
    """The rows of the list, as the server has them."""

    def __init__(self) -> None:
        self.rows: list[Markup] = []
        self.numbers = itertools.count(1)

    def add(self, title: str) -> Markup:
        """Add a row; returns it."""
        row = Markup('<li id="t{}" class="task" rt-enter="rt-enter"><a href="/{}">{}</a></li>').format(
            next(self.numbers), title, title
        )
        self.rows.append(row)
        return row


@pytest.fixture
def tasks() -> Tasks:
    return Tasks()


@pytest.fixture
def play(lab: Start, person: Arrive, htmx: Htmx, tasks: Tasks) -> Iterator[Callable[..., Playing]]:
    every: list[Actions] = []

    def play(page: str = PAGE) -> Playing:
        app, address = lab(debug=True)
        app.page("/", page, rows=lambda: Markup("").join(tasks.rows), count=lambda: len(tasks.rows))
        acts = Actions(app).at("/do")
        every.append(acts)
        expected = (
            422,
            500,
            "ERR_FAILED",
            "htmx:afterRequest",
            "Response Status Error",
            "sendError",
            "Failed to fetch",
            "Status Error",
        )
        return app, acts, ready(person(address, htmx, expected=expected).open())

    yield play
    for acts in every:
        acts.finish()


def add(page: Page, title: str) -> None:
    page.fill("#title", title)
    page.click("#go")


@pytest.mark.parametrize("order", ["echo first", "answer first", "together", "no echo", "nothing but the echo"])
def test_one_row_in_every_frame(play: Any, tasks: Tasks, order: str) -> None:
    app, acts, page = play()
    watch(page, "#tasks > li")
    add(page, "Call")
    expect(page.locator("li[rt-tmp].rt-pending .rt-note")).to_have_text("Sending…")
    page.wait_for_timeout(50)
    row = tasks.add("Call")
    acts.reached("/do")

    async def publish() -> None:
        await app.topic("tasks").append("#tasks", row)
        await app.topic("tasks").text("#count", len(tasks.rows))

    async def together(_form: Any) -> Response:
        await publish()
        return HTMLResponse(row)

    async def nothing(_form: Any) -> Response:
        await publish()
        return Response(status_code=204)

    async def early(form: Any) -> Response:
        await publish()
        await asyncio.sleep(0.2)
        return HTMLResponse(row)

    if order == "answer first":
        acts.say("/do", row)
        expect(page.locator("#t1")).to_be_attached()
        push(app, "append", "#tasks", row)
        push(app, "text", "#count", "1")
    elif order == "no echo":
        acts.say("/do", row)
    else:
        acts.say("/do", {"echo first": early, "together": together, "nothing but the echo": nothing}[order])
    expect(page.locator("#t1")).to_be_attached()
    expect(page.locator(".rt-loading, .rt-pending, [rt-tmp]")).to_have_count(0)
    push(app, "append", "#tasks", '<li id="z">z</li>')
    expect(page.locator("#z")).to_be_attached()
    assert frames(page) == ["", "Call", "Call|z"]
    assert page.inner_text("#count") == "1"
    assert page.locator("#t1").get_attribute("class") == "task", "it came in as if it were new"


def test_template_takes_values_as_text_and_does_nothing(play: Any) -> None:
    _, _, page = play()
    add(page, "<img src=x onerror=alert(1)> {title}")
    expect(page.locator("li[rt-tmp] a")).to_have_text("<img src=x onerror=alert(1)> {title}")
    html = page.locator("li[rt-tmp]").evaluate("el => el.outerHTML")
    assert "<img" not in html.replace('data-title="<img', "")
    assert 'href="/{title}"' in html
    for gone in ("hx-", " id="):
        assert gone not in html


@pytest.mark.parametrize(
    ("status", "said", "reason"),
    [
        (422, '<p role="alert">Too long</p>', "Too long"),
        (500, "<h1>Trace</h1>", "Something went wrong on the server."),
        (0, "", "The server could not be reached."),
    ],
)
def test_failed_one_stays_with_reason_retry_and_discard(
    play: Any, tasks: Tasks, status: int, said: str, reason: str
) -> None:
    app, acts, page = play()
    held: list[Any] = []
    if not status:
        page.route("**/do", lambda route: held.append(route))
    add(page, "Call")
    expect(page.locator("li[rt-tmp]")).to_be_attached()
    expect(page.locator("#count")).to_have_text("1")
    if status:
        acts.say("/do", said, status)
    else:
        while not held:
            page.evaluate("0")
        held[0].abort()
        page.unroute("**/do")
    expect(page.locator("li[rt-tmp].rt-failed .rt-note")).to_have_text(reason)
    expect(page.locator("#count")).to_have_text("0")
    push(app, "append", "#tasks", '<li id="other">Other</li>')
    expect(page.locator("#tasks > li").nth(1).locator(".rt-retry")).to_be_visible()
    assert page.locator("#tasks > li").first.get_attribute("id") == "other"
    page.focus(".rt-retry")
    push(app, "append", "#tasks", '<li id="more">More</li>')
    expect(page.locator("#more")).to_be_attached()
    assert page.evaluate("document.activeElement.className") == "rt-retry", "a push took the focus"
    page.keyboard.press("Enter")
    expect(page.locator("li[rt-tmp].rt-pending .rt-note")).to_have_text("Sending…")
    acts.reached("/do", 2 if status else 1)
    row = tasks.add("Call")
    push(app, "append", "#tasks", row)
    acts.say("/do", row)
    expect(page.locator("#t1")).to_be_attached()
    expect(page.locator("[rt-tmp], .rt-failed, .rt-pending")).to_have_count(0)
    assert len(set(acts.keys)) == 1
    assert acts.forms[-1] == {"title": "Call"}


def test_discarded_one_was_never_there(play: Any, tasks: Tasks) -> None:
    tasks.add("First")
    _, acts, page = play()
    page.fill("#title", "Call")
    before = body(page)
    page.click("#go")
    acts.say("/do", "no", 500)
    page.click(".rt-discard")
    expect(page.locator("[rt-tmp]")).to_have_count(0)
    assert body(page).replace(' class=""', "") == before
    assert page.evaluate("document.activeElement.id") == "title"
    assert page.input_value("#title") == "Call"


def test_an_answer_that_names_another_place_says_it_there(play: Any) -> None:
    _, acts, page = play(PAGE + '<p id="why"></p>')
    add(page, "")
    acts.say("/do", "Give it a title", 422, HX_Retarget="#why", HX_Reswap="innerHTML")
    expect(page.locator("#why")).to_have_text("Give it a title")
    expect(page.locator("[rt-tmp]")).to_have_count(0)


def test_confirmed_with_nothing_it_becomes_part_of_the_page(play: Any) -> None:
    _, acts, page = play()
    add(page, "Call")
    acts.say("/do", status=204)
    expect(page.locator("#tasks > li:not([rt-tmp])")).to_have_text("Call")
    assert page.locator("#tasks").evaluate("el => el.querySelectorAll('.rt-note, .rt-pending').length") == 0
    expect(page.locator("#count:not(.rt-pending)")).to_have_text("1")


def test_a_page_in_the_history_holds_no_picture(play: Any, htmx: Htmx) -> None:
    if htmx.major == 4:
        pytest.skip("htmx 4 keeps no snapshot")
    app, _, page = play(PAGE + '<a id="away" href="/away" hx-boost="true">Away</a>')
    app.page("/away", "<h1>Away</h1>")
    add(page, "Call")
    expect(page.locator("[rt-tmp]")).to_be_attached()
    watch(page, "#tasks > li")
    page.click("#away")
    expect(page.locator("h1")).to_have_text("Away")
    assert frames(page) == ["Call", ""]
    kept = page.evaluate("Object.values(sessionStorage).join() + Object.values(localStorage).join()")
    assert "tasks" in kept
    assert "rt-tmp" not in kept
    assert ">Sending" not in kept
