"""How far away the server is, for CSS; a slower line and a list of slow actions for development."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from starlette.responses import Response

from .lab import Lab
from .test_pending import loaded

Start = Callable[..., tuple[Lab, str]]

BODY = """<button id="get" hx-get="/act" hx-swap="none">Look</button><button id="go" hx-post="/tasks/7/done" hx-swap="none">Do</button>
<button id="fast" hx-post="/tasks/7/star" hx-swap="none" rt-optimistic="add-class:on">Star</button>"""


@pytest.fixture
def far(page: Page, lab: Start) -> Lab:
    made, base = lab(debug=True)
    for path in ("/tasks/7/done", "/tasks/7/star"):
        made.post(path, lambda request: Response(status_code=204))
    made.get("/act", lambda request: Response(status_code=204))
    made.page("/", BODY)
    page.goto(base)
    loaded(page)
    return made


def near(page: Page) -> None:
    """Ask until a time was short: a busy machine is slow now and then, and of the last five the shortest counts."""
    until = time.monotonic() + 10
    while True:
        with page.expect_response("**/act") as response:
            page.click("#get")
        response.value.finished()
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        if page.locator("html").get_attribute("data-rt-latency") == "low" or time.monotonic() > until:
            break
    expect(page.locator("html")).to_have_attribute("data-rt-latency", "low")


def test_the_page_can_choose_by_css(page: Page, far: Lab) -> None:
    root = page.locator("html")
    near(page)
    page.evaluate("htmxRt.simulateLatency(150)")
    page.click("#get")
    expect(root).to_have_attribute("data-rt-latency", "mid")
    page.evaluate("htmxRt.simulateLatency(350)")
    page.click("#get")
    expect(root).to_have_attribute("data-rt-latency", "high")
    page.evaluate("htmxRt.simulateLatency(0)")
    near(page)


def test_slow_actions_without_optimism_are_listed_once(page: Page, far: Lab) -> None:
    lines: list[str] = []
    page.on("console", lambda message: lines.append(message.text))
    page.evaluate(
        "void htmxRt.rt.events.on('request:end', () => { document.title = Number(document.title) + 1 || 1; })"
    )
    page.evaluate("document.title = '0'; htmxRt.simulateLatency(310)")
    for n in range(7):
        page.click("#go")
        expect(page).to_have_title(str(n + 1))
    page.click("#fast")
    expect(page).to_have_title("8")
    listed = [line for line in lines if "not optimistic" in line]
    assert len(listed) == 1
    assert "POST /tasks/…/done" in listed[0]


def test_what_has_not_left_can_be_aborted(page: Page, far: Lab, errors: list[str]) -> None:
    page.evaluate("void htmxRt.rt.events.on('request:end', ({ outcome }) => { document.title = outcome; })")
    page.evaluate("void htmxRt.rt.events.on('request:start', ({ request }) => { window.request = request; })")
    page.evaluate("htmxRt.simulateLatency(60000)")
    page.click("#go")
    page.evaluate("window.request.abort()")
    expect(page).to_have_title("abort")
    errors.clear()  # htmx writes it to the console
