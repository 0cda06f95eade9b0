"""The first is the owner, the others look on and see what is typed; how it passes on, in real browsers."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from .lab import Lab
from .lease_kit import Room, expect_role, expect_version, line, room, took
from .people import Person

Meet = Callable[..., Room]


@pytest.fixture
def meet(lab: Callable[..., tuple[Lab, str]], person: Callable[..., Person]) -> Meet:
    """`meet("owner", auto_grant=2)` is a document with such a guard."""
    return lambda preset, **options: room(lab, person, preset, **options)


def test_the_first_is_the_owner_and_the_others_look_on(meet: Meet) -> None:
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
    assert (
        grace.evaluate(
            "(({ selectionStart: a, selectionEnd: b, value }) => value.slice(a, b))(document.getElementById('body'))"
        )
        == "Two"
    )
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
    assert (doc.doc.lock_version, doc.doc.kind, doc.doc.public) == (2, "note", True)
    expect(grace.locator("#body")).to_have_value("Zero\nOne\nTwo\nThree")


@pytest.mark.parametrize("way", ["done", "save", "left"])
def test_the_next_in_line_is_promoted(meet: Meet, way: str) -> None:
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
    elapsed = took(grace, since, "mine", 6_000)
    print(way, elapsed, "ms")
    assert elapsed <= (5_000 if way == "left" else 1_000)
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
    expect_version(grace, 3 if way == "save" else 2)
    assert (doc.doc.title, doc.doc.body) == ("By Ada", "O_ne\nTwo\nThree")


def test_a_reload_keeps_the_role_and_what_was_typed(meet: Meet) -> None:
    doc = meet("owner")
    ada, grace = doc.enter("ada"), doc.enter("grace")
    expect_role(ada, "mine")
    expect_role(grace, "theirs")
    grace.evaluate(
        "window.roles = []; new MutationObserver(() => roles.push(doc.dataset.lease)).observe(doc, {attributes: true, attributeFilter: ['data-lease']})"
    )
    ada.fill("#title", "Before the reload")
    expect(grace.locator("#title")).to_have_value("Before the reload")
    ada.reload()
    expect_role(ada, "mine")
    expect(ada.locator("#title")).to_have_value("Before the reload")
    ada.fill("#body", "After")
    expect(grace.locator("#body")).to_have_value("After")
    assert "mine" not in grace.evaluate("roles")
    ada.click("#save")
    expect_version(ada, 2)
    assert (doc.doc.title, doc.doc.body) == ("Before the reload", "After")


def test_a_closed_line_hands_it_on_and_who_comes_back_looks_on(meet: Meet) -> None:
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
    elapsed = took(grace, since, "mine", 8_000)
    print("closed line", elapsed, "ms")
    assert elapsed <= 5_000
    assert grace.locator("#title").input_value() == "Told"
    ada.evaluate("htmxRt.simulateDisconnect(false)")
    expect(line(ada)).to_contain_text("Grace is editing now. Your text is still here.")
    assert ada.locator("#title").input_value() == "Told later"
    ada.get_by_role("button", name="Show their text").click()
    expect(ada.locator("#title")).to_have_value("Told")
    expect(line(ada)).to_contain_text("Read-only, Grace is editing")
    expect(line(ada)).not_to_contain_text("still here")


def test_a_late_save_is_merged_with_what_was_done_meanwhile(meet: Meet) -> None:
    doc = meet("owner")
    ada, grace = doc.enter("ada"), doc.enter("grace")
    expect_role(ada, "mine")
    expect_role(grace, "theirs")
    ada.evaluate("htmxRt.simulateDisconnect()")
    ada.fill("#title", "Late")
    expect_role(grace, "mine", timeout=8_000)
    grace.fill("#body", "Grace was here")
    grace.click("#save")
    expect_version(grace, 2)
    ada.evaluate("htmxRt.simulateDisconnect(false)")
    expect(line(ada)).to_contain_text("Your text is still here")
    ada.click("#save")
    expect(grace.locator("#title")).to_have_value("Late")
    assert (doc.doc.title, doc.doc.body) == ("Late", "Grace was here")
    expect(line(ada)).not_to_contain_text("still here")


@pytest.mark.parametrize("answer", ["give", "keep", "nothing"])
def test_who_asks_is_given_refused_or_waits(meet: Meet, answer: str) -> None:
    doc = meet("owner", auto_grant=3.0 if answer == "nothing" else 20.0)
    ada, grace = doc.enter("ada"), doc.enter("grace")
    expect_role(ada, "mine")
    expect_role(grace, "theirs")
    ada.fill("#title", "Half a thought")
    grace.locator("#ask" if answer == "nothing" else ".rt-lease-act[data-act=ask]").focus()
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


def test_long_text_is_told_less_often_and_whole(meet: Meet) -> None:
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
