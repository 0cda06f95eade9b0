"""Actions kept on the device: what is kept, in which order it is sent, and that each is done once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from .conftest import Htmx
from .desk import Desk, entries, offline, refusal
from .people import Person

LISTENING = """() => {
  const { events } = htmxRt.rt;
  let heard = false;
  const off = events.on("queue:entries", () => (heard = true));
  events.emit("queue:ask");
  off();
  return heard;
}"""


@pytest.fixture
def desk(live: Callable[..., str], htmx: Htmx) -> tuple[Desk, str]:
    desk = Desk(htmx=htmx.major)
    return desk, live(desk.app)


@pytest.fixture
def ada(person: Callable[..., Person], desk: tuple[Desk, str]) -> Person:
    """Somebody signed in as Ada."""
    ada = person(desk[1], expected=(401, 403, 409, 422, 503, "net::ERR_FAILED", "htmx:sendError"))
    sign_in(ada, "ada")
    return ada


def sign_in(person: Person, name: str) -> None:
    person.context.request.get(f"{person.address}/as/{name}")


def open_desk(person: Person, path: str = "/") -> Page:
    page = person.open(path)
    page.wait_for_function(LISTENING)
    return page


def add(page: Page, *titles: str) -> None:
    for title in titles:
        page.get_by_label("Title").fill(title)
        page.get_by_role("button", name="Add", exact=True).click()


def bar(page: Page) -> None:
    return page.locator("#rt-queue [rt-queue-text]")


def test_offline_then_the_bar_then_online_then_applied_once_and_swapped(desk: tuple[Desk, str], ada: Person) -> None:
    page = open_desk(ada)
    add(page, "zero")
    expect(page.locator("#notes li")).to_have_text(["zero"])
    offline(ada.context)
    add(page, "one", "two", "three")
    expect(bar(page)).to_have_text("3 changes waiting")
    expect(page.locator("html")).to_have_attribute("data-rt-queue", "3")
    assert desk[0].values() == ["zero"]
    offline(ada.context, False)
    expect(page.locator("#notes li")).to_have_text(["zero", "one", "two", "three"])
    expect(bar(page)).to_have_text("All changes are sent")
    expect(page.locator("#rt-queue")).to_be_hidden()
    assert desk[0].values() == ["zero", "one", "two", "three"]
    assert len({sent.key for sent in desk[0].sent}) == 4
    assert entries(page) == []
    assert page.locator("html").get_attribute("data-rt-queue") is None
