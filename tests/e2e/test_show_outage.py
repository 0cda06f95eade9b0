"""A server that is killed, and one that is replaced: what the page says, when, and how it catches up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .boardserver import Board
from .conftest import Htmx
from .people import Person, recorded, states, until

# Which elements were told that they are stale, in order.
STALE = """() => {
  window.stale = [];
  document.addEventListener("rt:resync", ({ target }) => stale.push(target.id || target.name));
}"""


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """A board of its own for each test: it is going to be killed."""
    return Board(tmp_path)


def pause(page: Page) -> None:
    """Stop the page's clock; from here on the test turns it."""
    page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 1)


def shown(page: Page) -> list[dict[str, Any]]:
    """Return each look of the bar while it was to be seen."""
    return [look for look in recorded(page, "bar") if not look["hidden"]]


def test_a_killed_server(board: Board, person: Callable[..., Person], htmx: Htmx) -> None:
    with board:
        page = person(board.address, htmx).sign_in("ada").open(clock=True)
        born = recorded(page, "started")
        page.evaluate(STALE)
        page.locator("#title").fill("Half a thou")
        asked: list[str] = []
        pause(page)

        board.kill()
        until(page, "disconnected")
        since = recorded(page, "states")[-1]["at"]
        page.clock.run_for(1_999 - (page.evaluate("Date.now()") - since))
        assert shown(page) == []
        page.clock.run_for(100)
        assert shown(page)[0]["at"] - since == 2_000
        expect(page.locator("#rt-banner")).to_have_text("Reconnecting…", use_inner_text=True)
        assert not shown(page)[-1]["retry"]

        page.clock.run_for(14_950 - (page.evaluate("Date.now()") - since))
        assert not shown(page)[-1]["retry"]
        page.clock.run_for(100)
        long = next(look for look in shown(page) if look["retry"])
        assert long["at"] - since == 15_000
        assert long["reload"]
        assert "Your unsaved work is kept." in long["text"]
        bar = page.locator("#rt-banner")
        retry = bar.get_by_role("button", name="Retry now")
        expect(retry).to_be_visible()
        expect(bar.get_by_role("button", name="Reload")).to_be_visible()
        tries = len(recorded(page, "opens"))
        count = bar.locator("[rt-banner-next]").inner_text()
        assert count.startswith(("Next try in", "Trying again")), count
        page.clock.run_for(1_000)
        assert bar.locator("[rt-banner-next]").inner_text() != count or len(recorded(page, "opens")) > tries
        expect(page.locator("#title")).to_be_focused()  # the bar took nothing

        board.start()
        with board.curl("mei") as mei:
            for number in range(3):
                assert mei.post("/tasks", data={"title": f"Missed {number}", "priority": "low"}).status_code == 303
        page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
        retry.dispatch_event("click")  # with the clock still paused: running, it might try by itself first
        page.clock.resume()
        until(page, "connected")
        for number in range(3):
            expect(page.locator(".task-title", has_text=f"Missed {number}")).to_have_count(1)
        expect(page.locator("#summary")).to_contain_text("Open12")
        expect(page.locator("#rt-banner")).to_be_hidden()
        assert "Back online" in [look["text"] for look in shown(page)]
        stale = [name for name in page.evaluate("stale") if not name.startswith("rt-")]  # but for who is here
        assert sorted(stale) == ["htmx-rt", "invoices", "pages", "tasks", "totals"]
        assert asked.count(f"GET {board.address}/") == 1
        assert recorded(page, "started") == born, "the page was loaded anew"
        expect(page.locator("#title")).to_have_value("Half a thou")


@pytest.mark.parametrize("refused", [False, True], ids=["up before the first try", "the first try is refused"])
def test_a_replaced_server(board: Board, person: Callable[..., Person], htmx: Htmx, refused: bool) -> None:
    with board:
        page = person(board.address, htmx).sign_in("ada").open(clock=True)
        born = recorded(page, "started")
        pause(page)
        assert board.terminate() < 1.0
        until(page, "moving")
        if refused:
            with page.expect_event("requestfailed"):
                tries = len(recorded(page, "opens"))
                while len(recorded(page, "opens")) == tries:  # its slot lies within the next four seconds
                    page.clock.run_for(100)
        board.start()
        with board.curl("mei") as mei:
            mei.post("/tasks", data={"title": "Added meanwhile", "priority": "low"})
        expect(page.locator("[aria-disabled=true]")).to_have_count(0)
        page.clock.fast_forward(1_000 if refused else 4_000)
        page.clock.resume()
        expect(page.locator(".task-title", has_text="Added meanwhile")).to_have_count(1)
        assert states(page) == ["connecting", "connected", "moving", "connected"]
        assert shown(page) == []
        assert recorded(page, "started") == born
