"""Reading the task board."""

from typing import Final

from htmx_rt.testing import Browser, Page

GOOD: Final = {"title": "Call the printer", "priority": "normal", "due": ""}


def titles(page: Page) -> list[str]:
    return [element.get_text() for element in page.select(".task-title")]


def totals(page: Page) -> list[int]:
    return [int(element.get_text()) for element in page.select("#summary dd")]


async def add(browser: Browser, **changes: str) -> str:
    """Add a task and return its id."""
    await browser.post("/tasks", GOOD | changes)
    rows = (await browser.get("/")).select(".task")
    return max((str(row["id"]).removeprefix("task-") for row in rows), key=int)


def field(page: Page, name: str) -> str:
    return str(page.select(f"#{name}")[0].get("value", ""))
