"""Every page under a strict policy without a complaint, and without a finding of axe-core, in light and dark."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from .boardserver import Board
from .conftest import NODE_MODULES, Htmx
from .people import Person, until

Arrive = Callable[..., Person]

AXE = (NODE_MODULES / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
RUN = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join(" | ")}`);
}"""


def findings(page: Page) -> list[str]:
    """What axe-core objects to, once nothing moves any more."""
    page.evaluate(AXE)
    page.evaluate(
        "Promise.all(document.getAnimations().filter((a) => a.effect.getTiming().duration < 1000).map((a) => a.finished))"
    )
    return list(page.evaluate(RUN))


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 375)])
def test_axe_finds_nothing(board: Board, person: Arrive, scheme: str, width: int) -> None:
    visitor = person(
        board.address,
        expected=(404, 422),
        color_scheme=scheme,
        reduced_motion="reduce",
        viewport={"width": width, "height": 800},
    )
    page = visitor.open("/sign-in", state=None)
    assert findings(page) == []
    page.get_by_role("button", name="Mateo Ruiz").click()
    until(page, "connected")
    assert findings(page) == []
    page.locator("#title").fill("x" * 101)
    page.locator("#send").click()
    expect(page.locator("#title-error")).to_be_visible()
    assert findings(page) == []
    page.goto(f"{board.address}/tasks/4")
    until(page, "connected")
    assert findings(page) == []
    page.goto(f"{board.address}/nowhere")
    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    assert findings(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_while_the_line_is_cut_and_toasts_are_shown(
    board: Board, person: Arrive, scheme: str
) -> None:
    page = person(board.address, color_scheme=scheme, reduced_motion="reduce").sign_in("mateo").open(clock=True)
    with board.curl("mei") as mei:
        for number in range(2):
            mei.post("/tasks", data={"title": f"Seen by axe {scheme} {number}", "priority": "high"})
    expect(page.locator(".rt-toast")).to_have_count(2)
    page.locator("#cut").click()
    until(page, "disconnected")
    page.clock.fast_forward(3_000)
    expect(page.locator("#rt-banner")).to_be_visible()
    assert findings(page) == []
    page.clock.fast_forward(15_000)
    expect(page.get_by_role("button", name="Retry now")).to_be_visible()
    page.locator(".task-tools button").first.click(force=True)  # what is not kept for later
    expect(page.locator(".rt-toast-warning")).to_be_visible()
    assert findings(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_what_asks_and_what_is_on_its_way_out(board: Board, person: Arrive, scheme: str) -> None:
    page = person(board.address, color_scheme=scheme, reduced_motion="reduce").sign_in("mateo").open()
    page.get_by_role("button", name="Send invoice 2042").click()
    expect(page.get_by_role("alertdialog")).to_be_visible()
    assert findings(page) == []
    page.keyboard.press("Escape")
    with board.curl("mei") as mei:
        title = f"Deleted under axe, {secrets.token_hex(4)}"  # the board may know it from a try before
        mei.post("/tasks", data={"title": title, "priority": "high"})
        added = page.locator(".task", has_text=title)
        expect(added).to_be_visible()
        mei.post(f"/tasks/{added.get_attribute('data-id')}/delete")
    expect(page.locator(".is-leaving", has_text=title)).to_contain_text("Mei is deleting this")
    page.locator(".rename input").first.focus()
    assert findings(page) == []


def test_every_page_obeys_its_strict_policy(board: Board, person: Arrive, htmx: Htmx) -> None:
    visitor = person(board.address, htmx, expected=(404,))
    page = visitor.open("/sign-in", state=None)
    policy = page.request.get(f"{board.address}/sign-in").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    page.evaluate(
        "document.addEventListener('securitypolicyviolation', (event) => console.error(event.violatedDirective))"
    )
    visitor.sign_in("priya")
    for path in ("/", "/tasks", "/tasks/new", "/tasks/5"):
        page.goto(board.address + path)
        until(page, "connected")
    page.goto(f"{board.address}/nowhere")
    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    # Anything refused is logged as an error, which fails the test at its end.


def test_two_people_side_by_side_on_one_screen(board: Board, person: Arrive) -> None:
    page = person(board.address).sign_in("ada").open()
    page.get_by_role("link", name="Two people side by side").click()
    left, right = page.frame_locator("iframe").nth(0), page.frame_locator("iframe").nth(1)
    for frame, name in ((left, "Ada"), (right, "Grace")):
        expect(frame.locator(".me")).to_contain_text(name)
        expect(frame.locator("html")).to_have_attribute("data-rt", "connected")
    left.locator("#title").fill("Side by side")
    left.get_by_role("button", name="Add task").click()
    expect(right.locator(".task-title", has_text="Side by side")).to_be_visible()
