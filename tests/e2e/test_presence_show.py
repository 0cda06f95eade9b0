"""The whiteboard, the lobby and an open task of the example, with several people on them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from .boardserver import Board
from .conftest import Htmx
from .people import Person
from .test_show_access import findings

Arrive = Callable[..., Person]


def stick(somebody: Person, *texts: str) -> None:
    """Put notes on the wall, without a script."""
    for text in texts:
        somebody.context.request.post(f"{somebody.address}/whiteboard/notes", form={"text": text}, max_redirects=0)


def note(page: Page, text: str) -> str:
    """The id of the note that says `text`."""
    return page.locator("#wall > .sticky", has_text=text).last.get_attribute("id") or ""


def point(page: Page, selector: str) -> tuple[float, float]:
    box = page.locator(selector).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    return box["x"] + box["width"] / 2, box["y"] + 20


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 375)])
def test_axe_finds_nothing_where_people_meet(board: Board, person: Arrive, scheme: str, width: int) -> None:
    look = {"color_scheme": scheme, "reduced_motion": "reduce", "viewport": {"width": width, "height": 800}}
    mei, priya = person(board.address, **look).sign_in("mei"), person(board.address).sign_in("priya")
    stick(mei, "Balloons")
    page, other = mei.open("/whiteboard"), priya.open("/whiteboard")
    expect(page.locator(".wall-head .rt-avatar[data-key]")).to_have_count(2)
    expect(other.locator(".wall-head .rt-avatar[data-key]")).to_have_count(2)
    point(other, "#wall > .sticky >> nth=0")
    other.focus("#note-text")
    other.type("#note-text", "x")
    expect(page.locator(".rt-chip.rt-is-typing")).to_have_count(1)
    expect(page.locator(".rt-cursor .rt-chip")).to_be_visible()
    assert findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert findings(mei.open("/lobby")) == []
    task = mei.open("/tasks/4")
    priya.open("/tasks/4").focus("#title")
    expect(task.locator(".panel .rt-avatar[data-key]")).to_have_count(2)
    expect(task.get_by_role("img", name="Priya Nair is in this field")).to_be_visible()
    assert findings(task) == []


def test_notes_are_dragged_and_everybody_sees_where(board: Board, person: Arrive, htmx: Htmx) -> None:
    mei, priya = person(board.address, htmx).sign_in("mei"), person(board.address, htmx).sign_in("priya")
    stick(mei, f"Lamps {htmx.major}")
    page, other = mei.open("/whiteboard"), priya.open("/whiteboard")
    one = note(page, f"Lamps {htmx.major}")
    wall = page.locator("#wall").bounding_box()
    assert wall is not None
    point(page, f"#{one}")
    page.mouse.down()
    page.mouse.move(wall["x"] + wall["width"] * 5.5 / 6, wall["y"] + wall["height"] * 3.5 / 4, steps=4)
    page.mouse.up()
    for each in (page, other):
        expect(each.locator(f"#{one}")).to_have_attribute("data-column", "6")
        expect(each.locator(f"#{one}")).to_have_attribute("data-row", "4")
    page.locator(f"#{one}-left").focus()
    page.keyboard.press("Enter")
    expect(other.locator(f"#{one}")).to_have_attribute("data-column", "5")
    expect(page.locator(f"#{one}-left")).to_be_focused()


def test_a_refused_move_is_taken_back(board: Board, person: Arrive, htmx: Htmx) -> None:
    mei = person(board.address, htmx, expected=(500, "Response Status Error Code 500")).sign_in("mei")
    stick(mei, f"Chalk {htmx.major}")
    page = mei.open("/whiteboard")
    one = page.locator(f"#{note(page, f'Chalk {htmx.major}')}")
    before = one.get_attribute("data-row")
    page.route("**/move", lambda route: route.fulfill(status=500, body="no"))
    one.get_by_role("button", name="Move down").click()
    expect(one).to_have_attribute("data-row", str(before))
    expect(page.locator(".rt-toast")).to_have_count(1)


def test_the_wall_works_without_a_script(board: Board, person: Arrive) -> None:
    mei = person(board.address, java_script_enabled=False).sign_in("mei")
    page = mei.open("/whiteboard", state=None)
    page.fill("#note-text", "By hand")
    page.get_by_role("button", name="Add").click()
    one = page.locator("#wall > .sticky", has_text="By hand")
    before = int(one.get_attribute("data-row") or 0)
    one.get_by_role("button", name="Move down").click()
    expect(page.locator("#wall > .sticky", has_text="By hand")).to_have_attribute("data-row", str(before + 1))


def test_the_lobby_counts_visitors(board: Board, person: Arrive) -> None:
    stranger = person(board.address)
    page = stranger.open("/lobby")
    mei = person(board.address).sign_in("mei").open("/lobby")
    expect(page.get_by_text("2 people here")).to_be_visible()
    expect(page.locator(".rt-roster-name")).to_have_text(["Visitor", "Mei Tanaka"])
    mei.close(run_before_unload=True)
    expect(page.get_by_text("1 person here")).to_be_visible()
