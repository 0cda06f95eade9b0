"""What is never optimistic, what is said about mistakes, and how soon a press is seen."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .conftest import Htmx
from .lab import Lab
from .optimism import Actions, ready, shows
from .people import Person

Start = Callable[..., tuple[Lab, str]]
Arrive = Callable[..., Person]

BUTTON = """<b id="n">3</b> <button id="go" hx-post="/do" hx-target="#out" %s>Go</button> <p id="out"></p>
<ul id="list"></ul><template id="two"><li>1</li><li>2</li></template>"""
PRESS = """() => new Promise(done => {
  const go = document.getElementById("go");
  go.addEventListener("click", () => {
    const pressed = performance.now();
    requestAnimationFrame(() => {
      const seen = document.getElementById("n").textContent === "4";
      const channel = new MessageChannel();
      channel.port1.onmessage = () => done([seen, performance.now() - pressed]);
      channel.port2.postMessage(0);
    });
  }, {once: true, capture: true});
})"""


@pytest.fixture
def play(lab: Start, person: Arrive, htmx: Htmx) -> Iterator[Callable[..., tuple[Lab, Actions, Page]]]:
    every: list[Actions] = []

    def play(attributes: str, *expected: str, irreversible: str = "") -> tuple[Lab, Actions, Page]:
        app, address = lab(debug=True)
        if irreversible:
            app.rt.irreversible(irreversible)
        app.page("/", BUTTON % attributes)
        acts = Actions(app).at("/do")
        every.append(acts)
        return app, acts, ready(person(address, htmx, expected=expected).open(state=None))

    yield play
    for acts in every:
        acts.finish()


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("blink on #n", '"blink" is no operation'),
        ("inc:many on #n", '"many" is no number'),
        ("inc on #n; insert:#none on #list", "there is no such <template>"),
        ("inc on #n; insert:#two on #list", "its <template> holds 2 elements; it takes one"),
    ],
)
def test_a_mistake_is_said_once_and_the_action_works_plainly(play: Any, rule: str, why: str) -> None:
    _, acts, page = play(f"rt-optimistic='{rule}'", why)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    for number in (1, 2):
        page.click("#go")
        acts.reached("/do", number)
        assert page.inner_text("#n") == "3"
        acts.say("/do", f"answer {number}")
        shows(page, "#out", f"answer {number}")
    assert [text for text in said if why in text and rule in text] == said
    assert len(said) == 1


@pytest.mark.parametrize("kind", ["irreversible", "confirm first"])
def test_what_cannot_be_taken_back_is_never_shown_before(play: Any, kind: str) -> None:
    first = kind == "confirm first"
    _, acts, page = play(
        f"rt-optimistic='inc on #n' {'rt-confirm-first' if first else ''}",
        "cannot be taken back",
        irreversible="" if first else "/do",
    )
    page.click("#go")
    acts.reached("/do")
    assert page.inner_text("#n") == "3"
    acts.say("/do", "done")
    shows(page, "#out", "done")


def test_a_page_may_say_no(play: Any) -> None:
    _, acts, page = play("rt-optimistic='inc on #n'")
    page.evaluate("document.addEventListener('rt:optimistic', event => event.preventDefault(), {once: true})")
    page.click("#go")
    acts.reached("/do")
    assert page.inner_text("#n") == "3"
    acts.say("/do", "done")
    shows(page, "#out", "done")


def test_the_page_is_told(play: Any) -> None:
    _, acts, page = play("rt-optimistic='inc on #n'", "500", "Status Error")
    page.evaluate("""() => {
      window.told = [];
      for (const name of ["rt:optimistic", "rt:confirmed", "rt:rollback"])
        document.addEventListener(name, ({type, target, detail}) => told.push([type, target.id, detail.status ?? 0]));
    }""")
    page.click("#go")
    acts.say("/do", "one")
    shows(page, "#out", "one")
    page.wait_for_function("() => told.length === 2")
    page.click("#go")
    acts.say("/do", "no", 500)
    page.wait_for_function("() => told.length === 4")
    assert page.evaluate("told") == [
        ["rt:optimistic", "go", 0], ["rt:confirmed", "go", 0], ["rt:optimistic", "go", 0], ["rt:rollback", "go", 500],
    ]  # fmt: skip


def test_a_ticked_box_goes_back_with_the_rest(play: Any) -> None:
    _, acts, page = play("rt-optimistic='inc on #n'", "500", "Status Error")
    page.evaluate("""() => {
      const box = document.createElement("input");
      box.type = "checkbox";
      box.id = "box";
      for (const [name, value] of Object.entries({"hx-post": "/do", "hx-swap": "none", "rt-optimistic": "text:ticked on #n"})) box.setAttribute(name, value);
      document.body.append(box);
      htmx.process(box);
    }""")
    page.check("#box")
    shows(page, "#n", "ticked")
    acts.say("/do", "no", 500)
    shows(page, "#n", "3")
    assert not page.is_checked("#box")


def test_a_press_is_seen_in_the_same_frame_whatever_the_server_takes(play: Any, htmx: Htmx) -> None:
    _, acts, page = play("rt-optimistic='inc on #n'")
    times = []
    for number in range(1, 6):
        seen = page.evaluate(f"window.pressed = ({PRESS})(), null")
        page.click("#go")
        seen, ms = page.evaluate("window.pressed")
        assert seen, "the frame after the press did not show it"
        times.append(ms)
        acts.reached("/do", number)
        if number == 1:
            started = time.monotonic()
            while time.monotonic() - started < 2:  # the server takes its time; the page shows it all along
                assert page.inner_text("#n") == "4"
                page.evaluate("() => new Promise(requestAnimationFrame)")
        acts.say("/do", "")
        expect(page.locator("#n:not(.rt-pending)")).to_have_text("4")
        page.evaluate("document.getElementById('n').textContent = '3'")
    median = statistics.median(times)
    print(f"htmx {htmx.major}: press to the end of its frame, median {median:.1f} ms, worst {max(times):.1f} ms")
    assert median < 100
