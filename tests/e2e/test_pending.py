"""What a person sees while a request of theirs is on its way, and that it always ends."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from markupsafe import Markup
from playwright.sync_api import Page, expect
from starlette.requests import Request
from starlette.responses import Response

from .lab import Gate, Lab

Start = Callable[..., tuple[Lab, str]]

BUTTON = '<button id="go" hx-post="/act" hx-swap="none" rt-disable-with="Saving…">Save</button>'
ICON = """<button id="go" hx-post="/act" hx-swap="none" rt-disable-with="Saving…" class="primary">
  <svg width="8" height="8"><title>Disk</title></svg> Save <b>all</b>
</button>"""
FORM = """<form id="form" hx-post="/act" hx-swap="none"><input id="title" name="title" value="x">
<button id="save" name="how" value="save" rt-disable-with="Saving…">Save</button>
<button id="send" name="how" value="send" rt-disable-with="Sending…">Send</button></form>
<p id="near" rt-loading-for="#form"><span class="rt-idle">Ready</span><span class="rt-busy">Working</span></p>"""
SELECT = """<select id="choice" name="choice" hx-post="/act" hx-swap="none"><option>a<option>b</select>"""


def opened(page: Page, lab: Lab, base: str, body: str) -> Gate:
    """Show a page whose actions wait at a gate."""
    gate = Gate()

    async def act(request: Request) -> Response:
        await gate.wait()
        return Response(status_code=204)

    lab.post("/act", act)
    lab.page("/", body)
    page.goto(base)
    loaded(page)
    return gate


def loaded(page: Page) -> None:
    """Wait for all that the page loads after its start."""
    while not page.evaluate("!!window.htmxRt?.rt?.bridge.again"):
        pass


def idle(page: Page, selector: str) -> None:
    expect(page.locator(selector)).not_to_have_attribute("aria-busy", "true")


def markup(page: Page, selector: str) -> str:
    return page.locator(selector).evaluate("el => el.outerHTML.replace(/ data-htmx-powered=\"true\"/, '')")


def test_a_button_says_so_at_once_and_is_then_exactly_as_before(page: Page, lab: Start) -> None:
    made, base = lab(debug=True)
    gate = opened(page, made, base, ICON)
    before = markup(page, "#go")
    state = page.evaluate("""() => { go.focus(); go.click();
      return new Promise((seen) => queueMicrotask(() => setTimeout(() => seen([go.className.replace(/ ?htmx-request/, ""), go.getAttribute("aria-busy"),
        go.getAttribute("aria-disabled"), go.disabled, go.innerText.trim(), !!go.querySelector("svg title"), document.activeElement === go])))) }""")
    assert state == ["primary rt-loading rt-click-loading", "true", "true", False, "Saving…", True, True]
    gate.open()
    expect(page.locator("#go")).to_have_class("primary")
    assert markup(page, "#go") == before


def test_no_class_and_no_attribute_is_left_behind(page: Page, lab: Start) -> None:
    made, base = lab(debug=True)
    gate = opened(page, made, base, BUTTON)
    page.click("#go")
    gate.reached()
    gate.open()
    expect(page.locator("#go")).to_have_class("")
    assert page.locator("#go").evaluate(
        "el => el.getAttributeNames().sort().filter(n => !/powered|class/.test(n))"
    ) == [
        "hx-post",
        "hx-swap",
        "id",
        "rt-disable-with",
    ]
    assert page.locator("#go").evaluate("el => el.className") == ""


def test_a_second_press_while_in_flight_is_ignored(page: Page, lab: Start) -> None:
    made, base = lab(debug=True)
    gate = opened(page, made, base, BUTTON)
    page.click("#go")
    gate.reached()
    page.locator("#go").dispatch_event("click")
    page.locator("#go").press("Enter")
    gate.open()
    idle(page, "#go")
    page.evaluate("fetch('/favicon.ico')")  # what had been queued would have left before it
    assert made.count("/act") == 1


@pytest.mark.parametrize("where", ["form", "button"])
def test_confirm_first_lets_one_press_through(page: Page, lab: Start, where: str) -> None:
    made, base = lab(debug=True)
    form = '<form id="form" hx-post="/act" hx-swap="none" FORM><input id="title" name="title"><button id="pay" BUTTON>Pay</button></form>'
    body = form.replace("FORM", "rt-confirm-first" * (where == "form")).replace(
        "BUTTON", "rt-confirm-first" * (where == "button")
    )
    gate = opened(page, made, base, body)
    page.click("#pay")
    gate.reached()
    page.locator("#pay").dispatch_event("click")
    page.press("#title", "Enter")
    page.fill("#title", "typing goes on")
    gate.open()
    idle(page, "#form")
    page.evaluate("fetch('/favicon.ico')")
    assert made.count("/act") == 1


def test_a_form_says_which_button_works_and_others_take_part(page: Page, lab: Start) -> None:
    made, base = lab(debug=True)
    gate = opened(page, made, base, FORM)
    near = page.locator("#near")
    expect(near.locator(".rt-busy")).to_be_hidden()
    page.click("#send")
    gate.reached()
    expect(page.locator("#form")).to_have_class(re.compile(r"(?=.*\brt-loading\b)(?=.*\brt-submit-loading\b)"))
    expect(page.locator("#send")).to_have_text("Sending…")
    expect(page.locator("#save")).to_have_text("Save")
    expect(page.locator("#save")).to_have_attribute("aria-disabled", "true")
    expect(near.locator(".rt-busy")).to_be_visible()
    expect(near.locator(".rt-idle")).to_be_hidden()
    gate.open()
    expect(page.locator("#send")).to_have_text("Send")
    expect(near.locator(".rt-idle")).to_be_visible()
    expect(page.locator("#save")).not_to_have_attribute("aria-disabled", "true")


def test_a_list_shows_a_change(page: Page, lab: Start) -> None:
    made, base = lab(debug=True)
    gate = opened(page, made, base, SELECT)
    page.select_option("#choice", "b")
    gate.reached()
    assert page.locator("#choice").evaluate(
        "el => [...el.classList].filter(n => n.startsWith('rt-') && n !== 'rt-spinning')"
    ) == [
        "rt-loading",
        "rt-change-loading",
    ]
    gate.open()
    idle(page, "#choice")


def test_what_nobody_asked_for_does_not_fade(page: Page, lab: Start) -> None:
    made, base = lab(debug=True)
    gate = opened(page, made, base, '<div id="feed" hx-get="/feed" hx-trigger="refresh from:body">old</div>')

    async def feed(request: Request) -> str:
        await gate.wait()
        return "new"

    made.get("/feed", feed)
    page.evaluate("document.body.dispatchEvent(new Event('refresh'))")
    gate.reached()
    assert "rt-loading" not in page.locator("#feed").evaluate("el => el.className")
    gate.open()
    expect(page.locator("#feed")).to_have_text("new")


def test_a_push_over_the_element_keeps_it_loading_and_the_label_of_the_server(page: Page, lab: Start) -> None:
    made, base = lab(debug=True)
    row = '<li id="row" {}><button id="go" hx-post="/act" hx-swap="none" rt-disable-with="Saving…">{}</button></li>'
    gate = opened(page, made, base, '<ul id="list" {{ rt.stream("list") }}>' + row.format("", "Save") + "</ul>")
    expect(page.locator("html")).to_have_attribute("data-rt", "connected")
    page.click("#go")
    gate.reached()
    made.topic("list").replace("#row", Markup(row.format("title=new", "Save now"))).result(5)
    expect(page.locator("#row")).to_have_attribute("title", "new")
    expect(page.locator("#go")).to_have_text("Saving…")
    expect(page.locator("#go")).to_have_attribute("aria-disabled", "true")
    assert page.locator("#go").evaluate("el => el.classList.contains('rt-loading')")
    gate.open()
    expect(page.locator("#go")).to_have_text("Save now")
    expect(page.locator("#go")).not_to_have_attribute("aria-busy", "true")


def test_a_spinner_comes_late_and_stays_long_enough(page: Page, lab: Start) -> None:
    made, base = lab(debug=True)
    page.clock.install()
    gate = opened(page, made, base, BUTTON.replace("Save<", 'Save <span class="rt-spinner"></span><'))
    page.clock.pause_at("2100-01-01")
    spinner = page.locator(".rt-spinner")
    page.click("#go")
    gate.reached()
    page.clock.run_for(150)
    expect(spinner).not_to_be_visible()
    page.clock.run_for(60)
    expect(spinner).to_be_visible()
    gate.open()
    page.clock.run_for(50)
    expect(page.locator("#go")).to_contain_text("Save")
    expect(page.locator("#go")).not_to_have_attribute("aria-busy", "true")
    expect(spinner).to_be_visible()
    page.clock.run_for(300)
    expect(spinner).not_to_be_visible()


PAIR = """<p><button id="go" hx-post="/act" hx-swap="none"><span class="rt-label"><span class="rt-idle">{}</span>
<span class="rt-busy"><span class="rt-spinner"></span> {}</span></span></button> <i id="next">next</i></p>"""


def places(page: Page) -> list[float]:
    """Where the button ends and what follows it begins, and how high its line is."""
    return page.evaluate(
        "[go.getBoundingClientRect().right, next.getBoundingClientRect().left, go.closest('p').offsetHeight]"
    )


@pytest.mark.parametrize(("idle", "busy"), [("Save", "Saving all of it…"), ("Save all of it", "Saving…")])
def test_a_button_with_both_labels_is_as_wide_at_all_times(page: Page, lab: Start, idle: str, busy: str) -> None:
    made, base = lab(debug=True)
    page.clock.install()
    gate = opened(page, made, base, PAIR.format(idle, busy))
    page.clock.pause_at("2100-01-01")
    before = places(page)
    button = page.locator("#go")
    expect(button).to_have_accessible_name(idle)
    sizes = "[...go.querySelectorAll('.rt-label, .rt-idle, .rt-busy')].map((el) => [el.offsetWidth, el.offsetHeight])"
    label, *both = page.evaluate(sizes)
    assert label == [max(width for width, _ in both), max(height for _, height in both)]
    page.click("#go")
    gate.reached()
    expect(button.locator(".rt-busy")).to_be_visible()
    expect(button.locator(".rt-idle")).to_be_hidden()
    expect(button.locator(".rt-spinner")).to_be_hidden()
    assert places(page) == before
    page.clock.run_for(210)
    expect(button.locator(".rt-spinner")).to_be_visible()
    expect(button).to_have_accessible_name(busy)
    assert places(page) == before
    gate.open()
    idle_again = button.locator(".rt-idle")
    expect(button).not_to_have_attribute("aria-busy", "true")
    expect(button.locator(".rt-spinner")).to_be_visible()  # for 300 ms
    assert places(page) == before
    page.clock.run_for(310)
    expect(idle_again).to_be_visible()
    expect(button.locator(".rt-busy")).to_be_hidden()
    assert places(page) == before


def test_a_button_that_its_own_answer_replaces_is_held_by_no_attribute(page: Page, lab: Start) -> None:
    """htmx lends a successor the attributes of what it replaces, and a strict policy refuses a style among them."""
    made, base = lab(debug=True)
    form = '<form id="form" hx-post="/act" hx-target="this" hx-swap="outerHTML"><button id="go" rt-disable-with="…">Save all of it{}</button></form>'
    gate = Gate()

    async def act(request: Request) -> str:
        await gate.wait()
        return form.format(" again")

    made.post("/act", act)
    made.page("/", form.format(""))
    page.goto(base)
    loaded(page)
    before = page.evaluate("go.getBoundingClientRect().width")
    page.click("#go")
    gate.reached()
    expect(page.locator("#go")).to_have_text("…")
    assert page.evaluate("go.getBoundingClientRect().width") == before
    assert page.evaluate("go.getAttribute('style')") is None
    gate.open()
    expect(page.locator("#go")).to_have_text("Save all of it again")
    assert page.evaluate("go.getAnimations().length") == 0
    # What the policy refuses is logged as an error, which fails the test at its end.


def test_fewer_words_do_not_make_a_button_narrower(page: Page, lab: Start) -> None:
    made, base = lab(debug=True)
    row = (
        '<li id="row" {}><button id="go" hx-post="/act" hx-swap="none" rt-disable-with="…">Save all of it</button></li>'
    )
    gate = opened(page, made, base, '<ul id="list" {{ rt.stream("list") }}>' + row.format("") + "</ul>")
    expect(page.locator("html")).to_have_attribute("data-rt", "connected")
    width = "go.getBoundingClientRect().width"
    before = page.evaluate(width)
    page.click("#go")
    gate.reached()
    expect(page.locator("#go")).to_have_text("…")
    assert page.evaluate(width) == before
    made.topic("list").replace("#row", Markup(row.format("title=new"))).result(5)
    expect(page.locator("#row")).to_have_attribute("title", "new")
    assert page.evaluate(width) == before
    gate.open()
    expect(page.locator("#go")).to_have_text("Save all of it")
    assert page.evaluate("go.getAnimations().length") == 0
    assert page.evaluate(width) == before


def test_a_spinner_alone_takes_no_room_when_it_comes(page: Page, lab: Start) -> None:
    made, base = lab(debug=True)
    page.clock.install()
    small = '<p><select id="go" name="go" hx-get="/act" hx-target="next output"><option>a<option>b</select> <span class="rt-spinner" rt-loading-for="#go" aria-hidden="true"></span> <output id="next">1</output></p>'
    opened(page, made, base, small)
    gate = Gate()

    async def act(request: Request) -> str:
        await gate.wait()
        return "2"

    made.get("/act", act)
    page.clock.pause_at("2100-01-01")
    before, spinner = places(page), page.locator(".rt-spinner")
    page.select_option("#go", "b")
    gate.reached()
    page.clock.run_for(190)
    expect(spinner).to_be_hidden()
    page.clock.run_for(20)
    expect(spinner).to_be_visible()
    assert places(page) == before
    gate.open()
    expect(page.locator("output")).to_have_text("2")
    expect(spinner).to_be_visible()
    page.clock.run_for(310)
    expect(spinner).to_be_hidden()
    assert places(page) == before


def test_no_pending_state_without_an_end(page: Page, lab: Start, errors: list[str]) -> None:
    made, base = lab(debug=True)
    opened(page, made, base, BUTTON.replace("hx-post", 'rt-timeout="50ms" hx-post'))
    page.click("#go")
    expect(page.locator("#rt-toasts")).to_contain_text("The server took too long to answer.")
    expect(page.locator("#go")).to_have_text("Save")
    expect(page.locator("#go")).not_to_have_attribute("aria-disabled", "true")
    errors.clear()  # htmx writes it to the console
