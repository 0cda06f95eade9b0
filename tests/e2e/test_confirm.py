"""`hx-confirm` asks in the page: the safe answer first, by keyboard too, and the focus comes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from starlette.responses import Response

from .conftest import NODE_MODULES
from .lab import Lab
from .test_pending import loaded

Start = Callable[..., tuple[Lab, str]]

BODY = """<h1>Tasks</h1><button id="go" hx-post="/act" hx-swap="none" hx-confirm="Delete “Call Ada” for good?">Delete</button>
<a id="get" href="/x" hx-get="/act" hx-swap="none" hx-confirm="Fetch it?">Fetch</a><button id="plain" hx-post="/act" hx-swap="none">Plain</button>"""

# Put a question, and answer it with no.
ASKED = """async () => {
  const detail = { question: "Here?", issueRequest() {}, dropRequest() {} };
  if (document.body.dispatchEvent(new CustomEvent("htmx:confirm", { cancelable: true, detail, bubbles: true }))) return false;
  for (let dialog; !dialog; dialog = document.querySelector("dialog[open]"), dialog?.close()) await null;
  return true;
}"""


@pytest.fixture
def asked(page: Page, lab: Start) -> Lab:
    made, base = lab(debug=True)
    made.post("/act", lambda request: Response(status_code=204))
    made.get("/act", lambda request: Response(status_code=204))
    made.page("/", BODY)
    page.goto(base)
    loaded(page)
    page.wait_for_function(ASKED)  # until then it is the browser that asks
    page.evaluate("void htmxRt.rt.events.on('request:end', ({ outcome }) => { document.title = outcome; })")
    return made


def test_the_focus_is_on_the_safe_answer_and_escape_is_it_too(page: Page, asked: Lab) -> None:
    page.focus("#go")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("alertdialog", name="Delete “Call Ada” for good?")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.locator("#go")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # the safe answer
    expect(dialog).to_have_count(0)
    page.click("#plain")
    expect(page).to_have_title("ok")
    assert asked.count("/act") == 1


def test_yes_sends_it_and_the_focus_is_where_it_was(page: Page, asked: Lab) -> None:
    page.focus("#go")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Continue")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_title("ok")
    expect(page.locator("#go")).to_be_focused()
    assert asked.requests[-1] == ("POST", "/act")


def test_a_press_beside_the_dialog_is_no(page: Page, asked: Lab) -> None:
    page.click("#get")
    expect(page.get_by_role("alertdialog")).to_be_visible()
    page.mouse.click(5, 5)
    expect(page.get_by_role("alertdialog")).to_have_count(0)
    assert asked.count("/act") == 0


def test_sent_again_it_does_not_ask_again(page: Page, asked: Lab, errors: list[str]) -> None:
    page.route("**/act", lambda route: route.abort())
    page.click("#go")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".rt-toast:visible")).to_have_count(1)
    page.unroute("**/act")
    page.get_by_role("button", name="Retry").click()
    expect(page).to_have_title("ok")
    expect(page.get_by_role("alertdialog")).to_have_count(0)
    errors.clear()  # the line that was cut


def test_a_page_with_a_dialog_of_its_own_is_left_alone(page: Page, asked: Lab) -> None:
    page.evaluate(
        "document.body.addEventListener('htmx:confirm', (event) => { if (event.target.id === 'go') event.preventDefault(); })"
    )
    page.click("#go")
    expect(page.get_by_role("alertdialog")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_anybody_can_read_and_reach_it(page: Page, asked: Lab, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 700})
    page.click("#go")
    expect(page.get_by_role("alertdialog")).to_be_visible()
    box = page.get_by_role("alertdialog").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    page.evaluate((NODE_MODULES / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate(
        "axe.run('.rt-dialog', { runOnly: ['wcag2a', 'wcag2aa', 'wcag2aaa'] }).then(({ violations }) => violations.map(({ id }) => id))"
    )
    assert found == []
