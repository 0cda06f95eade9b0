"""The kit beside bare HTML, Bootstrap, Pico, Tailwind and a reset: it changes nothing of theirs, nor they of its own."""

from __future__ import annotations

from collections.abc import Callable

import jinja2
import pytest
from playwright.sync_api import Page, Route, expect

from htmx_rt.catalogue import Catalogue
from htmx_rt.merge import merge_fields, number, text, whole
from htmx_rt.panel import describe

from .conftest import NODE_MODULES, ROOT

PAGES = ROOT / "tests" / "e2e" / "pages" / "beside"
STATIC = ROOT / "htmx_rt" / "static"
FRAMEWORKS = ["bare", "bootstrap", "pico", "tailwind", "reset"]
TEMPLATES = jinja2.Environment(loader=jinja2.PackageLoader("htmx_rt"), autoescape=True)
WORDS = Catalogue().speaking("en")
KIT = "".join(
    TEMPLATES.get_template(f"htmx_rt/{name}.html").render(toasts=[], **WORDS) for name in ("banner", "toasts")
)
LINK = """([where, href]) => new Promise((loaded, failed) => {
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href, onload: loaded, onerror: failed });
  document.head[where](link);
})"""

Look = dict[str, dict[str, str]]


@pytest.fixture
def visit(page: Page) -> Callable[[str], Page]:
    """`visit(framework)` opens its page, with every file from this disk."""

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix("http://beside.test/")
        if path.startswith("kit/"):
            route.fulfill(path=STATIC / path.removeprefix("kit/"))
        elif path.startswith(("bootstrap/", "@")):
            route.fulfill(path=NODE_MODULES / path)
        else:
            route.fulfill(path=PAGES / path)

    def visit(framework: str) -> Page:
        page.route("http://beside.test/**", answer)
        page.emulate_media(reduced_motion="reduce")
        page.goto(f"http://beside.test/{framework}.html")
        if framework == "tailwind":
            expect(page.locator("header")).to_have_css("display", "flex")  # its script has written the style sheet
        page.evaluate((PAGES / "measure.js").read_text(encoding="utf-8"))
        return page

    return visit


def add_kit(page: Page, where: str = "append") -> None:
    page.evaluate(LINK, [where, "/kit/htmx-rt.css"])


def looks(page: Page) -> dict[str, Look]:
    """The kit's look in light and dark, at rest, under the pointer and with the focus."""
    seen = {}
    retry, close = page.locator("#rt-banner [rt-retry]"), page.locator(".rt-toast-close").first
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.mouse.move(2, 400)
        seen[scheme] = page.evaluate("measure.look()")
        retry.hover()
        close.focus()
        seen[f"{scheme}, in use"] = page.evaluate("measure.look()")
        close.hover()
        retry.focus()
        seen[f"{scheme}, in use the other way"] = page.evaluate("measure.look()")
        retry.evaluate("element => element.blur()")
    return seen


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_nothing_of_the_page_changes(visit: Callable[[str], Page], framework: str) -> None:
    page = visit(framework)
    page.evaluate("measure.keep()")
    for where in ("append", "prepend"):
        add_kit(page, where)
        assert page.evaluate("measure.changed()") == []
    page.evaluate("kit => measure.show(kit)", KIT)
    assert page.evaluate("measure.changed()") == []
    page.evaluate("measure.cut()")
    (control,) = page.evaluate("measure.changed()")
    assert control.startswith("BUTTON ")
    assert "opacity: 1 -> 0.55" in control


Seen = tuple[dict[str, Look], dict[str, list[float]]]


def kit_beside(page: Page, where: str) -> Seen:
    """The kit's look and its sizes on a page."""
    add_kit(page, where)
    page.evaluate("kit => measure.show(kit)", KIT)
    page.evaluate("measure.cut()")
    seen, sizes = looks(page), page.evaluate("measure.sizes()")
    page.set_viewport_size({"width": 375, "height": 720})
    edge = page.locator("#rt-banner [rt-reload]").evaluate("button => button.getBoundingClientRect().right")
    assert edge == 375 - 12  # the buttons keep to the right
    page.set_viewport_size({"width": 1280, "height": 720})
    return seen, sizes


@pytest.fixture(scope="module")
def alone() -> dict[str, Seen]:
    """What it is without any of them, which is looked at once."""
    return {}


@pytest.mark.parametrize("where", ["prepend", "append"], ids=["kit first", "kit last"])
@pytest.mark.parametrize("framework", FRAMEWORKS[1:])
def test_the_kit_looks_the_same(
    visit: Callable[[str], Page], alone: dict[str, Seen], framework: str, where: str
) -> None:
    if where not in alone:
        alone[where] = kit_beside(visit("bare"), where)
    (look, bare), (look_here, beside) = alone[where], kit_beside(visit(framework), where)
    assert differences(look, look_here) == []
    assert beside["bar"][0] == bare["bar"][0] == 1280
    assert beside["toast"][0] == bare["toast"][0] == 380
    for piece, (_, height) in beside.items():
        low, high = bare[piece][1] * 0.9, bare[piece][1] * beside["letters"][0] * 1.1  # another font, other letters
        assert low <= height <= high, f"{piece} is {height} px high"


def differences(one: dict[str, Look], other: dict[str, Look]) -> list[str]:
    return [
        f"{state}, {piece}, {name}: {value} -> {other[state][piece].get(name)}"
        for state, look in one.items()
        for piece, properties in look.items()
        for name, value in properties.items()
        if other[state][piece].get(name) != value
    ]


MERGERS = {"title": whole, "body": text, "price": number}
BEFORE = {"title": "Moving the old office", "body": "One\nTwo\nThree\n", "price": "7"}
MINE = {"title": "Moving the office in June", "body": "One\nTwo, mine\nThree\n", "price": "7"}
THEIRS = {"title": "Moving the Hamburg office", "body": "One\nTwo, theirs\nThree\n", "price": "8"}
PANEL = TEMPLATES.get_template("htmx_rt/edit/conflict.html").render(
    fields=describe(merge_fields(BEFORE, MINE, THEIRS, MERGERS), {}, MERGERS), who="Ada", ago="2 minutes ago", version=6,
    base="", echo=[], problem="stale", message="", **WORDS,
)  # fmt: skip
MEASURED = """panel => {
  const box = panel.getBoundingClientRect();
  const style = (selector) => getComputedStyle(panel.querySelector(selector));
  return {
    outside: [...panel.querySelectorAll(":scope *:not(.rt-visually-hidden)")].filter((element) => {
      const { left, right, width } = element.getBoundingClientRect();
      return width && (left < box.left || right > box.right);
    }).map((element) => element.className || element.localName),
    columns: new Set([...panel.querySelectorAll("[data-field=title] .rt-conflict-side")].map((side) => side.offsetLeft)).size,
    base: parseFloat(getComputedStyle(document.documentElement).fontSize),
    look: [".rt-conflict-title", ".rt-conflict-legend", ".rt-conflict-choice"].map((name) => [
      style(name).fontSize, style(name).fontWeight, style(name).marginTop, style(name).display,
    ]),
    marks: [style("ins").textDecorationLine, style("del").textDecorationLine, style(".rt-conflict-text").whiteSpace],
  };
}"""


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_panel_looks_the_same_beside_each_and_nothing_sticks_out(
    visit: Callable[[str], Page], framework: str
) -> None:
    page = visit(framework)
    add_kit(page)
    form = page.locator("form").first
    form.evaluate("(form, html) => { form.innerHTML = html; document.body.prepend(form); }", PANEL)
    for width, columns in ((1280, 2), (375, 1)):
        page.set_viewport_size({"width": width, "height": 800})
        seen = page.locator(".rt-conflict").evaluate(MEASURED)
        assert seen["outside"] == []
        assert seen["columns"] == columns
        base = seen["base"]
        assert seen["look"] == [
            [f"{base * 1.125:g}px", "600", "0px", "block"],
            [f"{base * 0.9375:g}px", "600", "0px", "block"],
            [f"{base * 0.875:g}px", "500", "0px", "flex"],
        ]
        assert seen["marks"] == ["underline", "line-through", "pre-wrap"]
    page.set_viewport_size({"width": 375, "height": 800})
    save = page.get_by_role("button", name="Save")
    assert (save.bounding_box() or {}).get("height", 0) >= 44  # for a thumb
