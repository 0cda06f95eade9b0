"""The dashboard in numbers: when skeletons are seen, and that nothing moves when what they stood for comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from playwright.sync_api import APIResponse, Page, Route, expect

from .boardserver import Board
from .conftest import Htmx
from .people import Person, until
from .test_region import SOON

Arrive = Callable[..., Person]

PARTS = ("sales", "roads", "repairs", "stock", "suppliers")
MOST = 0.02  # of layout shift, in all
# By part: everything it ever looked like, one after another.
WATCH = """(ids) => {
  window.seen = Object.fromEntries(ids.map((id) => [id, []]));
  const look = () => {
    for (const id of ids) {
      const el = document.getElementById(id), bones = el?.querySelector(".rt-skeletons");
      if (!el) continue;
      const what = bones ? (getComputedStyle(bones).visibility === "visible" ? "skeleton" : "nothing") : "content";
      if (seen[id].at(-1) !== what) seen[id].push(what);
    }
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true });
  look();
}"""
SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) shifts.push([one.value, one.sources.map(({ node }) => (node?.outerHTML ?? node?.textContent)?.slice(0, 80))]);
}).observe({ type: "layout-shift", buffered: true });
"""
FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


class Held:
    """The dashboard of somebody whose parts come when the test says so."""

    def __init__(self, somebody: Person) -> None:
        self.somebody = somebody
        self.page: Page = somebody.context.new_page()
        self.answers = {name: self._answer(name) for name in PARTS}
        self.routes: dict[str, Route] = {}
        for name in PARTS:
            self.page.route(f"**/dashboard/{name}", self._hold)

    def _hold(self, route: Route) -> None:
        self.routes.setdefault(route.request.url.rsplit("/", 1)[1], route)

    def _answer(self, name: str) -> APIResponse:
        """What the real server says, sooner or later: some do not always work."""
        for _ in range(3):
            answer = self.somebody.context.request.get(
                f"{self.somebody.address}/dashboard/{name}", headers={"HX-Request": "true"}, timeout=20_000
            )
            if answer.ok:
                return answer
        raise AssertionError(f"{name}: {answer.status}")

    def open(self) -> Page:
        """Go there, and wait until all parts are asked for."""
        self.page.goto(f"{self.somebody.address}/dashboard")
        self.page.wait_for_selector("#suppliers", state="attached")
        for _ in range(5_000):  # each is a turn in which a route may come
            if len(self.routes) == len(PARTS):
                return self.page
            self.page.evaluate(SOON)
        raise AssertionError(f"only {sorted(self.routes)} were asked for")

    def let(self, names: Iterable[str] = PARTS) -> None:
        """Let answers through, and wait without the page's clock until they have been taken in."""
        for name in names:
            with self.page.expect_response(f"**/dashboard/{name}") as response:
                self.routes[name].fulfill(response=self.answers[name])
            response.value.finished()
        self.page.evaluate(SOON)


@pytest.fixture
def held(board: Board, person: Arrive, htmx: Htmx) -> Callable[..., Held]:
    def come(**options: Any) -> Held:
        return Held(person(board.address, htmx, expected=(502,), **options).sign_in("ada"))

    return come


def on_clock(one: Held) -> Page:
    """Time stands still, and everything has just begun to load."""
    one.page.clock.install(time=1_800_000_000)
    one.page.clock.pause_at(1_800_000_001)
    page = one.open()
    page.evaluate(WATCH, PARTS)
    return page


def test_answers_within_80_ms_show_no_skeleton(held: Callable[..., Held]) -> None:
    one = held()
    page = on_clock(one)
    page.clock.run_for(80)
    one.let()
    expect(page.locator(".rt-skeletons")).to_have_count(0)
    page.clock.run_for(2_000)
    assert page.evaluate("seen") == {name: ["nothing", "content"] for name in PARTS}


def test_answers_after_250_ms_show_it_from_200_to_500_ms(held: Callable[..., Held]) -> None:
    one = held()
    page = on_clock(one)
    page.clock.run_for(199)
    assert page.evaluate("seen") == {name: ["nothing"] for name in PARTS}
    page.clock.run_for(1)
    assert page.evaluate("seen") == {name: ["nothing", "skeleton"] for name in PARTS}
    page.clock.run_for(50)
    one.let()
    page.clock.run_for(249)
    assert page.evaluate("seen") == {name: ["nothing", "skeleton"] for name in PARTS}
    page.clock.run_for(1)
    expect(page.locator(".rt-skeletons")).to_have_count(0)
    assert page.evaluate("seen") == {name: ["nothing", "skeleton", "content"] for name in PARTS}


# The tall ones see all parts at once, and so everything that moves.
SCREENS = [(1280, 800), (1280, 2_000), (375, 812), (375, 4_000)]


@pytest.mark.parametrize(("width", "height"), SCREENS, ids=[f"{w}x{h}" for w, h in SCREENS])
def test_nothing_moves_from_skeleton_to_content(held: Callable[..., Held], width: int, height: int) -> None:
    one = held(viewport={"width": width, "height": height})
    one.page.add_init_script(SHIFTS)
    page = one.open()
    until(page, "connected")
    for name in PARTS:
        expect(page.locator(f"#{name} > .rt-skeletons")).to_be_visible()
    page.evaluate(FRAMES)
    for name in ("stock", "sales", "suppliers", "repairs", "roads"):
        one.let([name])
        expect(page.locator(f"#{name} > .rt-skeletons")).to_have_count(0)
        page.evaluate(FRAMES)
    shifts = page.evaluate("shifts")
    assert sum(value for value, _ in shifts) <= MOST, shifts
