from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmx_rt import frames
from htmx_rt.exceptions import BadOperation
from htmx_rt.frames import Cursor, action_key, base36, parse_cursor
from htmx_rt.testing import Parser

text = st.text(st.characters(codec="utf-8"))


@given(st.integers(0, 36**12 - 1))
def test_a_cursor_is_read_as_it_was_written(offset: int) -> None:
    cursor = Cursor("ab12cd34", offset)
    assert parse_cursor(str(cursor)) == cursor
    assert int(base36(offset), 36) == offset
    assert len(str(cursor)) <= 64


@pytest.mark.parametrize(
    "foreign",
    [
        None, 7, b"1~a~1", [], "", "1", "~~", "1~~1", "1~a~", "0~a~1", "2~a~1", "1~a~-1", "1~a~A", "1~a~1 ", " 1~a~1",
        "1~a~1\n", "1~a b~1", "1~a~1~1", "1~a~" + "z" * 13, "1~" + "a" * 17 + "~1", "1~ä~1", "1~a~१", "~" * 1_000_000,
        "1~a~\ud800",
    ],
    ids=lambda value: repr(value)[:24],
)  # fmt: skip
def test_anything_else_is_no_cursor(foreign: object) -> None:
    assert parse_cursor(foreign) is None


@given(st.text())
def test_no_text_makes_the_cursor_parser_fail(value: str) -> None:
    parsed = parse_cursor(value)
    assert parsed is None or parsed.offset >= 0


@given(text)
def test_any_text_stays_one_event(value: str) -> None:
    frame = frames.event("rt:ops", {"html": value})
    assert frame.count(b"\n\n") == 1
    assert b"\r" not in frame
    assert b"\0" not in frame
    [event] = Parser().feed(frame)
    assert event.name == "rt:ops"
    assert event.data == {"html": value}
    assert event.id is None


@given(text, st.lists(st.integers(1, 7)))
def test_events_are_read_from_any_cut_of_bytes(value: str, cuts: list[int]) -> None:
    stream = (
        frames.checkpoint("1~e~1") + frames.HEARTBEAT + frames.event("rt:call", value) + frames.event("rt:ops", [value])
    )
    parser, found = Parser(), []
    for cut in cuts:
        found += parser.feed(stream[:cut])
        stream = stream[cut:]
    found += parser.feed(stream)
    assert [event.data for event in found] == [value, [value]]
    assert parser.cursor == "1~e~1"


@pytest.mark.parametrize(
    "value",
    ["\ud800", "a\udfffb", {"\ud800": 1}, float("nan"), float("inf"), ..., {1, 2}, {(1, 2): 3}],
    ids=repr,
)
def test_what_json_or_utf8_cannot_hold_raises_with_the_reason(value: object) -> None:
    with pytest.raises(BadOperation, match=r"lone surrogate|cannot be sent as JSON"):
        frames.dump(value)


def test_what_holds_itself_raises() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(BadOperation):
        frames.dump(loop)


def test_a_draft_becomes_an_event_with_its_offset_and_without_empty_parts() -> None:
    draft = frames.draft("board:7", "rt:ops", {"ops": [["remove", "#a"]], "key": None, "by": "tab"}, state="total")
    assert draft.state == "total"
    head, data = draft.frame(41).decode().rstrip("\n").split("\n")
    assert head == "event: rt:ops"
    assert json.loads(data.removeprefix("data: ")) == {
        "t": "board:7", "o": 41, "ops": [["remove", "#a"]], "by": "tab", "s": "total",
    }  # fmt: skip
    assert draft.size == len(draft.frame(1)) - 1


def test_the_key_of_an_action_is_the_known_hash() -> None:
    # Test vectors of the FNV page for FNV-1a, 64 bits.
    assert action_key("") == "cbf29ce484222325"
    assert action_key("a") == "af63dc4c8601ec8c"
    assert action_key("foobar") == "85944171f73967e8"
