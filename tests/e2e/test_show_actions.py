"""Every action on the board: at once, exactly once, taken back where it fails, kept where there is no line.

`SHOW_PICTURES=folder pytest tests/e2e/test_show_actions.py` keeps pictures of what it sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .boardpage import AFTER_UNDO, COUNT, Held, add, drag, order, picture, rename, row, seen
from .boardserver import Board
from .conftest import Htmx
from .people import Person, sample, samples, until

Arrive = Callable[..., Person]

CHASE = "Chase the electrician about the window lights"
TERMINAL = "Try the card terminal with a real payment and a refund"
SHIFTS = "Decide Saturday shifts until the end of June"
HOURS = "Print opening hours and stick them on the door"
BIKES = "Photograph the three rental bikes for the website"
# What the browser and htmx log of actions that fail, or never get an answer.
FAILED = (500, "Response Status Error Code 500", "Failed to fetch", "htmx:afterRequest", "htmx:sendError")


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    """A board of its own for each test, as it is on the first day."""
    with Board(tmp_path) as board:
        yield board


@pytest.fixture
def two(board: Board, person: Arrive, htmx: Htmx) -> tuple[Page, Page]:
    """Ada with one version of htmx, Grace with the other, on one board."""
    other = "2" if htmx.major == 4 else "4"
    ada = person(board.address, htmx, expected=FAILED).sign_in("ada").open()
    grace = person(board.address, version=other).sign_in("grace").open()
    ready(ada)
    return ada, grace


def ready(page: Page) -> None:
    """Wait until what the page fetches by need is there."""
    page.wait_for_function(
        "performance.getEntriesByType('resource').filter(({ name }) => /(optimistic|queue)\\.mjs/.test(name)).length === 2"
    )


def settled(page: Page) -> None:
    """Wait until nothing on the page is on its way any more."""
    expect(page.locator(".rt-pending, .rt-waiting, .rt-loading")).to_have_count(0)


def answers(page: Page, how: str) -> None:
    """Choose in the strip how the demo answers."""
    with page.expect_response("**/demo"):
        page.locator("#demo-delay").select_option(how)


def same(*pages: Page) -> dict[str, Any]:
    """Check that all pages say what a fresh render says, and return it."""
    first = seen(pages[0])
    for page in pages[1:]:
        assert seen(page) == first
    fresh = pages[0].context.new_page()
    fresh.goto(pages[0].url)
    assert seen(fresh) == first
    fresh.close()
    return first


def test_what_is_done_shows_before_it_has_left_the_page(two: tuple[Page, Page]) -> None:
    ada, grace = two
    before = seen(ada)
    held = Held(ada)
    sample(ada, "new", COUNT % "Order the coffee machine")

    add(ada, "Order the coffee machine")
    expect(ada.locator("#tasks > .task").nth(0)).to_contain_text("Sending…")
    expect(row(ada, "Order the coffee machine")).to_have_count(1)
    expect(ada.locator("#count-open")).to_have_text("10")
    expect(ada.locator("#send")).to_have_text("Adding…")
    picture(ada, "slow-add")
    adding = held.one()

    row(ada, TERMINAL).get_by_role("checkbox").click()
    expect(row(ada, TERMINAL).get_by_role("checkbox")).to_be_checked()
    expect(ada.locator("#count-done")).to_have_text("4")
    expect(ada.locator("#count-open")).to_have_text("9")
    ticking = held.one()

    rename(row(ada, HOURS), "Print the opening hours")
    expect(row(ada, "Print the opening hours")).to_have_count(1)
    renaming = held.one()

    row(ada, SHIFTS).locator("form:has(.votes) button").click()
    expect(row(ada, SHIFTS).locator(".votes")).to_have_text("3")
    voting = held.one()

    row(ada, BIKES).get_by_role("button", name="Delete").click()
    expect(row(ada, BIKES)).to_have_count(0)
    expect(ada.locator("#count-open")).to_have_text("8")
    deleting = held.one()
    picture(ada, "slow-all")
    assert seen(grace) == before, "the server knows nothing yet"

    for route in (deleting, voting, renaming, ticking, adding):  # the last one first
        route.continue_()
    expect(row(grace, "Order the coffee machine")).to_have_count(1)
    expect(row(grace, BIKES)).to_contain_text("Ada is deleting this")
    settled(ada)
    expect(ada.locator("#title")).to_have_value("")
    expect(row(grace, BIKES)).to_have_count(0, timeout=AFTER_UNDO)
    assert samples(ada, "new") == [0, 1], "never two of it, never none again"
    now = same(ada, grace)
    assert now["totals"][0] == "8"
    assert now["totals"][3] == "4"


def test_five_fast_presses_and_one_by_somebody_else(two: tuple[Page, Page]) -> None:
    ada, grace = two
    held = Held(ada)
    button = row(ada, CHASE).locator("form:has(.votes) button")
    for expected in "45678":
        button.click()
        expect(row(ada, CHASE).locator(".votes")).to_have_text(expected)
    row(grace, CHASE).locator("form:has(.votes) button").click()
    expect(row(grace, CHASE).locator(".votes")).to_have_text("4")
    expect(row(ada, CHASE).locator(".votes")).to_have_text("9")
    for _ in range(5):
        held.one().continue_()
    expect(row(grace, CHASE).locator(".votes")).to_have_text("9")
    settled(ada)
    same(ada, grace)


def test_a_slow_server(two: tuple[Page, Page], htmx: Htmx) -> None:
    """The strip says "after 2 s": nobody waits for it."""
    ada, grace = two
    answers(ada, "2000")
    sample(ada, "new", COUNT % "Order the coffee machine")
    with ada.expect_response("**/tasks") as answer:
        add(ada, "Order the coffee machine")
        expect(row(ada, "Order the coffee machine")).to_have_count(1, timeout=1_000)
        expect(row(grace, "Order the coffee machine")).to_have_count(1, timeout=1_000)
        picture(ada, f"slow-server-{htmx.major}")
    assert answer.value.status == 200
    settled(ada)
    assert samples(ada, "new") == [0, 1]
    same(ada, grace)


def test_a_failing_server_takes_back_exactly_what_failed(two: tuple[Page, Page], htmx: Htmx) -> None:
    ada, grace = two
    answers(ada, "fail")
    before = seen(ada)

    tick = row(ada, TERMINAL).get_by_role("checkbox")
    tick.click()
    expect(tick).to_be_checked()
    rename(row(ada, HOURS), "Print the opening hours")
    row(ada, SHIFTS).locator("form:has(.votes) button").click()
    row(ada, BIKES).get_by_role("button", name="Delete").click()
    expect(row(ada, BIKES)).to_have_count(0)
    row(grace, CHASE).locator("form:has(.votes) button").click()  # what others do meanwhile stays
    expect(row(ada, CHASE).locator(".votes")).to_have_text("4")
    expect(row(ada, BIKES)).to_have_count(1)
    settled(ada)
    expect(ada.locator(".rt-toast-error")).to_contain_text("Something went wrong on the server.")
    picture(ada, f"failing-{htmx.major}")
    before["rows"][0][3] = "4"
    assert seen(ada) == before
    expect(row(ada, HOURS).locator(".rename input")).to_have_value("Print the opening hours")  # what was typed stays

    add(ada, "Order the coffee machine")
    failed = ada.locator("#tasks > .rt-failed")
    expect(failed).to_contain_text("Something went wrong on the server.")
    expect(ada.locator("#count-open")).to_have_text("9")
    picture(ada, f"failing-add-{htmx.major}")
    answers(ada, "0")
    failed.get_by_role("button", name="Retry").click()
    expect(row(grace, "Order the coffee machine")).to_have_count(1)
    settled(ada)
    expect(ada.locator("#tasks > .rt-failed")).to_have_count(0)

    answers(ada, "fail")
    add(ada, "Order a second one")
    failed.get_by_role("button", name="Discard").click()
    expect(row(ada, "Order a second one")).to_have_count(0)
    same(ada, grace)


def test_offline_and_back(board: Board, two: tuple[Page, Page], htmx: Htmx) -> None:
    ada, grace = two
    sample(ada, "new", COUNT % "Order the coffee machine")
    ada.context.set_offline(True)
    until(ada, "offline")

    add(ada, "Order the coffee machine")
    expect(ada.locator("#tasks > .task").nth(0)).to_contain_text("Waiting…")
    expect(ada.locator("#title")).to_have_value("")
    row(ada, TERMINAL).get_by_role("checkbox").click()
    expect(row(ada, TERMINAL).get_by_role("checkbox")).to_be_checked()
    rename(row(ada, HOURS), "Print the opening hours")
    rename(row(ada, "Print the opening hours"), "Print and hang the opening hours")
    expect(ada.locator("#rt-queue")).to_contain_text("4 changes waiting")
    expect(row(ada, SHIFTS).get_by_role("button", name="Delete")).to_have_attribute("aria-disabled", "true")
    expect(ada.get_by_role("button", name="Send invoice 2042")).to_have_attribute("aria-disabled", "true")
    ada.locator("#rt-queue").get_by_role("button", name="Details").click()
    expect(ada.locator("#rt-queue li")).to_have_count(4)
    picture(ada, f"offline-{htmx.major}")
    row(grace, CHASE).locator("form:has(.votes) button").click()

    ada.context.set_offline(False)
    expect(row(grace, "Order the coffee machine")).to_have_count(1)
    expect(row(grace, "Print and hang the opening hours")).to_have_count(1)
    expect(row(grace, TERMINAL).get_by_role("checkbox")).to_be_checked()
    until(ada, "connected")
    settled(ada)
    expect(row(ada, CHASE).locator(".votes")).to_have_text("4")
    expect(ada.locator("html[data-rt-queue]")).to_have_count(0)
    picture(ada, f"back-{htmx.major}")
    assert samples(ada, "new") == [0, 1]
    same(ada, grace)


def test_an_answer_that_is_lost(two: tuple[Page, Page]) -> None:
    """The server has done it, and the page never heard: it asks again with the same key, and it is there once."""
    ada, grace = two
    held = Held(ada)
    sample(ada, "new", COUNT % "Order the coffee machine")
    add(ada, "Order the coffee machine")
    route = held.one()
    held.end()
    route.fetch()  # the server's answer gets no further than here
    route.abort("connectionreset")
    expect(row(grace, "Order the coffee machine")).to_have_count(1)
    settled(ada)
    expect(ada.locator("html[data-rt-queue]")).to_have_count(0)
    assert samples(ada, "new") == [0, 1]
    assert sum(title == "Order the coffee machine" for title, *_ in same(ada, grace)["rows"]) == 1


def test_undo_brings_it_back_for_everybody(two: tuple[Page, Page], htmx: Htmx) -> None:
    ada, grace = two
    before = seen(ada)
    row(ada, BIKES).get_by_role("button", name="Delete").click()
    expect(row(ada, BIKES)).to_have_count(0)
    expect(row(grace, BIKES)).to_contain_text("Ada is deleting this")
    picture(ada, f"deleted-{htmx.major}")
    picture(grace, f"deleted-others-{htmx.major}")
    row(ada, CHASE).get_by_role("button", name="Delete").click()
    expect(row(grace, CHASE)).to_contain_text("Ada is deleting this")
    for title in (CHASE, BIKES):
        toast = ada.locator(".rt-toast", has_text=title)
        toast.get_by_role("button", name="Undo").click()
        expect(row(ada, title)).to_have_count(1)
        expect(row(grace, title)).not_to_contain_text("Ada is deleting this")
    assert seen(ada) == before
    same(ada, grace)


def test_a_task_is_dragged_and_one_is_moved_by_keys(two: tuple[Page, Page], htmx: Htmx) -> None:
    ada, grace = two
    held = Held(ada)
    drag(ada, CHASE, SHIFTS)
    expect(ada.locator("#tasks > .rt-dragging")).to_contain_text(CHASE)
    picture(ada, f"dragging-{htmx.major}")
    ada.mouse.up()
    assert order(ada)[:3] == [TERMINAL, SHIFTS, CHASE], "it is there at once"
    assert order(grace)[:3] == [CHASE, TERMINAL, SHIFTS]

    grip = row(grace, BIKES).locator("[rt-handle]")
    grip.focus()
    for key in ("Space", "ArrowUp", "ArrowUp", "ArrowUp", "Enter"):
        grace.keyboard.press(key)
    expect(grip).to_be_focused()
    expect(row(ada, BIKES).locator("[rt-handle]")).to_be_visible()
    held.end()
    held.one().continue_()  # Ada's move was meant for the list as it was before
    expected = [BIKES, TERMINAL, SHIFTS, CHASE, HOURS]
    for page in (ada, grace):
        expect(page.locator("#tasks > .task .task-title").nth(3)).to_have_text(CHASE)
        settled(page)
        assert order(page)[:5] == expected
    same(ada, grace)


def test_a_move_that_fails_goes_back(two: tuple[Page, Page]) -> None:
    ada, grace = two
    before = seen(ada)
    answers(ada, "fail")
    drag(ada, CHASE, SHIFTS)
    ada.mouse.up()
    assert order(ada)[2] == CHASE
    expect(ada.locator(".rt-toast-error")).to_be_visible()
    settled(ada)
    assert seen(ada) == before
    same(ada, grace)


def test_an_invoice_is_sent_once_and_never_early(two: tuple[Page, Page], htmx: Htmx) -> None:
    ada, grace = two
    before = seen(ada)
    button = ada.get_by_role("button", name="Send invoice 2042")
    button.click()
    question = ada.get_by_role("alertdialog")
    expect(question).to_contain_text("Send invoice 2042 over € 1,240.00 to Lindenhof School?")
    picture(ada, f"invoice-question-{htmx.major}")
    ada.keyboard.press("Escape")
    expect(question).to_have_count(0)
    expect(button).to_be_focused()

    held = Held(ada)
    button.click()
    question.get_by_role("button", name="Continue").click()
    route = held.one()
    expect(ada.locator("#invoice-2 button")).to_contain_text("Sending…")
    ada.locator("#invoice-2 button").click(force=True)
    expect(question).to_have_count(0)
    assert held.count == 0, "a second press while it is on its way does nothing"
    assert [words for words in seen(ada)["invoices"] if "Sent" in words] == before["invoices"][:1]
    held.end()
    route.continue_()
    for page in (ada, grace):
        expect(page.locator("#invoice-2")).to_contain_text("Sent by Ada, Today")
    expect(grace.locator(".rt-toast")).to_contain_text("Ada sent invoice 2042")
    same(ada, grace)
