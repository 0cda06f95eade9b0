"""A page that is sent more than it can draw: it is used as before, and in the end it shows what was said last."""

from __future__ import annotations

from collections.abc import Callable

from markupsafe import Markup
from playwright.sync_api import expect

from .conftest import Htmx
from .lab import Lab
from .people import Person

ROWS = 200
ROW = Markup('<tr id="row-{0}"><th scope="row">{0}</th><td>{1}</td><td>{1}</td></tr>')
TABLE = """<table><tbody id="rows" {{ rt.stream("prices") }}>{{ rows }}</tbody></table><button id="more">More</button>
<ul id="log" {{ rt.stream("prices") }}></ul>"""


def test_a_busy_page_ends_with_what_was_said_last(
    lab: Callable[..., tuple[Lab, str]], person: Callable[..., Person], htmx: Htmx
) -> None:
    app, address = lab()
    app.page("/", TABLE, rows=lambda: Markup("").join(ROW.format(number, 0) for number in range(ROWS)))
    page = person(address, htmx).open("/")
    client = page.context.new_cdp_session(page)
    client.send("Emulation.setCPUThrottlingRate", {"rate": 6})
    topic = app.topic("prices")
    paced = "performance.getEntriesByType('resource').some((entry) => entry.name.includes('htmx-rt-pace.mjs'))"
    said = 0
    while not page.evaluate(paced):  # three frames that take long call for it
        said += 1
        for number in range(ROWS):
            sent = topic.replace(f"#row-{number}", ROW.format(number, said))
        sent.result(10)
    for _ in range(10):
        said += 1
        for number in range(ROWS):
            topic.replace(f"#row-{number}", ROW.format(number, said))
    topic.append("#log", Markup('<li id="end">The end</li>')).result(10)
    expect(page.locator("#end")).to_be_visible(timeout=60_000)  # in its order: after all before it
    assert set(page.locator("#rows td").all_inner_texts()) == {str(said)}
    client.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    topic.text("#row-7 th", "seven").result(10)
    expect(page.locator("#row-7 th")).to_have_text("seven")
