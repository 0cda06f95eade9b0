"""`rt-move` and `rt-handle`: by pointer, touch and keyboard; refused; two people at once; with and without `rt-sort`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from markupsafe import Markup
from playwright.sync_api import Page, expect

from .conftest import Htmx
from .lab import Lab
from .optimism import Actions, body, push, ready
from .people import Person

Start = Callable[..., tuple[Lab, str]]
Arrive = Callable[..., Person]

PAGE = """<h1>Tasks</h1>
<ul id="tasks" rt-move="/tasks/{id}/move" {{ rt.stream("tasks") }} {{ sort }}>{{ rows }}</ul>"""
HAND = '<button type="button" rt-handle aria-label="Move {0}">⠿</button>'
IDS = "[...document.querySelectorAll('#tasks > li')].map(el => el.id).join('')"
NAMES = "abcde"


class Board:
    """The order as the server has it."""

    def __init__(self, lab: Lab, *, sort: bool) -> None:
        self.lab = lab
        self.sort = sort
        self.order = list(NAMES)
        self.places = {name: float(index) for index, name in enumerate(NAMES)}
        self.acts = Actions(lab)
        for name in NAMES:
            self.acts.at(f"/tasks/{name}/move")

    def row(self, name: str) -> Markup:
        """One item."""
        html = '<li id="{0}" data-pos="{1}"><b>{2}</b> ' + HAND.replace("{0}", "{2}") + "</li>"
        return Markup(html).format(name, self.places[name], f"Task {name}")

    def rows(self) -> Markup:
        """All, in order."""
        return Markup("\n").join(self.row(name) for name in self.order)

    def move(self, name: str, after: str) -> Markup:
        """Put one behind another, and tell everybody."""
        self.order.remove(name)
        at = self.order.index(after) + 1 if after else 0
        before = self.places[self.order[at - 1]] if at else self.places[self.order[0]] - 2
        behind = self.places[self.order[at]] if at < len(self.order) else before + 2
        self.places[name] = (before + behind) / 2
        self.order.insert(at, name)
        return self.row(name)

    def accept(self, name: str) -> Callable[[dict[str, str]], Any]:
        """An answer that does what was asked."""

        async def answer(form: dict[str, str]) -> str:
            row = self.move(name, form["after"])
            topic = self.lab.topic("tasks")
            if self.sort:
                await topic.replace(f"#{name}", row)
            elif form["after"]:
                await topic.after(f"#{form['after']}", row)
            else:
                await topic.before(f"#{self.order[1]}", row)
            return ""

        return answer


@pytest.fixture(params=[True, False], ids=["sorted", "unsorted"])
def sort(request: pytest.FixtureRequest) -> bool:
    return request.param


@pytest.fixture
def start(lab: Start, person: Arrive, htmx: Htmx) -> Iterator[Callable[..., tuple[Board, Page]]]:
    boards: list[tuple[Board, str]] = []

    def start(*, sort: bool = False, board: Board | None = None, **options: Any) -> tuple[Board, Page]:
        if board is None:
            app, address = lab(debug=True)
            board = Board(app, sort=sort)
            app.page("/", PAGE, rows=board.rows, sort=Markup('rt-sort="data-pos"') if sort else "")
            boards.append((board, address))
        expected = (422, "Response Status Error")
        page = ready(person(boards[0][1], htmx, expected=expected, **options).open())
        return board, page

    yield start
    for board, _ in boards:
        board.acts.finish()


def drag(page: Page, name: str, over: str, *, drop: bool = True) -> None:
    """With the mouse, from the handle of one to the lower part of another."""
    grip = page.locator(f"#{name} [rt-handle]").bounding_box()
    goal = page.locator(f"#{over}").bounding_box()
    assert grip
    assert goal
    x, y = grip["x"] + 4, grip["y"] + grip["height"] / 2
    down = goal["y"] > grip["y"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + (6 if down else -6))
    page.mouse.move(x, goal["y"] + goal["height"] * (0.9 if down else 0.1), steps=6)
    if drop:
        page.mouse.up()


def test_pointer(start: Any, sort: bool) -> None:
    board, page = start(sort=sort)
    _, other = start(board=board)
    drag(page, "a", "c", drop=False)
    expect(page.locator("#a.rt-dragging")).to_be_attached()
    assert page.evaluate(IDS) == "bcade"
    page.mouse.up()
    assert page.evaluate(IDS) == "bcade", "it was at its new place at once"
    expect(page.locator("#a.rt-pending")).to_be_attached()
    board.acts.reached("/tasks/a/move")
    assert board.acts.forms == [{"after": "c"}]
    board.acts.say("/tasks/a/move", board.accept("a"))
    expect(page.locator(".rt-pending, .rt-dragging, .rt-loading")).to_have_count(0)
    other.wait_for_function(f"() => {IDS} === 'bcade'")
    assert page.evaluate(IDS) == "bcade" == "".join(board.order)


def test_to_the_start_after_is_empty(start: Any, sort: bool) -> None:
    board, page = start(sort=sort)
    drag(page, "d", "a")
    board.acts.reached("/tasks/d/move")
    assert board.acts.forms == [{"after": ""}]
    board.acts.say("/tasks/d/move", board.accept("d"))
    expect(page.locator(".rt-pending, .rt-loading")).to_have_count(0)
    assert page.evaluate(IDS) == "dabce"


def test_touch(start: Any) -> None:
    board, page = start(has_touch=True, viewport={"width": 375, "height": 667})
    session = page.context.new_cdp_session(page)
    grip = page.locator("#a [rt-handle]").bounding_box()
    goal = page.locator("#c").bounding_box()
    assert grip
    assert goal
    x, y = grip["x"] + 4, grip["y"] + grip["height"] / 2

    def touch(kind: str, *points: tuple[float, float]) -> None:
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    touch("touchStart", (x, y))
    for step in range(1, 9):
        touch("touchMove", (x, y + (goal["y"] + goal["height"] * 0.9 - y) * step / 8))
    page.wait_for_function(f"() => {IDS} === 'bcade'")
    touch("touchEnd")
    board.acts.reached("/tasks/a/move")
    assert board.acts.forms == [{"after": "c"}]
    assert page.evaluate("scrollY") == 0


def test_keyboard_says_each_step(start: Any, sort: bool) -> None:
    board, page = start(sort=sort)
    page.evaluate("""() => {
      window.said = [];
      htmxRt.rt.events.on("announce", ({text}) => said.push(text));
      document.querySelector("#b [rt-handle]").focus();
    }""")
    for key in ("Space", "ArrowDown", "ArrowDown", "ArrowUp", "End", "Home"):
        page.keyboard.press(key)
    assert page.evaluate(IDS) == "bacde"
    assert page.evaluate("document.activeElement.closest('li').id") == "b"
    page.keyboard.press("Escape")
    assert page.evaluate(IDS) == "abcde"
    for key in ("Enter", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    assert page.evaluate(IDS) == "acbde"
    board.acts.reached("/tasks/b/move")
    assert board.acts.forms == [{"after": "c"}]
    said = page.evaluate("said")
    assert said[:7] == [
        "Task b ⠿ picked up. Place 2 of 5. Arrow keys move it, Space puts it down, Escape puts it back.",
        *(f"Place {place} of 5." for place in (3, 4, 3, 5, 1)),
        "Task b ⠿ is back in its place.",
    ]
    assert said[-1] == "Task b ⠿ put down. Place 3 of 5."
    board.acts.say("/tasks/b/move", board.accept("b"))
    expect(page.locator(".rt-pending, .rt-loading")).to_have_count(0)
    assert page.evaluate("document.activeElement.closest('li').id") == "b"
    assert page.evaluate(IDS) == "acbde"


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_refused_it_glides_back(start: Any, motion: str) -> None:
    board, page = start(reduced_motion=motion)
    before = body(page)
    page.evaluate("""() => {
      window.glided = [];
      const animate = Element.prototype.animate;
      Element.prototype.animate = function (...args) { glided.push(this.id); return animate.apply(this, args); };
    }""")
    drag(page, "a", "d")
    board.acts.reached("/tasks/a/move")
    page.evaluate("glided.length = 0")
    board.acts.say("/tasks/a/move", "no", 422)
    page.wait_for_function(f"() => {IDS} === 'abcde'")
    assert page.evaluate("glided.includes('a')") is (motion == "no-preference")
    expect(page.locator(".rt-pending, .rt-loading")).to_have_count(0)
    page.wait_for_function("() => document.getAnimations().length === 0")
    assert body(page).replace(' class=""', "") == before


def test_two_people_move_at_once(start: Any, sort: bool) -> None:
    board, page = start(sort=sort)
    _, other = start(board=board)
    drag(page, "a", "c")
    drag(other, "e", "b")
    assert (page.evaluate(IDS), other.evaluate(IDS)) == ("bcade", "aebcd")
    board.acts.reached("/tasks/e/move")
    board.acts.say("/tasks/e/move", board.accept("e"))
    page.wait_for_function(f"() => {IDS} === 'ebcad'")
    expect(page.locator("#a.rt-pending")).to_be_attached()
    board.acts.say("/tasks/a/move", board.accept("a"))
    for screen in (page, other):
        screen.wait_for_function(f"() => {IDS} === 'ebcad'")
        expect(screen.locator(".rt-pending, .rt-loading")).to_have_count(0)
    assert "".join(board.order) == "ebcad"


def test_a_push_while_dragging_does_not_take_it_out_of_the_hand(start: Any) -> None:
    board, page = start()
    drag(page, "a", "c", drop=False)
    push(board.lab, "append", "#tasks", '<li id="z">Z</li>')
    push(board.lab, "remove", "#b")
    page.wait_for_function(f"() => {IDS} === 'cadez'")
    page.mouse.up()
    board.acts.reached("/tasks/a/move")
    assert board.acts.forms == [{"after": "c"}]
    assert page.evaluate(IDS) == "cadez"


def test_moved_again_before_the_answer_only_the_last_place_follows(start: Any) -> None:
    board, page = start()
    page.focus("#a [rt-handle]")
    for keys in (("Space", "ArrowDown", "Space"), ("Space", "ArrowDown", "Space"), ("Space", "End", "Space")):
        for key in keys:
            page.keyboard.press(key)
    assert page.evaluate(IDS) == "bcdea"
    board.acts.reached("/tasks/a/move")
    board.acts.say("/tasks/a/move", board.accept("a"))
    board.acts.reached("/tasks/a/move", 2)
    assert page.evaluate(IDS) == "bcdea"
    board.acts.say("/tasks/a/move", board.accept("a"))
    expect(page.locator(".rt-pending, .rt-loading")).to_have_count(0)
    assert board.acts.forms == [{"after": "b"}, {"after": "e"}]
    assert page.evaluate(IDS) == "bcdea" == "".join(board.order)
