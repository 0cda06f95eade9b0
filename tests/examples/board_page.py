"""Reading the task board."""

from typing import Final

from htmx_rt.testing import Browser, Page

GOOD: Final = {"title": "Call the printer", "priority": "normal", "due": ""}


def titles(page: Page) -> list[str]:
    """What the list says, or an answer that brings rows to it; not the row kept for a task on its way."""
    return [element.get_text() for element in page.select(".task[id] .task-title")]


def order(page: Page) -> list[int]:
    return [int(str(row["data-id"])) for row in page.select("#tasks .task")]


def totals(page: Page) -> list[int]:
    return [int(element.get_text()) for element in page.select("#summary dd")]


async def add(browser: Browser, **changes: str) -> str:
    """Add a task and return its id."""
    await browser.post("/tasks", GOOD | changes)
    rows = (await browser.get("/")).select(".task[id]")
    return max((str(row["id"]).removeprefix("task-") for row in rows), key=int)


def field(page: Page, name: str) -> str:
    return str(page.select(f"#{name}")[0].get("value", ""))
