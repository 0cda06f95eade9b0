"""What cannot be caught up with is fetched again: exactly that, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from markupsafe import Markup
from playwright.sync_api import expect

from .conftest import Htmx
from .lab import LAYOUT, LOG, Lab, News
from .people import Person, until

Start = Callable[..., tuple[Lab, str]]
Arrive = Callable[..., Person]


def stale_page(lab: Lab, news: News) -> None:
    """A page with two regions, one with an address of its own, whose rows come from what was published."""

    def rows(topic: str) -> Markup:
        numbers = range(1, news.counts.get(topic, 0) + 1)
        return Markup("").join(Markup('<li id="{0}-{1}">{1}</li>').format(topic, number) for number in numbers)

    own = '<ol id="own" {{ rt.region("/own", "own") }}>{{ own }}</ol>'
    lab.page(
        "/",
        '<input name="typed"><ol id="red" {{ rt.stream("red") }}>{{ red }}</ol>' + own,
        red=lambda: rows("red"),
        own=lambda: rows("own"),
    )
    lab.get("/own", lambda request: lab.fill(own, own=lambda: rows("own")))


@pytest.mark.parametrize(
    ("limits", "why", "topic", "asked"),
    [
        ({"replay": 5}, "limit", "red", ["/"]),
        ({"window": 5}, "trimmed", "own", ["/own"]),
    ],
    ids=["too much missed", "no longer kept"],
)
def test_what_cannot_be_replayed_is_fetched_again(
    lab: Start, person: Arrive, htmx: Htmx, limits: dict[str, int], why: str, topic: str, asked: list[str]
) -> None:
    app, address = lab(limits=limits)
    news = News(app)
    stale_page(app, news)
    page = person(address, htmx).open()
    page.locator("input").fill("kept")
    page.evaluate("""() => {
      window.stale = [];
      document.addEventListener("rt:resync", ({ target, detail }) => stale.push([target.id, detail.why]));
    }""")
    page.evaluate("htmxRt.simulateDisconnect()")
    until(page, "disconnected")
    news.publish(topic, 12)
    app.requests.clear()
    page.evaluate("htmxRt.simulateDisconnect(false)")
    expect(page.locator(f"#{topic} > li")).to_have_count(12)
    assert page.evaluate("stale") == [[topic, why]]
    assert [path for _, path in app.requests] == asked
    news.publish(topic)
    expect(page.locator(f"#{topic} > li")).to_have_count(13)
    assert page.locator(f"#{topic} > li").all_inner_texts() == [str(number) for number in range(1, 14)]
    expect(page.locator("input")).to_have_value("kept")


def test_what_cannot_be_fetched_again_is_said(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab(limits={"replay": 5})
    news = News(app)
    app.page("/", '<form method="post" action="/made"><button>Make</button></form>')
    body = "<h1>Made</h1>" + LOG.format("red")
    app.post("/made", lambda request: app.fill(LAYOUT % body, title="Made", htmx=htmx.major))
    page = person(address, htmx, expected=(404,)).open(state=None)
    page.get_by_role("button", name="Make").click()
    until(page, "connected")
    page.evaluate("htmxRt.simulateDisconnect()")
    until(page, "disconnected")
    news.publish("red", 12)
    page.evaluate("htmxRt.simulateDisconnect(false)")
    bar = page.locator("#rt-banner")
    expect(bar).to_contain_text("Part of this page may be out of date.")
    expect(bar.get_by_role("button")).to_have_text(["Reload"])
    expect(page.locator("h1")).to_have_text("Made")
    news.publish("red")
    expect(page.locator("#red-13")).to_be_attached()  # what follows still comes


def test_a_region_with_an_address_fetches_only_itself(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    news = News(app)
    stale_page(app, news)
    page = person(address, htmx).open()
    news.counts = {"own": 3, "red": 3}  # what a fresh render would show
    app.requests.clear()
    app.topic("own").refresh("#own").result(5)
    expect(page.locator("#own > li")).to_have_count(3)
    expect(page.locator("#red > li")).to_have_count(0)
    assert app.requests == [("GET", "/own")]
