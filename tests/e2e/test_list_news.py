"""What comes in beyond the edge of a list while somebody reads elsewhere: it moves nothing, and is counted."""

from __future__ import annotations

import re

import pytest
from markupsafe import Markup
from playwright.sync_api import Page, expect
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from .conftest import Htmx
from .list_kit import FRAME, THERE, UP, Arrive, Rows, Start, place, ready, shown

CHIP = "button.rt-new"
TOP = '<div id="box"><p>Head</p><ul id="list" rt-new="top" {{ rt.stream("list") }}>{{ rows }}</ul></div><link rel="stylesheet" href="/list.css">'
OWN = '<ul id="list" class="own" rt-new="bottom" {{ rt.stream("list") }}>{{ rows }}</ul><link rel="stylesheet" href="/list.css">'


def noticing(page: Page) -> Page:
    """The part that counts what comes in is there."""
    page.evaluate(THERE)
    return page


def edge(page: Page, selector: str = "#box") -> list[float]:
    """How far it is scrolled, and how far it could be."""
    return page.evaluate(
        "(s) => { const el = document.querySelector(s); return [el.scrollTop, el.scrollHeight - el.clientHeight]; }",
        selector,
    )


@pytest.mark.parametrize("anchored", [True, False], ids=["anchored", "unanchored"])
def test_what_comes_in_above_moves_nothing_that_is_read_and_is_counted(
    lab: Start, person: Arrive, htmx: Htmx, anchored: bool
) -> None:
    app, address = lab()
    rows = Rows(app, 40, size=40, body=TOP if anchored else f'<div class="still">{TOP}</div>')
    page = noticing(person(address, htmx).open())
    page.evaluate("document.querySelector('#box').scrollTop = 600")
    page.evaluate(FRAME)
    before = place(page, "#row-25")
    for number in (41, 42, 43):
        rows.push(number)
    expect(page.locator(CHIP)).to_have_text("3 new ↑")
    page.evaluate(FRAME)
    assert abs(place(page, "#row-25") - before) <= 1
    expect(page.locator("#rt-live")).to_have_text(re.compile("^[123] new$"))  # once: it is seen anyway
    rows.change(20, "Changed")
    rows.remove(42)
    expect(page.locator(CHIP)).to_have_text("2 new ↑")
    page.focus(CHIP)
    page.keyboard.press("Enter")
    expect(page.locator(CHIP)).to_have_count(0)
    expect(page.locator("#row-43")).to_be_focused()
    expect(page.locator("#row-43")).to_be_in_viewport()
    rows.push(44)
    expect(page.locator("#row-44")).to_be_in_viewport()
    expect(page.locator(CHIP)).to_have_count(0)
    page.evaluate("document.querySelector('#box').scrollTop = 900")
    rows.push(45)
    expect(page.locator(CHIP)).to_have_text("1 new ↑")
    page.evaluate("document.querySelector('#box').scrollTop = 0")  # reached by oneself
    expect(page.locator(CHIP)).to_have_count(0)


@pytest.mark.parametrize(("lang", "words"), [("de-AT", "2 neu ↑"), ("es", "2 nuevos ↑"), ("fi", "2 new ↑")])
def test_the_words_are_those_of_the_page(lab: Start, person: Arrive, htmx: Htmx, lang: str, words: str) -> None:
    app, address = lab()
    rows = Rows(app, 40, size=40, body=TOP)
    person_ = person(address, htmx)
    person_.context.route(
        address + "/",
        lambda route: route.fulfill(
            response=(r := route.fetch()),
            body=r.text().replace("&#34;lang&#34;:&#34;en&#34;", f"&#34;lang&#34;:&#34;{lang}&#34;"),
        ),
    )
    page = noticing(person_.open())
    page.evaluate("document.querySelector('#box').scrollTop = 600")
    page.evaluate(FRAME)
    rows.push(41)
    rows.push(42)
    expect(page.locator(CHIP)).to_have_text(words)


def test_a_chat_begins_at_its_end_and_follows_whoever_is_there(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    rows = Rows(app, 60, size=20, up=True)

    async def say(request: Request) -> Response:
        number = max(rows.numbers) + 1
        rows.numbers.append(number)
        await app.topic("list").append("#list", rows.row(number))
        return HTMLResponse(str(rows.row(number)))

    app.post("/say", say)
    page = noticing(ready(person(address, htmx).open()))
    at, most = edge(page)
    assert at == pytest.approx(most, abs=2)
    rows.push(61)
    expect(page.locator("#row-61")).to_be_in_viewport(ratio=0.9)
    expect(page.locator(CHIP)).to_have_count(0)
    page.evaluate("document.querySelector('#box').scrollTop = 300")
    page.evaluate(FRAME)
    before = place(page, "#row-50")
    rows.push(62)
    rows.push(63)
    expect(page.locator(CHIP)).to_have_text("2 new ↓")
    assert place(page, "#row-50") == before
    # A change is nothing new.
    rows.change(63, "Sixty-three")
    expect(page.locator("#row-63")).to_have_text("Sixty-three")
    expect(page.locator(CHIP)).to_have_text("2 new ↓")
    # Whoever speaks goes there.
    page.fill("[name=text]", "Hello")
    page.press("[name=text]", "Enter")
    expect(page.locator("#row-64")).to_be_in_viewport(ratio=0.9)
    expect(page.locator(CHIP)).to_have_count(0)
    # A picture that grows pushes nobody away from the end.
    page.evaluate("document.querySelector('#row-64').style.minHeight = '400px'")
    page.wait_for_function(
        "() => { const el = document.querySelector('#box'); return el.scrollHeight - el.clientHeight - el.scrollTop < 3; }"
    )


def test_what_was_missed_is_new_when_it_is_fetched(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    rows = Rows(app, 40, size=40, body=TOP)
    page = noticing(person(address, htmx).open())
    page.evaluate("document.querySelector('#box').scrollTop = 600")
    page.evaluate(FRAME)
    rows.numbers += [41, 42]
    rows.size = 50
    app.topic("list").refresh("#list").result(5)
    expect(page.locator(CHIP)).to_have_text("2 new ↑")


def test_a_list_that_scrolls_itself(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    rows = Rows(app, 40, size=40, up=True, body=OWN)
    page = noticing(person(address, htmx).open())
    at, most = edge(page, "#list")
    assert at == pytest.approx(most, abs=2)
    page.evaluate("document.querySelector('#list').scrollTop = 100")
    page.evaluate(FRAME)
    rows.push(41)
    expect(page.locator(CHIP)).to_have_text("1 new ↓")
    page.click(CHIP)
    expect(page.locator("#row-41")).to_be_in_viewport()
    expect(page.locator(CHIP)).to_have_count(0)


@pytest.mark.parametrize("anchored", [True, False], ids=["anchored", "unanchored"])
def test_older_rows_come_above_and_what_is_read_stays(lab: Start, person: Arrive, htmx: Htmx, anchored: bool) -> None:
    app, address = lab()
    rows = Rows(app, 60, size=20, up=True, body=UP if anchored else f'<div class="still">{UP}</div>')
    page = noticing(ready(person(address, htmx).open()))
    button = page.locator("#rt-more-list-start button")
    expect(button).to_have_text("Load earlier")
    for top, first in ((0, 21), (7, 1)):
        page.evaluate("(top) => (document.querySelector('#box').scrollTop = top)", top)
        page.evaluate(FRAME)
        row = f"#row-{first + 21}"
        before = place(page, row)
        button.evaluate("(button) => button.click()")
        expect(page.locator(f"#row-{first}")).to_have_count(1)
        page.evaluate(FRAME)
        assert abs(place(page, row) - before) <= 1
    assert shown(page) == list(range(1, 61))
    expect(page.locator(CHIP)).to_have_count(0)
    expect(page.locator("#rt-more-list-start")).to_be_hidden()
    assert len(rows.asked) == 2


def test_by_keyboard_the_focus_goes_to_the_row_just_above(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    Rows(app, 60, size=20, up=True)
    page = noticing(ready(person(address, htmx).open()))
    page.focus("#rt-more-list-start button")
    page.keyboard.press("Enter")
    expect(page.locator("#row-40")).to_be_focused()
    expect(page.locator("#row-40")).to_be_in_viewport()


def test_the_start_of_a_chat_is_near_only_where_it_is(lab: Start, person: Arrive, htmx: Htmx) -> None:
    """It begins at its end, so nothing older is fetched until somebody reads upwards."""
    app, address = lab()
    rows = Rows(app, 200, size=20, up=True, auto=True)
    page = noticing(ready(person(address, htmx).open()))
    page.evaluate(FRAME)
    assert rows.asked == []
    page.evaluate("document.querySelector('#box').scrollTop = 150")
    expect(page.locator("#row-161")).to_have_count(1)
    page.evaluate(FRAME)
    assert len(rows.asked) == 1


def test_another_list_that_was_asked_for_is_nothing_new(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    rows = Rows(app, 40, size=40, body=TOP + '<button id="filter" hx-get="/filtered" hx-target="#list">Filter</button>')
    found = Markup("").join(Markup('<li id="row-{}">Found</li>').format(n) for n in range(200, 160, -1))
    app.get("/filtered", lambda request: str(found))
    page = noticing(person(address, htmx).open())
    page.evaluate("document.querySelector('#box').scrollTop = 600")
    page.evaluate(FRAME)
    page.click("#filter")
    expect(page.locator("#row-200")).to_have_count(1)
    page.evaluate(FRAME)
    expect(page.locator(CHIP)).to_have_count(0)
    page.evaluate("document.querySelector('#box').scrollTop = 600")
    page.evaluate(FRAME)
    rows.push(201)
    expect(page.locator(CHIP)).to_have_text("1 new ↑")


def test_in_a_column_with_gaps_nothing_moves_either_and_a_page_put_back_has_no_dead_button(
    lab: Start, person: Arrive, htmx: Htmx
) -> None:
    app, address = lab()
    away = '<a id="gone" href="/away" hx-boost="true">Away</a>'
    body = f'<div id="column">{TOP.partition("<link")[0]}</div>{away}<link rel="stylesheet" href="/gaps.css">'
    rows = Rows(app, 40, size=40, body=body)
    app.get(
        "/gaps.css",
        lambda request: Response(
            "#box{display:flex;flex-direction:column;gap:20px}#column{height:300px;overflow:auto}",
            media_type="text/css",
        ),
    )
    page = noticing(person(address, htmx).open())
    page.evaluate("document.querySelector('#column').scrollTop = 300")
    page.evaluate(FRAME)
    head = page.evaluate("document.querySelector('#list').offsetTop")
    rows.push(41)
    expect(page.locator(CHIP)).to_have_text("1 new ↑")
    assert page.evaluate("document.querySelector('#list').offsetTop") == head
    page.click("#gone")
    expect(page.locator("#other")).to_have_text("Away")
    page.go_back()
    expect(page.locator("#row-41")).to_have_count(1)
    page.evaluate(FRAME)
    expect(page.locator(CHIP)).to_have_count(0)
