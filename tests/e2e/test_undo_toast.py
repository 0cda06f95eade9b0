"""A toast with Undo: in time, too late, without a line, several at once, over a reload, and without JavaScript."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect
from starlette.responses import Response

from .lab import Lab
from .test_pending import loaded

Start = Callable[..., tuple[Lab, str]]

ID = "0" * 35
BODY = '<button id="go" hx-post="/delete" hx-swap="none">Delete</button>'


@pytest.fixture
def deleting(page: Page, lab: Start) -> Lab:
    made, base = lab(debug=True)
    made.base = base  # type: ignore[attr-defined]
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

    def play(route: object) -> None:
        if asked is not None:
            asked.append({"url": route.request.url, **route.request.headers})  # type: ignore[attr-defined]
        route.fulfill(status=status, content_type="application/json", body='{"state":"undone"}')  # type: ignore[attr-defined]

    page.unroute("**/_rt/undo/*")
    page.route("**/_rt/undo/*", play)


def undo(page: Page) -> None:
    page.get_by_role("button", name="Undo", exact=True).click()


def text(page: Page) -> object:
    return expect(page.locator(".rt-toast:visible [rt-toast-text]"))


def test_undo_takes_it_back(page: Page, deleting: Lab) -> None:
    asked: list[dict[str, str]] = []
    answer(page, 200, asked)
    page.click("#go")
    text(page).to_have_text("Task 0 deleted")  # type: ignore[attr-defined]
    page.get_by_role("button", name="Undo", exact=True).press("Enter")
    text(page).to_have_text("Undone")  # type: ignore[attr-defined]
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
    text(page).to_have_text(said)  # type: ignore[attr-defined]
    expect(page.get_by_role("button", name="Undo", exact=True)).to_have_count(0)
    errors.clear()  # the status


def test_without_a_line_it_stays_with_retry(page: Page, deleting: Lab, errors: list[str]) -> None:
    page.route("**/_rt/undo/*", lambda route: route.abort())
    page.click("#go")
    undo(page)
    text(page).to_have_text("Task 0 deleted · Not undone yet: the server could not be reached.")  # type: ignore[attr-defined]
    answer(page, 200)
    page.get_by_role("button", name="Retry").click()
    text(page).to_have_text("Undone")  # type: ignore[attr-defined]
    errors.clear()  # the line that was cut


def test_several_at_once_each_for_itself(page: Page, deleting: Lab) -> None:
    asked: list[dict[str, str]] = []
    answer(page, 200, asked)
    for n in range(4):
        page.click("#go")
        text(page).to_have_count(n + 1)  # type: ignore[attr-defined]
    page.get_by_role("button", name="Undo", exact=True).nth(1).click()
    text(page).to_have_text(["Task 0 deleted", "Undone", "Task 2 deleted", "Task 3 deleted"])  # type: ignore[attr-defined]
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
    text(page).to_have_text("Task 0 deleted")  # type: ignore[attr-defined]
    page.evaluate(
        "sessionStorage.setItem('rt-undo', sessionStorage.getItem('rt-undo').replace(/\"until\":(\\d+)/, (_, n) => `\"until\":${n - 40000}`))"
    )
    page.reload()
    text(page).to_have_text("Task 0 deleted")  # type: ignore[attr-defined]
    clock = "document.querySelector('.rt-toast-time').getAnimations()[0]"
    assert page.evaluate(f"{clock}.effect.getComputedTiming().duration") <= 20_000
    answer(page, 200)
    undo(page)
    text(page).to_have_text("Undone")  # type: ignore[attr-defined]
    page.reload()
    loaded(page)
    expect(page.locator(".rt-toast")).to_have_count(0)


def test_a_toast_of_the_server_works_with_and_without_scripts(page: Page, deleting: Lab, browser: Browser) -> None:
    made = deleting
    toast = {"level": "info", "text": "Task deleted", "undo": {"id": f"{ID}9", "left": 5_000}}
    made.get("/after", lambda request: made.rt.macros._render("toasts.html", toasts=[toast], prefix="/_rt"))
    context = browser.new_context(java_script_enabled=False)
    try:
        plain = context.new_page()
        plain.goto(made.base + "/after")  # type: ignore[attr-defined]
        form = plain.locator(".rt-toast form")
        expect(form).to_have_attribute("action", f"/_rt/undo/{ID}9")
        expect(form).to_have_attribute("method", "post")
        expect(plain.get_by_role("button", name="Undo")).to_be_visible()
    finally:
        context.close()
