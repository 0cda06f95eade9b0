"""The board as somebody sees it: its rows, what it says at one moment, requests that are held up, pictures."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, Route

AFTER_UNDO = 12_000  # milliseconds: five seconds to undo it, and some
PICTURES = os.environ.get("SHOW_PICTURES", "")  # a folder, to look at what the tests have seen

# Everything a person can tell from the board: of each row its title, tick, votes and words, and the numbers above.
SEEN = """() => ({
  rows: [...document.querySelectorAll("#tasks > .task")].map((row) => [
    row.querySelector(".task-title").textContent,
    row.querySelector(".tick").getAttribute("aria-checked"),
    row.classList.contains("is-done"),
    row.querySelector(".votes")?.textContent ?? "",
    row.querySelector(".task-meta").innerText,
  ]),
  totals: [...document.querySelectorAll("#summary dd")].map((number) => number.textContent),
  invoices: [...document.querySelectorAll(".invoice")].map((row) => row.innerText),
})"""
# Once nothing moves any more but what never ends or takes its time, such as the hairline of a toast.
STILL = """() => Promise.all(document.getAnimations().filter((a) => a.effect.getComputedTiming().endTime < 1000)
  .map((a) => a.finished.catch(() => {}))).then(() => {})"""
# How many rows have a title.
COUNT = (
    "() => [...document.querySelectorAll('#tasks > .task .task-title')].filter((el) => el.textContent === %r).length"
)


def row(page: Page, title: str) -> Locator:
    """Return the row with exactly this title."""
    return page.locator(".task").filter(has=page.locator(".task-title", has_text=re.compile(f"^{re.escape(title)}$")))


def add(page: Page, title: str) -> None:
    """Write a title and press "Add task"."""
    page.locator("#title").fill(title)
    page.locator("#send").click()


def delete(page: Page) -> None:
    """Delete the task that is open in the panel."""
    page.locator("#panel .delete button").click()


def rename(row: Locator, title: str) -> None:
    """Rename a task in its row."""
    field = row.locator(".rename input")
    field.fill(title)
    field.press("Enter")


def drag(page: Page, title: str, over: str) -> None:
    """Drag one row over another one, which it then follows, or precedes where it came from below."""
    grip = row(page, title).locator("[rt-handle]").bounding_box()
    goal = row(page, over).bounding_box()
    assert grip
    assert goal
    x, y = grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2
    down = goal["y"] > y
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + (6 if down else -6))
    page.mouse.move(x, goal["y"] + goal["height"] * (0.9 if down else 0.1), steps=6)


def order(page: Page) -> list[str]:
    """Return the titles in the order of the list."""
    return page.locator("#tasks > .task .task-title").all_text_contents()


def seen(page: Page) -> dict[str, Any]:
    """Return what the board says now."""
    return dict(page.evaluate(SEEN))


def picture(page: Page, name: str) -> None:
    """Keep a picture of the page where pictures are wanted."""
    if PICTURES:
        page.evaluate(STILL)
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), caret="initial")


class Held:
    """Actions of a page that do not get to the server before they are let go."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._routes: list[Route] = []
        self._open = False
        page.route(re.compile(r"/(tasks|invoices)\b"), self._take)

    def _take(self, route: Route) -> None:
        if route.request.method == "POST" and not self._open:
            self._routes.append(route)
        else:
            route.continue_()

    def one(self) -> Route:
        """Return the next action once it has left the page."""
        for _ in range(500):
            if self._routes:
                return self._routes.pop(0)
            self._page.wait_for_timeout(10)  # lets the driver hear of it
        raise AssertionError("nothing has left the page")

    @property
    def count(self) -> int:
        """How many wait."""
        return len(self._routes)

    def end(self) -> None:
        """Hold nothing any more but what waits."""
        self._open = True
