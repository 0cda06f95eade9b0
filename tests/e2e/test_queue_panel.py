"""What people see of the actions kept for later, and what they can do with them."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from .boardpage import STILL
from .conftest import NODE_MODULES
from .desk import Desk, add, bar, entries, offline, open_desk, refusal
from .people import Person

AXE = NODE_MODULES / "axe-core" / "axe.min.js"


def details(page: Page) -> Locator:
    """Open the panel."""
    page.get_by_role("button", name="Details").click()
    panel = page.get_by_role("region", name="Waiting to be sent", exact=True)
    expect(panel).to_be_visible()
    return panel


def test_the_panel_lists_what_and_when_and_how_it_stands(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    offline(ada.context)
    add(page, "call the printer")
    page.get_by_label("Name 1").fill("Ship it")
    page.get_by_role("button", name="Save 1").click()
    panel = details(page)
    expect(panel).to_contain_text("You are offline. They are sent by themselves when you are back.")
    items = panel.get_by_role("listitem")
    expect(items.locator(".rt-queue-what")).to_have_text(["Add note", "Save task 1"])
    expect(items.locator(".rt-queue-detail")).to_have_text(["call the printer", "Ship it"])
    expect(items.locator("[rt-queue-state]")).to_have_text(["Waiting…", "Waiting…"])
    expect(items.first.locator("time")).to_have_text(re.compile(r"\d+:\d\d"))
    expect(items.first.get_by_role("button")).to_have_text(["Edit", "Discard"])
    expect(items.first.get_by_role("button", name="Discard")).to_have_accessible_description("Add note")


def test_what_is_discarded_can_be_brought_back_in_its_place(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    offline(ada.context)
    add(page, "one", "two")
    panel = details(page)
    panel.get_by_role("button", name="Discard").first.click()
    expect(bar(page)).to_have_text("1 change waiting")
    expect(panel.locator("[rt-queue-state]")).to_have_text(["Discarded", "Waiting…"])
    panel.get_by_role("button", name="Bring it back").click()
    expect(bar(page)).to_have_text("2 changes waiting")
    expect(panel.locator("[rt-queue-state]")).to_have_text(["Waiting…", "Waiting…"])
    panel.get_by_role("button", name="Discard").last.click()
    expect(bar(page)).to_have_text("1 change waiting")
    panel.get_by_role("button", name="Close").click()
    offline(ada.context, False)
    expect(page.locator("#notes li")).to_have_text(["one"])
    assert desk.values() == ["one"]


def test_the_only_one_can_be_brought_back_too(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    offline(ada.context)
    add(page, "one")
    panel = details(page)
    panel.get_by_role("button", name="Discard").click()
    expect(bar(page)).to_have_text("Discarded")
    panel.get_by_role("button", name="Bring it back").click()
    expect(bar(page)).to_have_text("1 change waiting")
    panel.get_by_role("button", name="Discard").click()
    expect(bar(page)).to_have_text("Discarded")
    page.keyboard.press("Escape")
    expect(page.locator("#rt-queue")).to_be_hidden()
    assert entries(page) == []


def test_edit_puts_the_values_back_into_the_form(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    offline(ada.context)
    add(page, "tpyo")
    page.get_by_label("Title").fill("")
    details(page).get_by_role("button", name="Edit").click()
    expect(page.get_by_label("Title")).to_have_value("tpyo")
    expect(page.get_by_label("Title")).to_be_focused()
    expect(page.locator("#rt-queue")).to_be_hidden()
    assert entries(page) == []
    add(page, "typo")
    offline(ada.context, False)
    expect(page.locator("#notes li")).to_have_text(["typo"])
    assert desk.values() == ["typo"]


def test_edit_never_overwrites_what_was_typed_since(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    offline(ada.context)
    add(page, "first")
    page.get_by_label("Title").fill("something else")
    panel = details(page)
    panel.get_by_role("button", name="Edit").click()
    copy = panel.get_by_label("What you entered, to copy")
    expect(copy).to_have_value("title: first")
    expect(copy).to_be_focused()
    expect(page.get_by_label("Title")).to_have_value("something else")
    assert len(entries(page)) == 1


def test_edit_on_another_page_offers_the_text_and_the_way_there(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    page.route("**/notes", lambda route: route.abort())
    add(page, "far away")
    expect(bar(page)).to_have_text("1 change waiting")
    page.goto(f"{ada.address}/elsewhere")
    panel = details(page)
    panel.get_by_role("button", name="Edit").click()
    expect(panel.get_by_label("What you entered, to copy")).to_have_value("title: far away")
    panel.get_by_role("link", name="Open its page").click()
    page.wait_for_url(f"{ada.address}/")
    details(page).get_by_role("button", name="Edit").click()
    expect(page.get_by_label("Title")).to_have_value("far away")


def test_what_is_refused_is_listed_with_the_reason_and_never_dropped(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    html = '<form><input aria-invalid="true"><p role="alert">A title is at most 10 characters.</p></form>'
    answers = {
        "too long": refusal(422, "validation", html),
        "gone": refusal(404, "gone"),
        "broken": refusal(403, "forbidden"),
    }
    desk.fault = lambda sent: answers.get(sent.value)
    offline(ada.context)
    add(page, "too long", "fine", "gone", "broken")
    offline(ada.context, False)
    expect(bar(page)).to_have_text("3 need you")
    expect(page.locator("#notes li")).to_have_text(["fine"])
    page.reload()
    panel = details(page)
    items = panel.get_by_role("listitem")
    expect(items.locator("[rt-queue-state]")).to_have_text(["Not accepted"] * 3)
    expect(items.locator(".rt-queue-reason")).to_have_text(
        ["A title is at most 10 characters.", "This was deleted meanwhile.", "You may not change this."]
    )
    expect(items.first.get_by_role("button")).to_have_text(["Retry", "Edit", "Discard"])
    expect(items.nth(1).get_by_role("button")).to_have_text(["Edit", "Discard"])
    answers.clear()
    items.first.get_by_role("button", name="Retry").click()
    expect(page.locator("#notes li")).to_have_text(["fine", "too long"])
    expect(bar(page)).to_have_text("2 need you")
    assert desk.sent[0].key == desk.sent[-1].key


def test_a_server_error_is_tried_three_times_and_then_shown(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    desk.fault = lambda sent: refusal(500)
    offline(ada.context)
    add(page, "one")
    offline(ada.context, False)
    expect(bar(page)).to_have_text("1 needs you", timeout=15_000)
    assert len(desk.sent) == 3
    expect(details(page).locator(".rt-queue-reason")).to_have_text("The server failed at it.")


def test_what_waited_for_a_day_is_shown_and_not_sent(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    page.route("**/notes", lambda route: route.abort())
    add(page, "yesterday")
    expect(bar(page)).to_have_text("1 change waiting")
    page.close()
    page = ada.context.new_page()
    page.clock.install(time=page.evaluate("Date.now()") / 1000 + 25 * 3600)
    page.goto(ada.address)
    expect(bar(page)).to_have_text("1 needs you")
    panel = details(page)
    expect(panel.locator("[rt-queue-state]")).to_have_text("Too old to send")
    expect(panel.get_by_role("listitem").get_by_role("button")).to_have_text(["Edit", "Discard"])
    assert desk.sent == []


def test_by_keyboard_alone(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    offline(ada.context)
    add(page, "one", "two", "three")
    toggle = page.get_by_role("button", name="Details")
    toggle.focus()
    page.keyboard.press("Enter")
    panel = page.get_by_role("region", name="Waiting to be sent", exact=True)
    expect(panel).to_be_focused()
    expect(toggle).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Tab")
    expect(panel.get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    discard = panel.get_by_role("button", name="Discard").first
    expect(discard).to_be_focused()
    page.keyboard.press("Enter")
    expect(panel.get_by_role("button", name="Bring it back")).to_be_focused()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(toggle).to_be_focused()


def test_the_focus_stays_in_the_list_while_things_are_sent(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    desk.fault = lambda sent: refusal(422, "validation") if sent.value == "two" else None
    offline(ada.context)
    add(page, "one", "two")
    panel = details(page)
    panel.get_by_role("button", name="Edit").first.focus()
    offline(ada.context, False)
    expect(panel.get_by_role("listitem")).to_have_count(1)
    expect(panel.get_by_role("button", name="Retry")).to_be_visible()
    assert panel.evaluate("panel => panel.contains(document.activeElement)")


def test_it_is_announced_once_and_politely(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    offline(ada.context)
    add(page, "one")
    live = page.locator("#rt-live")
    expect(live).to_have_text("1 change waiting")
    offline(ada.context, False)
    expect(live).to_have_text("All changes are sent")


def test_without_the_bar_a_toast_tells_it(desk: Desk, ada: Person) -> None:
    desk.bar = False
    page = open_desk(ada)
    offline(ada.context)
    add(page, "one")
    toast = page.locator('.rt-toast[data-key="rt-queue"]')
    expect(toast).to_contain_text("1 change waiting to be sent")
    add(page, "two")
    expect(toast).to_contain_text("2 changes waiting to be sent")
    offline(ada.context, False)
    expect(toast).to_have_count(0)
    assert desk.values() == ["one", "two"]


def test_the_page_may_keep_an_action_out_of_the_queue(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    page.evaluate(
        """() => {
          window.heard = [];
          document.addEventListener("rt:queue", (event) => {
            heard.push(event.type, event.detail.resource, event.target.id);
            if (event.target.elements.title.value === "no") event.preventDefault();
          });
          document.addEventListener("rt:queued", (event) => heard.push(event.type));
        }"""
    )
    page.route("**/notes", lambda route: route.abort())
    add(page, "yes")
    expect(bar(page)).to_have_text("1 change waiting")
    page.evaluate("heard.push('-')")
    add(page, "no")
    page.wait_for_function("heard.length > 6")
    assert page.evaluate("heard")[:8] == ["rt:queue", "notes", "add", "rt:queued", "-", "rt:queue", "notes", "add"]
    assert len(entries(page)) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_panel_in_every_state_passes_the_rules_of_accessibility(desk: Desk, ada: Person, scheme: str) -> None:
    page = every_state(desk, ada, scheme)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    page.evaluate(STILL)
    found = page.evaluate(
        "axe.run('#rt-queue').then((result) => result.violations.map(({id, nodes}) => [id, nodes.map((n) => n.html)]))"
    )
    assert found == []


def every_state(desk: Desk, ada: Person, scheme: str = "light") -> Page:
    """A page with something waiting, paused, behind it, refused, and of somebody else."""
    page = open_desk(ada)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    offline(ada.context)
    page.get_by_label("Name 1").fill("Order paper")
    page.get_by_role("button", name="Save 1").click()
    page.get_by_label("Name 1").fill("Order more paper")
    page.get_by_role("button", name="Save 1").click()
    add(page, "Call the printer about the tray that jams")
    expect(bar(page)).to_have_text("3 changes waiting")
    answers = {"/tasks/1": refusal(409, "stale", "<p>theirs</p>"), "/notes": refusal(422, "validation")}
    desk.fault = lambda sent: answers.get(sent.path)
    offline(ada.context, False)
    expect(bar(page)).to_have_text("1 change waiting · 2 need you")
    offline(ada.context)
    page.get_by_label("Name 2").fill("Thank everybody")
    page.get_by_role("button", name="Save 2").click()
    expect(bar(page)).to_have_text("2 changes waiting · 2 need you")
    details(page)
    return page
