"""Fields that are checked while somebody types: when, what is asked, whose answer counts, and what a refused form says."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Browser, Page, expect
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, Response

from .lab import LAYOUT, Lab
from .test_pending import loaded

Start = Callable[..., tuple[Lab, str]]

FORM = """<form id="form" action="/signup" method="post" hx-post="/signup" hx-target="#out" rt-validate="/signup" novalidate>
<label>Name <input {{ rt.field("name", errors) }} value="{{ values.get("name", "") }}"></label>{{ rt.field_error("name", errors) }}
<label for="email">Email</label><input id="email" {{ rt.field("email", errors, hint="why") }} value="{{ values.get("email", "") }}">
<small id="why">To write to you.</small>{{ rt.field_error("email", errors) }}
<label>Again <input {{ rt.field("again", errors) }}></label>{{ rt.field_error("again", errors) }}
<fieldset><legend>Plan</legend><label><input type="radio" {{ rt.field("plan", errors) }} value="basic"> Basic</label>
<label><input type="radio" {{ rt.field("plan", errors) }} value="gold"> Gold</label></fieldset>{{ rt.field_error("plan", errors) }}
<label><input type="checkbox" {{ rt.field("terms", errors) }} value="yes"> Terms</label>{{ rt.field_error("terms", errors) }}
<label>Days <select multiple {{ rt.field("days", errors) }}><option>Mo</option><option>Tu</option><option>We</option></select></label>
{{ rt.field_error("days", errors) }}
<input type="file" name="photo" id="photo"><input type="hidden" name="csrf" value="token">
<div id="more"></div>{{ rt.field_error("", errors) }}<button id="go">Sign up</button></form><p id="out"></p>"""


class Signup:
    """A route that begins with `rt.validation`; the test may hold its checks back, or have them fail."""

    def __init__(self, lab: Lab, address: str) -> None:
        self.lab = lab
        self.address = address
        self.asked: list[tuple[list[str], dict[str, list[str]]]] = []
        self.done: list[dict[str, list[str]]] = []
        self.hold: Callable[[dict[str, list[str]]], threading.Event | None] = lambda form: None
        self.status = 0
        self.whole = ""
        lab.get("/", lambda request: self.page({}, {}))
        lab.post("/signup", self.post)

    def page(self, values: dict[str, str], errors: dict[str, str], status: int = 200) -> Response:
        html = self.lab.fill(LAYOUT % FORM, title="Sign up", htmx=self.lab.htmx, values=values, errors=errors)
        return HTMLResponse(html, status_code=status)

    def errors(self, form: dict[str, list[str]]) -> dict[str, str]:
        def first(name: str) -> str:
            return form.get(name, [""])[0]

        wrong = {
            "name": "Tell us your name." if not first("name").strip() else "",
            "email": "" if "@" in first("email") else "This is no <b>address</b>.",
            "again": "" if first("again") == first("email") else "The two differ.",
            "plan": "" if first("plan") == "basic" else "Gold is sold out.",
            "terms": "" if first("terms") else "Please agree.",
            "days": "" if len(form.get("days", [])) < 3 else "Two days at most.",
            "extra": "Too short." if "extra" in form and len(first("extra")) < 3 else "",
            "": self.whole,
        }
        return {name: text for name, text in wrong.items() if text}

    async def post(self, request: HttpRequest) -> Response:
        form = parse_qs((await request.body()).decode(), keep_blank_values=True)
        asked = request.headers.get("RT-Validate")
        if asked is not None:
            self.asked.append((asked.split(","), form))
            assert "idempotency-key" not in request.headers
            held = self.hold(form)
            if held is not None:
                await asyncio.to_thread(held.wait, 10)
            if self.status:
                return Response(status_code=self.status)
        errors = self.errors(form)
        answer = self.lab.rt.validation(request, errors)
        if answer is not None:
            assert isinstance(answer, Response)
            return answer
        if errors:
            return self.page({name: values[0] for name, values in form.items()}, errors, 422)
        self.done.append(form)
        return HTMLResponse("Welcome")


@pytest.fixture
def signup(page: Page, lab: Start, errors: list[str]) -> Signup:
    made = Signup(*lab(debug=True))
    page.goto(made.address)
    loaded(page)
    page.evaluate("""() => new Promise((done) => {
        const look = () => performance.getEntriesByType("resource").some(({ name }) => name.includes("htmx-rt-validate")) ? setTimeout(done, 50) : setTimeout(look, 20);
        look();
    })""")
    return made


def says(page: Page, name: str, text: str) -> None:
    """Wait until the field says so, in its place and to those who do not see it."""
    expect(page.locator(f'[rt-field-error="{name}"]')).to_have_text(text)
    field = page.locator(f'[name="{name}"]').first
    if text:
        expect(field).to_have_attribute("aria-invalid", "true")
    else:
        expect(field).not_to_have_attribute("aria-invalid", "true")


def checked(page: Page) -> Any:
    return page.expect_response(lambda response: "rt-validate" in response.request.headers)


def test_a_field_is_checked_after_a_pause_and_right_again_at_once(page: Page, signup: Signup) -> None:
    email = page.locator("#email")
    email.fill("ada")  # one change: keys come late where the machine is busy
    says(page, "email", "This is no <b>address</b>.")
    assert [names for names, _ in signup.asked] == [["email"]]
    expect(email).to_have_accessible_description("To write to you. This is no <b>address</b>.")
    expect(page.locator("#rt-live")).to_have_text("Email This is no <b>address</b>.")
    email.press("End")
    email.press_sequentially("@")
    says(page, "email", "")
    assert all(names == ["email"] for names, _ in signup.asked)
    for name in ("name", "plan", "terms"):
        says(page, name, "")
    assert signup.done == []


def test_what_was_put_right_before_it_was_its_turn_is_not_said(page: Page, signup: Signup) -> None:
    page.evaluate("""() => {
        window.said = [];
        const live = document.querySelector("#rt-live");
        new MutationObserver(() => live.textContent && said.push(live.textContent)).observe(live, { childList: true });
    }""")
    page.locator("#email").fill("ada")
    says(page, "email", "This is no <b>address</b>.")
    page.wait_for_function("said.length === 1")
    page.clock.install()  # the next may be said in three seconds
    page.get_by_label("Gold").check()
    says(page, "plan", "Gold is sold out.")
    page.get_by_label("Basic").check()
    says(page, "plan", "")
    page.get_by_label("Terms").check()
    page.get_by_label("Terms").uncheck()
    says(page, "terms", "Please agree.")
    page.clock.run_for(4_000)
    page.wait_for_function("said.length === 2")
    assert page.evaluate("said[1]") == "Terms Please agree."


def test_nothing_is_said_of_a_field_nobody_has_touched(page: Page, signup: Signup) -> None:
    page.locator("[name=name]").focus()
    page.locator("#email").focus()  # left without a key
    with checked(page):
        page.locator("#email").press_sequentially("a")
    says(page, "email", "This is no <b>address</b>.")
    says(page, "name", "")
    assert {name for names, _ in signup.asked for name in names} == {"email"}


def test_leaving_a_field_asks_at_once_and_only_once(page: Page, signup: Signup) -> None:
    page.clock.install()
    page.locator("[name=name]").fill(" ")
    with checked(page):
        page.locator("#email").focus()
        page.clock.run_for(1)
    says(page, "name", "Tell us your name.")
    page.locator("[name=again]").focus()
    page.clock.run_for(2_000)
    assert len(signup.asked) == 1


def test_all_that_was_touched_goes_in_one_request_and_no_file(page: Page, signup: Signup) -> None:
    page.locator("#photo").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"secret"})
    page.locator("#email").fill("ada@example.org")
    with page.expect_response(lambda one: "again" in one.request.headers.get("rt-validate", "")) as response:
        page.locator("[name=again]").fill("ada@example.or")
        page.locator("[name=again]").blur()
    names, form = signup.asked[-1]
    assert names == ["email", "again"]
    assert form["csrf"] == ["token"]
    assert "photo" not in form
    assert response.value.request.headers["content-type"].startswith("application/x-www-form-urlencoded")
    says(page, "again", "The two differ.")
    page.locator("#email").fill("ada@example.or")
    says(page, "again", "")  # one field has put another one right


def test_an_answer_that_was_overtaken_says_nothing(page: Page, signup: Signup) -> None:
    late = threading.Event()
    signup.hold = lambda form: late if form["email"] == ["ada"] else None
    with page.expect_request(lambda request: "rt-validate" in request.headers):
        page.locator("#email").fill("ada")
    with checked(page):
        page.locator("#email").fill("ada@example.org")
    late.set()
    says(page, "email", "")
    assert [form["email"][0] for _, form in signup.asked] == ["ada", "ada@example.org"]


def test_what_is_typed_while_the_answer_is_on_its_way_is_left_alone(page: Page, signup: Signup) -> None:
    late = threading.Event()
    signup.hold = lambda form: late if form["email"] == ["ada"] else None
    page.clock.install()
    with page.expect_request(lambda request: "rt-validate" in request.headers):
        page.locator("#email").fill("ada")
        page.clock.run_for(400)
    page.locator("#email").press_sequentially("@")  # its own pause has not ended
    with checked(page):
        late.set()
    says(page, "email", "")
    with checked(page):
        page.clock.run_for(400)
    says(page, "email", "")


def note_checks(page: Page) -> None:
    """Keep in `sent` when the page asked."""
    page.evaluate("""() => {
        window.sent = [];
        const { fetch } = window;
        window.fetch = (...all) => (sent.push(Date.now()), fetch(...all));
    }""")


def test_a_field_in_error_does_not_wait_for_a_pause(page: Page, signup: Signup) -> None:
    page.locator("#email").fill("a")
    says(page, "email", "This is no <b>address</b>.")
    note_checks(page)
    typed = page.evaluate("""() => new Promise((ask) => {
        const field = document.querySelector("#email");
        setTimeout(() => {
            field.value = "a@b";
            field.dispatchEvent(new InputEvent("input", { bubbles: true }));
            ask(Date.now());
        }, 300);
    })""")
    says(page, "email", "")
    assert page.evaluate("sent[0]") - typed < 250


def test_at_most_four_are_asked_in_a_second(page: Page, signup: Signup) -> None:
    page.locator("#email").fill("a")
    says(page, "email", "This is no <b>address</b>.")
    note_checks(page)
    page.locator("#email").press_sequentially("b" * 60, delay=20)  # at once, as it is wrong
    says(page, "email", "This is no <b>address</b>.")
    sent = page.evaluate("sent")
    assert len(sent) >= 3
    assert min(after - before for before, after in itertools.pairwise(sent)) >= 245


def test_nothing_is_asked_while_an_input_method_composes(page: Page, signup: Signup) -> None:
    page.clock.install()
    note_checks(page)
    page.locator("#email").focus()
    page.evaluate("""() => {
        const field = document.querySelector("#email");
        field.dispatchEvent(new CompositionEvent("compositionstart", { bubbles: true }));
        field.value = "か";
        field.dispatchEvent(new InputEvent("input", { bubbles: true, isComposing: true }));
    }""")
    page.clock.run_for(2_000)
    assert page.evaluate("sent") == []
    with checked(page):
        page.evaluate(
            """() => document.querySelector("#email").dispatchEvent(new CompositionEvent("compositionend", { bubbles: true }))"""
        )
        page.clock.run_for(400)
    says(page, "email", "This is no <b>address</b>.")


def test_radio_buttons_boxes_and_lists_are_fields_too(page: Page, signup: Signup) -> None:
    page.get_by_label("Gold").check()
    says(page, "plan", "Gold is sold out.")
    expect(page.locator("#rt-live")).to_have_text("Plan Gold is sold out.")
    page.get_by_label("Basic").check()
    says(page, "plan", "")
    page.get_by_label("Terms").check()
    page.get_by_label("Terms").uncheck()
    says(page, "terms", "Please agree.")
    page.get_by_label("Days").select_option(["Mo", "Tu", "We"])
    says(page, "days", "Two days at most.")
    assert signup.asked[-1][1]["days"] == ["Mo", "Tu", "We"]
    page.get_by_label("Days").select_option(["Mo"])
    says(page, "days", "")


def test_fields_that_came_later_are_checked(page: Page, signup: Signup) -> None:
    signup.lab.get(
        "/more",
        lambda request: signup.lab.fill(
            '<input {{ rt.field("extra") }} aria-label="Extra">{{ rt.field_error("extra") }}'
        ),
    )
    page.evaluate("htmx.ajax('GET', '/more', '#more')")
    page.get_by_label("Extra").press_sequentially("a")
    says(page, "extra", "Too short.")
    page.get_by_label("Extra").press_sequentially("bc")
    says(page, "extra", "")


def test_a_check_that_fails_is_silent_and_stops_nobody(page: Page, signup: Signup, errors: list[str]) -> None:
    signup.status = 500
    with checked(page):
        page.locator("#email").fill("ada")
        page.locator("#email").blur()
    says(page, "email", "")
    page.context.set_offline(True)
    page.locator("[name=name]").fill("Ada")
    page.locator("[name=name]").blur()
    page.context.set_offline(False)
    expect(page.locator(".rt-toast:visible")).to_have_count(0)
    fill(page)
    page.locator("#go").click()
    expect(page.locator("#out")).to_have_text("Welcome")
    errors[:] = [error for error in errors if "status of 500" not in error and "ERR_" not in error]


def fill(page: Page) -> None:
    page.locator("[name=name]").fill("Ada")
    page.locator("#email").fill("ada@example.org")
    page.locator("[name=again]").fill("ada@example.org")
    page.get_by_label("Basic").check()
    page.get_by_label("Terms").check()


def refused(errors: list[str]) -> None:
    """The browser says so itself."""
    errors[:] = [error for error in errors if "status of 422" not in error]


# Sending


def test_a_refused_form_says_everything_at_once_and_keeps_what_was_typed(
    page: Page, signup: Signup, errors: list[str]
) -> None:
    page.get_by_label("Days").select_option(["Mo"])
    page.locator("[name=again]").fill("x@y")
    page.locator("#go").click()
    says(page, "email", "This is no <b>address</b>.")
    says(page, "name", "Tell us your name.")
    says(page, "again", "The two differ.")
    says(page, "plan", "Gold is sold out.")
    says(page, "days", "")
    expect(page.locator("[name=name]")).to_be_focused()
    expect(page.locator("#rt-live")).to_contain_text("5 fields need attention")
    expect(page.locator("[name=again]")).to_have_value("x@y")
    expect(page.get_by_label("Days")).to_have_values(["Mo"])
    expect(page.locator("#out")).to_have_text("")
    expect(page.locator(".rt-toast:visible, .rt-failure")).to_have_count(0)
    page.locator("[name=name]").press_sequentially("A")
    says(page, "name", "")  # right at once
    says(page, "plan", "Gold is sold out.")
    fill(page)
    for name in ("name", "email", "again", "plan", "terms"):
        says(page, name, "")
    page.locator("#go").click()
    expect(page.locator("#out")).to_have_text("Welcome")
    assert len(signup.done) == 1
    refused(errors)


def test_sending_ends_a_check(page: Page, signup: Signup) -> None:
    late = threading.Event()
    signup.hold = lambda form: late
    fill(page)
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.headers.get("rt-validate", "")))
    with page.expect_request(lambda request: "rt-validate" in request.headers):
        page.locator("[name=name]").fill("Ada L.")
    page.locator("#go").click()
    expect(page.locator("#out")).to_have_text("Welcome")
    late.set()
    assert failed
    assert len(signup.done) == 1


def test_what_no_field_takes_stands_at_the_form(page: Page, signup: Signup, errors: list[str]) -> None:
    signup.whole = "This address was here yesterday."
    fill(page)
    page.locator("#go").click()
    expect(page.locator('[rt-field-error=""]')).to_have_text("This address was here yesterday.")
    signup.whole = ""
    page.locator("#go").click()
    expect(page.locator("#out")).to_have_text("Welcome")
    expect(page.locator('[rt-field-error=""]')).to_have_text("")
    page.locator('[rt-field-error=""]').evaluate("el => el.remove()")
    signup.whole = "And today."
    page.locator("#go").click()
    expect(page.locator(".rt-failure")).to_contain_text("And today.")
    refused(errors)


def test_a_form_that_is_out_of_date_is_no_field_error(page: Page, signup: Signup, errors: list[str]) -> None:
    async def stale(request: HttpRequest) -> Response:
        body = json.dumps({"title": "Conflict", "detail": "Somebody was faster.", "errors": {"email": ["No."]}})
        return Response(body, 409, {"RT-Problem": "stale", "Content-Type": "application/problem+json"})

    signup.lab.post("/signup", stale)
    page.locator("#go").click()
    expect(page.locator(".rt-failure")).to_contain_text("Somebody was faster.")
    says(page, "email", "")
    errors[:] = [error for error in errors if "409" not in error]


def test_a_form_that_was_taken_in_begins_anew(page: Page, signup: Signup) -> None:
    fill(page)
    page.locator("#email").fill("nobody")
    says(page, "email", "This is no <b>address</b>.")
    late = threading.Event()
    signup.hold = lambda form: late  # the check that would take it away does not come back
    fill(page)
    page.locator("#go").click()
    expect(page.locator("#out")).to_have_text("Welcome")
    late.set()
    says(page, "email", "")
    signup.hold = lambda form: None
    signup.asked.clear()
    page.locator("[name=name]").fill("")
    says(page, "name", "Tell us your name.")
    assert [names for names, _ in signup.asked] == [["name"]]


def test_nothing_jumps_when_an_error_comes(page: Page, signup: Signup) -> None:
    before = page.locator("#go").bounding_box()
    page.locator("#email").fill("a")
    says(page, "email", "This is no <b>address</b>.")
    assert page.locator("#go").bounding_box() == before


def test_a_reset_takes_everything_back(page: Page, signup: Signup) -> None:
    page.locator("#email").fill("a")
    says(page, "email", "This is no <b>address</b>.")
    page.evaluate("document.querySelector('#form').reset()")
    says(page, "email", "")


def test_another_site_is_never_asked(page: Page, signup: Signup, errors: list[str]) -> None:
    page.evaluate("document.querySelector('#form').setAttribute('rt-validate', 'https://elsewhere.example/x')")
    page.locator("#email").fill("a")
    page.locator("#email").blur()
    while not errors:
        page.evaluate("1")
    assert signup.asked == []
    assert "no address of this site" in errors.pop()
    errors.clear()


def test_without_javascript_the_page_comes_back_with_its_errors(browser: Browser, lab: Start) -> None:
    made = Signup(*lab())
    with closing(browser.new_context(java_script_enabled=False)) as context:
        page = context.new_page()
        page.goto(made.address)
        page.locator("#email").fill("ada")
        page.locator("#go").click()
        says(page, "email", "This is no <b>address</b>.")
        says(page, "name", "Tell us your name.")
        expect(page.locator("#email")).to_have_value("ada")
        fill(page)
        page.locator("#go").click()
        expect(page.locator("body")).to_have_text("Welcome")


def test_a_page_that_came_back_with_errors_shows_the_first(page: Page, signup: Signup, errors: list[str]) -> None:
    page.evaluate("document.querySelector('#form').removeAttribute('hx-post')")
    page.goto(signup.address)
    page.evaluate(
        """() => { const form = document.querySelector("#form"); HTMLFormElement.prototype.submit.call(form); }"""
    )
    says(page, "name", "Tell us your name.")
    expect(page.locator("[name=name]")).to_be_focused()
    page.locator("[name=name]").press_sequentially("A")
    says(page, "name", "")
    refused(errors)
