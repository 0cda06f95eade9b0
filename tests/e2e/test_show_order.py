"""Answers and pushes that overtake each other: the screen ends right, and is never wrong on the way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from markupsafe import Markup
from playwright.sync_api import Page, expect
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from .conftest import Htmx
from .lab import Gate, Lab
from .people import Person, sample, samples

Start = Callable[..., tuple[Lab, str]]
Arrive = Callable[..., Person]

ROWS = """() => [...document.querySelectorAll("#list > *")].map((row) => row.textContent)"""


class Shop:
    """The rows of one list: id → (version, place, words)."""

    def __init__(self) -> None:
        self.rows: dict[int, tuple[int, int, str]] = {}

    def save(self, number: int, words: str, *, place: int | None = None) -> Markup:
        """Change or add a row; return it as it is now."""
        version, before, _ = self.rows.get(number, (0, number, ""))
        self.rows[number] = (version + 1, before if place is None else place, words)
        return self.row(number)

    def row(self, number: int) -> Markup:
        """A row as HTML."""
        version, place, words = self.rows[number]
        return Markup('<li id="row-{}" rt-version="{}" data-pos="{}">{}</li>').format(number, version, place, words)

    def items(self) -> Markup:
        """All rows, in their places."""
        return Markup("").join(
            self.row(number) for number in sorted(self.rows, key=lambda number: self.rows[number][1])
        )


LIST = """<ul id="list" rt-sort="data-pos" {{ rt.stream("shop") }}>{{ items }}</ul>
<form hx-post="/rows" hx-target="#list" hx-swap="beforeend"><button>Add</button></form>
<button id="again" hx-get="/rows" hx-target="#list">Again</button>"""


def as_a_fresh_render_shows_it(page: Page) -> list[str]:
    return list(
        page.evaluate("""async () => {
      const html = await (await fetch(location.href)).text();
      const fresh = new DOMParser().parseFromString(html, "text/html");
      return [...fresh.querySelectorAll("#list > *")].map((row) => row.textContent);
    }""")
    )


@pytest.fixture
def shop() -> Shop:
    shop = Shop()
    for number, words in enumerate(("Ash", "Beech", "Cedar"), 1):
        shop.save(number, words)
    return shop


def test_publishing_in_the_reverse_of_commit_order_ends_right(
    lab: Start, person: Arrive, htmx: Htmx, shop: Shop
) -> None:
    app, address = lab()
    app.page("/", LIST, items=shop.items)
    page = person(address, htmx).open()
    sample(page, "rows", ROWS)
    first = shop.save(2, "Beech, once")
    second = shop.save(2, "Beech, twice")
    fourth, fifth = shop.save(4, "Elder", place=0), shop.save(5, "Fir", place=9)
    topic = app.topic("shop")
    for html in (second, fifth, first, fourth):
        topic.append("#list", html).result(5)
    expect(page.locator("#list > li")).to_have_count(5)
    topic.append("#list", shop.save(6, "The last")).result(5)
    expect(page.locator("#row-6")).to_be_visible()
    seen = samples(page, "rows")
    assert seen[-1] == ["Elder", "Ash", "Beech, twice", "Cedar", "The last", "Fir"] == as_a_fresh_render_shows_it(page)
    words = [row for rows in seen for row in rows if row.startswith("Beech")]
    assert "Beech, once" not in words[words.index("Beech, twice") :], "a row went backwards"


@pytest.mark.parametrize("first", ["push", "response"])
def test_one_row_whichever_comes_first(lab: Start, person: Arrive, htmx: Htmx, shop: Shop, first: str) -> None:
    app, address = lab()
    app.page("/", LIST, items=shop.items)
    gate = Gate()

    async def add(request: Request) -> Response:
        row = shop.save(4, "Damson")

        async def publish() -> None:
            if first == "response":
                await gate.wait()
            await app.topic("shop").append("#list", row)

        if first == "response":
            return HTMLResponse(row, background=BackgroundTask(publish))
        await publish()
        await gate.wait()
        return HTMLResponse(row)

    app.post("/rows", add)
    page = person(address, htmx).open()
    other = person(address, htmx).open()
    for screen in (page, other):
        sample(screen, "rows", "() => document.querySelectorAll('#row-4').length")
    page.get_by_role("button", name="Add").click()
    gate.reached()
    expect(page.locator("#row-4")).to_have_text("Damson")
    gate.open()
    expect(other.locator("#row-4")).to_have_text("Damson")
    app.topic("shop").append("#list", shop.save(5, "Elm")).result(5)  # what came before has been applied with this
    for screen in (page, other):
        expect(screen.locator("#row-5")).to_be_visible()
        expect(screen.locator(".htmx-request")).to_have_count(0)
        assert samples(screen, "rows") == [0, 1]


def test_a_slow_answer_and_three_pushes_end_as_a_fresh_render(
    lab: Start, person: Arrive, htmx: Htmx, shop: Shop
) -> None:
    app, address = lab()
    app.page("/", LIST, items=shop.items)
    gate = Gate()

    async def slow(request: Request) -> str:
        before = shop.items()
        await gate.wait()
        return before

    app.get("/rows", slow)
    page = person(address, htmx).open()
    page.locator("#again").click()
    gate.reached()
    topic = app.topic("shop")
    topic.append("#list", shop.save(4, "Damson", place=0)).result(5)
    topic.replace("#row-1", shop.save(1, "Ash, felled")).result(5)
    del shop.rows[3]
    topic.remove("#row-3").result(5)
    expect(page.locator("#row-3")).to_have_count(0)
    sample(page, "rows", ROWS)
    gate.open()
    expect(page.locator(".htmx-request")).to_have_count(0)
    app.topic("shop").append("#list", shop.save(5, "Elm")).result(5)
    expect(page.locator("#row-5")).to_be_visible()
    seen = samples(page, "rows")
    assert seen[0] == ["Damson", "Ash, felled", "Beech"]
    assert len(seen) == 2, f"the old list was to be seen: {seen}"
    assert seen[-1] == as_a_fresh_render_shows_it(page)


def test_a_push_into_what_somebody_types_in(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    app.page(
        "/",
        '<section {{ rt.stream("note") }}><div id="note"><p>one</p><input name="words" value="old"></div></section>',
    )
    page = person(address, htmx).open()
    field = page.locator("input")
    field.fill("half a sentence")
    field.evaluate("(field) => field.setSelectionRange(5, 9, 'backward')")
    html = Markup('<div id="note"><p>two</p><em>more</em><input name="words" value="new"></div>')
    app.topic("note").replace("#note", html).result(5)
    expect(page.locator("#note p")).to_have_text("two")
    expect(field).to_have_value("half a sentence")
    expect(field).to_be_focused()
    caret = field.evaluate("(field) => [field.selectionStart, field.selectionEnd, field.selectionDirection]")
    assert caret == [5, 9, "backward"]
    page.keyboard.type("the w")
    expect(field).to_have_value("half the wntence")
