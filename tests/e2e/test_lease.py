"""One writes, the others look on: locks, and what everybody sees of who edits, on a real server."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from .lab import Lab
from .lease_kit import Room, expect_role, expect_version, line, room, violations
from .people import Person
from .presence_kit import hide

Meet = Callable[..., Room]


@pytest.fixture
def meet(lab: Callable[..., tuple[Lab, str]], person: Callable[..., Person]) -> Meet:
    """`meet("owner", auto_grant=2)` is a document with such a guard."""
    return lambda preset, **options: room(lab, person, preset, **options)


def test_a_lock_is_taken_by_the_first_word_and_seen_by_the_others(meet: Meet) -> None:
    doc = meet("lock")
    ada, grace = doc.enter("ada"), doc.enter("grace")
    expect_role(ada, "free")
    expect(line(grace)).to_be_hidden()
    ada.focus("#title")
    expect_role(ada, "mine")
    expect(line(ada)).to_contain_text("You are editing")
    assert ada.locator("input[name=rt-fence]").input_value().isdigit()
    expect_role(grace, "theirs")
    expect(line(grace)).to_contain_text("Ada is editing")
    for name in ("title", "body"):
        assert grace.locator(f"#{name}").evaluate("(el) => el.readOnly && !el.disabled")
    grace.locator("#public").click(force=True)
    assert not grace.locator("#public").is_checked()
    grace.focus("#kind")
    grace.keyboard.press("ArrowDown")
    assert grace.locator("#kind").input_value() == "guide"
    grace.click("#save", force=True)  # it says that it is disabled
    expect(grace.locator(".rt-toast")).to_contain_text("Ada is editing this. You can save once it is free again.")
    assert doc.lab.count("/save") == 0
    ada.click("#done")
    expect_role(ada, "free")
    expect(line(grace)).to_contain_text("Free again")
    grace.fill("#title", "Mine now")
    expect_role(grace, "mine")
    expect_role(ada, "theirs")
    grace.click("#save-leave")
    expect_role(grace, "free")
    expect(ada.locator("#title")).to_have_value("Mine now")
    assert doc.doc.title == "Mine now"


def test_a_lock_of_who_left_is_free_for_the_next(meet: Meet) -> None:
    doc = meet("lock", grace=2)
    ada, grace = doc.enter("ada"), doc.enter("grace")
    ada.fill("#title", "Half")
    expect_role(grace, "theirs")
    ada.close()
    expect_role(grace, "free", timeout=6_000)
    expect(line(grace)).to_contain_text("Free again")
    grace.fill("#title", "Whole")
    grace.click("#save")
    expect_role(grace, "mine")
    expect_version(grace, 2)
    assert doc.doc.title == "Whole"


def test_a_lock_outlasts_a_reload(meet: Meet) -> None:
    doc = meet("lock")
    ada, grace = doc.enter("ada"), doc.enter("grace")
    ada.focus("#title")
    expect_role(grace, "theirs")
    fence = ada.locator("input[name=rt-fence]").input_value()
    ada.reload()
    expect_role(ada, "mine")
    assert ada.locator("input[name=rt-fence]").input_value() == fence
    # In another tab it is the same person, and yet not this page.
    other = doc.enter("ada")
    expect(line(other)).to_contain_text("You are editing in another tab")
    other.get_by_role("button", name="Edit here instead").click()
    expect_role(other, "mine")
    expect(line(ada)).to_contain_text("You are editing in another tab")
    expect_role(grace, "theirs")


def test_a_lock_that_is_lost_is_told_and_the_text_stays(meet: Meet) -> None:
    doc = meet("lock", grace=1)
    ada, grace = doc.enter("ada"), doc.enter("grace")
    ada.fill("#title", "Typed by Ada")
    expect_role(grace, "theirs")
    ada.evaluate("htmxRt.simulateDisconnect()")
    expect(line(ada)).to_contain_text("Connection lost; you may not be the one editing")
    expect_role(grace, "free", timeout=20_000)
    grace.fill("#body", "Typed by Grace")
    expect_role(grace, "mine")
    ada.evaluate("htmxRt.simulateDisconnect(false)")
    expect(line(ada)).to_contain_text("Grace is editing now. Your text is still here.")
    assert ada.locator("#title").input_value() == "Typed by Ada"
    assert ada.locator("#title").evaluate("(el) => el.readOnly")
    # It may be sent all the same: the server shows both.
    ada.click("#save")
    expect(ada.locator(".rt-conflict")).to_be_visible()


def test_advice_only_where_it_is_not_enforced(meet: Meet) -> None:
    doc = meet("lock", enforce=False)
    ada, grace = doc.enter("ada"), doc.enter("grace")
    ada.focus("#title")
    expect(line(grace)).to_contain_text("Ada is editing")
    grace.fill("#body", "Also me")
    grace.click("#save")
    expect_version(grace, 2)
    assert doc.doc.body == "Also me"


def test_by_keyboard_alone_and_with_nothing_that_a_checker_finds(meet: Meet) -> None:
    doc = meet("owner")
    ada, grace = doc.enter("ada"), doc.enter("grace")
    expect_role(ada, "mine")
    expect_role(grace, "theirs")
    grace.keyboard.press("Tab")
    expect(grace.get_by_role("button", name="Ask to edit")).to_be_focused()
    grace.keyboard.press("Enter")
    expect(line(grace)).to_contain_text("Asked Ada…")
    # What had the focus is gone; the next key goes on from the same place.
    grace.keyboard.press("Tab")
    expect(grace.locator("#title")).to_be_focused()
    grace.keyboard.type("no")
    assert grace.locator("#title").input_value() == "Handbook"
    ada.get_by_role("button", name="Give").focus()
    for page in (ada, grace):
        assert violations(page) == []
    ada.keyboard.press("Tab")
    ada.keyboard.press("Enter")
    expect(line(grace)).to_contain_text("Ada keeps editing")
    ada.keyboard.press("Tab")
    expect(ada.locator("#title")).to_be_focused()


def test_a_swap_in_the_middle_changes_no_role(meet: Meet) -> None:
    doc = meet("owner")
    ada, grace = doc.enter("ada"), doc.enter("grace")
    expect_role(ada, "mine")
    expect_role(grace, "theirs")
    ada.fill("#title", "Not saved")
    expect(grace.locator("#title")).to_have_value("Not saved")
    for page in (ada, grace):
        page.evaluate("() => void (document.getElementById('doc').old = true)")
        page.click("#again")
        page.wait_for_function("() => document.getElementById('doc').old === undefined")
    expect_role(ada, "mine")
    expect_role(grace, "theirs")
    assert grace.locator("#body").evaluate("(el) => el.readOnly")
    expect(line(grace)).to_contain_text("Read-only, Ada is editing")
    expect(line(ada)).to_contain_text("You are editing")
    ada.fill("#body", "After the swap")
    expect(grace.locator("#body")).to_have_value("After the swap")


def test_out_of_sight_it_is_kept(meet: Meet) -> None:
    doc = meet("owner")
    ada, grace = doc.enter("ada"), doc.enter("grace")
    expect_role(ada, "mine")
    expect_role(grace, "theirs")
    with ada.expect_response("**/locks/**") as answered:
        hide(ada)
    assert (answered.value.request.post_data_json or {})["hidden"] is True
    assert answered.value.json().items() >= {"mine": True, "ttl": 300}.items()
    with ada.expect_response("**/locks/**") as answered:
        hide(ada, False)
    assert answered.value.json()["ttl"] == 12


def test_nobody_edits_after_the_last_one_is_done(meet: Meet) -> None:
    doc = meet("owner")
    ada = doc.enter("ada")
    expect_role(ada, "mine")
    ada.click("#done")
    expect_role(ada, "free")
    expect(line(ada)).to_contain_text("Nobody is editing")
    assert ada.locator("#title").evaluate("(el) => el.readOnly")
    ada.get_by_role("button", name="Edit", exact=True).click()
    expect_role(ada, "mine")
    assert not ada.locator("#title").evaluate("(el) => el.readOnly")


def test_who_looks_on_cannot_write_whatever_the_page_says(meet: Meet) -> None:
    doc = meet("owner")
    ada, grace = doc.enter("ada"), doc.enter("grace")
    expect_role(ada, "mine")
    expect_role(grace, "theirs")
    grace.click("#save", force=True)  # it says that it is disabled
    expect(grace.locator(".rt-toast")).to_contain_text("Ada is editing this.")
    assert doc.lab.count("/save") == 0
    status = grace.evaluate(
        """async () => {
          const body = new URLSearchParams(new FormData(document.getElementById("doc")));
          body.set("title", "Stolen");
          return (await fetch("/save", { method: "POST", body })).status;
        }"""
    )
    assert status == 423
    assert doc.doc.title == "Handbook"


def test_a_second_tab_looks_on_and_may_take_over(meet: Meet) -> None:
    doc = meet("owner")
    first = doc.enter("ada")
    expect_role(first, "mine")
    second = doc.enter("ada")
    expect(line(second)).to_contain_text("You are editing in another tab")
    assert second.locator("#title").evaluate("(el) => el.readOnly")
    first.fill("#title", "From the first")
    expect(second.locator("#title")).to_have_value("From the first")
    second.get_by_role("button", name="Edit here instead").click()
    expect_role(second, "mine")
    expect(line(first)).to_contain_text("You are editing in another tab")
    second.fill("#body", "From the second")
    expect(first.locator("#body")).to_have_value("From the second")
    second.click("#save")
    expect_version(second, 2)
    assert (doc.doc.title, doc.doc.body) == ("From the first", "From the second")
