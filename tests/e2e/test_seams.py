"""What the bridge tells of a request and of a change of the page, the same on htmx 4 and htmx 2."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from .byhand import ADD, GET, NEW, ROWS, Kit, stream

FORM = """<form id="form" hx-post="/add?board=7" hx-target="#list" hx-swap="beforeend">
<input name="title" value="Call Ada" required><input name="tag" value="a"><input name="tag" value="b"><button id="go">Add</button></form>"""
ASKED = """() => { const { request } = kit.told.find(({ name }) => name === "request:start").detail; return {
  ...Object.fromEntries(["seq", "trigger", "action", "method", "path", "swapStyle", "safe"].map((name) => [name, request[name]])),
  url: request.url.replace(/.*rt.test/, ""), target: request.target.id, elt: request.elt.id, values: [...request.values] } }"""


def names(kit: Kit) -> list[str]:
    return kit.page.evaluate("kit.told.map(({ name }) => name)")


def settled(kit: Kit) -> None:
    kit.page.wait_for_function("kit.told.some(({ name }) => name === 'settled') || !kit.bridge.settling()")


def test_a_request_says_what_it_is(kit: Kit) -> None:
    kit.open(stream(ROWS) + FORM)
    headers = kit.ask("#go", "/add?board=7")
    assert kit.page.evaluate(ASKED) == {
        "seq": 1,
        "trigger": "submit",
        "action": headers["idempotency-key"],
        "method": "POST",
        "path": "/add",
        "url": "/add?board=7",
        "swapStyle": "beforeend",
        "safe": False,
        "target": "list",
        "elt": "form",
        "values": [["title", "Call Ada"], ["tag", "a"], ["tag", "b"]],
    }


def test_an_answer_is_told_before_and_after_it_is_on_the_page(kit: Kit) -> None:
    kit.open(stream(ROWS) + ADD)
    kit.page.evaluate("""() => {
      const seen = window.seen = {};
      kit.events.on("request:answered", ({ request }) => { seen.answered = [request.status, request.own, request.text(), document.querySelectorAll("li").length]; });
      kit.events.on("coming", ({ later }) => { seen.coming ??= [document.querySelectorAll("li").length, !!later]; });
      kit.events.on("swap", () => { seen.swap ??= document.querySelectorAll("li").length; }); }""")
    kit.ask("#go", "/add")
    kit.answer("/add", NEW, at=0, own=1)
    settled(kit)
    order = names(kit)
    first = ["request:config", "request:start", "request:answered", "coming", "swap"]
    assert order[:5] == first
    assert order.count("request:end") == 1
    assert kit.page.evaluate("seen") == {"answered": [200, 1, NEW, 2], "coming": [2, False], "swap": 3}


def test_a_listener_stops_a_request_before_it_leaves(kit: Kit) -> None:
    kit.open(stream(ROWS) + ADD)
    kit.page.evaluate("kit.veto.add('request:start')")
    kit.page.click("#go")
    kit.page.wait_for_function("kit.ended.length")
    assert kit.page.evaluate("kit.ended") == [{"outcome": "cancel", "status": None, "problem": None}]
    assert names(kit) == ["request:config", "request:start", "request:end"]
    assert kit.requests == []
    kit.page.evaluate("kit.veto.clear()")
    kit.ask("#go", "/add")  # nothing is stuck
    kit.answer("/add", NEW)
    assert kit.texts("#list li") == ["A", "B", "C"]


def test_a_listener_keeps_an_answer_off_the_page(kit: Kit) -> None:
    kit.open(stream(ROWS) + ADD).ask("#go", "/add")
    kit.page.evaluate("kit.veto.add('request:answered')")
    kit.answer("/add", NEW)
    assert kit.texts("#list li") == ["A", "B"]


def test_headers_and_values_may_still_be_changed(kit: Kit) -> None:
    kit.open(stream(ROWS) + FORM)
    kit.page.evaluate(
        "void kit.events.on('request:config', ({ headers, values }) => { headers['RT-Queued'] = 'x'; values.set('title', 'Other'); })"
    )
    assert kit.ask("#go", "/add?board=7")["rt-queued"] == "x"
    assert kit.requests[0].post_data == "title=Other&tag=a&tag=b"


def test_ours_to_abort_and_why(kit: Kit, errors: list[str]) -> None:
    kit.open(stream(ROWS) + ADD).ask("#go", "/add")
    kit.page.evaluate("kit.told.find(({ name }) => name === 'request:start').detail.request.abort('timeout')")
    kit.page.wait_for_function("kit.ended.length")
    assert kit.page.evaluate("kit.ended[0].outcome") == "timeout"
    errors.clear()  # htmx writes it to the console


@pytest.mark.parametrize("gone", [False, True], ids=["element there", "element gone"])
def test_the_same_again_with_the_same_id(kit: Kit, gone: bool, errors: list[str]) -> None:
    kit.open(stream(ROWS) + FORM)
    first = kit.ask("#go", "/add?board=7")
    kit.answer("/add?board=7", "broken", status=500)
    errors.clear()  # the 500
    kit.page.evaluate(
        "gone => { gone ? form.remove() : form.querySelector('input').value = ''; }", gone
    )  # empty and required: what goes again is what was sent
    with kit.page.expect_request("**/add?board=7") as again:
        kit.page.evaluate("void kit.bridge.again(kit.told.find(({ name }) => name === 'request:start').detail.request)")
    while not kit.held:
        kit.page.evaluate("0")
    assert again.value.headers["idempotency-key"] == first["idempotency-key"]
    assert again.value.post_data == kit.requests[0].post_data
    assert parse_qsl(again.value.post_data) == [("title", "Call Ada"), ("tag", "a"), ("tag", "b")]
    assert "rt-again" not in again.value.headers
    kit.answer("/add?board=7", NEW)
    assert kit.texts("#list li") == ["A", "B", "C"]


def test_a_question_again(kit: Kit) -> None:
    kit.open(
        stream(ROWS)
        + GET.replace("hx-get", 'name="page" value="2" hx-get').replace("<button", "<form hx-target=this><button")
    )
    with kit.page.expect_request("**/list**"):
        kit.page.click("#go")
    kit.page.wait_for_function("kit.told.length > 1")
    (path,) = kit.held
    kit.answer(path, ROWS)
    with kit.page.expect_request(f"**{path}") as again:
        kit.page.evaluate("void kit.bridge.again(kit.told.find(({ name }) => name === 'request:start').detail.request)")
    assert "idempotency-key" not in again.value.headers


def test_an_answer_of_our_own_fetch_is_brought_up_to_date(kit: Kit) -> None:
    kit.open(stream(ROWS) + '<p id="total">2</p>')
    kit.push(["append", "#list", NEW])
    kit.page.evaluate(
        "rows => { kit.told.length = 0; kit.bridge.swap(list, rows, 'innerHTML', { at: '1~e~0' }); }", ROWS
    )
    kit.page.wait_for_function("kit.told.some(({ name }) => name === 'swap')")
    assert kit.texts("#list li") == ["A", "B", "C"]
    assert names(kit)[:2] == ["coming", "swap"]
    kit.page.evaluate("html => kit.bridge.swap(list, html, 'none')", '<p id="total" hx-swap-oob="true">3</p>')
    kit.page.wait_for_function("total.textContent === '3'")
    assert kit.texts("#list li") == ["A", "B", "C"]


def test_under_a_transition_the_change_is_told_where_it_happens(kit: Kit) -> None:
    kit.open(stream(ROWS) + ADD.replace("beforeend", "beforeend transition:true")).ask("#go", "/add")
    kit.page.evaluate(
        "() => { window.later = []; kit.events.on('coming', (detail) => { window.later.push(!!detail.later); }); }"
    )
    kit.answer("/add", NEW)
    kit.page.wait_for_function("document.querySelectorAll('li').length === 3")
    assert kit.page.evaluate("window.later")[0] is True


def test_operations_of_the_stream_are_told_too(kit: Kit) -> None:
    kit.open(stream(ROWS))
    kit.page.evaluate("kit.told.length = 0")
    kit.push(["append", "#list", NEW])
    assert names(kit) == ["coming", "swap"]
