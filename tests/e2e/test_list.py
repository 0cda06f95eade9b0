"""Long lists: pages that come when they are needed, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from markupsafe import Markup
from playwright.sync_api import expect
from starlette.responses import HTMLResponse, RedirectResponse, Response

from .conftest import Htmx
from .lab import Gate
from .list_kit import BUSY, BUTTON, DOWN, FRAME, Arrive, Rows, Start, place, ready, shown
from .people import until


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


# Back


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


def test_a_filter_that_is_chosen_begins_anew_where_it_loads_by_itself(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    Rows(
        app,
        60,
        size=20,
        auto=True,
        body=f'<button id="again" hx-get="/again" hx-target="#part">Again</button><div id="part">{DOWN}</div>',
    )
    app.get(
        "/again",
        lambda request: '<ul id="list"><li id="row-0">None</li></ul>' + app.fill('{{ rt.more(None, "#list") }}'),
    )
    page = person(address, htmx).open()
    expect(page.locator("#list > li")).to_have_count(60)
    page.click("#again")
    expect(page.locator("#list > li")).to_have_count(1)
    expect(page.locator("#rt-more-list")).to_be_hidden()
