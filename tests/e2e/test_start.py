"""The first moments of a page, when not all files of the kit are there yet."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from markupsafe import Markup
from playwright.sync_api import Route, expect
from starlette.requests import Request

from .conftest import Htmx
from .lab import Gate, Lab
from .people import Person, until

Start = Callable[..., tuple[Lab, str]]
Arrive = Callable[..., Person]

LIST = '<ul id="list" {{ rt.stream("list") }}><li id="a">A</li>{{ more }}</ul>'
BUTTON = '<button id="go" hx-get="/items" hx-target="#list">Refresh</button>'


@pytest.mark.parametrize("htmx", [pytest.param(Htmx(2, "htmx2"), id="htmx2")])
def test_what_was_asked_before_the_adapter_came_is_brought_up_to_date(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    gate = Gate()
    more = Markup()
    app.page("/", LIST + BUTTON, more=lambda: more)

    async def items(request: Request) -> str:
        html = Markup('<li id="a">A</li>') + more
        await gate.wait()
        return html

    app.get("/items", items)
    somebody = person(address, htmx)
    held: list[Route] = []
    somebody.context.route("**/htmx-rt-htmx2.mjs*", lambda route: held.append(route))
    page = somebody.open(state=None)
    with page.expect_request("**/items") as asked:
        page.click("#go")
    assert "rt-tab" not in asked.value.headers
    gate.reached()
    [route] = held
    route.continue_()
    until(page, "connected")
    more = Markup('<li id="b">B</li>')
    app.topic("list").append("#list", more).result(5)
    expect(page.locator("#list li")).to_have_text(["A", "B"])
    with page.expect_response("**/items"):
        gate.open()
    expect(page.locator("#list li")).to_have_text(["A", "B"])


def test_a_file_that_could_not_be_loaded_is_asked_for_again(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    app.page("/", LIST, more="")
    somebody = person(address, htmx, expected=("net::ERR_FAILED",))
    failed: set[str] = set()

    def fail_once(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        if "?" in name:
            return route.continue_()
        failed.add(name)
        return route.abort()

    somebody.context.route("**/htmx-rt-*.mjs*", fail_once)
    page = somebody.open()
    app.topic("list").toast("Back").result(5)
    expect(page.locator(".rt-toast [rt-toast-text]")).to_have_text("Back")
    needed = {"htmx-rt-more.mjs", "htmx-rt-shared.mjs", "htmx-rt-confirm.mjs"}
    assert failed == needed | ({"htmx-rt-htmx2.mjs"} if htmx.major == 2 else set())
