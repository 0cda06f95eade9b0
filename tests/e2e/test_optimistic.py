"""Each operation of `rt-optimistic`: shown at once, confirmed by the server, and taken back byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .conftest import Htmx
from .lab import Lab
from .optimism import Actions, body, push, ready, shows
from .people import Person

Start = Callable[..., tuple[Lab, str]]
Arrive = Callable[..., Person]

LIST = """
<ul id="tasks" {{ rt.stream("tasks") }}>
  <li id="t1" class="task  wide" title="One"><b id="n1">3</b> <i class="state">open</i> <span hidden id="more" class="x">More</span>
    <button id="go" type="button" hx-post="/do" hx-swap="none" {{ rule }}>Do it</button></li>
  <li id="t2"><b id="n2">1,204 likes</b> <input id="note" name="note"> <textarea id="long">1\n2\n3\n4\n5\n6</textarea></li>
  <li id="t3">Three</li>
</ul>
<p id="total" class="">7</p>
<ol id="done" {{ rt.stream("tasks") }}><li id="d1">Done</li></ol>
<template id="tpl"><li class="task"><b>{title}</b></li></template>"""

VERBS = [
    ("add-class:on hot on closest li", "#t1.task.wide.on.hot.rt-pending"),
    ("remove-class:wide on closest li", "#t1.task:not(.wide)"),
    ("toggle-class:on", "#go.on.rt-pending"),
    ("toggle-class:task on closest li", "#t1:not(.task)"),
    ("text:done on find i", None),
    ("text:done on previous i", "#t1 > i:text-is('done')"),
    ("inc:2 on #n1", "#n1:text-is('5')"),
    ("dec on #n2", "#n2:text-is('1,203 likes')"),
    ("attr:aria-pressed=true", "#go[aria-pressed=true]"),
    ("attr:title=Two on closest li", "#t1[title=Two]"),
    ("show on #more", "#more:visible"),
    ("hide on next li", "#tasks:not(:has(#t2:visible))"),
    ("remove on #t2", "#tasks:not(:has(#t2))"),
    ("move on #t3 at start", "#tasks > #t3:first-child"),
    ("move:#done on #t1 at start", "#done > #t1:first-child"),
    ("insert:#tpl on #tasks at start", "#tasks > li[rt-tmp]:first-child"),
    ("transition:shake on #t3", "#t3.shake"),
    ('toggle-class:on; inc on #n1; text:"so; on" on #total; hide on #t2', "#go.on ~ *, #total:text-is('so; on')"),
]


@pytest.fixture
def play(lab: Start, person: Arrive, htmx: Htmx) -> Iterator[Callable[..., tuple[Lab, Actions, Page, Page]]]:
    """Open the page twice: one that acts, and one that only listens."""
    every: list[Actions] = []

    def play(rule: str, page: str = LIST, **values: Any) -> tuple[Lab, Actions, Page, Page]:
        app, address = lab(debug=True)
        app.page("/", page.replace("{{ rule }}", f"rt-optimistic='{rule}'"), **values)
        acts = Actions(app).at("/do")
        every.append(acts)
        somebody = person(
            address,
            htmx,
            expected=(
                422,
                500,
                "ERR_FAILED",
                "Response Status Error",
                "sendError",
                "afterRequest",
                "sendAbort",
                "htmx:error",
                "timeout",
                "Failed to fetch",
            ),
        )
        return app, acts, ready(somebody.open()), ready(somebody.open())

    yield play
    for acts in every:
        acts.finish()


@pytest.mark.parametrize(("rule", "shown"), [one for one in VERBS if one[1]])
def test_is_shown_at_once_and_taken_back_exactly(play: Any, rule: str, shown: str) -> None:
    app, acts, page, other = play(rule)
    page.click("#go")
    expect(page.locator(shown).first).to_be_attached()
    acts.reached("/do")
    push(app, "text", "#n1", "10")
    push(app, "append", "#tasks", '<li id="t4">Four</li>')
    expect(page.locator("#t4")).to_be_attached()
    expect(other.locator("#t4")).to_be_attached()
    if "shake" not in rule:
        expect(page.locator(shown.replace("'5'", "'12'")).first).to_be_attached()
    acts.say("/do", "no", 500)
    if rule.startswith("insert"):
        page.click(".rt-discard")
    expect(page.locator(".rt-pending, .shake, .rt-loading")).to_have_count(0)
    expect(page.locator("#go")).to_be_visible()
    page.evaluate("document.activeElement.blur()")
    assert body(page) == body(other)


LOSSES: dict[str, Callable[[Page, Actions], None]] = {
    "422": lambda page, acts: acts.say("/do", "no", 422),
    "500": lambda page, acts: acts.say("/do", "no", 500),
    "network": lambda page, acts: page.evaluate("0"),
    "timeout": lambda page, acts: page.evaluate("last.abort('timeout')"),
    "abort": lambda page, acts: page.evaluate("last.abort()"),
    "gone": lambda page, acts: acts.say("/do", "no", 422),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_any_bad_end_takes_back_exactly_this(play: Any, loss: str) -> None:
    rule = "toggle-class:on on #t2; inc on #n2; attr:title=Two on #t3; remove on #t1; text:8 on #total"
    app, acts, page, other = play(rule if loss != "gone" else rule.replace("remove on #t1; ", ""))
    page.evaluate("void htmxRt.rt.events.on('request:start', ({request}) => window.last = request)")
    for one in (page, other):
        one.fill("#note", "half typed")
        one.evaluate("""() => {
          const long = document.getElementById('long');
          long.style.height = '20px';
          long.scrollTop = 20;
          window.mine = document.getElementById('t2');
          mine.addEventListener('click', () => mine.heard = true);
        }""")
    if loss == "network":
        page.route("**/do", lambda route: held.append(route))
    held: list[Any] = []
    page.click("#go")
    expect(page.locator("#t2.on")).to_be_attached()
    shows(page, "#total", "8")
    page.focus("#note")
    page.evaluate("document.getElementById('note').setSelectionRange(2, 6)")
    push(app, "text", "#n2", "1,300 likes")
    shows(page, "#n2", "1,301 likes")
    if loss == "gone":
        push(app, "replace", "#t1", '<li id="t1">Gone</li>')
        shows(page, "#t1", "Gone")
    if held:
        held[0].abort()
    else:
        LOSSES[loss](page, acts)
    shows(page, "#total", "7")
    expect(page.locator(".rt-pending, .rt-loading")).to_have_count(0)
    shows(other, "#n2", "1,300 likes")
    if loss == "gone":
        shows(other, "#t1", "Gone")
    assert body(page) == body(other)
    state = "() => [note.value, note.selectionStart, note.selectionEnd, document.activeElement.id, long.scrollTop, mine === t2]"
    assert page.evaluate(state) == ["half typed", 2, 6, "note", 20, True]
    page.click("#t2")
    assert page.evaluate("mine.heard")


def test_what_is_removed_comes_back_with_its_focus_and_scrolling(play: Any) -> None:
    _, acts, page, _ = play("remove on closest li")
    page.evaluate("() => { tasks.style.height = '30px'; tasks.style.overflow = 'auto'; window.mine = t1; go.focus() }")
    page.click("#go")
    expect(page.locator("#t1")).to_have_count(0)
    acts.say("/do", "no", 500)
    expect(page.locator("#t1")).to_be_attached()
    assert page.evaluate("[mine === t1, document.activeElement.id]") == [True, "go"]


def test_the_older_fails_while_the_newer_stays_over_what_came_between(play: Any) -> None:
    two = LIST + """<button id="two" hx-post="/two" hx-swap="none" rt-optimistic="inc:5 on #n1">5</button>"""
    app, acts, page, _ = play("inc:1 on #n1", two)
    acts.at("/two")
    page.click("#go")
    shows(page, "#n1", "4")
    push(app, "text", "#n1", "10")
    shows(page, "#n1", "11")
    page.click("#two")
    shows(page, "#n1", "16")
    push(app, "replace", "#n1", '<b id="n1" class="new">20</b>')
    shows(page, "#n1.new", "26")
    acts.reached("/two")
    acts.say("/do", "no", 422)
    shows(page, "#n1", "25")
    acts.say("/two", status=204)
    expect(page.locator("#n1:not(.rt-pending)")).to_have_text("25")
    assert page.locator("#n1").evaluate("el => el.outerHTML") == '<b id="n1" class="new">25</b>'


def test_five_fast_clicks_and_a_pushed_value(play: Any) -> None:
    app, acts, page, _ = play("inc on #n1", LIST.replace("{{ rule }}", "{{ rule }} hx-sync='this:queue all'"))
    count = [3]

    def answer(_form: Any) -> str:
        count[0] += 1
        push(app, "text", "#n1", str(count[0]))
        return ""

    for _ in range(5):
        page.click("#go")
    shows(page, "#n1", "8")
    acts.reached("/do")
    count[0] += 10
    push(app, "text", "#n1", str(count[0]))
    shows(page, "#n1", "18")
    for _ in range(5):
        acts.say("/do", answer)
    expect(page.locator("#n1:not(.rt-pending)")).to_have_text("18")
    assert count == [18]
    assert len(set(acts.keys)) == 5
