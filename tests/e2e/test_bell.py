"""The bell: counts, the panel, reading here and on other pages, keyboard, failure, and pages without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing

import pytest
from playwright.sync_api import Browser, Locator, Page, Request, Route, expect

from .conftest import Htmx
from .lab import Lab
from .people import Person

Start = Callable[..., tuple[Lab, str]]
Arrive = Callable[..., Person]

BODY = """<header><a id="before" href="/">Home</a>{{ rt.bell() }}<a id="after" href="/other">Other</a></header>
<p id="text">Words</p><button id="act">Act</button>"""


@pytest.fixture
def app(lab: Start) -> tuple[Lab, str]:
    made, address = lab()
    made.page("/", BODY)
    made.page("/tasks/7", "<h1>Task 7</h1>{{ rt.bell() }}")
    made.page("/given", "{{ rt.bell(notes) }}", notes=lambda: made.rt.notifications.find("ada"))
    return made, address


@pytest.fixture
def ada(person: Arrive, app: tuple[Lab, str], htmx: Htmx) -> Person:
    arrived = person(app[1], htmx, expected=(503, "net::ERR_FAILED"))
    arrived.context.add_cookies([{"name": "who", "value": "ada", "url": app[1]}])
    return arrived


def send(lab: Lab, text: str, *, to: str = "ada", href: str | None = None, key: str | None = None) -> str:
    return lab.rt.notifications.send(to, text, href=href, key=key).result(5).id


def unread(lab: Lab) -> int:
    return lab.rt.notifications.unread("ada").result(5)


def counts(page: Page, count: int) -> None:
    badge = page.locator("#rt-badge-bell")
    expect(badge).to_have_attribute("rt-badge", str(count))
    if count:
        expect(badge).to_be_visible()
        expect(badge.locator("[aria-hidden]")).to_have_text("9+" if count > 9 else str(count))
        expect(badge.locator(".rt-visually-hidden")).to_have_text(f"{count} unread")
    else:
        expect(badge).to_be_hidden()


def bell(page: Page) -> Locator:
    return page.locator(".rt-bell-button")


def panel(page: Page) -> Locator:
    return page.locator(".rt-bell-panel")


def notes(page: Page) -> Locator:
    return page.locator(".rt-bell-text")


def test_the_count_is_there_and_follows(ada: Person, app: tuple[Lab, str]) -> None:
    lab, _ = app
    for n in range(2):
        send(lab, f"Before {n}")
    page = ada.open()
    counts(page, 2)
    for n in range(8):
        send(lab, f"Later {n}")
    counts(page, 10)
    bell(page).click()
    expect(notes(page)).to_have_count(10)
    expect(notes(page).first).to_have_text("Later 7")
    expect(page.locator(".rt-bell-state")).to_have_text(["New"] * 10)


def test_what_comes_is_said_and_shows_in_an_open_panel(ada: Person, app: tuple[Lab, str]) -> None:
    lab, _ = app
    page = ada.open()
    bell(page).click()
    expect(panel(page)).to_contain_text("You have no notifications.")
    send(lab, "Grace mentioned <b>you</b>", href="/tasks/7")
    expect(notes(page)).to_have_text(["Grace mentioned <b>you</b>"])
    expect(page.locator("#rt-live")).to_have_text("New notification: Grace mentioned <b>you</b>")
    expect(page.locator(".rt-bell-item time")).to_have_text(re.compile("now|sec"))
    counts(page, 1)


def test_opening_one_reads_it_here_and_on_every_page(
    ada: Person, app: tuple[Lab, str], person: Arrive, htmx: Htmx
) -> None:
    lab, address = app
    send(lab, "Look at this", href="/tasks/7")
    send(lab, "And at that", href="/other")
    phone = person(address, htmx)
    phone.context.add_cookies([{"name": "who", "value": "ada", "url": address}])
    here, there, elsewhere = ada.open(), ada.open(), phone.open()
    for page in (here, there, elsewhere):
        counts(page, 2)
    bell(there).click()
    expect(there.locator(".rt-bell-unread")).to_have_count(2)
    bell(here).click()
    here.locator(".rt-bell-note", has_text="Look at this").click()
    expect(here.locator("h1")).to_have_text("Task 7")
    for page in (here, there, elsewhere):
        counts(page, 1)
    expect(there.locator(".rt-bell-unread .rt-bell-text")).to_have_text(["And at that"])
    bell(elsewhere).click()
    expect(elsewhere.locator(".rt-bell-unread .rt-bell-text")).to_have_text(["And at that"])
    assert unread(lab) == 1


def test_all_are_read_at_once_but_none_that_nobody_has_seen(ada: Person, app: tuple[Lab, str]) -> None:
    lab, _ = app
    send(lab, "One")
    send(lab, "Two")
    page = ada.open()
    bell(page).click()
    expect(notes(page)).to_have_count(2)

    def late(route: Route) -> None:
        if route.request.method == "POST":  # it came while the button was pressed
            send(lab, "Unseen")
        route.continue_()

    page.route("**/_rt/notifications*", late)
    page.get_by_role("button", name="Mark all as read").press("Enter")
    counts(page, 1)
    expect(page.locator(".rt-bell-unread .rt-bell-text")).to_have_text(["Unseen"])
    assert page.evaluate("document.querySelector('.rt-bell').contains(document.activeElement)")
    assert unread(lab) == 1


def test_one_that_leads_nowhere_is_read_where_it_stands(ada: Person, app: tuple[Lab, str]) -> None:
    lab, _ = app
    name = send(lab, "Your import is done")
    page = ada.open()
    bell(page).click()
    button = page.get_by_role("button", name="Your import is done")
    expect(button).to_have_accessible_description("Mark as read")
    button.press("Enter")
    counts(page, 0)
    expect(page.locator(f"#rt-note-{name}")).to_be_focused()
    expect(page.get_by_role("button", name="Your import is done")).to_have_count(0)
    expect(notes(page)).to_have_text(["Your import is done"])
    assert unread(lab) == 0


def test_one_with_a_key_changes_in_place(ada: Person, app: tuple[Lab, str]) -> None:
    lab, _ = app
    page = ada.open()
    bell(page).click()
    send(lab, "3 comments", key="comments:7")
    send(lab, "Something else")
    expect(notes(page)).to_have_text(["Something else", "3 comments"])
    page.get_by_role("button", name="Mark all as read").click()
    counts(page, 0)
    send(lab, "4 comments", key="comments:7")
    expect(notes(page)).to_have_text(["4 comments", "Something else"])
    counts(page, 1)


def test_twenty_are_shown_and_the_page_has_them_all(ada: Person, app: tuple[Lab, str]) -> None:
    lab, _ = app
    for n in range(25):
        send(lab, f"Number {n}")
    page = ada.open()
    bell(page).click()
    expect(notes(page)).to_have_count(20)
    page.get_by_role("link", name="See all").click()
    expect(page.locator("h1")).to_have_text("Notifications")
    expect(notes(page)).to_have_count(25)


def test_what_the_view_gave_needs_no_request(ada: Person, app: tuple[Lab, str], errors: list[str]) -> None:
    lab, address = app
    send(lab, "Given", href="/tasks/7")
    asked: list[str] = []
    page = ada.context.new_page()

    def note(request: Request) -> None:
        if "/_rt/notifications" in request.url:
            asked.append(request.url)

    page.on("request", note)

    async def given(request: object) -> str:
        found = await lab.rt.notifications.list("ada")
        head, bell = lab.fill("{{ rt.head(htmx=htmx) }}", htmx=lab.htmx), lab.fill("{{ rt.bell(n) }}", n=found)
        return f"<!doctype html><html><head>{head}</head><body>{bell}</body></html>"

    lab.get("/given", given)
    page.goto(address + "/given")
    counts(page, 1)
    bell(page).click()
    expect(notes(page)).to_have_text(["Given"])
    expect(page.locator("time")).to_have_text(re.compile("now|sec"))
    assert asked == []


# Keyboard and pointer


def test_escape_closes_and_the_focus_is_where_it_was(ada: Person, app: tuple[Lab, str]) -> None:
    send(app[0], "One", href="/tasks/7")
    page = ada.open()
    counts(page, 1)
    bell(page).press("Enter")
    expect(panel(page)).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.locator(".rt-bell-note")).to_be_focused()
    page.keyboard.press("Escape")
    expect(panel(page)).to_be_hidden()
    expect(bell(page)).to_be_focused()


def test_a_press_beside_it_closes_it(ada: Person, app: tuple[Lab, str]) -> None:
    send(app[0], "One", href="/tasks/7")
    page = ada.open()
    counts(page, 1)
    bell(page).click()
    page.mouse.click(5, 600)
    expect(panel(page)).to_be_hidden()
    expect(bell(page)).to_be_focused()
    bell(page).click()
    expect(panel(page)).to_be_visible()
    page.evaluate(
        "document.querySelector('#act').style.position = 'fixed'; document.querySelector('#act').style.top = '500px'"
    )
    page.locator("#act").click()
    expect(panel(page)).to_be_hidden()
    expect(page.locator("#act")).to_be_focused()


def test_who_goes_on_by_tab_leaves_it_closed(ada: Person, app: tuple[Lab, str]) -> None:
    send(app[0], "One", href="/tasks/7")
    page = ada.open()
    counts(page, 1)
    bell(page).press("Enter")
    page.get_by_role("link", name="See all").focus()
    page.keyboard.press("Tab")
    expect(page.locator("#after")).to_be_focused()
    expect(panel(page)).to_be_hidden()


def test_the_panel_lies_over_the_page_and_inside_of_it(ada: Person, app: tuple[Lab, str]) -> None:
    for n in range(30):
        send(app[0], f"A rather long notification, number {n}, of which there are many", href="/tasks/7")
    page = ada.open()
    counts(page, 30)
    for width in (1280, 375):
        page.set_viewport_size({"width": width, "height": 700})
        before = page.locator("#text").bounding_box()
        bell(page).click()
        expect(notes(page)).to_have_count(20)
        box = panel(page).bounding_box()
        assert page.locator("#text").bounding_box() == before
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        bell(page).click()


def test_it_goes_on_after_a_boosted_link(ada: Person, app: tuple[Lab, str]) -> None:
    lab, _ = app
    lab.page("/boosted", '{{ rt.bell() }}<a id="go" href="/tasks/7" hx-boost="true">Go</a>')
    send(lab, "One", href="/other")
    page = ada.open("/boosted")
    counts(page, 1)
    page.evaluate("window.same = true")
    page.locator("#go").click()
    expect(page.locator("h1")).to_have_text("Task 7")
    assert page.evaluate("window.same")
    counts(page, 1)
    send(lab, "Two")
    counts(page, 2)
    bell(page).click()
    expect(notes(page)).to_have_text(["Two", "One"])
    page.keyboard.press("Escape")
    expect(bell(page)).to_be_focused()


# Failure


def test_what_could_not_be_loaded_says_so_and_is_asked_for_again(ada: Person, app: tuple[Lab, str]) -> None:
    lab, address = app
    send(lab, "One")
    page = ada.context.new_page()
    page.clock.install()
    page.route("**/_rt/notifications*", lambda route: route.fulfill(status=503))
    page.goto(address)
    bell(page).click()
    expect(panel(page)).to_contain_text("They could not be loaded.")
    expect(page.get_by_role("link", name="See all")).to_be_visible()
    page.unroute("**/_rt/notifications*")
    for _ in range(20):  # one that was on its way still fails, and is asked for again later
        page.clock.run_for(11_000)
        if notes(page).count():
            break
    expect(notes(page)).to_have_text(["One"])


def test_what_could_not_be_marked_is_unread_again(ada: Person, app: tuple[Lab, str]) -> None:
    lab, _ = app
    send(lab, "One")
    page = ada.open(clock=True)
    counts(page, 1)
    bell(page).click()
    page.route("**/_rt/notifications*", lambda route: route.abort())
    page.get_by_role("button", name="Mark all as read").click()
    counts(page, 0)
    page.unroute("**/_rt/notifications*")
    page.clock.run_for(6_000)
    counts(page, 1)
    assert unread(lab) == 1


def test_a_server_that_has_forgotten_everything_is_believed(ada: Person, app: tuple[Lab, str]) -> None:
    lab, address = app
    send(lab, "One")
    page = ada.open()
    counts(page, 1)

    async def forget(request: object) -> str:
        for key, _ in await lab.rt.store.scan("notes:"):
            await lab.rt.store.delete(key)
        return "Forgotten"

    lab.get("/forget", forget)
    assert page.request.get(address + "/forget").ok
    page.reload()
    bell(page).click()
    expect(panel(page)).to_contain_text("You have no notifications.")
    counts(page, 0)
    send(lab, "Two")
    expect(notes(page)).to_have_text(["Two"])
    counts(page, 1)


# Pages without scripts, and people without a name


def test_without_javascript_there_is_a_page_with_forms(browser: Browser, app: tuple[Lab, str], htmx: Htmx) -> None:
    lab, address = app
    send(lab, "One", href="/tasks/7")
    send(lab, "Two")
    send(lab, "Three")
    with closing(browser.new_context(java_script_enabled=False)) as context:
        context.add_cookies([{"name": "who", "value": "ada", "url": address}])
        page = context.new_page()
        page.goto(address)
        bell(page).click()
        page.get_by_role("link", name="See all").click()
        expect(page.locator(".rt-bell-unread")).to_have_count(3)
        page.get_by_role("button", name="Mark as read: Two").click()
        expect(page.locator("h1")).to_have_text("Notifications")
        expect(page.locator(".rt-bell-unread")).to_have_count(2)
        page.get_by_role("button", name="Mark all as read").click()
        expect(page.locator(".rt-bell-unread")).to_have_count(0)
        page.get_by_role("link", name="One").click()
        expect(page.locator("h1")).to_have_text("Task 7")
    assert unread(lab) == 0


def test_nobody_has_no_bell(page: Page, app: tuple[Lab, str]) -> None:
    page.goto(app[1])
    expect(page.locator("#text")).to_be_visible()
    expect(page.locator(".rt-bell")).to_have_count(0)
