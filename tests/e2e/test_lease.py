"""One writes, the others look on: locks and ownership, in real browsers on a real server."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .lab import Lab
from .lease_kit import Room, room, violations
from .people import Person
from .presence_kit import hide

Enter = Callable[..., Room]


@pytest.fixture
def meet(lab: Callable[..., tuple[Lab, str]], person: Callable[..., Person]) -> Enter:
    """`meet("owner", auto_grant=2)` is a document with such a guard."""
    return lambda preset, **options: room(lab, person, preset, **options)


def line(page: Page) -> Any:
    return page.locator(".rt-lease")


def expect_role(page: Page, role: str, *, timeout: float = 10_000) -> None:
    page.wait_for_selector(f'form[data-lease="{role}"]', timeout=timeout)


def ms(page: Page, since: float, role: str, timeout: float) -> float:
    """Wait for a role and return how long it took."""
    expect_role(page, role, timeout=timeout)
    return round((time.monotonic() - since) * 1000)


# Locks


def test_a_lock_is_taken_by_the_first_word_and_seen_by_the_others(meet: Enter) -> None:
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


def test_a_lock_of_who_left_is_free_for_the_next(meet: Enter) -> None:
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
    expect(grace.locator("input[name=lock_version]")).to_have_value("2")
    assert doc.doc.title == "Whole"


def test_a_lock_that_is_lost_is_told_and_the_text_stays(meet: Enter) -> None:
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


def test_advice_only_where_it_is_not_enforced(meet: Enter) -> None:
    doc = meet("lock", enforce=False)
    ada, grace = doc.enter("ada"), doc.enter("grace")
    ada.focus("#title")
    expect(line(grace)).to_contain_text("Ada is editing")
    grace.fill("#body", "Also me")
    grace.click("#save")
    expect(grace.locator("input[name=lock_version]")).to_have_value("2")
    assert doc.doc.body == "Also me"


# Ownership


def test_the_first_is_the_owner_and_the_others_look_on(meet: Enter) -> None:
    doc = meet("owner")
    ada = doc.enter("ada")
    expect_role(ada, "mine")
    grace = doc.enter("grace")
    expect_role(grace, "theirs")
    mei = doc.enter("mei")
    expect(line(grace)).to_contain_text("Read-only, Ada is editing")
    expect(line(ada)).to_contain_text("2 other people here")
    expect(line(mei)).to_contain_text("2 other people here")
    grace.focus("#body")
    grace.evaluate("document.getElementById('body').setSelectionRange(4, 7)")
    since = time.monotonic()
    ada.locator("#title").press("End")
    ada.keyboard.type("!")
    expect(grace.locator("#title")).to_have_value("Handbook!")
    print("keystroke", round((time.monotonic() - since) * 1000), "ms")
    ada.locator("#body").press("ControlOrMeta+Home")
    ada.locator("#body").press_sequentially("Zero\n")
    expect(grace.locator("#body")).to_have_value("Zero\nOne\nTwo\nThree")
    expect(line(grace)).to_contain_text("Ada has unsaved changes")
    # Who reads has selected the same words as before.
    assert grace.evaluate("(({ selectionStart: a, selectionEnd: b, value }) => value.slice(a, b))(document.getElementById('body'))") == "Two"
    assert grace.evaluate("document.activeElement.id") == "body"
    max_ = doc.enter("max")
    expect(max_.locator("#body")).to_have_value("Zero\nOne\nTwo\nThree")
    expect(max_.locator("#title")).to_have_value("Handbook!")
    # As it was: clean again.
    ada.fill("#title", "Handbook")
    expect(grace.locator("#title")).to_have_value("Handbook")
    ada.check("#public")
    ada.select_option("#kind", "note")
    expect(grace.locator("#public")).to_be_checked()
    expect(grace.locator("#kind")).to_have_value("note")
    ada.click("#save")
    expect(line(grace)).not_to_contain_text("unsaved")
    assert doc.doc.lock_version == 2 and doc.doc.kind == "note" and doc.doc.public
    expect(grace.locator("#body")).to_have_value("Zero\nOne\nTwo\nThree")


def test_who_looks_on_cannot_write_whatever_the_page_says(meet: Enter) -> None:
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


@pytest.mark.parametrize("way", ["done", "save", "left"])
def test_the_next_in_line_is_promoted(meet: Enter, way: str) -> None:
    doc = meet("owner")
    ada, grace = doc.enter("ada"), doc.enter("grace")
    expect_role(ada, "mine")
    expect_role(grace, "theirs")
    ada.fill("#title", "By Ada")
    expect(grace.locator("#title")).to_have_value("By Ada")
    grace.focus("#body")
    grace.evaluate("document.getElementById('body').setSelectionRange(1, 1)")
    since = time.monotonic()
    if way == "done":
        ada.click("#done")
    elif way == "save":
        ada.click("#save-leave")
    else:
        ada.close()
    took = ms(grace, since, "mine", 6_000)
    print(way, took, "ms")
    assert took <= (5_000 if way == "left" else 1_000)
    expect(line(grace)).to_contain_text("You are now editing")
    expect(grace.locator("#rt-live")).to_contain_text("You are now editing")
    assert grace.evaluate("document.activeElement.id") == "body"
    assert not grace.locator("#body").evaluate("(el) => el.readOnly")
    grace.keyboard.type("_")
    assert grace.locator("#body").input_value() == "O_ne\nTwo\nThree"
    # What was typed before and not saved has moved along.
    assert grace.locator("#title").input_value() == "By Ada"
    if way != "left":
        expect_role(ada, "theirs")
        expect(line(ada)).to_contain_text("Read-only, Grace is editing")
        expect(ada.locator("#body")).to_have_value("O_ne\nTwo\nThree")
    grace.click("#save")
    expect(grace.locator("input[name=lock_version]")).to_have_value("3" if way == "save" else "2")
    assert (doc.doc.title, doc.doc.body) == ("By Ada", "O_ne\nTwo\nThree")


def test_a_reload_keeps_the_role_and_what_was_typed(meet: Enter) -> None:
    doc = meet("owner")
    ada, grace = doc.enter("ada"), doc.enter("grace")
    expect_role(ada, "mine")
    expect_role(grace, "theirs")
    grace.evaluate("window.roles = []; new MutationObserver(() => roles.push(doc.dataset.lease)).observe(doc, {attributes: true, attributeFilter: ['data-lease']})")
    ada.fill("#title", "Before the reload")
    expect(grace.locator("#title")).to_have_value("Before the reload")
    ada.reload()
    expect_role(ada, "mine")
    expect(ada.locator("#title")).to_have_value("Before the reload")
    ada.fill("#body", "After")
    expect(grace.locator("#body")).to_have_value("After")
    assert "mine" not in grace.evaluate("roles")
    ada.click("#save")
    expect(ada.locator("input[name=lock_version]")).to_have_value("2")
    assert (doc.doc.title, doc.doc.body) == ("Before the reload", "After")


def test_a_closed_line_hands_it_on_and_who_comes_back_looks_on(meet: Enter) -> None:
    doc = meet("owner")
    ada, grace = doc.enter("ada"), doc.enter("grace")
    expect_role(ada, "mine")
    expect_role(grace, "theirs")
    ada.fill("#title", "Told")
    expect(grace.locator("#title")).to_have_value("Told")
    since = time.monotonic()
    ada.evaluate("htmxRt.simulateDisconnect()")
    ada.locator("#title").press_sequentially(" later")
    expect(line(ada)).to_contain_text("Connection lost; you may not be the one editing")
    took = ms(grace, since, "mine", 8_000)
    print("closed line", took, "ms")
    assert took <= 5_000
    assert grace.locator("#title").input_value() == "Told"
    ada.evaluate("htmxRt.simulateDisconnect(false)")
    expect(line(ada)).to_contain_text("Grace is editing now. Your text is still here.")
    assert ada.locator("#title").input_value() == "Told later"
    ada.get_by_role("button", name="Show their text").click()
    expect(ada.locator("#title")).to_have_value("Told")
    expect(line(ada)).to_contain_text("Read-only, Grace is editing")
    expect(line(ada)).not_to_contain_text("still here")


def test_a_late_save_is_merged_with_what_was_done_meanwhile(meet: Enter) -> None:
    doc = meet("owner")
    ada, grace = doc.enter("ada"), doc.enter("grace")
    expect_role(ada, "mine")
    expect_role(grace, "theirs")
    ada.evaluate("htmxRt.simulateDisconnect()")
    ada.fill("#title", "Late")
    expect_role(grace, "mine", timeout=8_000)
    grace.fill("#body", "Grace was here")
    grace.click("#save")
    expect(grace.locator("input[name=lock_version]")).to_have_value("2")
    ada.evaluate("htmxRt.simulateDisconnect(false)")
    expect(line(ada)).to_contain_text("Your text is still here")
    ada.click("#save")
    expect(grace.locator("#title")).to_have_value("Late")
    assert (doc.doc.title, doc.doc.body) == ("Late", "Grace was here")
    expect(line(ada)).not_to_contain_text("still here")


@pytest.mark.parametrize("answer", ["give", "keep", "nothing"])
def test_who_asks_is_given_refused_or_waits(meet: Enter, answer: str) -> None:
    doc = meet("owner", auto_grant=3.0 if answer == "nothing" else 20.0)
    ada, grace = doc.enter("ada"), doc.enter("grace")
    expect_role(ada, "mine")
    expect_role(grace, "theirs")
    ada.fill("#title", "Half a thought")
    grace.get_by_role("button", name="Ask to edit").focus()
    grace.keyboard.press("Enter")
    expect(line(grace)).to_contain_text("Asked Ada…")
    expect(line(ada)).to_contain_text("Grace asks to edit")
    expect(ada.locator(".rt-lease-time")).to_have_text(re.compile(r"^\d+ s$"))
    expect(ada.locator("#rt-live")).to_contain_text("Grace asks to edit")
    assert ada.evaluate("document.activeElement.id") == "title"
    if answer == "give":
        ada.get_by_role("button", name="Give").click()
    elif answer == "keep":
        ada.get_by_role("button", name="Keep").click()
        expect(line(grace)).to_contain_text("Ada keeps editing")
        expect_role(ada, "mine")
        expect(line(ada)).to_contain_text("You are editing")
        assert grace.locator("#title").evaluate("(el) => el.readOnly")
        expect(grace.get_by_role("button", name="Ask to edit")).to_be_visible()
        return
    expect_role(grace, "mine")
    expect(grace.locator("#title")).to_have_value("Half a thought")
    expect_role(ada, "theirs")
    expect(line(ada)).to_contain_text("Grace is editing")
    grace.locator("#title").press("End")
    grace.locator("#title").press_sequentially(", finished")
    if answer == "give":
        expect(ada.locator("#title")).to_have_value("Half a thought, finished")
        expect(line(ada)).to_contain_text("Grace has unsaved changes")
    else:
        expect(line(ada)).to_contain_text("Your text is still here")
        assert ada.locator("#title").input_value() == "Half a thought"


def test_a_second_tab_looks_on_and_may_take_over(meet: Enter) -> None:
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
    expect(second.locator("input[name=lock_version]")).to_have_value("2")
    assert (doc.doc.title, doc.doc.body) == ("From the first", "From the second")


def test_out_of_sight_it_is_kept(meet: Enter) -> None:
    doc = meet("owner")
    ada, grace = doc.enter("ada"), doc.enter("grace")
    expect_role(ada, "mine")
    expect_role(grace, "theirs")
    with ada.expect_response("**/locks/**") as answered:
        hide(ada)
    assert answered.value.request.post_data_json["hidden"] is True
    assert answered.value.json()["mine"] and answered.value.json()["ttl"] == 300
    with ada.expect_response("**/locks/**") as answered:
        hide(ada, False)
    assert answered.value.json()["ttl"] == 12


def test_by_keyboard_alone_and_with_nothing_that_a_checker_finds(meet: Enter) -> None:
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


def test_a_swap_in_the_middle_changes_no_role(meet: Enter) -> None:
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


def test_long_text_is_told_less_often_and_whole(meet: Enter) -> None:
    doc = meet("owner")
    ada, grace = doc.enter("ada"), doc.enter("grace")
    expect_role(ada, "mine")
    expect_role(grace, "theirs")
    sent: list[int] = []
    ada.on("request", lambda request: sent.append(len(request.post_data or "")) if "/work/" in request.url else None)
    ada.locator("#title").press("End")
    since = time.monotonic()
    for _ in range(15):
        ada.locator("#title").press_sequentially("ab", delay=20)
    expect(grace.locator("#title")).to_have_value("Handbook" + "ab" * 15)
    assert 2 <= len(sent) <= (time.monotonic() - since) * 5 + 1
    long = "x" * 60_000
    ada.fill("#body", long)
    expect(grace.locator("#body")).to_have_value(long)
    assert sum(size > 50_000 for size in sent) == 1
    assert all(size < 1_000 for size in sent[:-1])


def test_nobody_edits_after_the_last_one_is_done(meet: Enter) -> None:
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
