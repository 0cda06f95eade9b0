"""Badges that follow what they count, and what others have changed, seen once."""

from __future__ import annotations

from collections.abc import Callable

from markupsafe import Markup
from playwright.sync_api import Page, expect
from starlette.requests import Request
from starlette.responses import Response

from .conftest import Htmx
from .lab import Lab
from .people import Person

Start = Callable[..., tuple[Lab, str]]
Arrive = Callable[..., Person]

BADGE = '{{ rt.badge("unread", count, label="{n} unread", title=True) }}'
LINKS = '<nav><a id="a" href="/" hx-boost="true">Inbox</a> <a id="b" href="/other" hx-boost="true">Other</a></nav>'
LIST = """<ul id="rows" rt-flash {{ rt.stream("rows") }}><li id="r1" class="row">One</li><li id="r2"><b id="r2b">Two</b></li><li id="r3" rt-enter="rt-enter">Three</li></ul>
<p id="still" {{ rt.stream("rows") }}>Still</p><button id="mine" hx-post="/mine" hx-swap="none">Mine</button>"""

# What has worn the class so far, in order; and for how long.
WATCH = """() => {
  window.lit = [];
  window.since = {};
  const look = (el) => {
    const on = el.classList.contains("rt-highlight");
    if (on && !since[el.id]) { lit.push(el.id); since[el.id] = performance.now(); }
    if (!on && since[el.id]) { (window.took ??= {})[el.id] = performance.now() - since[el.id]; delete since[el.id]; }
  };
  new MutationObserver((changes) => changes.forEach(({ target, addedNodes }) =>
    [target, ...addedNodes].forEach((el) => el.nodeType === 1 && [el, ...el.querySelectorAll("[id]")].forEach(look)),
  )).observe(document.body, { subtree: true, childList: true, attributeFilter: ["class"] });
}"""


def there(page: Page, name: str = "changes") -> Page:
    page.evaluate(
        """async (name) => {
      const of = () => performance.getEntriesByType("resource").find((entry) => entry.name.includes(`htmx-rt-${name}.mjs`));
      while (!of()) await new Promise((done) => setTimeout(done, 10));
      await import(of().name);
      await new Promise((done) => setTimeout(done));
    }""",
        name,
    )
    return page


def inbox(lab: Start, count: Callable[[], int] = lambda: 3) -> tuple[Lab, str]:
    app, address = lab()
    app.page("/", LINKS + BADGE + '<p id="here">Inbox</p>', count=count)
    app.page("/other", LINKS + BADGE + '<p id="here">Other</p>', count=count)
    return app, address


def come(person: Arrive, address: str, htmx: Htmx) -> Person:
    ada = person(address, htmx)
    ada.context.add_cookies([{"name": "who", "value": "ada", "url": address}])
    return ada


def test_a_count_that_is_pushed_is_seen_as_one_that_was_rendered(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = inbox(lab)
    page = there(come(person, address, htmx).open())
    badge = page.locator("#rt-badge-unread")
    rendered = badge.evaluate("(el) => el.outerHTML")
    for count, seen in ((9, "9"), (12, "9+"), (1234, "9+"), (1, "1")):
        app.rt.user("ada").badge("unread", count).result(5)
        expect(badge.locator("[aria-hidden]")).to_have_text(seen)
        expect(badge.locator(".rt-visually-hidden")).to_have_text(f"{count} unread")
        expect(badge).to_have_attribute("rt-badge", str(count))
    app.rt.user("ada").badge("unread", 0).result(5)
    expect(badge).to_be_hidden()
    app.rt.user("ada").badge("unread", 3).result(5)
    expect(badge).to_be_visible()
    assert badge.evaluate("(el) => el.outerHTML") == rendered
    assert badge.evaluate("(el) => getComputedStyle(el).fontVariantNumeric") == "tabular-nums"


def test_the_count_stands_in_the_title_once_whatever_changes_it(lab: Start, person: Arrive, htmx: Htmx) -> None:
    count = {"now": 3}
    app, address = inbox(lab, lambda: count["now"])

    def tell(now: int) -> None:
        count["now"] = now
        app.rt.user("ada").badge("unread", now).result(5)

    page = there(come(person, address, htmx).open())
    expect(page).to_have_title("(3) /")
    tell(12)
    expect(page).to_have_title("(12) /")
    page.click("#b")
    expect(page.locator("#here")).to_have_text("Other")
    expect(page).to_have_title("(12) /other")
    tell(13)
    expect(page).to_have_title("(13) /other")
    page.go_back()
    expect(page.locator("#here")).to_have_text("Inbox")
    expect(page).to_have_title("(13) /")
    page.evaluate("document.title = '(500) Days of Summer'")
    expect(page).to_have_title("(13) (500) Days of Summer")
    tell(0)
    expect(page).to_have_title("(500) Days of Summer")


def test_whoever_comes_later_or_was_away_has_the_count_of_now(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = inbox(lab)
    app.rt.user("ada").badge("unread", 7).result(5)
    ada = come(person, address, htmx)
    page = there(ada.open())
    badge = page.locator("#rt-badge-unread [aria-hidden]")
    expect(badge).to_have_text("7")
    page.evaluate("htmxRt.simulateDisconnect()")
    app.rt.user("ada").badge("unread", 8).result(5)
    page.evaluate("htmxRt.simulateDisconnect(false)")
    page.evaluate("htmxRt.retry()")
    expect(badge).to_have_text("8")
    expect(page).to_have_title("(8) /")


# What others have changed


def rows(lab: Start) -> tuple[Lab, str]:
    app, address = lab()
    app.page("/", LIST)

    async def mine(request: Request) -> Response:
        await app.topic("rows").replace("#r1", Markup('<li id="r1">Mine</li>'))
        await app.topic("rows").append("#rows", Markup('<li id="r9">Mine, too</li>'))
        return Response(status_code=204)

    app.post("/mine", mine)
    return app, address


def test_what_others_change_shines_once_and_only_that(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = rows(lab)
    page = there(person(address, htmx).open())
    page.evaluate(WATCH)
    topic = app.topic("rows")
    topic.replace("#r1", Markup('<li id="r1" class="row">One, changed</li>'))
    expect(page.locator("#r1")).to_have_class("row rt-highlight")
    assert page.locator("#r1").evaluate("(el) => getComputedStyle(el).animationName") == "rt-flash"
    expect(page.locator("#r1")).to_have_class("row")
    topic.text("#r2b", "Two, changed")
    topic.append("#rows", Markup('<li id="r4">Four</li>'))
    topic.text("#still", "Moved")  # not in it
    topic.replace("#r3", Markup('<li id="r3" rt-enter="rt-enter">Three</li>')).result(5)  # as it was
    expect(page.locator("#r4")).to_have_class("rt-highlight")
    expect(page.locator("#still")).to_have_text("Moved")
    page.wait_for_function("() => window.took?.r1 && took.r2b && took.r4")
    assert page.evaluate("lit") == ["r1", "r2b", "r4"]
    assert all(850 < ms < 2500 for ms in page.evaluate("Object.values(took)"))
    assert page.locator("#r4").evaluate("(el) => el.hasAttribute('class')") is False


def test_a_row_that_is_replaced_or_written_again_shines_on(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = rows(lab)
    page = there(person(address, htmx).open())
    page.evaluate(WATCH)
    topic = app.topic("rows")
    topic.replace("#r1", Markup('<li id="r1">Changed</li>')).result(5)
    expect(page.locator("#r1")).to_have_class("rt-highlight")
    # Our own change of the same row takes nothing of it away: neither as the same element nor as another one.
    page.click("#mine")
    expect(page.locator("#r1")).to_have_text("Mine")
    expect(page.locator("#r1")).to_have_class("rt-highlight")
    topic.replace("#r1", Markup('<li id="r1">Changed again</li>')).result(5)
    expect(page.locator("#r1")).to_have_text("Changed again")
    page.wait_for_function("() => window.took?.r1")
    assert page.evaluate("lit") == ["r1"]


def test_my_own_change_never_shines_and_what_is_fetched_does_not_either(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = rows(lab)
    page = there(person(address, htmx).open())
    page.evaluate(WATCH)
    page.click("#mine")
    expect(page.locator("#r9")).to_have_text("Mine, too")
    app.page("/", LIST.replace("Two", "Two, fetched"))
    app.topic("rows").refresh("#rows").result(5)
    expect(page.locator("#r2b")).to_have_text("Two, fetched")
    page.evaluate("htmxRt.simulateDisconnect()")
    app.topic("rows").text("#r2b", "Two, while away").result(5)
    page.evaluate("htmxRt.simulateDisconnect(false)")
    page.evaluate("htmxRt.retry()")
    expect(page.locator("#r2b")).to_have_text("Two, while away")
    assert page.evaluate("lit") == []
    # Another tab of the same person is somebody else, to this one.
    app.topic("rows").text("#r2b", "Two, seen").result(5)
    page.wait_for_function("() => lit.join() === 'r2b'")


def test_where_nothing_may_move_a_border_is_there_and_then_is_not(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = rows(lab)
    page = there(person(address, htmx, reduced_motion="reduce").open())
    app.topic("rows").text("#r1", "Changed").result(5)
    row = page.locator("#r1")
    expect(row).to_have_css("outline-style", "solid")
    expect(row).to_have_css("animation-name", "none")
    expect(row).not_to_have_class("rt-highlight")


def test_an_element_may_shine_by_itself(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    app.page("/", '<p {{ rt.stream("rows") }}>Sum <b id="sum" rt-flash>7</b></p>')
    page = there(person(address, htmx).open())
    page.evaluate(WATCH)
    app.topic("rows").text("#sum", "8").result(5)
    page.wait_for_function("() => lit.join() === 'sum'")
    page.wait_for_function("() => window.took?.sum")
    app.topic("rows").text("#sum", "8").result(5)
    app.topic("rows").text("#sum", "9").result(5)
    page.wait_for_function("() => lit.join() === 'sum,sum'")
