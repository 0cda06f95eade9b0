"""Long lists: pages that come when they are needed, rows that come meanwhile, and the way back."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from markupsafe import Markup
from playwright.sync_api import Page, expect
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from htmx_rt.exceptions import BadCursor
from htmx_rt.paging import keyset, read_cursor

from .conftest import Htmx
from .lab import LAYOUT, Gate, Lab
from .people import Person, until

Start = Callable[..., tuple[Lab, str]]
Arrive = Callable[..., Person]

FRAME = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
# What counts what comes in is there: what is imported a second time is the same module.
THERE = """async () => {
  const of = () => performance.getEntriesByType("resource").find(({ name }) => name.includes("htmx-rt-news.mjs"));
  while (!of()) await new Promise((done) => setTimeout(done, 10));
  await import(of().name);
  await new Promise((done) => setTimeout(done));
}"""
BUSY = "#list[aria-busy=true]"
BUTTON = "#rt-more-list button"
DOWN = """<p id="head">Head</p><ul id="list" {{ attributes }} {{ rt.stream("list") if live }}>{{ rows }}</ul>
{{ rt.more(next, "#list", auto=auto) }}<p id="foot">Foot</p><a id="away" href="/away">Away</a>"""
UP = """<div id="box"><div id="older">{{ rt.more(next, "#list", at="start", auto=auto) }}</div><ul id="list" rt-new="bottom" {{ rt.stream("list") }}>{{ rows }}</ul></div>
<form id="say" hx-post="/say" hx-target="#list" hx-swap="beforeend"><input name="text" aria-label="Text"><button>Send</button></form><link rel="stylesheet" href="/list.css">"""
CSS = "#box{height:300px;overflow:auto}#list{margin:0;padding:0;list-style:none}#list li{min-height:50px}.still #box,.still{overflow-anchor:none}#list.own{height:300px;overflow:auto}"


class Rows:
    """Numbered rows; the list shows the highest first, or, with `up`, last."""

    def __init__(
        self, lab: Lab, count: int = 100, *, size: int = 10, up: bool = False, whole: bool = False, **values: Any
    ) -> None:
        self.lab, self.size, self.up, self.whole = lab, size, up, whole
        self.numbers = list(range(1, count + 1))
        self.texts: dict[int, str] = {}
        self.body = values.pop("body", UP if up else DOWN)
        self.values = {"auto": False, "live": True, "attributes": Markup(""), "title": "List"} | values
        self.gate: Gate | None = None
        self.answer: Callable[[], Response | None] = lambda: None
        self.asked: list[str] = []
        lab.get("/", self.page)
        lab.get("/rows", self.rows)
        lab.get("/list.css", lambda request: Response(CSS, media_type="text/css"))
        lab.get(
            "/away",
            lambda request: HTMLResponse(
                lab.fill(LAYOUT % '<p id="other">Away</p>', title="Away", htmx=self.version(request))
            ),
        )

    def row(self, number: int) -> Markup:
        return Markup('<li id="row-{}">{}</li>').format(number, self.texts.get(number, f"Row {number}"))

    def version(self, request: Request) -> int:
        return int(request.query_params.get("htmx", self.lab.htmx))

    def found(self, request: Request) -> tuple[Markup, str | None]:
        try:
            after = read_cursor(request.query_params.get("after"), (int,))
        except BadCursor:
            after = None
        numbers = [n for n in sorted(self.numbers, reverse=True) if after is None or n < after[0]]
        page = keyset(numbers, size=self.size, key=lambda n: n)
        items = page.items[::-1] if self.up else page.items
        path = "/" if self.whole else "/rows"
        return Markup("").join(map(self.row, items)), f"{path}?after={page.next}" if page.next else None

    async def page(self, request: Request) -> Response:
        if "after" in request.query_params:
            return await self.rows(request)
        rows, following = self.found(request)
        values = {**self.values, "rows": rows, "next": following, "htmx": self.version(request)}
        return HTMLResponse(self.lab.fill(LAYOUT % self.body, **values))

    async def rows(self, request: Request) -> Response:
        self.asked.append(str(request.url.query))
        rows, following = self.found(request)
        if self.gate:
            await self.gate.wait()
        if answer := self.answer():
            return answer
        if self.whole:
            return HTMLResponse(
                self.lab.fill(
                    LAYOUT % self.body,
                    **{**self.values, "rows": rows, "next": following, "htmx": self.version(request)},
                )
            )
        at = "start" if self.up else "end"
        return HTMLResponse(
            str(rows)
            + self.lab.fill(
                f'{{{{ rt.more(next, "#list", at="{at}", auto=auto) }}}}', next=following, auto=self.values["auto"]
            )
        )

    def push(self, number: int) -> None:
        """Somebody adds a row."""
        self.numbers.append(number)
        verb = self.lab.topic("list").append if self.up else self.lab.topic("list").prepend
        verb("#list", self.row(number)).result(5)

    def change(self, number: int, text: str) -> None:
        self.texts[number] = text
        self.lab.topic("list").replace(f"#row-{number}", self.row(number)).result(5)

    def remove(self, number: int) -> None:
        self.numbers.remove(number)
        self.lab.topic("list").remove(f"#row-{number}").result(5)


def shown(page: Page) -> list[int]:
    return page.evaluate("[...document.querySelectorAll('#list > li')].map((row) => Number(row.id.slice(4)))")


def ready(page: Page) -> Page:
    """The part for lists is there and has made a button of the link."""
    page.wait_for_selector("[rt-more] button, [rt-more][hidden]", state="attached")
    return page


def place(page: Page, selector: str) -> float:
    return page.evaluate("(selector) => document.querySelector(selector).getBoundingClientRect().top", selector)


def test_the_button_brings_the_next_page_and_the_focus_goes_to_its_first_row(
    lab: Start, person: Arrive, htmx: Htmx
) -> None:
    app, address = lab()
    Rows(app, 25)
    page = ready(person(address, htmx).open())
    expect(page.locator(BUTTON)).to_have_text("Load more")
    page.focus(BUTTON)
    page.keyboard.press("Enter")
    expect(page.locator("#list > li")).to_have_count(20)
    expect(page.locator("#row-15")).to_be_focused()
    expect(page.locator("#rt-live")).to_have_text("10 more.")
    page.click(BUTTON)
    expect(page.locator("#list > li")).to_have_count(25)
    assert shown(page) == list(range(25, 0, -1))
    expect(page.locator(BUTTON)).to_have_count(0)
    expect(page.locator("#rt-more-list")).to_be_hidden()
    expect(page.locator("#row-5")).to_be_focused()
    expect(page.locator("#rt-live")).to_have_text("5 more. That is all.")
    page.evaluate("document.activeElement.blur()")
    expect(page.locator("[tabindex]")).to_have_count(0)


def test_without_scripts_it_is_a_link(lab: Start, browser: Any, htmx: Htmx) -> None:
    app, address = lab()
    Rows(app, 25, whole=True)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    page.get_by_role("link", name="Load more").click()
    expect(page.locator("#list > li").first).to_have_text("Row 15")
    context.close()


def test_an_answer_may_be_the_whole_page(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    Rows(app, 25, whole=True)
    page = ready(person(address, htmx).open())
    page.click(BUTTON)
    expect(page.locator("#list > li")).to_have_count(20)
    page.click(BUTTON)
    expect(page.locator("#list > li")).to_have_count(25)
    assert shown(page) == list(range(25, 0, -1))
    expect(page.locator("#foot")).to_have_count(1)


def test_the_end_that_comes_near_brings_the_next_page(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    rows = Rows(app, 1000, size=20, auto=True)
    page = person(address, htmx).open()
    page.wait_for_function("() => document.querySelectorAll('#list > li').length >= 40")
    near = """() => { const { bottom } = document.querySelector("#rt-more-list").getBoundingClientRect(); return bottom > innerHeight + 200; }"""
    page.wait_for_function(near)
    asked = len(rows.asked)
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert len(rows.asked) == asked
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.wait_for_function("(n) => document.querySelectorAll('#list > li').length > n", arg=20 * (asked + 1))
    # The foot of the page can be reached.
    for _ in range(20):
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.evaluate("new Promise((done) => setTimeout(done, 50))")
    expect(page.locator("#list > li")).to_have_count(220)
    assert len(rows.asked) == 10
    expect(page.locator("#foot")).to_be_in_viewport()
    page.click(BUTTON)
    page.wait_for_function("() => document.querySelectorAll('#list > li').length > 220")
    assert shown(page) == sorted(set(shown(page)), reverse=True)


def test_rows_come_and_go_while_a_page_is_on_its_way(lab: Start, person: Arrive, htmx: Htmx) -> None:
    """A row pushed meanwhile stays where it is, once; one removed does not come back; one changed is as it is now."""
    app, address = lab()
    rows = Rows(app, 30)
    page = ready(person(address, htmx).open())
    rows.gate = Gate()
    page.click(BUTTON)
    rows.gate.reached()
    expect(page.locator(BUSY)).to_have_count(1)
    expect(page.locator(BUTTON)).to_have_text("Loading…")
    page.evaluate("document.querySelector('#rt-more-list button').click()")  # one at a time
    rows.push(31)
    rows.change(15, "Changed meanwhile")
    rows.remove(13)
    app.topic("list").append("#list", Markup('<li id="row-12">Pushed</li>')).result(5)
    expect(page.locator("#row-12")).to_have_text("Pushed")
    rows.gate.open()
    expect(page.locator("#row-11")).to_have_count(1)
    expect(page.locator(BUSY)).to_have_count(0)
    assert sorted(shown(page), reverse=True) == [n for n in range(31, 10, -1) if n != 13]
    expect(page.locator("#row-15")).to_have_text("Changed meanwhile")
    expect(page.locator("#row-12")).to_have_text("Pushed")
    assert len(rows.asked) == 1
    page.click(BUTTON)
    expect(page.locator("#row-1")).to_have_count(1)
    assert len(set(shown(page))) == len(shown(page)) == 30


def test_a_list_that_is_not_live_has_each_row_once(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    rows = Rows(app, 30, live=False, body=DOWN + '<div {{ rt.stream("x") }}></div>')
    page = ready(person(address, htmx).open())
    rows.answer = lambda: HTMLResponse('<li id="row-21">Again</li><li id="row-20">Row 20</li>')
    page.click(BUTTON)
    expect(page.locator("#row-20")).to_have_count(1)
    assert shown(page) == [*range(30, 20, -1), 20]
    expect(page.locator("#row-21")).to_have_text("Row 21")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda: Response(status_code=500), "This could not be loaded."),
        (lambda: Response("{}", media_type="application/json"), "This could not be loaded."),
        (
            lambda: HTMLResponse("<!doctype html><title>Another page</title><h1>Maintenance</h1>"),
            "This could not be loaded.",
        ),
        (lambda: Response(status_code=401), "You are signed out."),
        (lambda: RedirectResponse("/away"), "You are signed out."),
    ],
    ids=["500", "json", "whole page", "401", "sign-in"],
)
def test_a_page_that_does_not_come_says_so_where_it_is_missing(
    lab: Start, person: Arrive, htmx: Htmx, answer: Callable[[], Response], words: str
) -> None:
    app, address = lab()
    rows = Rows(app, 30, auto=True)
    rows.answer = answer
    page = person(address, htmx, expected=(500, 401)).open()
    expect(page.locator(".rt-more-failed")).to_have_text(words)
    expect(page.locator("#rt-live")).to_have_text(words)
    expect(page.locator(BUTTON)).to_have_text("Try again")
    expect(page.locator(BUSY)).to_have_count(0)
    assert len(rows.asked) == 1  # not again by itself
    rows.answer = lambda: None
    page.click(BUTTON)
    expect(page.locator("#row-20")).to_have_count(1)
    expect(page.locator(".rt-more-failed")).to_have_count(0)


def test_a_line_that_comes_back_brings_the_page_by_itself(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    Rows(app, 30)
    ada = person(address, htmx, expected=("net::",))
    page = ready(ada.open())
    ada.context.set_offline(True)
    page.click(BUTTON)
    expect(page.locator(BUTTON)).to_have_text("Try again")
    ada.context.set_offline(False)
    expect(page.locator(BUTTON)).to_have_text("Load more")
    page.click(BUTTON)
    expect(page.locator("#row-11")).to_have_count(1)


def test_a_list_that_was_swapped_away_gets_nothing_of_the_answer(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    body = f'<button id="filter" hx-get="/filtered" hx-target="#part">Filter</button><div id="part">{DOWN}</div>'
    rows = Rows(app, 30, body=body)
    fresh = '<ul id="list"><li id="row-77">Found</li></ul>{{ rt.more("/found", "#list", auto=False) }}'
    app.get("/filtered", lambda request: app.fill(fresh))
    app.get("/found", lambda request: '<li id="row-76">Found, too</li>')
    page = ready(person(address, htmx).open())
    rows.gate = Gate()
    page.click(BUTTON)
    rows.gate.reached()
    page.click("#filter")
    expect(page.locator("#row-77")).to_have_count(1)
    expect(page.locator(BUTTON)).to_have_text("Load more")
    with page.expect_response("**/rows*"):
        rows.gate.open()
    page.click(BUTTON)
    expect(page.locator("#row-76")).to_have_count(1)
    assert shown(page) == [77, 76]


def test_a_list_that_is_fetched_again_keeps_its_pages_and_has_no_gap(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    rows = Rows(app, 60)
    page = ready(person(address, htmx).open())
    page.click(BUTTON)
    expect(page.locator("#row-41")).to_have_count(1)
    page.evaluate("window.was = document.querySelector('#row-45')")
    rows.numbers += [61, 62, 63]
    rows.numbers.remove(50)
    rows.texts[45] = "Changed unseen"
    app.topic("list").refresh("#list").result(5)
    expect(page.locator("#row-63")).to_have_count(1)
    expect(page.locator("#row-45")).to_have_text("Changed unseen")
    expect(page.locator("#row-50")).to_have_count(0)
    assert len(shown(page)) >= 20
    assert page.evaluate("was === document.querySelector('#row-45')")
    while page.locator(BUTTON).count():
        count = len(shown(page))
        page.click(BUTTON)
        page.wait_for_function("(n) => document.querySelectorAll('#list > li').length > n", arg=count)
    assert shown(page) == sorted(rows.numbers, reverse=True)


def test_a_list_of_one_page_that_is_fetched_again_has_no_gap_either(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    rows = Rows(app, 30)
    page = ready(person(address, htmx).open())
    rows.numbers += [31, 32, 33]
    app.topic("list").refresh("#list").result(5)
    expect(page.locator("#row-33")).to_have_count(1)
    page.click(BUTTON)
    expect(page.locator("#row-14")).to_have_count(1)
    assert shown(page) == list(range(33, 13, -1))


def test_rows_of_a_table(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    body = '<table><tbody id="list" rt-new="top" {{ rt.stream("list") }}>{{ rows }}</tbody></table>{{ rt.more(next, "#list", auto=auto) }}'
    rows = Rows(app, 30, body=body)
    rows.row = lambda n: Markup('<tr id="row-{0}"><td>Row {0}</td></tr>').format(n)  # type: ignore[method-assign]
    page = ready(person(address, htmx).open())
    page.click(BUTTON)
    expect(page.locator("#list > tr > td")).to_have_count(20)
    expect(page.locator("#list > tr").last).to_have_text("Row 11")


# What comes in beyond the edge

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


# Back


def leave(page: Page) -> None:
    page.click("#away")
    expect(page.locator("#other")).to_have_text("Away")


@pytest.mark.parametrize("how", ["link", "reload", "boost"])
@pytest.mark.parametrize("auto", [True, False], ids=["auto", "button"])
def test_on_the_way_back_the_pages_and_the_place_are_there(
    lab: Start, person: Arrive, htmx: Htmx, auto: bool, how: str
) -> None:
    app, address = lab()
    boosted = DOWN.replace('id="away"', 'id="away" hx-boost="true"')
    rows = Rows(app, 100, size=30, auto=auto, body=boosted if how == "boost" else DOWN)
    ada = person(address, htmx)
    page = ready(ada.open())
    ada.context.add_init_script("addEventListener('unload', () => {})")  # no cache of pages
    page.goto(address)
    ready(page)
    while len(shown(page)) < 90:
        count = len(shown(page))
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        if not auto:
            page.click(BUTTON)
        page.wait_for_function("(n) => document.querySelectorAll('#list > li').length > n", arg=count)
    page.evaluate("document.querySelector('#row-60').scrollIntoView({ block: 'start', behavior: 'instant' })")
    page.evaluate("scrollBy(0, 5)")
    page.wait_for_function("() => Object.values(JSON.parse(sessionStorage['rt-list'])[0][1])[0]?.row === 'row-60'")
    where = place(page, "#row-60")
    rows.numbers += [101, 102]  # come meanwhile
    page.evaluate("window.kept = true")
    if how == "reload":
        page.reload()
    else:
        page.evaluate("document.querySelector('#away').click()")
        expect(page.locator("#other")).to_have_text("Away")
        page.go_back()
    expect(page.locator("#row-60")).to_be_attached()
    if how == "link":
        assert page.evaluate("window.kept") is None, "the browser has kept the page: nothing was tried"
    expect(page.locator("#row-60")).to_be_in_viewport()
    page.wait_for_function(
        "([where]) => Math.abs(document.querySelector('#row-60').getBoundingClientRect().top - where) < 3", arg=[where]
    )
    assert len(shown(page)) >= 90
    assert shown(page) == sorted(set(shown(page)), reverse=True)


def test_a_new_visit_begins_at_the_first_page(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    Rows(app, 100)
    ada = person(address, htmx)
    page = ready(ada.open())
    page.click(BUTTON)
    expect(page.locator("#row-81")).to_have_count(1)
    page.goto(f"{address}/away")
    page.goto(address)
    ready(page)
    expect(page.locator("#list > li")).to_have_count(10)


def test_a_page_that_the_browser_has_kept_goes_on_where_it_was(lab: Start, person: Arrive, htmx: Htmx) -> None:
    """What was under way when it was left is called off, and asked for again."""
    app, address = lab()
    rows = Rows(app, 60, size=20, auto=True)
    rows.gate = Gate()
    page = ready(person(address, htmx).open())
    rows.gate.reached()
    expect(page.locator(BUSY)).to_have_count(1)
    page.evaluate("window.mark = 1")
    page.click("#away")
    expect(page.locator("#other")).to_have_text("Away")
    rows.gate.open()
    page.go_back(wait_until="commit")
    until(page, "connected")
    expect(page.locator("#row-1")).to_have_count(1)
    expect(page.locator(BUSY)).to_have_count(0)
    assert page.evaluate("window.mark") == 1, "the browser has not kept the page"
    assert shown(page) == list(range(60, 0, -1))


@pytest.mark.parametrize("how", ["reload", "back"])
def test_a_place_that_is_kept_and_pages_that_are_loaded_go_together(
    lab: Start, person: Arrive, htmx: Htmx, how: str
) -> None:
    app, address = lab()
    body = f'<div id="box" rt-place="feed">{DOWN}</div><link rel="stylesheet" href="/list.css">'
    Rows(app, 100, size=20, body=body)
    ada = person(address, htmx)
    ada.context.add_init_script("addEventListener('unload', () => {})")
    page = ready(ada.open())
    for count in (40, 60, 80):
        page.evaluate("document.querySelector('#rt-more-list button').click()")
        expect(page.locator("#list > li")).to_have_count(count)
    page.evaluate("document.querySelector('#box').scrollTop = 3010")
    page.wait_for_function(
        "() => JSON.parse(sessionStorage['rt-list']).some(([, places]) => places['rt-more-list'].row === 'row-41')"
    )
    where = place(page, "#row-41")
    if how == "reload":
        page.reload()
    else:
        page.evaluate("document.querySelector('#away').click()")
        expect(page.locator("#other")).to_have_text("Away")
        page.go_back()
    expect(page.locator("#list > li")).to_have_count(80)
    page.wait_for_function(
        "(where) => Math.abs(document.querySelector('#row-41').getBoundingClientRect().top - where) < 3", arg=where
    )


def test_whoever_moves_on_the_way_back_is_not_moved(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    rows = Rows(app, 100, size=30)
    page = ready(person(address, htmx).open())
    page.click(BUTTON)
    expect(page.locator("#list > li")).to_have_count(60)
    page.evaluate("scrollTo(0, 500)")
    page.wait_for_function("() => JSON.parse(sessionStorage['rt-list'])[0][1]['rt-more-list'].row !== 'row-100'")
    rows.gate = Gate()
    page.reload()
    rows.gate.reached()
    page.mouse.wheel(0, -2000)
    page.wait_for_function("() => scrollY === 0")
    rows.gate.open()
    expect(page.locator("#list > li")).to_have_count(60)
    page.evaluate(FRAME)
    assert page.evaluate("scrollY") == 0
