"""Toasts on their real ways to a person, and controls that need a connection."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from markupsafe import Markup
from playwright.sync_api import Page, expect
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from .conftest import Htmx
from .lab import Lab
from .people import Person, recorded, until

Start = Callable[..., tuple[Lab, str]]
Arrive = Callable[..., Person]

BODY = """<section id="news" {{ rt.stream("news") }}></section>
<button id="save" hx-post="/save" hx-swap="none" rt-requires-connection>Save</button>
<form method="post" action="/move"><button id="move">Move</button></form>
<form hx-post="/save" hx-swap="none"><input name="title"><button id="send" rt-requires-connection>Send</button></form>"""


def texts(page: Page) -> list[str]:
    return list(page.locator(".rt-toast [rt-toast-text]").all_inner_texts())


@pytest.fixture
def app(lab: Start) -> tuple[Lab, str]:
    app, address = lab()
    app.page("/", BODY)

    async def save(request: Request) -> Response:
        app.rt.toast("Saved", level="success")
        app.topic("news").toast("Somebody saved")  # others_only is what topics do
        return Response(status_code=204)

    async def move(request: Request) -> Response:
        app.rt.toast("Moved", level="success")
        return RedirectResponse("/", 303)

    app.post("/save", save)
    app.post("/move", move)
    return app, address


def test_a_toast_for_the_actor_and_one_for_the_others(app: tuple[Lab, str], person: Arrive, htmx: Htmx) -> None:
    lab, address = app
    ada = person(address, htmx)
    tab, same_person = ada.open(), ada.open()
    other = person(address, htmx).open()
    tab.locator("#save").click()
    expect(tab.locator(".rt-toast-success")).to_contain_text("Saved")
    for page in (same_person, other):
        expect(page.locator(".rt-toast")).to_contain_text("Somebody saved")
    lab.topic("news").toast("Processing…", key="job", timeout=0, others_only=False).result(5)
    expect(tab.locator(".rt-toast")).to_have_count(2)
    lab.topic("news").toast("Done", level="success", key="job", others_only=False).result(5)
    expect(tab.locator(".rt-toast").last).to_contain_text("Done")
    assert texts(tab) == ["Saved", "Done"]


@pytest.mark.parametrize("script", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_a_toast_survives_the_redirect_and_is_shown_once(
    app: tuple[Lab, str], person: Arrive, htmx: Htmx, script: bool
) -> None:
    _, address = app
    page = person(address, htmx, java_script_enabled=script).open(state="connected" if script else None)
    page.locator("#move").click()
    expect(page.locator(".rt-toast-success")).to_contain_text("Moved")
    assert texts(page) == ["Moved"]
    page.reload()
    expect(page.locator("#move")).to_be_visible()
    expect(page.locator(".rt-toast")).to_have_count(0)


def test_a_toast_over_a_boosted_redirect_is_shown_once(app: tuple[Lab, str], person: Arrive, htmx: Htmx) -> None:
    lab, address = app
    lab.page(
        "/boosted",
        '<div hx-boost:inherited="true" hx-boost="true"><form method="post" action="/move"><button>Move</button></form></div>',
    )
    page = person(address, htmx).open("/boosted", state=None)
    started = recorded(page, "started")
    page.get_by_role("button", name="Move").click()
    expect(page.locator("#save")).to_be_visible()
    expect(page.locator(".rt-toast-success")).to_contain_text("Moved")
    assert texts(page) == ["Moved"]
    assert recorded(page, "started") == started
    page.reload()
    expect(page.locator("#save")).to_be_visible()
    expect(page.locator(".rt-toast")).to_have_count(0)


def test_what_a_server_may_ask_of_a_page(app: tuple[Lab, str], person: Arrive, htmx: Htmx) -> None:
    lab, address = app
    lab.page("/elsewhere", "<h1>Elsewhere</h1>")
    page = person(address, htmx).open()
    page.evaluate("""() => {
      window.heard = [];
      document.addEventListener("stock", ({ target, detail }) => heard.push([target.id, detail]));
    }""")
    lab.topic("news").event("stock", {"left": 3}).result(5)
    lab.topic("news").append("#news", Markup('<p id="after">After it</p>')).result(5)
    expect(page.locator("#after")).to_be_attached()
    assert page.evaluate("heard") == [["news", {"left": 3}]]
    lab.topic("news").redirect("/elsewhere").result(5)
    expect(page.locator("h1")).to_have_text("Elsewhere")


def test_a_control_that_needs_a_connection_sends_nothing_without_one(
    app: tuple[Lab, str], person: Arrive, htmx: Htmx
) -> None:
    lab, address = app
    page = person(address, htmx).open()
    expect(page.locator("#news")).to_be_attached()
    page.evaluate("htmxRt.simulateDisconnect()")
    until(page, "disconnected")
    save, send, title = page.locator("#save"), page.locator("#send"), page.locator("[name=title]")
    for control in (save, send):
        expect(control).to_have_attribute("aria-disabled", "true")
        expect(control).to_have_accessible_description("Not available until the connection is back.")
    save.click(force=True)
    save.press("Enter")
    send.press("Space")
    title.fill("kept")
    title.press("Enter")
    expect(page.locator(".rt-toast")).to_contain_text("Not available until the connection is back.")
    expect(title).to_be_focused()
    page.evaluate("htmxRt.simulateDisconnect(false)")
    until(page, "connected")
    for control in (save, send):
        expect(control).not_to_have_attribute("aria-disabled", "true")
    title.press("Enter")
    expect(page.locator(".rt-toast-success")).to_contain_text("Saved")
    assert lab.count("/save") == 1
    expect(title).to_have_value("kept")
