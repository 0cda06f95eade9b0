"""A toast with Undo: in time, too late, without a line, several at once, over a reload, and without JavaScript."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, LocatorAssertions, Page, Route, expect
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from .lab import LAYOUT, Lab
from .test_pending import loaded

Start = Callable[..., tuple[Lab, str]]

ID = "0" * 35
BODY = '<button id="go" hx-post="/delete" hx-swap="none">Delete</button>'


@pytest.fixture
def deleting(page: Page, lab: Start) -> Lab:
    made, base = lab(debug=True)
    numbers = iter(range(10))

    def delete(request: object) -> Response:
        n = next(numbers)
        toast = {"level": "info", "text": f"Task {n} deleted", "undo": {"id": f"{ID}{n}", "left": 60_000}}
        return Response(status_code=204, headers={"RT-Toast": json.dumps(toast)})

    made.post("/delete", delete)
    made.page("/", BODY)
    page.goto(base)
    loaded(page)
    return made


def answer(page: Page, status: int, asked: list[dict[str, str]] | None = None) -> None:
    """Play the server's half of undo."""

    def play(route: Route) -> None:
        if asked is not None:
            asked.append({"url": route.request.url, **route.request.headers})
        route.fulfill(status=status, content_type="application/json", body='{"state":"undone"}')

    page.unroute("**/_rt/undo/*")
    page.route("**/_rt/undo/*", play)


def undo(page: Page) -> None:
    page.get_by_role("button", name="Undo", exact=True).click()


def text(page: Page) -> LocatorAssertions:
    return expect(page.locator(".rt-toast:visible [rt-toast-text]"))


def test_undo_takes_it_back(page: Page, deleting: Lab) -> None:
    asked: list[dict[str, str]] = []
    answer(page, 200, asked)
    page.click("#go")
    text(page).to_have_text("Task 0 deleted")
    page.get_by_role("button", name="Undo", exact=True).press("Enter")
    text(page).to_have_text("Undone")
    expect(page.get_by_role("button", name="Dismiss")).to_be_focused()
    assert asked[0]["url"].endswith(f"/_rt/undo/{ID}0")
    assert asked[0]["accept"] == "application/json"
    assert len(asked[0]["rt-tab"]) == 32


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (409, "Too late to undo: it is done."),
        (404, "Too late to undo: it is done."),
        (403, "This could not be undone."),
    ],
)
def test_what_could_not_be_taken_back_says_so(
    page: Page, deleting: Lab, status: int, said: str, errors: list[str]
) -> None:
    answer(page, status)
    page.click("#go")
    undo(page)
    text(page).to_have_text(said)
    expect(page.get_by_role("button", name="Undo", exact=True)).to_have_count(0)
    errors.clear()  # the status


def test_without_a_line_it_stays_with_retry(page: Page, deleting: Lab, errors: list[str]) -> None:
    page.route("**/_rt/undo/*", lambda route: route.abort())
    page.click("#go")
    undo(page)
    text(page).to_have_text("Task 0 deleted · Not undone yet: the server could not be reached.")
    answer(page, 200)
    page.get_by_role("button", name="Retry").click()
    text(page).to_have_text("Undone")
    errors.clear()  # the line that was cut


def test_several_at_once_each_for_itself(page: Page, deleting: Lab) -> None:
    asked: list[dict[str, str]] = []
    answer(page, 200, asked)
    for n in range(4):
        page.click("#go")
        text(page).to_have_count(n + 1)
    page.get_by_role("button", name="Undo", exact=True).nth(1).click()
    text(page).to_have_text(["Task 0 deleted", "Undone", "Task 2 deleted", "Task 3 deleted"])
    assert [one["url"][-1] for one in asked] == ["1"]


def test_the_time_is_the_servers_and_runs_under_the_pointer(page: Page, deleting: Lab) -> None:
    page.click("#go")
    page.locator(".rt-toast").hover()
    page.get_by_role("button", name="Undo", exact=True).focus()
    clock = "document.querySelector('.rt-toast-time').getAnimations()[0]"
    assert page.evaluate(f"{clock}.playState") == "running"
    assert 50_000 < page.evaluate(f"{clock}.effect.getComputedTiming().duration") <= 60_000
    page.evaluate(f"{clock}.finish()")
    expect(page.locator(".rt-toast")).to_have_count(0)
    page.reload()
    loaded(page)
    expect(page.locator(".rt-toast")).to_have_count(0)


def test_it_survives_a_reload_with_the_time_that_is_left(page: Page, deleting: Lab) -> None:
    page.click("#go")
    text(page).to_have_text("Task 0 deleted")
    page.evaluate(
        "sessionStorage.setItem('rt-undo', sessionStorage.getItem('rt-undo').replace(/\"until\":(\\d+)/, (_, n) => `\"until\":${n - 40000}`))"
    )
    page.reload()
    text(page).to_have_text("Task 0 deleted")
    clock = "document.querySelector('.rt-toast-time').getAnimations()[0]"
    assert page.evaluate(f"{clock}.effect.getComputedTiming().duration") <= 20_000
    answer(page, 200)
    undo(page)
    text(page).to_have_text("Undone")
    page.reload()
    loaded(page)
    expect(page.locator(".rt-toast")).to_have_count(0)


@pytest.fixture
def deferring(page: Page, lab: Start) -> tuple[Lab, str, list[int]]:
    """The real half of the server: a task that is deleted in a minute."""
    made, base = lab(debug=True)
    done: list[int] = []

    @made.rt.undo.handler("delete-task")
    async def delete(undo: object, id: int) -> None:
        done.append(id)

    async def defer(request: Request) -> None:
        await made.rt.undo.defer("delete-task", {"id": 7}, item="7", delay=60, text="Task 7 deleted")

    async def act(request: Request) -> Response:
        await defer(request)
        return Response(status_code=204)

    async def after(request: Request) -> Response:
        made.rt.set_user("ada")
        await defer(request)
        return HTMLResponse(made.fill(LAYOUT % "<h1>Tasks</h1>", title="Tasks", htmx=made.htmx))

    made.post("/delete", act)
    made.get("/after", after)
    made.page("/", BODY)
    page.goto(base)
    loaded(page)
    return made, base, done


def test_the_real_server_takes_it_back(page: Page, deferring: tuple[Lab, str, list[int]]) -> None:
    page.click("#go")
    text(page).to_have_text("Task 7 deleted")
    undo(page)
    text(page).to_have_text("Undone")
    assert deferring[2] == []


def test_a_toast_in_the_page_itself_works_with_scripts(page: Page, deferring: tuple[Lab, str, list[int]]) -> None:
    page.goto(deferring[1] + "/after")
    text(page).to_have_text("Task 7 deleted")
    loaded(page)
    address = page.url
    undo(page)
    text(page).to_have_text("Undone")
    assert page.url == address


def test_a_toast_in_the_page_itself_works_without_scripts(
    deferring: tuple[Lab, str, list[int]], browser: Browser
) -> None:
    context = browser.new_context(java_script_enabled=False)
    try:
        plain = context.new_page()
        plain.goto(deferring[1] + "/after")
        with plain.expect_request("**/_rt/undo/*") as sent:
            plain.get_by_role("button", name="Undo").click()
        assert sent.value.method == "POST"
        answered = sent.value.response()
        assert answered is not None
        assert answered.status == 303
    finally:
        context.close()
