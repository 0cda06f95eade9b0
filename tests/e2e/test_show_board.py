"""Two people in front of the task board, one with htmx 4 and one with htmx 2; and somebody without JavaScript."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from .boardpage import AFTER_UNDO, add, delete, row
from .boardserver import Board
from .conftest import Htmx
from .people import Person, sample, samples, until

# What a list and the totals above it say, read at one moment.
NUMBERS = """() => {
  const read = (name) => Number([...document.querySelectorAll("#summary div")]
    .find((div) => div.firstElementChild.textContent === name)?.lastElementChild.textContent);
  const count = (checked) => document.querySelectorAll(`.task:not(.is-leaving) .tick[aria-checked=${checked}]`).length;
  return { open: count(false), saidOpen: read("Open"), done: count(true), saidDone: read("Done") };
}"""


@pytest.mark.parametrize(
    ("mine", "theirs"), [("4", "2"), ("2", "4"), ("2.0.4", "4")], ids=["4 to 2", "2 to 4", "2.0.4 to 4"]
)
def test_what_one_does_the_other_sees(board: Board, person: Callable[..., Person], mine: str, theirs: str) -> None:
    ada = person(board.address, version=mine).sign_in("ada").open()
    grace = person(board.address, version=theirs).sign_in("grace").open()
    for page in (ada, grace):
        sample(page, "numbers", NUMBERS)
    title, later = f"Ring the insurer, {mine}", f"Write to the insurer, {mine}"

    add(ada, title)
    expect(row(grace, title)).to_be_visible()
    expect(row(ada, title)).to_be_visible()
    expect(ada.locator("#title")).to_have_value("")

    row(ada, title).get_by_role("link", name="Edit").click()
    expect(ada.locator("#title")).to_have_value(title)
    ada.locator("#title").fill(later)
    ada.locator("#priority").select_option("high")
    ada.get_by_role("button", name="Save").click()
    expect(row(grace, later)).to_contain_text("High")
    expect(row(grace, title)).to_have_count(0)

    row(grace, later).get_by_role("checkbox").click()
    expect(row(ada, later).get_by_role("checkbox")).to_be_checked()
    expect(row(grace, later).get_by_role("checkbox")).to_be_checked()

    row(grace, later).get_by_role("link", name="Edit").click()
    delete(grace)
    expect(row(grace, later)).to_have_count(0)
    expect(row(ada, later)).to_contain_text("Grace is deleting this")
    expect(ada.locator(".rt-toast").last).to_contain_text("Grace is deleting")
    expect(row(ada, later)).to_have_count(0, timeout=AFTER_UNDO)

    for page in (ada, grace):
        seen = samples(page, "numbers")
        assert len(seen) == 4, seen  # as it was, added, ticked, deleted
        assert all(now["open"] == now["saidOpen"] and now["done"] == now["saidDone"] for now in seen), seen


def test_refused_input_comes_back_with_its_reason(board: Board, person: Callable[..., Person], htmx: Htmx) -> None:
    page = person(board.address, htmx, expected=(422,)).sign_in("ada").open()
    too_long = "x" * 101
    page.locator("#priority").select_option("low")
    add(page, too_long)
    expect(page.locator("#title-error")).to_have_text("This is 101 characters long; 100 fit.")
    expect(page.locator("#title")).to_have_value(too_long)
    expect(page.locator("#title")).to_be_focused()
    expect(page.locator("#priority")).to_have_value("low")
    add(page, f"  <b>Paint</b> & varnish {htmx.major}  ")
    expect(row(page, f"<b>Paint</b> & varnish {htmx.major}")).to_contain_text("Low")
    expect(page.locator("#title-error")).to_have_count(0)
    expect(page.locator("#title")).to_have_value("")


def test_the_main_path_without_javascript(board: Board, person: Callable[..., Person]) -> None:
    page = person(board.address, expected=(404, 422), java_script_enabled=False).open("/", state=None)
    page.get_by_role("button", name="Priya Nair").click()
    add(page, " ")
    expect(page.locator("#title-error")).to_have_text("Give the task a title.")
    add(page, "Count the float")
    expect(row(page, "Count the float")).to_be_visible()
    row(page, "Count the float").get_by_role("link", name="Edit").click()
    page.locator("#title").fill("Count the float twice")
    page.locator("#due").fill("2027-01-04")
    page.get_by_role("button", name="Save").click()
    task = row(page, "Count the float twice")
    expect(task).to_contain_text("4 Jan 2027")
    task.get_by_role("checkbox").click()
    expect(row(page, "Count the float twice").get_by_role("checkbox")).to_be_checked()
    row(page, "Count the float twice").get_by_role("link", name="Edit").click()
    delete(page)
    expect(row(page, "Count the float twice")).to_have_count(0)
    page.get_by_role("link", name="undo").click()
    page.get_by_role("listitem").filter(has_text="Count the float twice").get_by_role("button", name="Undo").click()
    page.goto(board.address)
    expect(row(page, "Count the float twice")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{board.address}/sign-in")


def test_the_main_path_by_keyboard(board: Board, person: Callable[..., Person], htmx: Htmx) -> None:
    page = person(board.address, htmx).open("/sign-in", state=None)
    keys = page.keyboard

    def tab_to(target: Locator) -> None:
        for _ in range(160):
            if target.evaluate("(element) => element === document.activeElement"):
                return
            keys.press("Tab")
        raise AssertionError(f"Tab never reached {target}")

    title = f"Oil the door {htmx.major} {time.monotonic_ns()}"  # a second run finds no row of the first
    tab_to(page.get_by_role("button", name="Jonas Weber"))
    keys.press("Enter")
    until(page, "connected")
    tab_to(page.locator("#title"))
    keys.type(title)
    keys.press("Enter")
    expect(row(page, title)).to_be_visible()
    expect(page.locator("#title")).to_be_focused()
    expect(page.locator("#title")).to_have_value("")
    tick = row(page, title).get_by_role("checkbox")
    tab_to(tick)
    keys.press("Space")
    expect(tick).to_be_checked()
    expect(tick).to_be_focused()  # though the row has moved to the end of the list
    tab_to(row(page, title).get_by_role("link", name="Edit"))
    keys.press("Enter")
    expect(page.locator("#title")).to_be_focused()
    tab_to(page.locator("#panel .delete button"))
    keys.press("Enter")
    expect(row(page, title)).to_have_count(0)
    expect(page.locator("#panel p:focus")).to_have_text(f"“{title}” is deleted.")  # not on nothing
    keys.press("Tab")
    expect(page.locator("#title")).to_be_focused()


def test_leaving_an_open_task_keeps_the_focus_and_the_place(
    board: Board, person: Callable[..., Person], htmx: Htmx
) -> None:
    page = person(board.address, htmx, viewport={"width": 375, "height": 700}).sign_in("ada").open()
    edit = page.locator(".task-tools a").nth(6)
    edit.click()
    expect(page.get_by_role("heading", name="Edit task")).to_be_visible()
    before = page.evaluate("scrollY")
    assert before > 0
    page.get_by_role("link", name="Cancel").press("Enter")
    expect(page.locator("#panel p:focus")).to_have_text("Nothing was changed.")
    assert page.evaluate("scrollY") == before


def test_deleting_what_somebody_else_has_just_deleted(board: Board, person: Callable[..., Person], htmx: Htmx) -> None:
    page = person(board.address, htmx, expected=(404, "Response Status Error Code 404")).sign_in("ada").open()
    title = f"Return the van {htmx.major}"
    add(page, title)
    row(page, title).get_by_role("link", name="Edit").click()
    expect(page.locator("#title")).to_have_value(title)
    with board.curl("mei") as mei:
        number = page.locator("#panel .delete").get_attribute("hx-post")
        assert mei.post(str(number)).status_code == 303
    expect(row(page, title)).to_have_count(0, timeout=AFTER_UNDO)
    delete(page)
    expect(page.locator(".rt-toast-warning")).to_contain_text("That is not there any more.")
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("heading", name="New task")).to_be_visible()
