"""Pages that stay open through a rolling restart behind nginx."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.rolling import Workers, restart_under

from .people import Person

STREAMS = 200
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


@pytest.mark.soak  # as many streams as this let too many come at once where other tests run beside it
def test_half_filled_forms_outlive_a_rolling_restart(workers: Workers, person: Callable[..., Person]) -> None:
    """Two people type on while both workers are replaced under many other streams, and notice nothing."""
    asked: list[str] = []
    people = [person(workers.address) for _ in range(2)]
    pages = []
    for somebody in people:
        somebody.context.add_init_script(LOG)
        page = somebody.open("/form")
        page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
        page.evaluate("window.before = true")
        page.get_by_label("Title").fill("Half")
        pages.append(page)
    story = ""
    with ThreadPoolExecutor(1) as pool:
        deploy = pool.submit(asyncio.run, restart_under(workers, STREAMS - len(pages)))
        while not deploy.done():
            story += "word "
            for page in pages:
                page.get_by_label("Story").press_sequentially("word ", delay=40)
        outcome = deploy.result()

    print(f"{outcome.published} published; reconnects a second: {outcome.per_second()}, at most {outcome.busiest}")
    print(f"workers ended after {', '.join(f'{took:.2f} s' for took in outcome.exits)}; {len(story)} letters typed")
    assert max(outcome.exits) < 1
    assert outcome.busiest + len(pages) <= 0.3 * STREAMS
    assert (outcome.lost, outcome.out_of_order, outcome.outages, outcome.resyncs) == (0, 0, 0, {})
    story += "end"
    for somebody, page in zip(people, pages, strict=True):
        with page.expect_response(lambda answer: answer.ok and story in (answer.request.post_data or "")):
            page.get_by_label("Story").press_sequentially("end")
        expect(page.locator(".rt-draft")).to_have_text(re.compile("Draft saved .*Discard"))
        page.locator(f"#row-{outcome.published}").wait_for()
        assert page.locator("#rows li").all_inner_texts() == [str(number + 1) for number in range(outcome.published)]
        assert moves(page) >= 1
        assert set(page.evaluate("log")) <= {"connecting", "connected", "moving"}
        assert page.locator("#rt-banner").is_hidden()
        assert page.locator("[role=alertdialog]").count() == 0
        assert page.evaluate("window.before")  # the page that it was
        expect(page.get_by_label("Title")).to_have_value("Half")
        expect(page.get_by_label("Story")).to_have_value(story)
        anew = somebody.open("/form")  # what the server has
        expect(anew.get_by_label("Title")).to_have_value("Half")
        expect(anew.get_by_label("Story")).to_have_value(story)
    assert asked == []
