"""The life of a page's one stream: over the back/forward cache, boosted links, hidden tabs, and topics that come late."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from markupsafe import Markup
from playwright.sync_api import Page, expect

from .conftest import Htmx
from .cutter import Cutter
from .lab import LOG, Lab, News
from .people import Person, recorded, states, until

Start = Callable[..., tuple[Lab, str]]
Arrive = Callable[..., Person]

# Each operation that reaches the page, as topic and number.
APPLIED = """() => {
  window.applied = [];
  document.addEventListener("rt:before-apply", ({ detail }) => applied.push(detail.html?.match(/id="([^"]+)/)[1]));
}"""


@pytest.fixture
def app(lab: Start) -> tuple[Lab, str, News]:
    app, address = lab()
    app.get("/readers", lambda request: str(len(app.rt.hub().readers)))
    return app, address, News(app)


def readers(person: Person) -> int:
    """How many streams the server has open."""
    return int(person.context.request.get(f"{person.address}/readers").text())


def listen(person: Person, count: int) -> None:
    """Wait until the server has `count` streams open; it learns of a closed one from its system."""
    until_when = time.monotonic() + 10
    while (now := readers(person)) != count:
        assert time.monotonic() < until_when, f"{now} streams are open, not {count}"


def test_back_from_the_cache_with_one_stream(app: tuple[Lab, str, News], person: Arrive, htmx: Htmx) -> None:
    lab, address, news = app
    lab.page("/", LOG.format("red") + '<a href="/plain">Elsewhere</a>')
    lab.get("/plain", lambda request: "<!doctype html><title>Elsewhere</title><p id=plain>Elsewhere")
    ada = person(address, htmx)
    page = ada.open()
    page.evaluate("window.addEventListener('pageshow', (event) => { window.persisted = event.persisted; })")
    news.publish("red")
    expect(page.locator("#red-1")).to_be_attached()
    page.locator("a").click()
    expect(page.locator("#plain")).to_be_visible()
    listen(ada, 0)
    news.publish("red", 2)
    page.go_back(wait_until="commit")  # a page from the cache does not load
    expect(page.locator("#red-3")).to_be_attached()
    assert page.evaluate("window.persisted") is True, "the page was not in the cache"
    assert page.locator("#red > li").all_inner_texts() == ["1", "2", "3"]
    until(page, "connected")
    listen(ada, 1)
    assert not any(look["hidden"] is False for look in recorded(page, "bar"))


def test_boosted_links_keep_one_stream(app: tuple[Lab, str, News], person: Arrive, htmx: Htmx) -> None:
    lab, address, news = app
    links = '<nav hx-boost:inherited="true" hx-boost="true"><a id="to-{0}" href="/{0}">Go</a></nav>'
    lab.page("/", LOG.format("red") + links.format("same"))
    lab.page("/same", "<h1>Same</h1>" + LOG.format("red") + links.format("other"))
    lab.page("/other", "<h1>Other</h1>" + LOG.format("green") + links.format(""))
    ada = person(address, htmx)
    page = ada.open()
    born = recorded(page, "started")
    news.publish("red")
    page.locator("#to-same").click()
    expect(page.locator("h1")).to_have_text("Same")
    news.publish("red")
    expect(page.locator("#red-2")).to_be_attached()
    page.locator("#to-other").click()
    expect(page.locator("h1")).to_have_text("Other")
    news.publish("green")
    expect(page.locator("#green-1")).to_be_attached()
    listen(ada, 1)
    page.go_back()
    expect(page.locator("h1")).to_have_text("Same")
    news.publish("red")
    expect(page.locator("#red-3")).to_be_attached()
    listen(ada, 1)
    assert recorded(page, "started") == born
    assert states(page) == ["connecting", "connected"]
    assert page.evaluate("document.querySelectorAll('#rt-banner, #rt-toasts, #rt-live').length") == 3


@pytest.mark.parametrize("away", ["another topic", "no topic", "the same topic"])
def test_back_by_the_history_shows_what_was_missed(
    app: tuple[Lab, str, News], person: Arrive, htmx: Htmx, away: str
) -> None:
    lab, address, news = app
    link = '<nav hx-boost:inherited="true" hx-boost="true"><a href="/away">Go</a></nav>'

    def rows() -> Markup:
        return Markup("").join(
            Markup('<li id="red-{0}">{0}</li>').format(n + 1) for n in range(news.counts.get("red", 0))
        )

    lab.page("/", '<h1>Here</h1><ol id="red" {{ rt.stream("red") }}>{{ rows }}</ol>' + link, rows=rows)
    there = {
        "another topic": LOG.format("green"),
        "no topic": "",
        "the same topic": '<p id="p" {{ rt.stream("red") }}></p>',
    }
    lab.page("/away", "<h1>Away</h1>" + there[away])
    ada = person(address, htmx)
    page = ada.open()
    news.publish("red", 2)
    expect(page.locator("#red-2")).to_be_attached()
    page.locator("main a").click()
    expect(page.locator("h1")).to_have_text("Away")
    news.publish("red", 2)
    if away == "another topic":
        news.publish("green")
        expect(page.locator("#green-1")).to_be_attached()
    page.go_back(wait_until="commit")
    expect(page.locator("h1")).to_have_text("Here")
    news.publish("red")
    expect(page.locator("#red-5")).to_be_attached()
    assert page.locator("#red > li").all_inner_texts() == ["1", "2", "3", "4", "5"]


def test_a_duplicated_tab_is_another_tab(app: tuple[Lab, str, News], person: Arrive, htmx: Htmx) -> None:
    lab, address, _ = app
    lab.page("/", LOG.format("red") + '<button hx-get="/ask" hx-swap="none">Ask</button>')
    lab.get("/ask", lambda request: "")
    page = person(address, htmx).open()

    def tab_of(page: Page) -> str:
        with page.expect_request("**/ask") as asked:
            page.locator("main button").click()
        return str(asked.value.headers["rt-tab"])

    first = tab_of(page)
    with page.expect_popup() as opened:
        page.evaluate("void window.open(location.href)")  # copies sessionStorage, as "Duplicate tab" does
    copy = opened.value
    until(copy, "connected")
    assert tab_of(copy) != first
    page.reload()
    until(page, "connected")
    assert tab_of(page) == first


def test_topics_that_come_later(app: tuple[Lab, str, News], person: Arrive, htmx: Htmx) -> None:
    lab, address, news = app
    lab.page("/", LOG.format("red") + '<button hx-get="/green" hx-target="#late">More</button><div id="late"></div>')
    lab.get("/green", lambda request: lab.fill(LOG.format("green")))
    ada = person(address, htmx)
    page = ada.open()
    page.evaluate(APPLIED)
    news.publish("red", 3)
    with page.expect_request("**/stream"):
        page.locator("main button").click()
        expect(page.locator("#green")).to_be_attached()
        news.publish("green", 2)  # before the second stream is open
        news.publish("red", 2)
    news.publish("red", 2)
    news.publish("green", 2)
    expect(page.locator("#red-7")).to_be_attached()
    expect(page.locator("#green-4")).to_be_attached()
    applied = page.evaluate("applied")
    for topic, count in news.counts.items():
        assert [name for name in applied if name.startswith(topic)] == [f"{topic}-{n + 1}" for n in range(count)]
    listen(ada, 1)
    assert states(page) == ["connecting", "connected"]


def test_a_hidden_tab_gives_its_stream_back_and_catches_up(
    app: tuple[Lab, str, News], person: Arrive, htmx: Htmx
) -> None:
    lab, address, news = app
    lab.page("/", LOG.format("red"))
    ada = person(address, htmx)
    page = ada.open(clock=True)

    def hide(hidden: bool) -> None:
        page.evaluate(f"""() => {{
          Object.defineProperty(document, "hidden", {{ value: {str(hidden).lower()}, configurable: true }});
          document.dispatchEvent(new Event("visibilitychange", {{ bubbles: true }}));
        }}""")

    # The clock that can be turned comes with a `performance` that knows nothing.
    page.evaluate("performance.getEntriesByType = () => [{ nextHopProtocol: 'http/1.1' }]")
    page.evaluate(APPLIED)
    news.publish("red", 2)
    expect(page.locator("#red-2")).to_be_attached()
    hide(True)
    page.clock.fast_forward(25_000)
    assert readers(ada) == 1
    page.clock.fast_forward(6_000)
    listen(ada, 0)
    news.publish("red", 3)
    page.clock.fast_forward(120_000)
    assert readers(ada) == 0
    hide(False)
    expect(page.locator("#red-5")).to_be_attached()
    assert page.evaluate("applied") == [f"red-{n}" for n in range(1, 6)]
    listen(ada, 1)
    assert not any(look["hidden"] is False for look in recorded(page, "bar")), "nothing had happened"


def test_a_line_that_dies_without_a_word(app: tuple[Lab, str, News], person: Arrive, htmx: Htmx) -> None:
    lab, address, news = app
    lab.page("/", LOG.format("red"))
    with Cutter(address).running() as line:
        page = person(line.address, htmx).open(clock=True)
        news.publish("red")
        expect(page.locator("#red-1")).to_be_attached()
        line.freeze()
        news.publish("red", 2)
        page.clock.fast_forward(30_000)
        assert states(page) == ["connecting", "connected"]
        page.clock.fast_forward(11_000)  # forty seconds without a byte: the server would have sent one
        expect(page.locator("#red-3")).to_be_attached()
        assert page.locator("#red > li").all_inner_texts() == ["1", "2", "3"]
        assert not any(look["hidden"] is False for look in recorded(page, "bar"))


def test_offline_and_back(app: tuple[Lab, str, News], person: Arrive, htmx: Htmx) -> None:
    lab, address, news = app
    lab.page("/", LOG.format("red"))
    ada = person(address, htmx)
    page = ada.open()
    ada.context.set_offline(True)
    until(page, "offline")
    news.publish("red", 2)
    ada.context.set_offline(False)
    expect(page.locator("#red-2")).to_be_attached()
    until(page, "connected")
