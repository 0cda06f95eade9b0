"""A failed request is never silent: what kind, where, with Retry where that is safe; and nothing stays dead."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from .lab import Lab
from .test_pending import loaded

Start = Callable[..., tuple[Lab, str]]

BUTTON = '<button id="go" hx-post="/act" hx-swap="none" rt-disable-with="Saving…">Save</button>'
FORM = """<form id="form" hx-post="/act" hx-target="#out" rt-disable-with="Saving…"><input id="title" name="title" value="Call Ada">
<button id="go">Save</button></form><p id="out"></p>"""


@pytest.fixture
def shown(page: Page, lab: Start, errors: list[str]) -> Callable[..., Lab]:
    """`shown(body, answers)` shows a page whose action answers with each of `answers` in turn, the last one from then on."""

    def show(body: str, *answers: Response, **values: object) -> Lab:
        made, base = lab(debug=True)
        made.keys = []  # type: ignore[attr-defined]

        def act(request: Request) -> Response:
            made.keys.append(request.headers.get("idempotency-key"))  # type: ignore[attr-defined]
            return answers[min(len(made.keys), len(answers)) - 1]  # type: ignore[attr-defined]

        made.post("/act", act)
        made.get("/act", act)
        made.page("/", body, **values)
        page.goto(base)
        loaded(page)
        return made

    yield show
    errors[:] = [error for error in errors if not re.match("Failed to load|Response Status|htmx", error)]


def toasts(page: Page) -> list[str]:
    return page.locator(".rt-toast:visible [rt-toast-text]").all_inner_texts()


@pytest.mark.parametrize(
    ("status", "headers", "text", "retry"),
    [
        (500, {}, "Something went wrong on the server.", True),
        (503, {"Retry-After": "1"}, "The server is busy. Please try again in a moment.", True),
        (429, {}, "Too many requests, please slow down.", True),
        (401, {"RT-Problem": "signed-out"}, "You are signed out. Sign in again in another tab, then retry.", True),
        (401, {"RT-Problem": "user-changed"}, "You are signed in as somebody else now.", False),
        (403, {}, "You are not allowed to do this.", False),
        (404, {}, "This does not exist any more.", False),
        (413, {}, "This is too large to be sent.", False),
        (
            409,
            {"RT-Problem": "unknown-outcome"},
            "It is not known whether this was done. Look before you try again.",
            False,
        ),
        (418, {}, "The server refused this.", False),
    ],
)
def test_a_failed_action_says_what_kind(
    page: Page, shown: Callable[..., Lab], status: int, headers: dict[str, str], text: str, retry: bool
) -> None:
    shown(BUTTON, Response("", status_code=status, headers=headers, media_type="text/plain"))
    page.click("#go")
    toast = page.locator(".rt-toast:visible")
    expect(toast.locator("[rt-toast-text]")).to_have_text(text)
    expect(toast.get_by_role("button", name="Retry")).to_have_count(int(retry))
    expect(page.locator("#go")).to_have_class("rt-failed")
    expect(page.locator("#go")).to_have_text("Save")
    expect(page.locator("#go")).not_to_have_attribute("aria-disabled", "true")


def test_retry_sends_the_same_action_and_clears_up(page: Page, shown: Callable[..., Lab]) -> None:
    made = shown(BUTTON, Response(status_code=500), Response(status_code=204))
    page.click("#go")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator(".rt-toast:visible")).to_have_count(0)
    expect(page.locator("#go")).to_have_class("")
    first, second = made.keys  # type: ignore[attr-defined]
    assert first == second


def test_a_line_that_is_down_is_said_once_and_retry_sends_all(page: Page, shown: Callable[..., Lab]) -> None:
    made = shown("".join(BUTTON.replace('"go"', f'"go{n}"') for n in range(4)), Response(status_code=204))
    page.route("**/act", lambda route: route.abort())
    for n in range(4):
        page.click(f"#go{n}")
        expect(page.locator(f"#go{n}")).to_have_class("rt-failed")
    expect(page.locator(".rt-toast:visible")).to_have_count(1)
    expect(page.locator(".rt-toast:visible [rt-toast-text]")).to_have_text("The server could not be reached. (4)")
    page.unroute("**/act")
    page.get_by_role("button", name="Retry").click()
    for n in range(4):
        expect(page.locator(f"#go{n}")).to_have_class("")
    assert made.count("/act") == 4
    expect(page.locator(".rt-toast:visible")).to_have_count(0)


def test_a_form_says_it_at_its_end_and_keeps_what_was_typed(page: Page, shown: Callable[..., Lab]) -> None:
    made = shown(FORM, Response(status_code=500), HTMLResponse("saved"))
    page.click("#go")
    line = page.locator("#form .rt-failure")
    expect(line).to_contain_text("Something went wrong on the server.")
    expect(line).to_have_role("alert")
    assert toasts(page) == []
    expect(page.locator("#title")).to_have_value("Call Ada")
    line.get_by_role("button", name="Retry").press("Enter")
    expect(page.locator("#out")).to_have_text("saved")
    expect(line).to_have_count(0)
    expect(page.locator("#go")).to_be_focused()
    first, second = made.keys  # type: ignore[attr-defined]
    assert first == second


def test_a_refused_form_that_came_back_is_not_said_twice(page: Page, shown: Callable[..., Lab]) -> None:
    shown(FORM, HTMLResponse("Give it a title.", 422))
    page.click("#go")
    expect(page.locator("#out")).to_have_text("Give it a title.")
    expect(page.locator(".rt-failure")).to_have_count(0)
    assert toasts(page) == []


def test_a_page_instead_of_a_fragment_means_signed_out(page: Page, shown: Callable[..., Lab]) -> None:
    shown(FORM, HTMLResponse("<!doctype html><html><body><h1>Sign in</h1></body></html>"))
    page.evaluate(
        "void htmxRt.rt.events.on('request:end', ({ outcome, problem }) => { document.title = `${outcome} ${problem}`; })"
    )
    page.click("#go")
    expect(page.locator(".rt-failure")).to_contain_text("You are signed out.")
    expect(page).to_have_title("status signed-out")
    expect(page.locator("#out")).to_have_text("")
    expect(page.locator("#title")).to_have_value("Call Ada")


def test_a_twin_that_still_runs_is_waited_for(page: Page, shown: Callable[..., Lab]) -> None:
    running = Response(status_code=409, headers={"RT-Problem": "running", "Retry-After": "0"})
    made = shown(BUTTON, running, running, Response(status_code=204))
    page.clock.install()
    page.click("#go")
    for n in range(2, 4):
        while made.count("/act") < n:
            page.clock.run_for(500)
    assert toasts(page) == []
    assert len(set(made.keys)) == 1  # type: ignore[attr-defined]


def test_done_before_without_a_body_fetches_the_region(page: Page, shown: Callable[..., Lab]) -> None:
    replayed = Response(status_code=204, headers={"Idempotency-Replayed": "true"})
    body = '<div id="list" {{ rt.stream("list") }}><p id="text">{{ n }}</p>' + BUTTON + "</div>"
    shown(body, replayed, n=itertools.count(1).__next__)
    expect(page.locator("#text")).to_have_text("1")
    page.click("#go")
    expect(page.locator("#text")).to_have_text("2")


def test_a_page_may_say_it_itself(page: Page, shown: Callable[..., Lab]) -> None:
    shown(BUTTON, Response(status_code=500))
    page.evaluate("""document.addEventListener("rt:error", (event) => { event.preventDefault();
      document.title = JSON.stringify({ ...event.detail, at: event.target.id }); })""")
    page.click("#go")
    expect(page).to_have_title(
        '{"kind":"server","status":500,"problem":null,"text":"Something went wrong on the server.","at":"go"}'
    )
    assert toasts(page) == []
    expect(page.locator("#go")).not_to_have_class("rt-failed")


def test_a_region_that_could_not_be_loaded_loads_when_the_line_is_back(page: Page, shown: Callable[..., Lab]) -> None:
    made = shown(
        '<p id="live" {{ rt.stream("x") }}></p><div id="late" hx-get="/act" hx-trigger="now from:body">old</div>',
        HTMLResponse("new"),
    )
    expect(page.locator("html")).to_have_attribute("data-rt", "connected")

    def cut(route: Route) -> None:
        route.abort()

    page.route("**/act", cut)
    page.evaluate("document.body.dispatchEvent(new Event('now'))")
    expect(page.locator("#late")).to_have_class("rt-failed")
    assert toasts(page) == []
    page.unroute("**/act")
    page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(page.locator("#late")).to_have_text("new")
    expect(page.locator("#late")).to_have_class("")
    assert made.count("/act") == 1


def test_what_somebody_else_handles_is_not_said_again(page: Page, shown: Callable[..., Lab]) -> None:
    shown(BUTTON, Response(status_code=500))
    page.evaluate("void htmxRt.rt.events.on('request:ending', ({ request }) => { request.handled = true; })")
    page.evaluate("void htmxRt.rt.events.on('request:end', () => { document.title = 'ended'; })")
    page.click("#go")
    expect(page).to_have_title("ended")
    assert toasts(page) == []


def test_words_and_place_of_others_go_through_the_same_door(page: Page, shown: Callable[..., Lab]) -> None:
    shown(BUTTON, Response(status_code=500))
    page.evaluate("""() => { let one;
      htmxRt.rt.events.on("request:ending", ({ request }) => { request.handled = true; one = request; });
      htmxRt.rt.events.on("request:end", () => { one.handled = false; htmxRt.rt.events.emit("failure", { request: one, kind: "refused", text: "“Call Ada” could not be added." }); }); }""")
    page.click("#go")
    expect(page.locator(".rt-toast:visible [rt-toast-text]")).to_have_text("“Call Ada” could not be added.")


def test_a_question_asked_often_is_asked_once_again(page: Page, shown: Callable[..., Lab]) -> None:
    made = shown('<button id="go" hx-get="/act" hx-target="#out">Look</button><p id="out"></p>', HTMLResponse("found"))
    page.route("**/act", lambda route: route.abort())
    page.evaluate("void htmxRt.rt.events.on('request:end', () => { document.title = Number(document.title) + 1; })")
    page.evaluate("document.title = '0'")
    for n in range(3):
        page.click("#go")
        expect(page).to_have_title(str(n + 1))
    expect(page.locator(".rt-toast:visible [rt-toast-text]")).to_have_text("The server could not be reached.")
    page.unroute("**/act")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator("#out")).to_have_text("found")
    assert made.count("/act") == 1


def test_busy_is_obeyed_and_asked_again_by_itself(page: Page, shown: Callable[..., Lab]) -> None:
    busy = Response(status_code=503, headers={"Retry-After": "1"})
    made = shown('<div id="late" hx-get="/act" hx-trigger="now from:body">old</div>', busy, HTMLResponse("new"))
    page.evaluate("document.body.dispatchEvent(new Event('now'))")
    expect(page.locator(".rt-toast:visible")).to_have_count(1)
    expect(page.locator("#late")).to_have_text("new")
    expect(page.locator(".rt-toast:visible")).to_have_count(0)
    assert made.count("/act") == 2
