"""The life of a page's one stream: over the back/forward cache, boosted links, hidden tabs, and topics that come late."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from markupsafe import Markup
from playwright.sync_api import Page, expect

from .conftest import Htmx
from .lab import Lab
from .people import Person, recorded, states, until

Start = Callable[..., tuple[Lab, str]]
Arrive = Callable[..., Person]

LOG = '<ol id="{0}" {{{{ rt.stream("{0}") }}}}></ol>'


class News:
    """Numbered messages on topics; a page that got each once shows the numbers without a gap."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.counts: dict[str, int] = {}

    def publish(self, topic: str, count: int = 1) -> None:
        for _ in range(count):
            number = self.counts[topic] = self.counts.get(topic, 0) + 1
            row = Markup('<li id="{0}-{1}">{1}</li>').format(topic, number)
            self.lab.topic(topic).append(f"#{topic}", row).result(5)


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
    for _ in range(200):
        if readers(person) == count:
            return
    raise AssertionError(f"{readers(person)} streams are open, not {count}")


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
          document.dispatchEvent(new Event("visibilitychange"));
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
