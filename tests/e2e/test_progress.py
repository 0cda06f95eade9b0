"""What takes long, as people see it: in two browsers, after a reload, to its end, by keyboard and by ear."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from htmx_rt.exceptions import Cancelled
from htmx_rt.progress import Progress

from .conftest import Htmx
from .lab import LAYOUT, Lab
from .people import Person

SLOT = """<h1 tabindex="-1">Prices</h1>{{ rt.progress("import:7", running) }}<p id="below">Below</p>"""
# What is put into the live region, with the time.
LISTEN = """() => {
  window.said = [];
  const live = document.getElementById("rt-live");
  new MutationObserver(() => live.textContent && window.said.push([Date.now(), live.textContent]))
    .observe(live, { childList: true, characterData: true, subtree: true });
}"""


class Import:
    """Work in a thread of its own that does what a test tells it."""

    def __init__(self, lab: Lab, title: str = "Importing prices", *, deaf: bool = False, **options: Any) -> None:
        self._orders: queue.Queue[Callable[[Progress], None] | None] = queue.Queue()
        self._done = threading.Semaphore(0)
        self._options = {"total": 10_000, "user": "ada"} | options
        self._deaf = deaf
        self.error: BaseException | None = None
        self.p: Progress = lab.rt.progress("import:7", title, **self._options)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        assert self._done.acquire(timeout=10)

    def _run(self) -> None:
        try:
            with self.p:
                self._done.release()
                while order := self._orders.get():
                    try:
                        order(self.p)
                    except Cancelled:
                        if not self._deaf:
                            raise
                    finally:
                        self._done.release()
        except BaseException as error:
            self.error = error

    def do(self, order: Callable[[Progress], None]) -> None:
        """Have it done, and wait for that."""
        self._orders.put(order)
        assert self._done.acquire(timeout=10)

    def update(self, **values: Any) -> None:
        self.do(lambda p: p.update(**values))

    def fails(self, error: Exception) -> None:
        def raise_it(p: Progress) -> None:
            raise error

        self.do(raise_it)

    def finish(self) -> None:
        """Let it come to its end."""
        self._orders.put(None)
        self.thread.join(10)
        assert not self.thread.is_alive()


class Office:
    """A lab with pages that show an import, and people who look at them."""

    def __init__(self, lab: Lab, address: str, person: Callable[..., Person], htmx: Htmx) -> None:
        self.lab = lab
        self.address = address
        self._person = person
        self._htmx = htmx
        lab.get("/", self._show)
        lab.page("/bare", """{{ rt.progress("import:7") }}""")
        lab.page("/other", "<h1>Other</h1>")

    async def _show(self, request: Any) -> str:
        lang = request.query_params.get("lang", "en")
        layout = (LAYOUT % SLOT).replace("htmx=htmx", f"htmx=htmx, lang='{lang}'")
        running = await self.lab.rt.running("import:7")
        return self.lab.fill(layout, title="Prices", htmx=self.lab.htmx, running=running)

    def visit(self, who: str, path: str = "/", **options: Any) -> Page:
        state = options.pop("state", "connected")
        visitor = self._person(self.address, self._htmx, **options)
        visitor.context.add_cookies([{"name": "who", "value": who, "url": self.address}])
        return visitor.open(path, state=state)


@pytest.fixture
def office(lab: Callable[..., tuple[Lab, str]], person: Callable[..., Person], htmx: Htmx) -> Office:
    return Office(*lab(), person, htmx)


def task(page: Page, number: int = 0) -> Any:
    return page.locator(".rt-progress .rt-task").nth(number)


def test_two_people_see_it_go_on_and_a_reload_changes_nothing(office: Office) -> None:
    ada, grace = office.visit("ada"), office.visit("grace", "/bare")
    work = Import(office.lab)
    work.update(done=4200, step="Reading rows")
    for page in (ada, grace):
        expect(task(page)).to_contain_text("4,200 of 10,000 · Reading rows")
        bar = task(page).get_by_role("progressbar", name="Importing prices")
        expect(bar).to_have_attribute("aria-valuetext", "42%, 4,200 of 10,000, Reading rows")
        assert bar.evaluate("(bar) => bar.value") == 42
    for page in (ada, grace):
        page.reload()
        expect(task(page)).to_contain_text("4,200 of 10,000 · Reading rows")
    expect(task(grace)).to_contain_text("by ada")
    expect(task(ada)).not_to_contain_text("by ada")
    late = office.visit("linus", state=None, java_script_enabled=False)
    expect(task(late)).to_contain_text("4,200 of 10,000 · Reading rows")
    below = ada.locator("#below").bounding_box()
    work.finish()
    for page in (ada, grace):
        expect(task(page)).to_contain_text("Done · just now")
        expect(task(page).locator(".rt-task-percent")).to_have_text("100%")
    assert ada.locator("#below").bounding_box() == below


def test_its_owner_cancels_it_with_the_keyboard_alone(office: Office) -> None:
    work = Import(office.lab)
    ada, grace = office.visit("ada"), office.visit("grace")
    work.update(done=1)
    cancel = task(ada).get_by_role("button")
    expect(cancel).to_have_accessible_name("Cancel: Importing prices")
    expect(task(grace)).to_contain_text("1 of 10,000")
    expect(task(grace).get_by_role("button")).to_have_count(0)
    ada.locator("h1").focus()
    ada.keyboard.press("Tab")
    expect(cancel).to_be_focused()
    ada.keyboard.press("Enter")
    expect(cancel).to_have_text("Cancelling…")
    expect(cancel).to_have_attribute("aria-disabled", "true")
    expect(cancel).to_be_focused()
    ada.keyboard.press("Enter")  # again: nothing
    work.do(lambda p: p.update(done=2))
    work.thread.join(10)
    for page in (ada, grace):
        expect(task(page)).to_contain_text("Cancelled")
    expect(cancel).to_have_text("Dismiss")
    expect(cancel).to_be_focused()
    ada.keyboard.press("Enter")
    expect(task(ada)).to_have_count(0)
    assert ada.evaluate("document.activeElement.hasAttribute('rt-progress')")
    assert (work.p.state, work.error) == ("cancelled", None)
    assert ada.locator(".rt-toast").count() == 0


def test_a_colleague_may_cancel_where_all_may_and_the_owner_is_told(office: Office) -> None:
    work = Import(office.lab, cancel="all")
    ada, grace = office.visit("ada", "/other"), office.visit("grace")
    task(grace).get_by_role("button", name="Cancel").click()
    expect(task(grace).get_by_role("button")).to_have_text("Cancelling…")
    work.do(lambda p: p.update(done=2))
    expect(ada.locator(".rt-toast")).to_contain_text("Importing prices was cancelled")


def test_one_that_does_not_listen_ends_well(office: Office) -> None:
    work = Import(office.lab, deaf=True)
    ada = office.visit("ada")
    task(ada).get_by_role("button").click()
    expect(task(ada).get_by_role("button")).to_have_text("Cancelling…")
    work.update(done=9000)
    expect(task(ada)).to_contain_text("9,000 of 10,000")
    expect(task(ada).get_by_role("button")).to_have_text("Cancelling…")
    work.finish()
    expect(task(ada)).to_contain_text("Done (it was too late to cancel) · just now")


def test_a_cancel_that_does_not_get_through_may_be_tried_again(office: Office) -> None:
    work = Import(office.lab)
    ada = office.visit("ada", expected=(503,))
    asked: list[Any] = []
    ada.route("**/_rt/progress/*", lambda route: asked.append(route))
    task(ada).get_by_role("button").click()
    expect(task(ada).get_by_role("button")).to_have_text("Cancelling…")  # before the answer
    work.update(done=1)
    expect(task(ada)).to_contain_text("1 of 10,000")
    expect(task(ada).get_by_role("button")).to_have_text("Cancelling…")
    asked[0].fulfill(status=503)
    expect(ada.locator(".rt-toast")).to_contain_text("could not be cancelled just now")
    expect(task(ada).get_by_role("button")).to_have_text("Cancel")
    ada.unroute("**/_rt/progress/*")
    task(ada).get_by_role("button").click()
    work.do(lambda p: p.update(done=2))
    expect(task(ada)).to_contain_text("Cancelled")


def test_what_has_ended_is_dismissed_for_oneself_and_stays_away(office: Office) -> None:
    Import(office.lab, "Importing colours").finish()
    work = Import(office.lab)
    ada, grace = office.visit("ada"), office.visit("grace")
    expect(task(ada, 1)).to_contain_text("Importing prices")
    with ada.expect_response("**/_rt/progress/*") as answer:
        task(ada).get_by_role("button", name="Dismiss").click()
    assert answer.value.status == 200
    expect(ada.locator(".rt-task")).to_have_count(1)
    work.update(done=2)
    expect(task(ada)).to_contain_text("2 of 10,000")
    ada.goto(office.address + "/bare")  # where only the log knows
    expect(ada.locator(".rt-task")).to_have_count(1)
    elsewhere = office.visit("ada", state=None, java_script_enabled=False)
    expect(elsewhere.locator(".rt-task")).to_have_count(1)
    expect(grace.locator(".rt-task")).to_have_count(2)
    expect(task(grace)).to_contain_text("Importing colours")


def test_the_owner_is_told_on_any_page_and_not_where_they_see_it(office: Office) -> None:
    work = Import(office.lab)
    here, other, grace = office.visit("ada"), office.visit("ada", "/other"), office.visit("grace", "/other")
    work.do(lambda p: p.fail("Row 17 has no price."))
    toast = other.locator(".rt-toast-error")
    expect(toast).to_contain_text("Importing prices failed: Row 17 has no price.")
    expect(task(here)).to_contain_text("Failed: Row 17 has no price. · 0 of 10,000 · just now")
    assert here.locator(".rt-toast").count() == grace.locator(".rt-toast").count() == 0


def test_one_that_was_taken_for_dead_changes_its_toast_in_place(office: Office) -> None:
    work = Import(office.lab)
    other = office.visit("ada", "/other")
    work.do(lambda p: (p.silence(), office.lab.rt.progresses.toast(p.record, "")))
    expect(other.locator(".rt-toast-warning")).to_contain_text("was interrupted before it was done")
    work.finish()
    expect(other.locator(".rt-toast-success")).to_contain_text("Importing prices: done")
    assert other.locator(".rt-toast").count() == 1


def test_what_other_errors_say_is_nobodys_business(office: Office) -> None:
    work = Import(office.lab)
    ada = office.visit("ada")
    work.fails(ValueError("password=hunter2"))
    expect(task(ada)).to_contain_text("Failed · 0 of 10,000 · just now")
    assert "hunter2" not in ada.content()


def test_it_is_told_by_quarters_and_not_more_than_once_in_three_seconds(office: Office) -> None:
    work = Import(office.lab)
    ada = office.visit("ada")
    work.update(done=1)
    expect(task(ada)).to_contain_text("1 of 10,000")
    ada.evaluate(LISTEN)
    for done, shown in ((2500, "2,500"), (5000, "5,000"), (7500, "7,500")):
        work.update(done=done)
        expect(task(ada)).to_contain_text(f"{shown} of 10,000")
    work.finish()
    expect(ada.locator("#rt-live")).to_have_text("Importing prices: done")
    said = ada.evaluate("window.said")
    texts = [text for _, text in said]
    assert texts[-1] == "Importing prices: done"
    assert set(texts) <= {f"Importing prices: {part}%" for part in (25, 50, 75)} | {"Importing prices: done"}
    times = [at for at, _ in said]
    assert all(second - first > 2900 for first, second in itertools.pairwise(times))


@pytest.mark.parametrize("lang", ["en", "de", "es"])
def test_the_server_and_the_page_say_the_same(office: Office, lang: str) -> None:
    works = [
        Import(office.lab, "One"), Import(office.lab, "Two", total=None), Import(office.lab, "Three", total=1),
        Import(office.lab, "Four", user="grace"), Import(office.lab, "Five", total=1234567), Import(office.lab, "Six"),
    ]  # fmt: skip
    for number, work in enumerate(works):
        work.update(done=0.5 if number == 2 else 1234, step="Step")
    works[3].do(lambda p: p.fail("No paper"))
    works[5].finish()
    plain = office.visit("ada", f"/?lang={lang}", state=None, java_script_enabled=False)
    live = office.visit("ada", f"/?lang={lang}")
    expect(live.locator(".rt-task [aria-label^='Cancel'],.rt-task button[aria-label]")).to_have_count(6)
    for part in ("title", "by", "percent", "note"):
        texts = [page.locator(f".rt-task-{part}").all_text_contents() for page in (plain, live)]
        assert texts[0] == texts[1]
        assert len(texts[0]) == 6
    bars = [
        page.locator("progress").evaluate_all(
            "(bars) => bars.map((bar) => [bar.getAttribute('value'), bar.getAttribute('aria-valuetext')])"
        )
        for page in (plain, live)
    ]
    assert bars[0] == bars[1]


def test_a_page_that_is_fetched_again_goes_on(office: Office) -> None:
    work = Import(office.lab)
    for path in ("/", "/bare"):
        page = office.visit("ada", path)
        work.update(done=10)
        expect(task(page)).to_contain_text("10 of 10,000")
        with page.expect_response(f"**{path}"):
            office.lab.topic("import:7").refresh("[rt-progress]")
        work.update(done=20)
        expect(task(page)).to_contain_text("20 of 10,000")
        assert page.locator(".rt-task").count() == 1


def test_words_of_progress_do_not_stand_in_for_those_of_presence(office: Office) -> None:
    body = """{{ rt.progress("import:7") }}{{ rt.presence("board:1") }}{{ rt.typing("board:1") }}<form rt-typing="board:1"><input name="text"></form>"""
    office.lab.page("/talk", body)
    ada, grace = office.visit("ada", "/talk"), office.visit("grace", "/talk")
    expect(grace.get_by_text("2 people here").or_(grace.locator(".rt-avatar").nth(1))).to_be_attached()
    ada.locator("input").press_sequentially("Hello", delay=30)
    expect(grace.locator(".rt-typing-text")).to_contain_text("ada is typing")


def test_without_javascript_a_page_follows_it_and_cancels(office: Office) -> None:
    work = Import(office.lab)
    work.update(done=10)
    ada = office.visit("ada", state=None, java_script_enabled=False)
    ada.get_by_role("link", name="Follow “Importing prices”").click()
    expect(ada.get_by_role("heading")).to_have_text("Importing prices")
    work.update(done=2500)
    expect(task(ada)).to_contain_text("2,500 of 10,000")  # by itself
    task(ada).get_by_role("button", name="Cancel").click()
    expect(task(ada).get_by_role("button")).to_have_text("Cancelling…")
    work.do(lambda p: p.update(done=2600))
    expect(task(ada)).to_contain_text("Cancelled")
    assert ada.locator("meta[http-equiv]").count() == 0
    ada.get_by_role("link", name="Back").click()
    expect(ada.get_by_role("heading")).to_have_text("Prices")
