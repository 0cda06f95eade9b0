"""Regions that fetch themselves: what is seen while they load, when they fail, and when they ask again."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response

from .conftest import Htmx
from .lab import Gate, Lab
from .people import Person

Start = Callable[..., tuple[Lab, str]]
Arrive = Callable[..., Person]

SALES = "{{ rt.async_region('/sales', id='sales', label='Sales', skeleton=rt.skeleton.tile()%s) }}"
REGION = SALES % ""
REFUSED = (401, 403, 404, 429, 500, 502, 503, "net::ERR")
# Everything a region ever looked like, with the time it took since it began.
WATCH = """() => {
  window.seen = [];
  const look = () => {
    const el = document.querySelector("#sales");
    if (!el) return;
    const bones = el.querySelector(".rt-skeletons");
    const what = bones && getComputedStyle(bones).visibility === "visible" ? "skeleton" : bones ? "nothing" : el.textContent.trim();
    if (seen.at(-1) !== what) seen.push(what);
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true });
  look();
}"""


def html(text: str, **headers: str) -> Response:
    return HTMLResponse(text, headers=headers)


def there(page: Page, name: str = "region") -> Page:
    """Wait until the part is there and mounted."""
    page.evaluate(
        """async (name) => {
      const of = () => performance.getEntriesByType("resource").find((one) => one.name.includes(`htmx-rt-${name}.mjs`));
      while (!of()) await new Promise((done) => setTimeout(done, 10));
      await import(of().name);
      await new Promise((done) => setTimeout(done));
    }""",
        name,
    )
    return page


class Desk:
    """A page with one region, whose answers wait for the test."""

    def __init__(self, lab: Start, person: Arrive, htmx: Htmx, body: str = REGION, **options: Any) -> None:
        self.app, self.address = lab(**options)
        self.app.page("/", body)
        self.ada = person(self.address, htmx, expected=REFUSED)
        self.gates = [Gate() for _ in range(20)]
        self.asked: list[Request] = []
        self.answer: Callable[[Request], Any] = lambda request: "<p>42 sold</p>"
        self.app.get("/sales", self._sales)
        self.held = False

    async def _sales(self, request: Request) -> Any:
        self.asked.append(request)
        if self.held:
            await self.gates[len(self.asked) - 1].wait()
        return self.answer(request)

    def open(self, path: str = "/", **options: Any) -> Page:
        page = self.ada.open(path, state=None, **options)
        return page

    def reached(self, index: int = 0) -> Gate:
        """Wait until the request `index` is at the server."""
        self.gates[index].reached()
        return self.gates[index]


@pytest.fixture
def desk(lab: Start, person: Arrive, htmx: Htmx) -> Callable[..., Desk]:  # type: ignore[override]
    return lambda *args, **options: Desk(lab, person, htmx, *args, **options)


Make = Callable[..., Desk]


def on_clock(desk: Desk) -> tuple[Page, Gate]:
    """A page whose time stands still, and whose region has just begun to load."""
    desk.held = True
    page = desk.ada.context.new_page()
    page.clock.install(time=1_800_000_000)
    page.clock.pause_at(1_800_000_001)
    page.goto(desk.address)
    gate = desk.reached()
    page.evaluate(WATCH)
    return page, gate


SOON = """() => new Promise((done) => {
  const { port1, port2 } = new MessageChannel();
  let turns = 0;
  port1.onmessage = () => ((turns += 1) > 20 ? done() : port2.postMessage(0));
  port2.postMessage(0);
})"""


def answered(page: Page, gate: Gate) -> None:
    """Let the answer through, and wait, without the page's clock, until it has been taken in."""
    with page.expect_response("**/sales") as response:
        gate.open()
    response.value.finished()
    page.evaluate(SOON)


# What is seen while it loads


def test_a_quick_answer_shows_no_skeleton(desk: Make) -> None:
    one = desk()
    page, gate = on_clock(one)
    page.clock.run_for(80)
    gate.open()
    expect(page.locator("#sales")).to_have_text("42 sold")
    page.clock.run_for(2000)
    assert page.evaluate("seen") == ["nothing", "42 sold"]
    expect(page.locator("#sales")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#sales .rt-skeletons, #sales noscript")).to_have_count(0)


def test_a_slow_answer_shows_it_from_200_to_500_ms(desk: Make) -> None:
    one = desk()
    page, gate = on_clock(one)
    page.clock.run_for(199)
    assert page.evaluate("seen") == ["nothing"]
    page.clock.run_for(1)
    assert page.evaluate("seen") == ["nothing", "skeleton"]
    expect(page.locator("#sales")).to_have_attribute("aria-busy", "true")
    page.clock.run_for(50)
    answered(page, gate)
    page.clock.run_for(249)
    assert page.evaluate("seen") == ["nothing", "skeleton"]
    page.clock.run_for(1)
    expect(page.locator("#sales")).to_have_text("42 sold")
    assert page.evaluate("seen") == ["nothing", "skeleton", "42 sold"]


def test_a_skeleton_that_was_there_long_enough_goes_at_once(desk: Make) -> None:
    one = desk()
    page, gate = on_clock(one)
    page.clock.run_for(600)
    gate.open()
    expect(page.locator("#sales")).to_have_text("42 sold")


def test_regions_load_side_by_side(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    names = ["a", "b", "c", "d", "e"]
    gates = {name: Gate() for name in names}
    app.page("/", "".join("{{ rt.async_region('/%s', id='%s', label='%s') }}" % (name, name, name) for name in names))

    def part(name: str) -> Callable[[Request], Any]:
        async def show(request: Request) -> str:
            await gates[name].wait()
            return f"<p>{name} is here</p>"

        return show

    for name in names:
        app.get(f"/{name}", part(name))
    page = person(address, htmx).open(state=None)
    for gate in gates.values():  # all of them ask before any is answered
        gate.reached()
    for name in reversed(names):
        gates[name].open()
        expect(page.locator(f"#{name}")).to_have_text(f"{name} is here")
