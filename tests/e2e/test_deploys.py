"""A page that stays open through a rolling restart behind nginx."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page

from tests.rolling import Workers

# Every state of the page and every look of the bar, from before the first one.
LOG = """
window.log = [];
new MutationObserver((changes) => {
  for (const { target, attributeName } of changes) {
    if (target === document.documentElement && attributeName === "data-rt") log.push(target.dataset.rt);
    if (target.id === "rt-banner" && !target.hidden) log.push("banner: " + target.textContent.trim());
    if (target.id === "go" && target.getAttribute("aria-disabled") === "true") log.push("disabled");
  }
}).observe(document, { subtree: true, attributes: true });
"""


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    with Workers(tmp_path) as workers:
        yield workers


def moves(page: Page) -> int:
    return page.evaluate("log.filter((word) => word === 'moving').length")


def test_a_rolling_restart_shows_nothing_and_loses_nothing(workers: Workers, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.add_init_script(LOG)
    page.goto(workers.address)
    connected = page.locator("html[data-rt=connected]")
    connected.wait_for()
    with httpx.Client(base_url=workers.address, trust_env=False) as client:
        for number, place in enumerate((0, 1, 0), 1):  # whichever worker the page is on, it moves
            workers.replace(place, "2")
            connected.wait_for(timeout=15_000)
            assert client.post(f"/publish/{number}").status_code == 200
            page.locator(f"#row-{number}").wait_for()
    assert moves(page) >= 1
    assert set(page.evaluate("log")) <= {"connecting", "connected", "moving"}
    assert page.locator("#rows li").all_inner_texts() == ["1", "2", "3"]
    assert page.locator("#rt-banner").is_hidden()
