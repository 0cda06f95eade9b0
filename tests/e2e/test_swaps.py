"""Operations and answers that meet: what a person sees, on htmx 4 and htmx 2."""

from __future__ import annotations

import json

import pytest

from .byhand import ADD, GET, NEW, ROWS, Kit, stream


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
