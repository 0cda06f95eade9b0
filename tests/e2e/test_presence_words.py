"""What people do, as others see it: typing, in which field, pointing, selecting; and what is nobody's business."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .lab import Lab
from .people import Person, sample, samples
from .presence_kit import PAGE, Calls, hide, lab_with

Enter = Callable[..., Page]
ROOM = """<div id="who">{{ rt.presence("doc") }}</div>
<div {{ rt.cursors("doc") }} id="room"><section id="a"><h2>Alpha</h2></section><section id="b"><h2>Beta</h2></section>
<textarea id="text" name="text" rows="4" cols="30"></textarea><input id="line" name="line" size="30">
<p id="rich" contenteditable="true">Some rich words</p><input id="secret" type="password" name="secret">
<div rt-private id="mine"><p id="mine-text">Mine</p></div></div>"""


@pytest.fixture
def enter(lab: Callable[..., tuple[Lab, str]], person: Callable[..., Person]) -> Enter:
    """`enter("ada", body)` is somebody on a page with that body; everybody on the same body is on the same page."""
    started, address = lab_with(lab)
    paths: dict[str, str] = {}

    def enter(name: str, body: str = PAGE, *, clock: bool = False, **options: Any) -> Page:
        path = paths.setdefault(body, f"/page{len(paths)}")
        started.page(path, body)
        somebody = person(address, **options)
        somebody.context.add_cookies([{"name": "who", "value": name, "url": address}])
        page = somebody.open(path, clock=clock)
        page.wait_for_selector("#who li[id]")
        return page

    enter.lab, enter.address = started, address  # type: ignore[attr-defined]
    return enter


def together(*pages: Page) -> None:
    """Wait until everybody knows of everybody."""
    for page in pages:
        expect(page.locator("#who li[id] .rt-visually-hidden")).to_have_count(len(pages))


def line(page: Page) -> Any:
    return page.locator(".rt-typing-text")


def test_one_two_and_many_are_typing_and_never_oneself(enter: Enter) -> None:
    ada, grace, mei, max_ = enter("ada"), enter("grace"), enter("mei"), enter("max")
    together(ada, grace, mei, max_)
    room = ada.locator(".rt-typing").bounding_box()
    after = ada.locator("#after").bounding_box()
    sample(ada, "after", "() => document.getElementById('after').getBoundingClientRect().top")
    grace.type("#title", "H")
    expect(line(ada)).to_have_text("Grace is typing…")
    expect(ada.locator(".rt-typing .rt-typing-dots")).to_be_visible()
    mei.type("#body", "H")
    expect(line(ada)).to_have_text("Grace and Mei are typing…")
    max_.type("#body", "H")
    expect(line(ada)).to_have_text("Grace and 2 others are typing…")
    expect(line(grace)).to_have_text("Mei and Max are typing…")
    for page in (grace, mei, max_):
        page.locator(":focus").evaluate("(el) => el.blur()")
    expect(line(ada)).to_have_text("")
    assert ada.locator(".rt-typing").bounding_box() == room
    assert ada.locator("#after").bounding_box() == after
    assert len(samples(ada, "after")) == 1


@pytest.mark.parametrize(
    ("lang", "one", "two", "many"),
    [
        ("de", "Grace schreibt…", "Grace und Mei schreiben…", "Grace und 2 weitere schreiben…"),
        ("es", "Grace está escribiendo…", "Grace y Mei están escribiendo…", "Grace y 2 más están escribiendo…"),
    ],
)
def test_in_the_language_of_the_page(enter: Enter, lang: str, one: str, two: str, many: str) -> None:
    lab = enter.lab  # type: ignore[attr-defined]
    head = f"{{{{ rt.head(htmx=htmx, lang='{lang}') }}}}"
    html = f"<!doctype html><html lang='{lang}'><head><title>.</title>{head}</head><body>{PAGE}</body></html>"
    lab.get("/lang", lambda request: lab.fill(html, htmx=lab.htmx))
    ada = enter("ada")
    ada.goto(enter.address + "/lang")  # type: ignore[attr-defined]
    others = [enter("grace"), enter("mei"), enter("max")]
    together(ada, *others)
    for page, words in zip(others, (one, two, many), strict=True):
        page.type("#title", "x")
        expect(line(ada)).to_have_text(words)
    assert "Ada Okafor" in (ada.locator("#who li[id] .rt-visually-hidden").first.text_content() or "")


def test_typing_ends_on_send_on_leaving_the_field_after_a_pause_and_with_the_page(enter: Enter) -> None:
    lab = enter.lab  # type: ignore[attr-defined]
    body = PAGE.replace('<form rt-typing="doc">', '<form rt-typing="doc" hx-post="/save" hx-swap="none">')
    lab.post("/save", lambda request: "")
    ada, grace = enter("ada", body), enter("grace", body, clock=True)
    together(ada, grace)

    def begins() -> None:
        grace.locator("#title").press_sequentially("x")
        expect(line(ada)).to_have_text("Grace is typing…")

    begins()
    grace.press("#title", "Enter")
    expect(line(ada)).to_have_text("", timeout=1_500)
    begins()
    grace.focus("#save")
    expect(line(ada)).to_have_text("", timeout=1_500)
    begins()
    grace.clock.run_for(3_000)  # after the last key
    expect(line(ada)).to_have_text("", timeout=1_500)
    begins()
    hide(grace)
    expect(line(ada)).to_have_text("", timeout=1_500)
    hide(grace, False)
    begins()
    grace.close(run_before_unload=True)
    expect(line(ada)).to_have_text("", timeout=1_500)


def test_what_is_typed_by_somebody_who_is_cut_off_is_forgotten(enter: Enter) -> None:
    ada, grace = enter("ada", clock=True), enter("grace")
    together(ada, grace)
    grace.type("#title", "x")
    expect(line(ada)).to_have_text("Grace is typing…")
    grace.context.set_offline(True)
    ada.clock.run_for(5_000)
    expect(line(ada)).to_have_text("", timeout=1_500)


def test_few_calls_while_typing_and_none_while_alone_or_hidden(enter: Enter) -> None:
    ada = enter("ada")
    calls = Calls(ada, "/signal")
    ada.type("#title", "all alone", delay=20)
    ada.wait_for_timeout(700)
    assert calls.bodies == []
    grace = enter("grace")
    together(ada, grace)
    ada.locator("#title").blur()
    ada.wait_for_timeout(200)
    calls.bodies.clear()
    ada.type("#title", "with somebody who looks on here", delay=70)  # two seconds
    said = [body["data"] for body in calls.bodies if body["name"] == "typing"]
    assert 1 <= len(said) <= 3
    assert said[0] == {"on": True, "field": "#title"}
    hide(ada)
    ada.wait_for_timeout(300)
    calls.bodies.clear()
    ada.type("#title", "hidden", delay=20)
    ada.wait_for_timeout(700)
    assert calls.bodies == []


def test_private_fields_say_nothing(enter: Enter) -> None:
    ada, grace = enter("ada"), enter("grace")
    together(ada, grace)
    calls = Calls(ada, "/signal")
    for field in ("#secret", "#card", "#diary"):
        ada.focus(field)
        ada.type(field, "abc")
        ada.wait_for_timeout(100)
    ada.locator("#diary").blur()
    ada.wait_for_timeout(600)
    assert calls.bodies == []
    assert grace.locator(".rt-layer .rt-field").count() == 0


def test_who_does_not_show_does_not_tell(enter: Enter) -> None:
    ada, grace = enter("ada"), enter("grace")
    together(ada, grace)
    hidden = enter("mei", PAGE.replace('rt.presence("doc")', 'rt.presence("doc", track=False)'))
    expect(hidden.locator("#who li[id] .rt-visually-hidden")).to_have_count(2)
    calls = Calls(hidden, "/signal")
    hidden.type("#title", "a spy")
    grace.type("#title", "x")
    expect(line(hidden)).to_have_text("Grace is typing…")  # sees and is not seen
    assert calls.bodies == []
    assert line(ada).text_content() == "Grace is typing…"


def test_a_ring_and_a_chip_at_the_field_of_somebody_else(enter: Enter) -> None:
    ada, grace, mei = enter("ada"), enter("grace"), enter("mei")
    together(ada, grace, mei)
    ada.focus("#title")
    grace.focus("#body")
    chip = ada.get_by_role("img", name="Grace Lindqvist is in this field")
    expect(chip).to_be_visible()
    assert chip.locator("span").first.text_content() == "Grace"
    mei.focus("#body")
    expect(ada.locator(".rt-field .rt-chip")).to_have_count(2)
    both = [ada.locator(".rt-field .rt-chip").nth(index).bounding_box() for index in (0, 1)]
    field = ada.locator("#body").bounding_box()
    assert field is not None
    for box in both:
        assert box is not None
        assert box["y"] + box["height"] <= field["y"] + 1  # above, never on the text
    assert both[0]["x"] + both[0]["width"] <= both[1]["x"]  # type: ignore[index]
    grace.type("#body", "x")
    expect(ada.locator(".rt-chip.rt-is-typing .rt-typing-dots")).to_be_visible()
    assert ada.evaluate("document.activeElement.id") == "title"
    grace.locator("#body").blur()
    expect(ada.locator(".rt-field .rt-chip")).to_have_count(1)
    mei.close(run_before_unload=True)
    expect(ada.locator(".rt-field")).to_have_count(0)


def test_the_ring_follows_the_field_and_goes_with_it(enter: Enter) -> None:
    ada, grace = enter("ada"), enter("grace")
    together(ada, grace)
    grace.focus("#title")
    expect(ada.locator(".rt-field")).to_have_count(1)

    def fits() -> None:
        ada.wait_for_function(
            """() => {
              const [a, b] = [".rt-field", "#title"].map((one) => document.querySelector(one)?.getBoundingClientRect() ?? {});
              return Math.abs(a.x - b.x) < 1 && Math.abs(a.y - b.y) < 1 && Math.abs(a.width - b.width) < 1;
            }"""
        )

    fits()
    ada.evaluate("document.querySelector('form').style.paddingTop = '80px'")
    fits()
    ada.set_viewport_size({"width": 500, "height": 400})
    fits()
    ada.evaluate("document.getElementById('title').remove()")
    expect(ada.locator(".rt-field")).to_have_count(0)


def test_who_comes_later_sees_who_is_where(enter: Enter) -> None:
    ada, grace = enter("ada"), enter("grace")
    together(ada, grace)
    grace.focus("#title")
    mei = enter("mei")
    expect(mei.get_by_role("img", name="Grace Lindqvist is in this field")).to_be_visible(timeout=4_000)
    assert ada


def middle(page: Page, selector: str) -> tuple[float, float]:
    box = page.locator(selector).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_pointer_is_at_the_same_thing_in_another_layout(enter: Enter) -> None:
    ada, grace = enter("ada", ROOM), enter("grace", ROOM, viewport={"width": 420, "height": 900})
    together(ada, grace)
    for name in ("a", "b"):
        grace.mouse.move(*middle(grace, f"#{name}"))
        expect(ada.locator(".rt-cursor .rt-chip")).to_have_text("Grace")
        ada.wait_for_function(
            """(id) => {
              const [pointer, box] = [document.querySelector(".rt-cursor"), document.getElementById(id)].map((el) => el?.getBoundingClientRect() ?? {});
              return Math.abs(pointer.x - box.x - box.width / 2) < 2 && Math.abs(pointer.y - box.y - box.height / 2) < 2;
            }""",
            arg=name,
        )
    grace.mouse.move(*middle(grace, "#mine-text"))  # private
    expect(ada.locator(".rt-cursor")).to_have_count(0)
    grace.mouse.move(*middle(grace, "#a"))
    expect(ada.locator(".rt-cursor")).to_have_count(1)
    grace.mouse.move(*middle(grace, "#who"))  # out of the room
    expect(ada.locator(".rt-cursor")).to_have_count(0)


def test_at_most_ten_pointers_a_second(enter: Enter) -> None:
    ada, grace = enter("ada", ROOM), enter("grace", ROOM)
    together(ada, grace)
    calls = Calls(grace, "/signal")
    x, y = middle(grace, "#a")
    began = time.monotonic()
    for step in range(100):
        grace.mouse.move(x + step, y)
        grace.wait_for_timeout(10)
    seconds = time.monotonic() - began
    expect(ada.locator(".rt-cursor")).to_have_count(1)
    said = [body for body in calls.bodies if body["name"] == "cursor"]
    assert 2 <= len(said) <= 10 * seconds + 2


def test_carets_and_selections_in_text(enter: Enter) -> None:
    ada, grace = enter("ada", ROOM), enter("grace", ROOM)
    together(ada, grace)
    for page in (ada, grace):
        page.fill("#text", "one two three\nfour five six")
        page.fill("#line", "a line of words")
    grace.evaluate(
        "document.getElementById('text').focus(), document.getElementById('text').setSelectionRange(14, 18)"
    )  # "four"
    expect(ada.locator(".rt-selection")).to_have_count(1)
    mark, field = ada.locator(".rt-selection").bounding_box(), ada.locator("#text").bounding_box()
    assert mark is not None
    assert field is not None
    assert field["y"] + 10 < mark["y"] < field["y"] + 45  # the second line
    assert field["x"] <= mark["x"] < field["x"] + 8
    assert 20 < mark["width"] < 45
    grace.evaluate("document.getElementById('line').focus(), document.getElementById('line').setSelectionRange(6, 6)")
    expect(ada.locator(".rt-selection")).to_have_count(0)
    ada.wait_for_function(
        """() => {
          const [bar, field] = [".rt-caret-bar", "#line"].map((one) => document.querySelector(one)?.getBoundingClientRect());
          return !!bar && bar.x > field.x + 20 && bar.x < field.x + 80 && bar.y >= field.y && bar.bottom <= field.bottom;
        }"""
    )
    grace.evaluate(
        "document.getElementById('rich').focus(), getSelection().setBaseAndExtent(document.getElementById('rich').firstChild, 5, document.getElementById('rich').firstChild, 9)"
    )
    expect(ada.locator(".rt-selection")).to_have_count(1)
    grace.evaluate("document.getElementById('secret').focus()")
    expect(ada.locator(".rt-caret")).to_have_count(0)


def test_the_layer_is_below_the_bar_and_takes_no_clicks(enter: Enter) -> None:
    ada, grace = enter("ada", ROOM), enter("grace", ROOM)
    together(ada, grace)
    grace.mouse.move(*middle(grace, "#b"))
    expect(ada.locator(".rt-cursor")).to_have_count(1)
    levels = ada.evaluate(
        "[...document.querySelectorAll('.rt-layer, .rt-banner')].map((el) => [el.className.split(' ')[0], +getComputedStyle(el).zIndex])"
    )
    assert dict(levels)["rt-layer"] < dict(levels)["rt-banner"]
    x, y = middle(ada, "#b")
    assert ada.evaluate("([x, y]) => document.elementFromPoint(x, y).closest('#b')?.id", [x, y]) == "b"
    ada.wait_for_timeout(200)
    assert ada.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_history_snapshot_holds_nothing_that_floats(enter: Enter) -> None:
    ada, grace = enter("ada"), enter("grace")
    together(ada, grace)
    grace.focus("#title")
    expect(ada.locator(".rt-field")).to_have_count(1)
    assert ada.evaluate("document.body.querySelector('.rt-layer')") is None


def test_names_of_another_direction_and_with_markup(enter: Enter) -> None:
    ada, other = enter("ada"), enter("miriam")
    together(ada, other)
    other.focus("#title")
    other.type("#title", "x")
    expect(line(ada)).to_have_text(re.compile("^\u2068?<b>מרים</b>\u2069? is typing…$"))
    expect(ada.locator(".rt-field .rt-chip")).to_have_count(1)
    assert ada.locator(".rt-chip b, .rt-typing b").count() == 0
