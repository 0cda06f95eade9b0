"""Operations and answers that meet: what a person sees, on htmx 4 and htmx 2."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route

from .conftest import Htmx

HEAD = "<!doctype html><title>Board</title><script src=/htmx.js></script>"
ROWS = '<li id="a" rt-version="1">A</li><li id="b" rt-version="1">B</li>'


class Kit:
    """A page with the bridge and the operations; the test is its server and its stream."""

    def __init__(self, page: Page, htmx: Htmx, bundle: Callable[[str], str]) -> None:
        self.page = page
        self.held: dict[str, Route] = {}
        self.requests: list[Any] = []
        self._htmx = htmx
        self._bundle = bundle
        self._document = ""
        self._headers: dict[str, str] = {}
        page.route("**/*", self._serve)

    def open(self, body: str, **headers: str) -> Kit:
        self._document = f'{HEAD}<body>{body}<script src="/kit.js"></script></body>'
        self._headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.page.goto("http://rt.test/")
        self.page.wait_for_function("window.kit")
        return self

    def _serve(self, route: Route) -> None:
        path = route.request.url.removeprefix("http://rt.test")
        if path == "/htmx.js":
            route.fulfill(content_type="text/javascript", body=self._htmx.source)
        elif path == "/kit.js":
            route.fulfill(content_type="text/javascript", body=self._bundle("core"))
        elif path == "/":
            route.fulfill(content_type="text/html", headers=self._headers, body=self._document)
        elif path == "/favicon.ico":
            route.fulfill(status=204)
        else:
            self.requests.append(route.request)
            self.held[path] = route

    def ask(self, selector: str, path: str) -> dict[str, str]:
        """Click, and wait until the request is on the line; returns its headers."""
        with self.page.expect_request(f"**{path}") as request:
            self.page.click(selector)
        while path not in self.held:
            self.page.evaluate("0")  # lets Playwright deliver the route
        return request.value.headers

    def answer(
        self, path: str, html: str, *, at: int = 0, own: int | None = None, status: int = 200, **headers: str
    ) -> None:
        count = self.page.evaluate("kit.ended.length")
        fields = {"RT-At": f"1~e~{_base36(at)}", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if own is not None:
            fields["RT-Own"] = _base36(own)
        self.held.pop(path).fulfill(status=status, content_type="text/html", headers=fields, body=html)
        self.page.wait_for_function("count => kit.ended.length > count", arg=count)

    def push(self, *ops: list[str]) -> None:
        self.page.evaluate("ops => kit.push(...ops)", list(ops))

    def texts(self, selector: str) -> list[str]:
        return self.page.locator(selector).all_inner_texts()


def _base36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    return digits[number] if number < 36 else _base36(number // 36) + digits[number % 36]


@pytest.fixture
def kit(page: Page, htmx: Htmx, bundle: Callable[[str], str]) -> Kit:
    return Kit(page, htmx, bundle)


def stream(inner: str, tag: str = "ul", more: str = "") -> str:
    return f'<{tag} id="list" rt-stream="board:7" {more}>{inner}</{tag}>'


ADD = '<button id="go" hx-post="/add" hx-target="#list" hx-swap="beforeend">Add</button>'
GET = '<button id="go" hx-get="/list" hx-target="#list">Refresh</button>'
NEW = '<li id="c" rt-version="1">C</li>'


def test_push_before_response_shows_one_row(kit: Kit) -> None:
    kit.open(stream(ROWS) + ADD).ask("#go", "/add")
    kit.push(["append", "#list", NEW])
    kit.answer("/add", NEW, at=0, own=1)
    assert kit.texts("#list li") == ["A", "B", "C"]


def test_response_before_push_shows_one_row(kit: Kit) -> None:
    kit.open(stream(ROWS) + ADD).ask("#go", "/add")
    kit.answer("/add", NEW, at=0, own=1)
    kit.push(["append", "#list", NEW])
    assert kit.texts("#list li") == ["A", "B", "C"]


def test_another_persons_row_published_first_stands_first(kit: Kit) -> None:
    kit.open(stream(ROWS) + ADD).ask("#go", "/add")
    kit.answer("/add", NEW, at=0, own=2)
    kit.push(["append", "#list", '<li id="d">D</li>'])
    kit.push(["append", "#list", NEW])
    assert kit.texts("#list li") == ["A", "B", "D", "C"]


def test_slow_list_ends_as_a_fresh_render(kit: Kit) -> None:
    kit.open(stream(ROWS) + GET).ask("#go", "/list")
    kit.push(["append", "#list", NEW])
    kit.push(["replace", "#a", '<li id="a" rt-version="2">A2</li>'])
    kit.push(["remove", "#b"])
    kit.answer("/list", ROWS, at=0)
    assert kit.texts("#list li") == ["A2", "C"]


def test_answer_older_than_a_later_one_is_dropped(kit: Kit) -> None:
    more = '<button id="go2" hx-get="/list2" hx-target="#list">Refresh</button>'
    kit.open(stream(ROWS) + GET + more).ask("#go", "/list")
    kit.ask("#go2", "/list2")
    kit.answer("/list2", "<li>second</li>")
    kit.answer("/list", "<li>first</li>")
    assert kit.texts("#list li") == ["second"]


def test_out_of_band_part_is_brought_up_to_date(kit: Kit) -> None:
    total = '<p id="total" rt-stream="board:7" rt-version="1">2</p>'
    kit.open(stream(ROWS) + total + GET).ask("#go", "/list")
    kit.push(["append", "#list", NEW], ["replace", "#total", '<p id="total" rt-stream="board:7" rt-version="2">3</p>'])
    kit.answer("/list", ROWS + total.replace("<p", '<p hx-swap-oob="true"'), at=0)
    assert (kit.texts("#list li"), kit.texts("#total")) == (["A", "B", "C"], ["3"])


def test_push_that_replaces_the_target_in_flight(kit: Kit) -> None:
    kit.open(f'<div rt-stream="board:7" id="all">{stream(ROWS)}</div>' + GET).ask("#go", "/list")
    kit.push(["reset", "#all", stream(ROWS)])
    kit.answer("/list", ROWS + NEW, at=1)
    assert kit.texts("#list li") == ["A", "B", "C"]


def test_push_keeps_text_caret_and_focus(kit: Kit) -> None:
    form = '<form id="form"><input id="title" value="old"><textarea name="note">n</textarea><b>{}</b></form>'
    kit.open(f'<div id="box" rt-stream="board:7">{form.format(1)}</div>')
    kit.page.fill("textarea", "half a th")
    kit.page.fill("#title", "my own words")
    kit.page.evaluate("title.setSelectionRange(3, 6); window.field = title")
    for verb, target, html in [
        ("replace", "#form", form.format(2)),
        ("update", "#box", form.format(3).replace("old", "new")),
    ]:
        kit.push([verb, target, html])
        assert kit.page.evaluate(
            "[title === field, document.activeElement === field, field.value, field.selectionStart, field.selectionEnd]"
        ) == [True, True, "my own words", 3, 6]
        assert kit.page.input_value("textarea") == "half a th"
    assert kit.texts("#form b") == ["3"]
    assert kit.page.evaluate("title.defaultValue") == "new"


def test_swap_by_htmx_keeps_what_was_typed(kit: Kit) -> None:
    fields = (
        '<input id="title"><textarea name="note"></textarea><input type="checkbox" name="ok">'
        '<select name="s"><option>x</option><option>y</option></select>'
    )
    kit.open(
        f'<div id="box">{fields}</div><button id="go" hx-get="/box" hx-target="#box" hx-trigger="mousedown">R</button>'
    )
    kit.page.fill("textarea", "note")
    kit.page.check("input[name=ok]")
    kit.page.select_option("select", "y")
    kit.page.fill("#title", "typed")
    kit.ask("#go", "/box")
    kit.page.focus("#title")
    kit.page.evaluate("title.setSelectionRange(1, 2)")
    kit.answer("/box", fields)
    assert kit.page.evaluate(
        "[title.value, document.activeElement.id, title.selectionStart, title.selectionEnd,"
        "document.querySelector('textarea').value, document.querySelector('[name=ok]').checked,"
        "document.querySelector('select').value]"
    ) == ["typed", "title", 1, 2, "note", True, "y"]


def test_answer_to_a_form_may_empty_it(kit: Kit) -> None:
    form = '<form id="form" hx-post="/add" hx-swap="outerHTML"><input name="title"><button id="go">Add</button></form>'
    kit.open(form)
    kit.page.fill("input", "sent")
    kit.ask("#go", "/add")
    kit.answer("/add", form)
    assert kit.page.input_value("input") == ""
    kit.page.fill("input", "sent")
    kit.ask("#go", "/add")
    kit.page.fill("input", "typed after sending")
    kit.answer("/add", form)
    assert kit.page.input_value("input") == "typed after sending"


def test_composition_is_not_disturbed(kit: Kit) -> None:
    kit.open('<div id="box" rt-stream="board:7"><input id="title"></div><p id="p" rt-stream="board:7">1</p>')
    kit.page.focus("#title")
    session = kit.page.context.new_cdp_session(kit.page)
    session.send("Input.imeSetComposition", {"text": "にほ", "selectionStart": 2, "selectionEnd": 2})
    kit.page.evaluate("kit.send(['reset', '#box', '<input id=title>'])")
    kit.page.evaluate("kit.send(['text', '#p', '2'])")
    kit.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert kit.page.input_value("#title") == "にほ"
    kit.page.evaluate("void kit.events.on('applied', () => window.applied = true)")
    session.send("Input.insertText", {"text": "日本"})
    kit.page.wait_for_function("window.applied")
    assert (kit.page.input_value("#title"), kit.texts("#p")) == ("", ["2"])


def test_table_rows_and_options_are_parsed_as_such(kit: Kit) -> None:
    kit.open('<table><tbody id="rows" rt-stream="board:7"></tbody></table><select id="s" rt-stream="board:7"></select>')
    kit.push(
        ["append", "#rows", '<tr id="r1"><td>one</td></tr><tr id="r2"><td>two</td></tr>'],
        ["append", "#s", '<option id="o1">yes</option>'],
    )
    assert kit.texts("#rows > tr > td") == ["one", "two"]
    assert kit.page.evaluate("s.options.length") == 1


def test_a_thousand_operations_in_one_frame(kit: Kit) -> None:
    rows = "".join(f'<tr id="r{n}" rt-version="1"><td>{n}</td></tr>' for n in range(200))
    kit.open(f'<table><tbody id="rows" rt-stream="board:7">{rows}</tbody></table>')
    ops = [
        ["replace", f"#r{n % 200}", f'<tr id="r{n % 200}" rt-version="{n + 2}"><td>n{n}</td></tr>'] for n in range(1000)
    ]
    spent = kit.page.evaluate(
        "async ops => { for (const op of ops) kit.send(op); const begin = performance.now(); kit.apply.flush();"
        "return performance.now() - begin }",
        ops,
    )
    assert kit.texts("#rows td") == [f"n{800 + n}" for n in range(200)]
    print(f"1 000 operations: {spent:.0f} ms")
    assert spent < 500  # 27 to 70 ms where nothing else runs


def test_operations_stay_inside_their_topic(kit: Kit) -> None:
    kit.open('<p class="n" rt-stream="board:7">1</p><p class="n" rt-stream="board:8">1</p><p class="n">1</p>')
    kit.push(["text", ".n", "2"])
    assert kit.texts(".n") == ["2", "1", "1"]


def test_sorted_list_and_versions_undo_a_wrong_order_of_publishing(kit: Kit) -> None:
    kit.open(stream("", more='rt-sort="data-pos"'))
    for pos, version in [(10, 1), (9, 1), (30, 2)]:
        kit.push(["append", "#list", f'<li id="i{pos}" data-pos="{pos}" rt-version="{version}">{pos}</li>'])
    kit.push(["replace", "#i30", '<li id="i30" data-pos="1" rt-version="1">old</li>'])
    assert kit.texts("#list li") == ["9", "10", "30"]


def test_a_list_keeps_at_most_its_limit_and_leaves_islands_alone(kit: Kit) -> None:
    kit.open(stream(ROWS, more='rt-limit="2"') + '<div id="box" rt-stream="board:7"><i id="k" rt-keep>mine</i></div>')
    kit.push(["append", "#list", NEW], ["update", "#box", '<i id="k" rt-keep>theirs</i><b>x</b>'])
    assert (kit.texts("#list li"), kit.texts("#k"), kit.texts("#box b")) == (["B", "C"], ["mine"], ["x"])


def test_a_number_used_again_after_a_removal_is_a_new_row(kit: Kit) -> None:
    kit.open(stream('<li id="a" rt-version="3">A</li>'))
    kit.push(["remove", "#a"])
    kit.push(["append", "#list", '<li id="a" rt-version="1">new</li>'])
    assert kit.texts("#list li") == ["new"]


def test_pushed_htmx_attributes_work(kit: Kit) -> None:
    kit.open(stream("") + '<div id="out"></div>')
    kit.push(["append", "#list", '<li id="a"><button id="go" hx-get="/one" hx-target="#out">x</button></li>'])
    kit.push(["replace", "#a", '<li id="a"><button id="go" hx-get="/two" hx-target="#out">x</button></li>'])
    kit.ask("#go", "/two")
    kit.answer("/two", "done")
    assert kit.texts("#out") == ["done"]


def test_requests_carry_tab_and_action_id(kit: Kit) -> None:
    kit.open(stream(ROWS) + ADD + GET.replace('"go"', '"get"'))
    sent = kit.ask("#go", "/add")
    assert sent["rt-tab"] == "0123456789abcdef0123456789abcdef"
    assert len(sent["idempotency-key"]) == 36
    assert "idempotency-key" not in kit.ask("#get", "/list")


@pytest.mark.parametrize(
    ("attribute", "problem", "status", "expected"),
    [
        ("", "validation", 422, "refused"),
        ("rt-optimistic=x", "", 422, "refused"),
        ("rt-optimistic=x", "", 500, "before"),
    ],
)
def test_error_bodies(kit: Kit, errors: list[str], attribute: str, problem: str, status: int, expected: str) -> None:
    kit.open(f'<div id="out">before</div><button id="go" hx-post="/do" hx-target="#out" {attribute}>x</button>')
    kit.ask("#go", "/do")
    kit.answer("/do", "refused", status=status, **({"RT_Problem": problem} if problem else {}))
    assert kit.texts("#out") == [expected]
    assert kit.page.evaluate("kit.ended") == [{"outcome": "status", "status": status, "problem": problem or None}]
    errors.clear()  # the browser itself logs every refused request


def test_a_lost_line_is_told(kit: Kit, errors: list[str]) -> None:
    kit.open(GET + stream(ROWS)).ask("#go", "/list")
    kit.held.pop("/list").abort()
    kit.page.wait_for_function("kit.ended.length")
    assert kit.page.evaluate("kit.ended[0].outcome") == "network"
    errors.clear()


def test_answer_older_than_the_ring_is_fetched_again(kit: Kit) -> None:
    kit.open(stream(ROWS) + GET).ask("#go", "/list")
    kit.page.evaluate("for (let n = 0; n < 1100; n++) kit.send(['text', '#a', String(n)]); kit.apply.flush()")
    kit.answer("/list", ROWS, at=0)
    assert kit.page.evaluate("kit.resyncs") == [{"topics": ["board:7"], "why": "trimmed"}]


def test_strict_policy_and_trusted_types(kit: Kit, errors: list[str]) -> None:
    kit.open(
        stream(ROWS) + ADD,
        Content_Security_Policy="default-src 'self'; script-src 'self'; style-src 'self'",
        Content_Security_Policy_Report_Only="require-trusted-types-for 'script'",
    )
    kit.push(["append", "#list", '<li id="d"><button>x</button></li>'], ["update", "#a", "<b>bold</b>"])
    kit.ask("#go", "/add")
    kit.answer("/add", NEW, at=1, own=2)
    assert kit.texts("#list li") == ["bold", "B", "x", "C"]
    ours = [one for one in kit.page.evaluate("kit.violations") if "kit.js" in json.dumps(one)]
    assert ours == []
    errors.clear()  # htmx itself is reported
