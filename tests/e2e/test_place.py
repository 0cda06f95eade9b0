"""What a page shows is in its address, and where one was in it stays where it was."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from markupsafe import Markup
from playwright.sync_api import Page, expect
from starlette.requests import Request

from .conftest import Htmx
from .lab import Lab
from .people import Person, until

Start = Callable[..., tuple[Lab, str]]
Arrive = Callable[..., Person]

# All files of the place are there and mounted: what is imported a second time is the same module.
THERE = """async () => {
  const of = () => performance.getEntriesByType("resource").find(({ name }) => name.includes("htmx-rt-place.mjs"));
  while (!of()) await new Promise((done) => setTimeout(done, 10));
  await import(of().name);
  await new Promise((done) => setTimeout(done));
}"""

TABS = """<div role="tablist" aria-label="Parts">
<button role="tab" id="t1" rt-url="tab=text" aria-controls="text" aria-selected="true">Text</button>
<button role="tab" id="t2" rt-url="tab=text" aria-controls="notes" aria-selected="false">Notes</button>
<button role="tab" id="t3" rt-url="tab=text" aria-controls="log" aria-selected="false">Log</button></div>
<section id="text" role="tabpanel">The text</section><section id="notes" role="tabpanel" hidden>The notes</section>
<section id="log" role="tabpanel" hidden>The log</section>"""
FILTERS = """<form id="filters" hx-get="/rows" hx-target="#rows" hx-trigger="change">
<input type="search" name="q" rt-url="q" value="{{ q }}" aria-label="Search">
<select name="status" rt-url="status=all" aria-label="Status">{% for one in ("all", "open", "done") %}<option{{ " selected" if one == status }}>{{ one }}</option>{% endfor %}</select>
{% for tag in ("red", "blue") %}<label><input type="checkbox" name="tag" value="{{ tag }}" rt-url="tag"{{ " checked" if tag in tags }}>{{ tag }}</label>{% endfor %}
</form><p id="rows">{{ q }}|{{ status }}|{{ tags|join(",") }}</p>"""
FAQ = """<details id="shipping" rt-url="open"><summary>Shipping</summary>Two days</details>
<details id="returns" rt-url="open"><summary>Returns</summary>A month</details>"""


def there(page: Page) -> Page:
    page.evaluate(THERE)
    return page


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query, keep_blank_values=True)


def shown(request: Request) -> dict[str, object]:
    asked = request.query_params
    return {"q": asked.get("q", ""), "status": asked.get("status", "all"), "tags": asked.getlist("tag")}


def filtered(lab: Lab, *, more: str = "") -> None:
    """A page whose server reads the address, and a fragment that it is filtered by."""

    async def page(request: Request) -> str:
        from .lab import LAYOUT

        version = int(request.query_params.get("htmx", lab.htmx))
        return lab.fill(LAYOUT % (FILTERS + more), title="List", htmx=version, **shown(request))

    async def rows(request: Request) -> str:
        return lab.fill('{{ q }}|{{ status }}|{{ tags|join(",") }}', **shown(request))

    lab.get("/", page)
    lab.get("/rows", rows)


# The address


def test_a_tab_is_in_the_address_and_survives_reload_back_and_a_link(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    app.page("/", TABS + '<div {{ rt.stream("board:1") }}></div>')
    ada = person(address, htmx)
    page = there(ada.open())
    assert query(page) == {}
    page.click("#t2")
    expect(page.locator("#notes")).to_be_visible()
    expect(page.locator("#text")).to_be_hidden()
    assert query(page) == {"tab": ["notes"]}
    page.click("#t3")
    page.reload()
    there(page)
    expect(page.locator("#log")).to_be_visible()
    expect(page.locator("#t3")).to_have_attribute("aria-selected", "true")
    page.go_back()
    expect(page.locator("#notes")).to_be_visible()
    page.go_back()
    expect(page.locator("#text")).to_be_visible()
    assert query(page) == {}
    page.go_forward()
    expect(page.locator("#notes")).to_be_visible()
    # Whoever is sent the link sees the same.
    other = there(person(address, htmx).open("/?" + urlsplit(page.url).query))
    expect(other.locator("#notes")).to_be_visible()
    # The one by default is left out.
    page.click("#t1")
    assert query(page) == {}


def test_tabs_by_keyboard(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    app.page("/", TABS + '<div {{ rt.stream("board:1") }}></div>')
    page = there(person(address, htmx).open())
    page.focus("#t1")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#notes")).to_be_visible()
    expect(page.locator("#t2")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#log")).to_be_visible()
    expect(page.locator("#t3")).to_be_focused()


def test_filters_are_in_the_address_and_the_server_renders_by_it(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    filtered(app, more='<div {{ rt.stream("board:1") }}></div>')
    page = there(person(address, htmx).open("/?other=1#there"))
    length = page.evaluate("history.length")
    page.select_option("select", "open")
    page.check("[value=red]")
    page.check("[value=blue]")
    page.fill("[name=q]", "two words")
    page.press("[name=q]", "Tab")
    expect(page.locator("#rows")).to_have_text("two words|open|red,blue")
    assert query(page) == {"other": ["1"], "status": ["open"], "tag": ["red", "blue"], "q": ["two words"]}
    assert urlsplit(page.url).fragment == "there"
    assert page.evaluate("history.length") == length  # what is refined makes no entry of its own
    page.reload()
    expect(page.locator("#rows")).to_have_text("two words|open|red,blue")
    there(page)
    page.uncheck("[value=red]")
    page.select_option("select", "all")
    page.fill("[name=q]", "")
    page.press("[name=q]", "Tab")
    assert query(page) == {"other": ["1"], "tag": ["blue"]}


def test_typing_changes_the_address_soon_and_not_at_each_key(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    filtered(app, more='<div {{ rt.stream("board:1") }}></div>')
    page = there(person(address, htmx).open())
    page.evaluate("""() => {
      window.changes = 0;
      const { replaceState } = history;
      history.replaceState = function (...args) { changes += 1; return replaceState.apply(this, args); };
    }""")
    page.type("[name=q]", "kestrel bicycles")
    page.wait_for_url("**/?q=kestrel+bicycles*")
    assert page.evaluate("changes") <= 3


def test_what_the_server_does_not_read_is_set_from_the_address(lab: Start, person: Arrive, htmx: Htmx) -> None:
    """Nobody renders by it: the extension sets the field, and htmx hears of it."""
    app, address = lab()
    app.page("/", FILTERS + '<div {{ rt.stream("board:1") }}></div>', q="", status="all", tags=[])

    async def rows(request: Request) -> str:
        return app.fill('{{ q }}|{{ status }}|{{ tags|join(",") }}', **shown(request))

    app.get("/rows", rows)
    page = person(address, htmx).open("/?status=done&tag=blue&q=x%26y")
    expect(page.locator("#rows")).to_have_text("x&y|done|blue")
    expect(page.locator("select")).to_have_value("done")


def test_a_field_that_a_swap_has_brought_is_what_the_server_has_said(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    clear = '<button id="clear" hx-get="/cleared" hx-target="#filters" hx-swap="outerHTML">Clear</button>'
    filtered(app, more=clear + '<div {{ rt.stream("board:1") }}></div>')
    app.get("/cleared", lambda request: app.fill(FILTERS.partition("<p")[0], q="", status="done", tags=[]))
    page = there(person(address, htmx).open("/?q=bell&status=open&tag=red"))
    page.click("#clear")
    expect(page.locator("select")).to_have_value("done")
    expect(page).to_have_url(re.compile(r"/\?status=done$"))


def test_open_details_are_in_the_address(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    app.page("/", FAQ + '<div {{ rt.stream("board:1") }}></div>')
    page = there(person(address, htmx).open())
    page.click("#returns summary")
    page.wait_for_url("**/?open=returns*")
    page.click("#shipping summary")
    page.wait_for_url("**open=shipping*")
    page.reload()
    for name in ("shipping", "returns"):
        expect(page.locator(f"#{name}")).to_have_attribute("open", "")
    there(page)
    page.click("#returns summary")
    page.wait_for_function("() => location.search === '?open=shipping'")
    page.click("#shipping summary")
    page.wait_for_function("() => location.search === ''")


def test_a_swap_changes_neither_what_is_open_nor_which_tab_is_chosen(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    body = f'<div id="all">{TABS}{FAQ}</div>'
    again = '<button id="again" hx-get="/all" hx-target="#all" hx-swap="outerHTML">Again</button>'
    app.page("/", body + again + '<div {{ rt.stream("board:1") }}></div>')
    app.get("/all", lambda request: body)
    page = there(person(address, htmx).open())
    page.click("#t2")
    page.click("#returns summary")
    page.wait_for_url("**open=returns*")
    url = page.url
    old = page.evaluate_handle("document.getElementById('all')")
    page.click("#again")
    page.wait_for_function("(old) => !old.isConnected", arg=old)
    page.wait_for_function("() => !document.querySelector('.htmx-settling, .htmx-request, .htmx-added')")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    expect(page.locator("#returns")).to_have_attribute("open", "")
    expect(page.locator("#notes")).to_be_visible()
    expect(page.locator("#t1")).to_have_attribute("aria-selected", "false")
    assert page.url == url


def test_what_the_markup_has_opened_is_no_choice_of_the_person(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    ask = '<button id="ask" hx-get="/part" hx-target="#part">Ask</button><div id="part"></div>'
    app.page("/", ask + FAQ + '<div {{ rt.stream("board:1") }}></div>')
    app.get("/part", lambda request: '<details id="sizes" rt-url="open" open><summary>Sizes</summary>S</details>')
    page = there(person(address, htmx).open())
    page.evaluate("document.addEventListener('toggle', ({ target }) => (window.toggled = target.id), true)")
    page.click("#ask")
    page.wait_for_function("() => window.toggled === 'sizes'")
    assert query(page) == {}


def test_a_choice_may_make_an_entry_of_its_own(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    select = (
        '<select rt-url="push:page=1" aria-label="Page"><option>1</option><option>2</option><option>3</option></select>'
    )
    app.page("/", select + '<div {{ rt.stream("board:1") }}></div>')
    page = there(person(address, htmx).open())
    page.select_option("select", "2")
    page.select_option("select", "3")
    page.go_back()
    expect(page.locator("select")).to_have_value("2")
    page.go_back()
    expect(page.locator("select")).to_have_value("1")
    assert query(page) == {}


def test_after_a_reconnect_and_a_resync_the_tab_is_the_same(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab(limits={"replay": 2})
    app.page("/", f'<div id="all" {{{{ rt.stream("board:1") }}}}>{TABS}{FAQ}<p id="n">0</p></div>')
    page = there(person(address, htmx).open())
    page.click("#t2")
    page.click("#returns summary")
    page.wait_for_url("**open=returns*")
    page.evaluate("htmxRt.simulateDisconnect()")
    until(page, "disconnected")
    for number in range(1, 9):
        app.topic("board:1").text("#n", str(number)).result(5)
    app.requests.clear()
    page.evaluate("htmxRt.simulateDisconnect(false)")
    page.wait_for_function("() => document.getElementById('t1').getAttribute('aria-selected') === 'false'")
    until(page, "connected")
    page.wait_for_function("() => document.getElementById('n').textContent === '0'")  # the page was fetched
    expect(page.locator("#notes")).to_be_visible()
    expect(page.locator("#text")).to_be_hidden()
    expect(page.locator("#returns")).to_have_attribute("open", "")


def test_links_with_the_state_in_them_need_no_script(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    link = """<a id="notes-link" href="{{ rt.url(tab='notes') }}">Notes</a> <a id="all" href="{{ rt.url(tab=None, q=None) }}">All</a>"""
    app.page("/", link)
    context = person(address, htmx, java_script_enabled=False).context
    page = context.new_page()
    page.goto(address + "/?q=x")
    page.click("#notes-link")
    assert query(page) == {"q": ["x"], "tab": ["notes"]}
    page.click("#all")
    assert query(page) == {}


def test_back_to_a_page_that_htmx_has_replaced(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    boosted = '<nav hx-boost="true"><a id="away" href="/other">Other</a></nav>'
    app.page("/", TABS + boosted + '<div {{ rt.stream("board:1") }}></div>')
    app.page("/other", '<h1>Other</h1><div {{ rt.stream("board:1") }}></div>')
    page = there(person(address, htmx).open())
    page.click("#t2")
    page.click("#away")
    expect(page.locator("h1")).to_have_text("Other")
    page.evaluate("history.back()")
    expect(page.locator("#notes")).to_be_visible()
    expect(page.locator("h1")).to_have_count(0)
    assert query(page) == {"tab": ["notes"]}
    page.evaluate("history.back()")
    expect(page.locator("#text")).to_be_visible()


# Places


ROWS = "".join(f"<p>Row {number}</p>" for number in range(60))
# A strict policy allows no style attribute.
STYLE = ".box{height:100px;overflow:auto}.tall{height:3000px}"


def scroll(page: Page, selector: str, top: int) -> None:
    page.evaluate(
        "([s, top]) => new Promise((done) => { const el = document.querySelector(s); el.addEventListener('scroll', () => "
        "requestAnimationFrame(done), { once: true }); el.scrollTop = top; })", [selector, top],
    )  # fmt: skip


def top(page: Page, selector: str) -> int:
    return int(page.evaluate("(s) => document.querySelector(s).scrollTop", selector))


def styled(page: Page) -> None:
    page.add_init_script(
        f"document.addEventListener('DOMContentLoaded', () => {{ const s = new CSSStyleSheet(); s.replaceSync({STYLE!r});"
        "document.adoptedStyleSheets = [s]; })"
    )


PLACES = """<div id="all" {{ rt.stream("board:1") }}>
<div id="box" class="box" rt-place>{{ rows }}</div>
<details id="more" rt-place><summary>More</summary>Text</details>
<button id="menu-button" rt-place aria-expanded="false" aria-controls="menu">Menu</button><ul id="menu" hidden><li>One</li></ul>
<dialog id="ask" rt-place aria-label="Ask"><form hx-post="/save" hx-target="#all" hx-swap="outerHTML"><button id="save">Save</button></form></dialog>
<p id="n">0</p></div><button id="again" hx-get="/all" hx-target="#all" hx-swap="outerHTML" hx-select="#all">Again</button>"""


def places(lab: Lab) -> None:
    lab.page("/", PLACES, rows=Markup(ROWS))
    part = lambda request: lab.fill(PLACES.partition('<button id="again"')[0], rows=Markup(ROWS))  # noqa: E731
    lab.get("/all", part)
    lab.post("/save", part)


def arrange(page: Page) -> None:
    """Leave everything other than it was."""
    page.click("#more summary")
    page.evaluate("document.getElementById('menu-button').setAttribute('aria-expanded', 'true'); menu.hidden = false")
    scroll(page, "#box", 400)


def arranged(page: Page) -> None:
    expect(page.locator("#more")).to_have_attribute("open", "")
    expect(page.locator("#menu-button")).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#menu")).to_be_visible()
    page.wait_for_function("() => document.getElementById('box').scrollTop === 400")


def open_places(lab: Start, person: Arrive, htmx: Htmx, **options: object) -> tuple[Lab, Page]:
    app, address = lab(**options)
    places(app)
    somebody = person(address, htmx)
    page = somebody.context.new_page()
    styled(page)
    page.goto(address + "/")
    until(page, "connected")
    return app, there(page)


def test_places_outlive_swaps(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, page = open_places(lab, person, htmx)
    arrange(page)
    before = page.evaluate_handle("document.getElementById('all')")
    with page.expect_response("**/all"):
        page.click("#again")
    page.wait_for_function("(before) => !before.isConnected", arg=before)
    arranged(page)
    html = app.fill(
        PLACES.partition('<button id="again"')[0].replace('{{ rt.stream("board:1") }}', ""), rows=Markup(ROWS)
    )
    app.topic("board:1").replace("#all", Markup(html.replace('id="n">0', 'id="n">1'))).result(5)
    expect(page.locator("#n")).to_have_text("1")
    arranged(page)
    # What was closed stays closed.
    page.click("#more summary")
    with page.expect_response("**/all"):
        page.click("#again")
    expect(page.locator("#n")).to_have_text("0")
    expect(page.locator("#more")).not_to_have_attribute("open", "")


def test_places_outlive_a_reload_and_a_reconnect(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, page = open_places(lab, person, htmx, limits={"replay": 2})
    arrange(page)
    page.reload()
    until(page, "connected")
    there(page)
    arranged(page)
    page.evaluate("htmxRt.simulateDisconnect()")
    until(page, "disconnected")
    for number in range(1, 9):
        app.topic("board:1").text("#n", str(number)).result(5)
    page.evaluate("window.before = document.querySelector('#box p'); htmxRt.simulateDisconnect(false)")
    until(page, "connected")
    arranged(page)


def test_what_comes_later_is_scrolled_when_it_is_there(lab: Start, person: Arrive, htmx: Htmx) -> None:
    """A list that is a skeleton at first: its place is kept until there is something to scroll."""
    app, address = lab()
    body = '<div id="box" class="box" rt-place><div id="rows" hx-get="/rows" hx-trigger="fill from:body">Loading</div></div>'
    app.page("/", body + '<div {{ rt.stream("board:1") }}></div>')
    app.get("/rows", lambda request: ROWS)
    somebody = person(address, htmx)
    page = somebody.context.new_page()
    styled(page)
    page.goto(address + "/")
    there(page)
    fill = "document.body.dispatchEvent(new Event('fill'))"
    page.evaluate(fill)
    expect(page.locator("#rows p")).to_have_count(60)
    scroll(page, "#box", 300)
    page.reload()
    there(page)
    assert top(page, "#box") == 0
    page.evaluate(fill)
    page.wait_for_function("() => document.getElementById('box').scrollTop === 300")


def test_a_dialog_outlives_a_swap_and_is_closed_by_the_answer_to_its_own_form(
    lab: Start, person: Arrive, htmx: Htmx
) -> None:
    _, page = open_places(lab, person, htmx)
    page.evaluate("document.getElementById('ask').showModal()")
    page.evaluate("htmx.ajax('GET', '/all', { target: '#all', swap: 'outerHTML' })")
    page.wait_for_function("() => document.querySelector('dialog')?.matches(':modal')")
    page.reload()
    there(page)
    page.wait_for_function("() => document.querySelector('dialog').matches(':modal')")
    with page.expect_response("**/save"):
        page.click("#save")
    expect(page.locator("#ask")).not_to_be_visible()


def test_the_page_itself_is_where_it_was_after_a_reload_and_at_the_top_by_a_link(
    lab: Start, person: Arrive, htmx: Htmx
) -> None:
    app, address = lab()
    layout = '<a id="link" href="/">Here</a><div id="rows" hx-get="/rows" hx-trigger="fill from:body"></div><div {{ rt.stream("board:1") }}></div>'
    app.page("/", layout)
    app.get("/rows", lambda request: '<div class="tall">Rows</div>')
    somebody = person(address, htmx)
    page = somebody.context.new_page()
    styled(page)
    page.add_init_script(
        "document.addEventListener('DOMContentLoaded', () => document.body.setAttribute('rt-place', ''))"
    )
    page.goto(address + "/")
    there(page)
    fill = "document.body.dispatchEvent(new Event('fill'))"
    page.evaluate(fill)
    expect(page.locator(".tall")).to_be_attached()
    page.evaluate(
        "new Promise((done) => { document.addEventListener('scroll', () => requestAnimationFrame(done), { once: true }); scrollTo(0, 700); })"
    )
    page.reload()
    there(page)
    page.evaluate(fill)  # the browser has tried, and the page was too short
    page.wait_for_function("() => scrollY === 700")
    with page.expect_navigation():
        page.evaluate("document.getElementById('link').click()")
    there(page)
    page.evaluate(fill)
    expect(page.locator(".tall")).to_be_attached()
    assert page.evaluate("scrollY") == 0


def test_whoever_scrolls_meanwhile_is_not_taken_back(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, page = open_places(lab, person, htmx)
    scroll(page, "#box", 400)
    # Cut short by a push, scrolled by hand, long again.
    app.topic("board:1").update("#box", Markup("<p>Row 0</p>")).result(5)
    expect(page.locator("#box p")).to_have_count(1)
    page.locator("#box").dispatch_event("wheel")
    app.topic("board:1").update("#box", Markup(ROWS)).result(5)
    expect(page.locator("#box p")).to_have_count(60)
    assert top(page, "#box") == 0
    # By nobody's doing it comes back.
    scroll(page, "#box", 200)
    app.topic("board:1").update("#box", Markup("<p>Row 0</p>")).result(5)
    expect(page.locator("#box p")).to_have_count(1)
    app.topic("board:1").update("#box", Markup(ROWS)).result(5)
    page.wait_for_function("() => document.getElementById('box').scrollTop === 200")


def test_a_named_place_is_the_same_on_all_pages(lab: Start, person: Arrive, htmx: Htmx) -> None:
    app, address = lab()
    side = f'<div id="side" class="box" rt-place="side">{ROWS}</div><div {{{{ rt.stream("board:1") }}}}></div>'
    app.page("/", side)
    app.page("/other", side)
    somebody = person(address, htmx)
    page = somebody.context.new_page()
    styled(page)
    page.goto(address + "/")
    scroll(there(page), "#side", 250)
    page.goto(address + "/other")
    page.wait_for_function("() => document.getElementById('side').scrollTop === 250")


@pytest.mark.parametrize("kept", ["[]", "nonsense", '{"a":1}', "null", '[["/", null]]'])
def test_whatever_lies_in_the_storage_harms_nobody(lab: Start, person: Arrive, htmx: Htmx, kept: str) -> None:
    app, address = lab()
    places(app)
    somebody = person(address, htmx)
    page = somebody.context.new_page()
    styled(page)
    page.add_init_script(
        f"sessionStorage.getItem('seen') || sessionStorage.setItem('rt-place', {kept!r}), sessionStorage.setItem('seen', 1)"
    )
    page.goto(address + "/")
    until(page, "connected")
    arrange(there(page))
    page.reload()
    there(page)
    arranged(page)
    assert re.match(r"\[", page.evaluate("sessionStorage.getItem('rt-place')"))
