"""Spoken once: whatever happens at the same time, one region speaks, seldom; and focus stays where it was."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from markupsafe import Markup
from playwright.sync_api import Page, expect

from .lab import Lab

Start = Callable[..., tuple[Lab, str]]

EVERY = 3_000  # ms between announcements
ROUNDS = 24
BODY = """<div {{ rt.stream("storm") }}>{{ rt.badge("unread", 0, label="{n} unread", title=True) }}
<p id="part"><label>Title <input id="field" name="title"></label></p>
<section {{ rt.stream("others") }}>{{ rt.presence("room") }}{{ rt.typing("room") }}</section>
<ul id="rows" rt-new="top" rt-flash></ul></div>"""
# What a screen reader would say by itself: text that comes into a region that is live, with the page's own time.
LISTEN = """() => {
  window.heard = [];
  const live = "[role=status],[role=alert],[role=log],[role=alertdialog],[aria-live]";
  new MutationObserver((changes) => {
    const regions = new Set(changes.map(({ target }) => (target.nodeType === 1 ? target : target.parentElement)?.closest(live)));
    for (const el of regions) {
      if (!el || el.getAttribute("aria-live") === "off" || el.closest("[hidden],[aria-hidden=true]")) continue;
      const text = el.textContent.trim();
      if (text) heard.push({ id: el.id || el.className, text, at: Date.now() });
    }
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""
PLACE = (
    "() => [document.activeElement.id, document.activeElement.value, document.activeElement.selectionStart, scrollY]"
)


def test_a_storm_from_several_sources_is_heard_as_little(page: Page, lab: Start) -> None:
    made, base = lab(debug=True)
    made.page("/", BODY)
    page.clock.install()
    page.goto(base)
    expect(page.locator("html")).to_have_attribute("data-rt", "connected")
    while not page.evaluate("!!window.htmxRt?.rt?.bridge.again"):
        pass
    page.fill("#field", "half a word")
    page.evaluate("field.setSelectionRange(3, 3)")
    page.clock.pause_at("2100-01-01")
    page.evaluate(LISTEN)
    before = page.evaluate(PLACE)
    assert before[0] == "field"
    topic = made.topic("storm")
    for number in range(ROUNDS):
        topic.toast(f"{number} of {ROUNDS} packed", key="packing")
        topic.toast(f"Order {number} came in")
        topic.badge("unread", number + 1)
        topic.update("#part", Markup('<label>Title, {} <input id="field" name="title"></label>').format(number))
        topic.prepend("#rows", Markup('<li id="row-{0}">Row {0}</li>').format(number)).result(5)
        while not page.locator(f"#row-{number}").count():
            page.clock.run_for(10)  # frames are the page's own, too
        page.clock.run_for(500)
        assert page.evaluate(PLACE) == before
    page.clock.run_for(2 * EVERY)
    heard = page.evaluate("heard")
    assert {one["id"] for one in heard} == {"rt-live"}, heard
    times = [one["at"] for one in heard]
    assert all(later - earlier >= EVERY for earlier, later in pairwise(times)), times
    assert len(times) <= (ROUNDS * 520 + 2 * EVERY) / EVERY + 1
    # Of each thing the last word, and no more together than anybody listens to.
    assert all(one["text"].count("packed") <= 1 and one["text"].count("Order") <= 8 for one in heard), heard
    assert f"{ROUNDS - 1} of {ROUNDS} packed" in heard[-1]["text"]
    assert page.evaluate(PLACE) == before
    assert page.locator("#part").inner_text().startswith(f"Title, {ROUNDS - 1}")


def test_one_polite_region_and_the_bar(page: Page, lab: Start) -> None:
    made, base = lab(debug=True)
    made.page("/", BODY)
    page.goto(base)
    expect(page.locator("html")).to_have_attribute("data-rt", "connected")
    live = "[role=status],[role=alert],[role=log],[aria-live]:not([aria-live=off])"
    assert page.locator(live).evaluate_all("(all) => all.map((el) => el.id)") == ["rt-banner", "rt-live"]
