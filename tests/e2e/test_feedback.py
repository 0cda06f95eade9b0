"""What people see and hear of the kit itself: the bar, toasts, announcements, controls that need a connection, the theme."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import jinja2
import pytest
from markupsafe import Markup
from playwright.sync_api import Page, Request, Route, expect
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route as HttpRoute

from htmx_rt import Realtime, RealtimeMiddleware

from .conftest import Htmx, serve

STRICT = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'"
TRUSTED = f"{STRICT}; require-trusted-types-for 'script'; trusted-types htmx-rt"
PAGE = """<!doctype html><html lang="en" {{ rt.theme() }}><head><title>A page</title>{{ rt.head(htmx=htmx) }}</head><body>
<div id="region" {{ rt.stream("board:1") }}><p id="text">one</p></div>
<button id="theme-dark" type="button" rt-theme="dark">Dark</button> <button id="theme-system" type="button" rt-theme="system">System</button>
<form id="form" action="/sent"><input id="title" name="title" rt-requires-connection="Sending needs the server">
<button id="send" rt-requires-connection aria-describedby="hint">Send</button></form><p id="hint">A hint</p>
<button id="act" hx-post="/act" hx-swap="none">Act</button>
{{ rt.banner() }}{{ rt.toasts() }}</body></html>"""


def make_app() -> Starlette:
    rt = Realtime(secret="a secret for tests " * 2, identify=lambda request: "ada", debug=True)
    env = jinja2.Environment(autoescape=True)
    rt.install(env)
    template = env.from_string(PAGE)

    async def page(request: HttpRequest) -> Response:
        html = template.render(htmx=int(request.query_params["htmx"]))
        policy = TRUSTED if "trusted" in request.query_params else STRICT
        return HTMLResponse(html, headers={"Content-Security-Policy": policy})

    async def act(request: HttpRequest) -> Response:
        return Response(
            status_code=204, headers={"RT-Toast": json.dumps([{"level": "success", "text": "Gr\u00fc\u00dfe"}])}
        )

    async def push(request: HttpRequest) -> Response:
        await rt.topic("board:1").replace("#text", Markup('<p id="text">two</p>'))
        return Response(status_code=204)

    async def sent(request: HttpRequest) -> Response:
        return HTMLResponse("sent")

    routes = [
        HttpRoute("/", page),
        HttpRoute("/act", act, methods=["POST"]),
        HttpRoute("/push", push),
        HttpRoute("/sent", sent),
    ]
    app = Starlette(routes=routes)
    app.add_middleware(RealtimeMiddleware, rt=rt)
    return app


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with serve(make_app()) as address:
        yield address


@pytest.fixture
def ready(page: Page, base: str, htmx: Htmx) -> Page:
    """A connected page whose timers stand still until a test moves them."""
    page.clock.install(time=0)
    page.clock.pause_at(1_000)
    page.goto(f"{base}/?htmx={htmx.major}")
    connected(page)
    expect(page.locator("#theme-system")).to_have_attribute("aria-pressed", "true")  # everything is loaded
    page.clock.run_for(50)  # htmx has looked at the page
    return page


def connected(page: Page) -> None:
    expect(page.locator("html")).to_have_attribute("data-rt", "connected")


def cut(page: Page) -> None:
    page.evaluate("htmxRt.simulateDisconnect()")
    expect(page.locator("html")).to_have_attribute("data-rt", "disconnected")


def mend(page: Page) -> None:
    page.evaluate("htmxRt.simulateDisconnect(false)")
    connected(page)


def toast(page: Page, level: str, text: str, **more: object) -> None:
    page.evaluate("args => htmxRt.rt.events.emit('toast', args)", {"level": level, "text": text, **more})


def finish_toasts(page: Page) -> None:
    page.evaluate(
        "for (const a of document.getAnimations()) if (a.playState === 'running' && a.effect.getComputedTiming().duration >= 5000) a.finish()"
    )


def test_an_outage_is_silent_for_two_seconds_then_one_sentence_then_two_buttons(ready: Page) -> None:
    bar = ready.locator("#rt-banner")
    ready.focus("#title")
    cut(ready)
    ready.clock.run_for(1_500)
    expect(bar).to_be_hidden()
    ready.clock.run_for(600)
    expect(bar).to_be_visible()
    expect(bar).to_have_text("Reconnecting…", use_inner_text=True)
    expect(bar.get_by_role("button")).to_have_count(0)
    ready.clock.run_for(13_500)
    expect(bar).to_contain_text("Your unsaved work is kept.")
    expect(bar.locator("[rt-banner-next]")).to_have_text(re.compile(r"Next try in \d+ s|Trying again…"))
    expect(bar.get_by_role("button")).to_have_text(["Retry now", "Reload"])
    expect(ready.locator("#title")).to_be_focused()
    mend(ready)
    ready.clock.run_for(100)
    expect(bar).to_have_text("Back online", use_inner_text=True)
    ready.clock.run_for(1_600)
    expect(bar).to_be_hidden()


def test_a_short_break_is_never_mentioned(ready: Page) -> None:
    cut(ready)
    ready.clock.run_for(1_900)
    mend(ready)
    ready.clock.run_for(5_000)
    expect(ready.locator("#rt-banner")).to_be_hidden()


def test_retry_by_keyboard_gives_the_focus_back_when_the_bar_goes(ready: Page) -> None:
    ready.focus("#title")
    cut(ready)
    ready.clock.run_for(15_500)
    retry = ready.get_by_role("button", name="Retry now")
    for _ in range(5):  # the theme's controls, the form's, and what follows them
        if retry.evaluate("element => element !== document.activeElement"):
            ready.keyboard.press("Tab")
    expect(retry).to_be_focused()
    retry.press("Enter")
    mend(ready)
    ready.clock.run_for(100)
    expect(ready.locator("#act")).to_be_focused()  # where Tab came from


def test_at_most_three_toasts_are_seen_and_the_older_ones_come_back(ready: Page) -> None:
    for number in range(5):
        toast(ready, "error", f"Error {number}")
    seen = ready.locator(".rt-toast:visible")
    expect(seen).to_have_count(3)
    expect(seen.locator("[rt-toast-text]")).to_have_text(["Error 2", "Error 3", "Error 4"])
    seen.last.get_by_role("button", name="Dismiss").click()
    expect(seen.locator("[rt-toast-text]")).to_have_text(["Error 1", "Error 2", "Error 3"])


def test_a_toast_leaves_by_itself_but_not_under_the_pointer_or_the_focus(ready: Page) -> None:
    toast(ready, "info", "Read me")
    shown = ready.locator(".rt-toast")
    shown.hover()
    finish_toasts(ready)
    expect(shown).to_be_visible()
    ready.mouse.move(600, 10)
    shown.get_by_role("button").focus()
    finish_toasts(ready)
    expect(shown).to_be_visible()
    ready.focus("#title")
    finish_toasts(ready)
    expect(shown).to_have_count(0)


def test_escape_dismisses_and_the_focus_goes_back(ready: Page) -> None:
    toast(ready, "error", "First")
    toast(ready, "error", "Second")
    ready.focus("#title")
    ready.locator(".rt-toast").last.get_by_role("button").focus()
    ready.keyboard.press("Escape")
    expect(ready.locator(".rt-toast")).to_have_count(1)
    expect(ready.locator(".rt-toast").get_by_role("button")).to_be_focused()
    ready.keyboard.press("Escape")
    expect(ready.locator("#title")).to_be_focused()


def test_a_toast_with_a_key_changes_in_place(ready: Page) -> None:
    toast(ready, "info", "Processing…", key="import", timeout=0)
    toast(ready, "warning", "Something else")
    toast(ready, "success", "Done", key="import")
    expect(ready.locator(".rt-toast [rt-toast-text]")).to_have_text(["Done", "Something else"])
    expect(ready.locator(".rt-toast").first).to_have_class(re.compile("rt-toast-success"))


def test_markup_in_a_toast_is_text(ready: Page) -> None:
    toast(ready, "info", "<b>bold</b>")
    expect(ready.locator("[rt-toast-text]")).to_have_text("<b>bold</b>")


def test_the_toast_of_an_answer(ready: Page) -> None:
    with ready.expect_response("**/act"):
        ready.click("#act")
    ready.clock.run_for(100)  # htmx settles by timers
    expect(ready.locator(".rt-toast-success [rt-toast-text]")).to_have_text("Grüße")


def test_a_page_may_show_toasts_itself(ready: Page) -> None:
    ready.evaluate("void htmxRt.on('rt:toast', (detail, event) => event.preventDefault())")
    toast(ready, "info", "Never seen")
    expect(ready.locator(".rt-toast")).to_have_count(0)


def test_polite_words_are_gathered_and_errors_are_alerts(ready: Page) -> None:
    spoken = ready.locator("#rt-live")
    for text in ("One", "Two", "Three"):
        toast(ready, "info", text)
    ready.clock.run_for(100)
    expect(spoken).to_have_text("One")
    ready.clock.run_for(2_800)
    expect(spoken).to_have_text("One")
    ready.clock.run_for(300)
    expect(spoken).to_have_text("Two Three")
    toast(ready, "error", "Broken")
    expect(ready.get_by_role("alert")).to_contain_text("Error: Broken")
    expect(spoken).to_have_text("Two Three")


def test_controls_that_need_a_connection_are_off_say_why_and_come_back(ready: Page) -> None:
    before = ready.locator("#send").evaluate("element => element.outerHTML")
    ready.fill("#title", "kept")
    cut(ready)
    send = ready.locator("#send")
    expect(send).to_have_attribute("aria-disabled", "true")
    expect(send).to_have_accessible_description("A hint Not available until the connection is back.")
    expect(ready.locator("#title")).to_have_accessible_description("Sending needs the server")
    send.dispatch_event("click")
    ready.locator("#title").press("Enter")
    ready.locator("#title").press("x")
    expect(ready.locator(".rt-toast-warning").first).to_contain_text("Not available until the connection is back.")
    assert ready.url.endswith(f"htmx={ready.url[-1]}")
    expect(ready.locator("#title")).to_have_value("kept")
    mend(ready)
    assert ready.locator("#send").evaluate("element => element.outerHTML") == before
    expect(ready.locator(".rt-toast-warning")).to_have_count(0)  # it would not be true any more
    ready.locator("#send").click()
    ready.wait_for_url("**/sent?title=kept")


def test_the_theme_is_remembered_the_same_in_all_tabs_and_right_at_the_first_paint(
    ready: Page, open_page: Callable[..., Page]
) -> None:
    other = open_page(ready.url)
    ready.click("#theme-dark")
    for page in (ready, other):
        expect(page.locator("html")).to_have_attribute("data-rt-theme", "dark")
        expect(page.locator("#theme-dark")).to_have_attribute("aria-pressed", "true")
    assert 'data-rt-theme="dark"' in ready.request.get(ready.url).text()
    ready.click("#theme-system")
    expect(other.locator("html")).not_to_have_attribute("data-rt-theme", re.compile(".*"))


def test_what_is_heard_before_the_second_file_is_there_is_not_lost(page: Page, base: str, htmx: Htmx) -> None:
    held: list[Route] = []
    page.route("**/htmx-rt-more.mjs", lambda route: held.append(route))
    with page.expect_request("**/htmx-rt-more.mjs"):
        page.goto(f"{base}/?htmx={htmx.major}", wait_until="commit")
    connected(page)
    toast(page, "success", "Early")
    held[0].continue_()
    expect(page.locator(".rt-toast [rt-toast-text]")).to_have_text("Early")


def test_signed_out_in_mid_page_says_so_and_asks_nobody_to_retry(ready: Page, errors: list[str]) -> None:
    def refuse(route: Route, request: Request) -> None:
        route.fulfill(status=401, headers={"RT-Problem": "signed-out"})

    ready.route("**/_rt/stream", refuse)
    ready.evaluate("htmxRt.simulateDisconnect(); htmxRt.simulateDisconnect(false)")
    expect(ready.locator("html")).to_have_attribute("data-rt", "refused")
    ready.clock.run_for(100)
    expect(ready.locator("#rt-banner")).to_contain_text("You are signed out.")
    expect(ready.locator("#rt-banner").get_by_role("button")).to_have_text(["Sign in and continue", "Reload"])
    errors[:] = [error for error in errors if "401" not in error]  # the browser logs the refusal itself


def test_under_trusted_types_the_kit_itself_needs_no_default_policy(page: Page, base: str) -> None:
    page.goto(f"{base}/?htmx=4&trusted=1")  # htmx 2 itself cannot run under them
    connected(page)
    assert page.request.get(f"{base}/push").ok
    expect(page.locator("#text")).to_have_text("two")
    toast(page, "info", "<i>Seen</i>")
    expect(page.locator("[rt-toast-text]")).to_have_text("<i>Seen</i>")
