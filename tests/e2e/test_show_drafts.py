"""The long form of the example: three steps in the address, and what is typed kept as a draft, with scripts and without."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from .boardpage import PICTURES, STILL
from .boardserver import Board
from .conftest import Htmx
from .people import Person, until
from .test_show_access import findings

Arrive = Callable[..., Person]
SAVED = re.compile(r"Draft saved")


def line(page: Page) -> object:
    return page.locator("#rt-draft-permit")


def open_permit(person: Arrive, board: Board, who: str, htmx: Htmx, path: str = "/permit", **options: object) -> Page:
    page = person(board.address, htmx, expected=(422, "Response Status Error Code"), **options).sign_in(who).open(path)
    page.wait_for_function("() => document.querySelector('#tab-event')?.getAttribute('aria-selected') != null")
    placed(page)
    return page


def placed(page: Page) -> None:
    """Wait until the file that keeps steps in the address is there."""
    page.wait_for_function(
        "() => performance.getEntriesByType('resource').some(({ name }) => name.includes('htmx-rt-place.mjs'))"
    )
    page.evaluate(
        "() => import(performance.getEntriesByType('resource').find(({ name }) => name.includes('htmx-rt-place.mjs')).name)"
    )


def fill_event(page: Page) -> None:
    page.get_by_label("What is it called?").fill("Opening day of Kestrel Cycles")
    page.get_by_label("Day", exact=True).fill("2027-05-08")
    page.get_by_label("Visitors").fill("250")
    page.get_by_label("What happens?").fill("10:00 the mayor cuts the chain\n11:00 rides for children")


def fill_place(page: Page) -> None:
    page.get_by_label("Street or square").fill("Mill Lane 12 to 20")
    page.get_by_label("Street closed").check()
    page.get_by_label("Barriers").check()
    page.get_by_label("Bins").check()


def fill_people(page: Page) -> None:
    page.get_by_label("Who answers for it?").fill("Jonas Weber")
    page.get_by_label("Phone").fill("0176 1234567")
    page.get_by_label("We keep a lane").check()


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.evaluate(STILL)
        page.screenshot(path=f"{PICTURES}/{name}.png", full_page=True, caret="initial")


def test_three_steps_that_outlive_a_reload_and_follow_to_another_device(
    board: Board, person: Arrive, htmx: Htmx
) -> None:
    who = "jonas" if htmx.major == 4 else "priya"
    page = open_permit(person, board, who, htmx)
    expect(page.locator("#step-place")).to_be_hidden()
    fill_event(page)
    page.locator("#step-event").get_by_role("button", name="Continue").click()
    expect(page.locator("#step-place")).to_be_visible()
    expect(page.locator("#step-event")).to_be_hidden()
    assert urlsplit(page.url).query == "step=place"
    fill_place(page)
    expect(page.locator("#rt-draft-permit")).to_contain_text(SAVED)
    picture(page, f"permit-place-{htmx.major}")
    page.reload()
    expect(page.locator("#step-place")).to_be_visible()
    expect(page.get_by_label("Street or square")).to_have_value("Mill Lane 12 to 20")
    expect(page.get_by_label("Barriers")).to_be_checked()
    page.go_back()
    expect(page.locator("#step-event")).to_be_visible()
    expect(page.get_by_label("What is it called?")).to_have_value("Opening day of Kestrel Cycles")

    # Another device, or the same one next week.
    other = open_permit(person, board, who, htmx, "/permit?step=people")
    expect(other.locator("#step-people")).to_be_visible()
    fill_people(other)
    other.get_by_role("tab", name="The event").click()
    expect(other.get_by_label("Visitors")).to_have_value("250")
    expect(other.get_by_label("What happens?")).to_have_value(re.compile("11:00 rides for children"))
    other.get_by_role("tab", name="The place").click()
    expect(other.get_by_label("Street closed")).to_be_checked()
    other.get_by_role("tab", name="People and safety").click()
    other.get_by_role("button", name="Send to the city").click()
    expect(other.locator("#permit")).to_contain_text("Sent to the city")
    assert re.fullmatch(r"/permit/\d+", urlsplit(other.url).path)
    other.goto(board.address + "/permit")
    expect(other.get_by_label("What is it called?")).to_have_value("")


def test_what_is_missing_is_shown_in_its_step(board: Board, person: Arrive, htmx: Htmx) -> None:
    page = open_permit(person, board, "mateo", htmx, "/permit?step=people")
    fill_people(page)
    page.get_by_role("button", name="Send to the city").click()
    expect(page.locator("[role=alert]", has_text="answers are missing")).to_be_visible()
    expect(page.locator("#step-event")).to_be_visible()
    expect(page.locator("#title-error")).to_have_text("Say what the event is called.")
    assert urlsplit(page.url).query == "step=event"
    page.get_by_role("tab", name="People and safety").click()
    expect(page.get_by_label("Who answers for it?")).to_have_value("Jonas Weber")
    picture(page, f"permit-missing-{htmx.major}")


def test_without_scripts_all_steps_are_there_and_the_draft_is_kept_by_a_button(
    board: Board, person: Arrive, htmx: Htmx
) -> None:
    who = "grace" if htmx.major == 4 else "mei"
    ada = person(board.address, htmx, expected=(422,), java_script_enabled=False).sign_in(who)
    page = ada.context.new_page()
    page.goto(board.address + "/permit")
    for step in ("event", "place", "people"):
        expect(page.locator(f"#step-{step}")).to_be_visible()
    expect(page.get_by_role("button", name="Continue")).to_have_count(0)
    fill_event(page)
    page.get_by_label("Bins").check()
    picture(page, f"permit-plain-{htmx.major}")
    page.get_by_role("button", name="Save as draft").click()
    assert urlsplit(page.url).path == "/permit"
    expect(page.get_by_label("What is it called?")).to_have_value("Opening day of Kestrel Cycles")
    expect(page.get_by_label("Bins")).to_be_checked()
    page.get_by_role("button", name="Send to the city").click()
    expect(page.locator("#street-error")).to_have_text("Name the street or square.")
    expect(page.get_by_label("Visitors")).to_have_value("250")
    fill_place(page)
    fill_people(page)
    page.get_by_role("button", name="Send to the city").click()
    expect(page.locator("#permit")).to_contain_text("Sent to the city")
    page.goto(board.address + "/permit")
    expect(page.get_by_label("What is it called?")).to_have_value("")


def test_a_deploy_in_the_middle_of_writing(person: Arrive, htmx: Htmx, tmp_path: object) -> None:
    with Board(tmp_path) as board:  # type: ignore[arg-type]
        page = open_permit(person, board, "ada", htmx)
        fill_event(page)
        expect(page.locator("#rt-draft-permit")).to_contain_text(SAVED)
        page.evaluate("window.before = true")
        page.get_by_role("button", name="Deploy").click()
        page.get_by_label("What happens?").press_sequentially(" and cake")
        toast = page.locator(".rt-toast", has_text="A new version is available.")
        expect(toast).to_be_visible(timeout=30_000)
        until(page, "connected")
        assert page.evaluate("window.before") is True
        expect(page.get_by_label("What happens?")).to_have_value(re.compile("cake"))
        picture(page, f"permit-deployed-{htmx.major}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_the_permit_fits_the_screen(board: Board, person: Arrive, width: int, scheme: str) -> None:
    size = {"width": width, "height": 800}
    page = open_permit(
        person, board, "ada", Htmx(4, "htmx4"), viewport=size, color_scheme=scheme, reduced_motion="reduce"
    )
    fill_event(page)
    expect(page.locator("#rt-draft-permit")).to_contain_text(SAVED)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert findings(page) == []
    picture(page, f"permit-event-{width}-{scheme}")
    page.get_by_role("tab", name="People and safety").click()
    page.get_by_role("button", name="Send to the city").click()
    expect(page.locator("[role=alert]", has_text="missing")).to_be_visible()
    assert findings(page) == []
    page.context.request.post(f"{board.address}/sign-out", max_redirects=0)
    expect(page.get_by_role("button", name="Sign in and continue")).to_be_visible()
    assert findings(page) == []
    picture(page, f"permit-signed-out-{width}-{scheme}")
