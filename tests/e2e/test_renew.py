"""A page that has outlived something: the version of the app that rendered it, or the sign-in of whoever reads it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Request, expect
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, RedirectResponse, Response

from .conftest import Htmx
from .desk import Desk, add, bar, open_desk, sign_in, sign_out
from .lab import Lab
from .people import Person, recorded, until
from .presence_kit import lab_with, see

Start = Callable[..., tuple[Lab, str]]
Arrive = Callable[..., Person]

BODY = """<form id="form" hx-post="/save" hx-swap="none"><input name="title" aria-label="Title"></form>
<button id="ask" hx-get="/part" hx-target="#part">Ask</button><p id="part"></p>"""


def deployed(lab: Lab, *, live: bool = True) -> None:
    lab.page("/", BODY + ('<div {{ rt.stream("board:1") }}></div>' if live else ""))
    lab.get("/part", lambda request: "Part")


def deploy(lab: Lab, build: str, *, later: int = 60) -> None:
    """The app runs as another version, started so much later."""
    lab.rt.build, lab.rt.up = build, lab.rt.up + later


def reconnect(page: Page) -> None:
    page.evaluate("htmxRt.simulateDisconnect()")
    until(page, "disconnected")
    page.evaluate("htmxRt.simulateDisconnect(false)")
    until(page, "connected")


def hear_of_it(page: Page, act: Callable[[], object]) -> None:
    """Do what the page learns of another version by, and wait until the file that speaks of it is there."""
    with page.expect_response(lambda response: "htmx-rt-renew.mjs" in response.url) as fetched:
        act()
    page.evaluate("(address) => import(address)", fetched.value.url)


def test_a_new_version_is_offered_once_and_nothing_is_forced(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    deployed(app)
    page = person(address, htmx).open(clock=True)
    page.fill("[name=title]", "half a th")
    page.evaluate("window.before = true")
    reconnect(page)
    deploy(app, "two")
    hear_of_it(page, lambda: reconnect(page))
    toast = page.locator(".rt-toast", has_text="A new version is available.")
    expect(toast).to_have_count(0)  # not before it has settled
    page.clock.run_for(5_100)
    expect(toast).to_have_count(1)
    expect(toast.get_by_role("button", name="Refresh")).to_be_visible()
    reconnect(page)
    page.clock.run_for(60_000)
    expect(toast).to_have_count(1)
    assert page.evaluate("[window.before, document.querySelector('[name=title]').value]") == [True, "half a th"]
    toast.get_by_role("button", name="Dismiss").click()
    expect(toast).to_have_count(0)
    reconnect(page)
    page.clock.run_for(10_000)
    expect(toast).to_have_count(0)  # until the next one
    deploy(app, "three")
    reconnect(page)
    page.clock.run_for(5_100)
    expect(toast).to_have_count(1)


def test_refresh_brings_the_new_version_and_its_page_is_quiet(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    deployed(app)
    page = person(address, htmx).open(clock=True)
    app.rt.build = "two"
    app.rt.up += 60
    hear_of_it(page, lambda: reconnect(page))
    page.clock.run_for(5_100)
    app.rt.macros._build, app.rt.macros._up = app.rt.build, app.rt.up  # as its own pages say
    with page.expect_navigation():
        page.get_by_role("button", name="Refresh").click()
    until(page, "connected")
    reconnect(page)
    page.clock.run_for(60_000)
    expect(page.locator(".rt-toast")).to_have_count(0)


def test_a_page_without_a_stream_hears_of_it_by_an_answer(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab(identify=lambda request: None)
    deployed(app, live=False)
    page = person(address, htmx).open(state=None, clock=True)
    page.wait_for_load_state("networkidle")
    deploy(app, "two")
    hear_of_it(page, lambda: page.click("#ask"))
    page.clock.run_for(5_100)
    expect(page.locator(".rt-toast", has_text="A new version is available.")).to_have_count(1)


def test_an_older_worker_in_a_rolling_deploy_is_no_news(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    deployed(app)
    page = person(address, htmx).open(clock=True)
    deploy(app, "older", later=-60)
    hear_of_it(page, lambda: reconnect(page))
    page.clock.run_for(60_000)
    expect(page.locator(".rt-toast")).to_have_count(0)


def test_while_a_deploy_goes_back_and_forth_nothing_is_said(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    deployed(app)
    old, up = app.rt.build, app.rt.up
    page = person(address, htmx).open(clock=True)
    for time in range(3):
        app.rt.build, app.rt.up = "two", up + 60
        if time:
            reconnect(page)
        else:
            hear_of_it(page, lambda: reconnect(page))
        page.clock.run_for(3_000)
        app.rt.build, app.rt.up = old, up
        reconnect(page)
        page.clock.run_for(3_000)
    expect(page.locator(".rt-toast")).to_have_count(0)


# Signed out


def calls(page: Page) -> list[str]:
    """Collect what the page asks the kit for from now on."""
    found: list[str] = []

    def note(request: Request) -> None:
        if "/_rt/" in request.url and "/static/" not in request.url:
            found.append(request.url.rpartition("/")[2])

    page.on("request", note)
    return found


def test_signed_out_in_mid_page_is_said_once_and_asks_for_nothing_more(ada: Person, desk: Desk) -> None:
    page = open_desk(ada)
    page.get_by_label("Title").fill("half a th")
    asked = calls(page)
    sign_out(ada)
    until(page, "refused")
    banner = page.locator("#rt-banner")
    expect(banner).to_contain_text("You are signed out. Sign in again to go on; your unsaved work is kept.")
    expect(banner.get_by_role("button", name="Sign in and continue")).to_be_visible()
    page.wait_for_timeout(3_000)  # that nothing happens can only be waited for
    assert len(asked) <= 2, asked
    expect(page.get_by_label("Title")).to_have_value("half a th")
    assert page.evaluate("document.activeElement.name") == "title"  # the bar takes no focus


def test_sign_in_and_continue_keeps_text_and_queue_and_goes_on_by_itself(ada: Person, desk: Desk) -> None:
    desk.rt.macros._sign_in = "/as/ada?from={path}"
    page = open_desk(ada, "/?x=1")
    sign_out(ada)
    until(page, "refused")
    page.get_by_label("Title").fill("half a th")
    with ada.context.expect_page() as opened:
        page.get_by_role("button", name="Sign in and continue").click()
    other = opened.value
    asked = other.evaluate("performance.getEntriesByType('navigation')[0].name")
    until(other, "connected")
    # The page of before hears of it, whether it is looked at or not.
    until(page, "connected")
    expect(page.locator("#rt-banner")).to_be_hidden()
    expect(page.get_by_label("Title")).to_have_value("half a th")
    add(page, "and on")
    expect(page.locator("#notes li")).to_have_text("and on")
    assert desk.sent[-1].who == "ada"
    assert "/as/ada" in asked or other.url.endswith("/")


def test_what_waits_is_sent_for_its_person_only(ada: Person, desk: Desk) -> None:
    page = open_desk(ada)
    ada.context.set_offline(True)
    add(page, "ada's note")
    expect(bar(page)).to_contain_text("1 change waiting")
    sign_out(ada)
    sign_in(ada, "bob")
    ada.context.set_offline(False)
    until(page, "refused")
    expect(page.locator("#rt-banner")).to_contain_text("Signed in as somebody else.")
    expect(page.locator("#rt-banner").get_by_role("button", name="Sign in and continue")).to_be_hidden()
    assert desk.values() == []
    sign_in(ada, "ada")
    page.reload()
    until(page, "connected")
    expect(page.locator("#notes li")).to_have_text("ada's note")
    assert [sent.who for sent in desk.sent] == ["ada"]


def test_where_the_app_names_no_page_to_sign_in_on_this_one_is_opened(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()

    async def out(request: HttpRequest) -> Response:
        app.rt.sign_out()
        answer = RedirectResponse("/other", 303)
        answer.delete_cookie("who")
        return answer

    deployed(app)
    app.get("/out", out)
    app.get("/other", lambda request: HTMLResponse("<!doctype html><title>Other</title>"))
    ada = person(address, htmx, expected=(401,))
    ada.context.add_cookies([{"name": "who", "value": "ada", "url": address}])
    page = ada.open("/?tab=notes")
    ada.context.request.get(f"{address}/out")
    until(page, "refused")
    with ada.context.expect_page() as opened:
        page.get_by_role("button", name="Sign in and continue").click()
    opened.value.wait_for_url("**/?tab=notes")


@pytest.mark.parametrize("by", ["a link", "the bar"])
def test_the_bar_of_a_page_that_was_left_does_not_stay(ada: Person, desk: Desk, by: str) -> None:
    """After signing in again in the same tab there is nothing left of it."""
    page = open_desk(ada)
    sign_out(ada)
    until(page, "refused")
    sign_in(ada, "ada")
    if by == "a link":
        page.goto(f"{desk.address}/")
    else:
        page.locator("#rt-banner").get_by_role("button", name="Reload").click()
    until(page, "connected")
    expect(page.locator("#rt-banner")).to_be_hidden()


# Back


@pytest.mark.parametrize("by", ["nobody", "grace", "ada"])
def test_back_shows_nobody_what_was_made_for_somebody_else(lab: Start, person: Arrive, htmx: Htmx, by: str) -> None:
    """The browser keeps pages as they were left; the way back to one is no way around the sign-out."""
    app, address = lab()
    app.page("/", '<h1>Here</h1><a href="/away">Go</a>')
    app.page("/away", "<h1>Away</h1>")
    ada = person(address, htmx, expected=(401, 403))  # of the stream that was asked for before it went
    ada.context.add_cookies([{"name": "who", "value": "ada", "url": address}])
    page = ada.open(state=None)
    loaded = (
        "() => Object.getOwnPropertyDescriptor(window.htmxRt ?? {}, 'theme')?.get"  # and what comes after its start
    )
    page.wait_for_function(f"{loaded}?.call() && true")
    page.evaluate("addEventListener('pageshow', ({persisted}) => { sessionStorage.persisted = persisted; })")
    before = recorded(page, "started")
    ada.context.clear_cookies(name="who")
    if by != "nobody":
        ada.context.add_cookies([{"name": "who", "value": by, "url": address}])
    page.locator("a").click()
    expect(page.locator("h1")).to_have_text("Away")
    page.wait_for_function(f"{loaded}?.call() && true")
    page.go_back(wait_until="commit")
    expect(page.locator("h1")).to_have_text("Here")
    assert page.evaluate("sessionStorage.persisted") == "true", "the page was not in the cache"
    if by == "ada":
        assert recorded(page, "started") == before
    else:
        page.wait_for_function("(before) => recorded.started !== before", arg=before)
        expect(page.locator("h1")).to_be_visible()


def test_back_by_the_history_of_htmx_is_the_same_person_once(lab: Start, person: Arrive, htmx: Htmx) -> None:
    links = '<nav hx-boost:inherited="true" hx-boost="true"><a id="go" href="/away">Go</a></nav>'
    app, address = lab_with(lab, '<h1>Here</h1><div id="who">{{ rt.presence("doc") }}</div>' + links)
    app.page("/away", "<h1>Away</h1>" + links)
    pages = []
    for name in ("grace", "ada"):
        somebody = person(address, htmx)
        somebody.context.add_cookies([{"name": "who", "value": name, "url": address}])
        pages.append(somebody.open())
    grace, ada = pages
    see(grace, "Grace Lindqvist, active", "Ada Okafor, active")
    ada.locator("#go").click()
    expect(ada.locator("h1")).to_have_text("Away")
    see(grace, "Grace Lindqvist, active")
    ada.go_back(wait_until="commit")
    expect(ada.locator("h1")).to_have_text("Here")
    see(grace, "Grace Lindqvist, active", "Ada Okafor, active")
    see(ada, "Grace Lindqvist, active", "Ada Okafor, active")
