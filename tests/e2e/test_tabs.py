"""All tabs of a browser over one stream, where HTTP/1.1 allows six connections: who holds it, and who takes it over."""

from __future__ import annotations

import base64
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from markupsafe import Markup
from playwright.sync_api import CDPSession, Error, Page, Request, expect

from .boardserver import Board
from .conftest import Htmx
from .lab import Lab, News
from .people import Person, recorded, states, until
from .presence_kit import hide, see, sleep, wake

Start = Callable[..., tuple[Lab, str]]
Arrive = Callable[..., Person]
PICTURES = os.environ.get("PICTURES")
LIST = '<ol id="board" {{ rt.stream("board") }}>{{ rows }}</ol><a href="/plain">Elsewhere</a>'
# What a browser says to a page that it puts to sleep; one without a window never does so by itself.
LIFE = "(name) => document.dispatchEvent(new Event(name))"
HELD = """async () => (await navigator.locks.query()).held.filter(({ name }) => name.startsWith("htmx-rt:")).length"""


class Tabs:
    """One browser of one person, on an app with a list."""

    def __init__(self, lab: Lab, person: Person) -> None:
        self.lab = lab
        self.person = person
        self.news = News(lab)
        self.pages: list[Page] = []
        self.holder: Page | None = None  # who asked for a stream last
        person.context.on("request", self._note)

    def _note(self, request: Request) -> None:
        if request.url.endswith("/_rt/stream"):
            self.holder = request.frame.page

    def open(self, count: int = 1, path: str = "/") -> list[Page]:
        pages = [self.person.open(path) for _ in range(count)]
        self.pages += pages
        return pages

    def streams(self, *tabs: int) -> None:
        """Wait until the server has these streams open: for how many tabs each."""
        for _ in range(400):
            found = self.person.context.request.get(f"{self.person.address}/readers").json()
            if sorted(found) == sorted(tabs):
                return
        raise AssertionError(f"open are {found}, not {tabs}")

    def leader(self) -> Page:
        assert self.holder is not None
        return self.holder

    def others(self) -> list[Page]:
        return [page for page in self.pages if page is not self.leader()]

    def say(self) -> None:
        """Publish the next number."""
        self.news.publish("board")

    def shown(self, *pages: Page, timeout: float = 10_000) -> None:
        """Wait until these pages, or all, show each number once and in order."""
        wanted = [str(number + 1) for number in range(self.news.counts.get("board", 0))]
        for page in pages or self.pages:
            expect(page.locator("#board > li")).to_have_text(wanted, timeout=timeout)

    def quiet(self, *pages: Page) -> None:
        """Nobody's bar has shown anything, and nobody's line was lost."""
        for page in pages or self.pages:
            assert set(states(page)) <= {"connecting", "connected", "moving"}, states(page)
            assert not any(look["hidden"] is False for look in recorded(page, "bar"))


@pytest.fixture
def tabs(lab: Start, person: Arrive, htmx: Htmx) -> Tabs:
    return start(lab, person, htmx)


def start(lab: Start, person: Arrive, htmx: Htmx, **options: object) -> Tabs:
    app, address = lab(**options)

    def rows() -> Markup:
        return Markup("").join(
            Markup('<li id="board-{0}">{0}</li>').format(number + 1)
            for number in range(tabs.news.counts.get("board", 0))
        )

    app.page("/", LIST, rows=rows)
    app.get("/plain", lambda request: "<!doctype html><title>Elsewhere</title><p id=plain>Elsewhere")
    app.get("/readers", lambda request: "[" + ",".join(str(len(one.tabs)) for one in app.rt.hub().readers) + "]")
    tabs = Tabs(app, person(address, htmx, expected=(401,)))
    return tabs


def test_nine_tabs_are_live_over_one_stream_and_a_tenth_loads(tabs: Tabs) -> None:
    tabs.open(9)
    tabs.streams(9)
    for _ in range(3):
        tabs.say()
    tabs.shown()
    tabs.open()  # which without this would wait for ever
    tabs.streams(10)
    tabs.say()
    tabs.shown()
    tabs.quiet()
    # One lock for each page, and the leader's.
    assert tabs.pages[0].evaluate(HELD) == 11


@pytest.mark.parametrize("how", ["closed", "killed"])
def test_the_leader_is_closed_and_another_takes_over(tabs: Tabs, how: str) -> None:
    tabs.open(3)
    tabs.streams(3)
    gone = tabs.leader()
    tabs.pages.remove(gone)
    began = time.monotonic()
    gone.close(run_before_unload=how == "closed")
    tabs.say()
    tabs.shown()
    assert time.monotonic() - began < 3  # some 0.2 s, where a machine does nothing else
    tabs.quiet()
    assert tabs.leader() is not gone
    tabs.streams(2)


def test_the_leader_reloads(tabs: Tabs) -> None:
    tabs.open(3)
    tabs.streams(3)
    for _ in range(3):
        tabs.leader().reload()
        tabs.say()
        tabs.shown()
        tabs.streams(3)
        tabs.quiet()


def test_a_leader_that_hangs_is_passed_by_and_comes_back(tabs: Tabs) -> None:
    tabs.open(3)
    tabs.streams(3)
    hung = tabs.leader()
    sleeping = sleep(hung)
    others = [page for page in tabs.pages if page is not hung]
    tabs.say()
    tabs.shown(*others, timeout=15_000)
    tabs.quiet(*others)
    wake(sleeping)
    tabs.say()
    tabs.shown()
    tabs.streams(3)
    tabs.quiet(*others)


def test_a_leader_put_to_sleep_lets_go_first(tabs: Tabs) -> None:
    tabs.open(3)
    tabs.streams(3)
    asleep = tabs.leader()
    others = [page for page in tabs.pages if page is not asleep]
    asleep.evaluate(LIFE, "freeze")
    sleeping = sleep(asleep)
    tabs.say()
    tabs.shown(*others)
    tabs.streams(2)
    tabs.say()
    wake(sleeping)
    asleep.evaluate(LIFE, "resume")
    tabs.shown()
    tabs.streams(3)
    tabs.quiet()


def test_hidden_tabs_stay_live_and_leave_the_lead_to_those_that_are_seen(tabs: Tabs) -> None:
    first, *others = tabs.open(4)
    tabs.streams(4)
    for page in others[:2]:
        hide(page)
    assert tabs.leader() is first
    tabs.pages.remove(first)
    first.close()
    tabs.say()
    tabs.shown()
    tabs.streams(3)
    assert tabs.leader() is others[2]
    tabs.quiet()


def test_a_leader_in_the_back_forward_cache_starves_nobody_and_is_not_thrown_out(tabs: Tabs) -> None:
    tabs.open(3)
    tabs.streams(3)
    gone = tabs.leader()
    others = [page for page in tabs.pages if page is not gone]
    gone.evaluate("window.addEventListener('pageshow', (event) => { window.persisted = event.persisted; })")
    gone.locator("a").click()
    expect(gone.locator("#plain")).to_be_visible()
    tabs.say()
    tabs.shown(*others)
    tabs.streams(2)
    tabs.say()
    gone.go_back(wait_until="commit")
    tabs.shown()
    assert gone.evaluate("window.persisted") is True, "the page was not in the cache"
    tabs.streams(3)
    tabs.quiet()


def test_the_server_is_replaced_under_the_leader(tmp_path: Path, person: Arrive, htmx: Htmx) -> None:
    with Board(tmp_path) as board:
        ada = person(board.address, htmx).sign_in("ada")
        asked: list[Page] = []
        pages = [ada.open() for _ in range(4)]
        ada.context.on(
            "request", lambda request: asked.append(request.frame.page) if request.url.endswith("/_rt/stream") else None
        )
        board.terminate()
        for page in pages:
            until(page, "moving")
        board.start()
        for page in pages:
            until(page, "connected")
        assert {id(page) for page in asked} == {id(asked[0])}, "one page asked for all"
        pages[1].locator("#title").fill("Seen by all")
        pages[1].keyboard.press("Enter")
        for page in pages:
            expect(page.locator("#tasks").get_by_text("Seen by all", exact=True).first).to_be_visible()


def test_a_sign_out_in_one_tab_ends_all_and_nobody_shares_with_somebody_else(
    lab: Start, person: Arrive, htmx: Htmx
) -> None:
    tabs = start(lab, person, htmx)

    def out(request: object) -> str:
        tabs.lab.rt.sign_out()
        return "<p id=out>Out</p>"

    tabs.lab.get("/out", out)
    tabs.person.context.add_cookies([{"name": "who", "value": "ada", "url": tabs.person.address}])
    one, two, three = tabs.open(3)
    tabs.streams(3)
    tabs.person.context.clear_cookies(name="who")
    one.goto(f"{tabs.person.address}/out")
    for page in (two, three):
        until(page, "refused")
    tabs.pages = []
    nobody = tabs.open(2)
    tabs.streams(2)
    tabs.say()
    tabs.shown(*nobody)
    expect(two.locator("#board > li")).to_have_count(0)


def test_two_people_in_two_browsers_share_nothing(lab: Start, person: Arrive, htmx: Htmx) -> None:
    tabs = start(lab, person, htmx)
    other = person(tabs.person.address, htmx)
    tabs.open(2)
    tabs.pages += [other.open(), other.open()]
    tabs.streams(2, 2)
    tabs.say()
    tabs.shown()


def test_presence_knows_each_tab(lab: Start, person: Arrive, htmx: Htmx) -> None:
    tabs = start(lab, person, htmx)
    tabs.lab.page("/who", '<div id="who">{{ rt.presence("doc") }}</div>')
    tabs.person.context.add_cookies([{"name": "who", "value": "ada", "url": tabs.person.address}])
    grace = person(tabs.person.address, htmx)
    grace.context.add_cookies([{"name": "who", "value": "grace", "url": tabs.person.address}])
    watching = grace.open("/who")
    one, two, _ = *tabs.open(2, "/who"), *tabs.open()
    see(watching, "grace, active", "ada, active")
    tabs.streams(1, 3)
    hide(one)
    see(watching, "grace, active", "ada, active")
    hide(two)
    see(watching, "grace, active", "ada, away")
    hide(one, False)
    see(watching, "grace, active", "ada, active")
    for page in (one, two):
        page.close(run_before_unload=True)
    see(watching, "grace, active")


@pytest.mark.parametrize("missing", ["locks", "BroadcastChannel"])
def test_where_the_browser_has_no_locks_each_tab_has_its_stream(
    lab: Start, person: Arrive, htmx: Htmx, missing: str
) -> None:
    tabs = start(lab, person, htmx, debug=True)
    said: list[str] = []
    tabs.person.context.on("console", lambda message: said.append(message.text))
    script = "delete window.BroadcastChannel" if missing != "locks" else "delete Navigator.prototype.locks"
    tabs.person.context.add_init_script(script)
    tabs.open(2)
    tabs.streams(1, 1)
    tabs.say()
    tabs.shown()
    assert len([text for text in said if "one stream a tab" in text]) == 2


def rouse(session: CDPSession) -> None:
    """Let a page go on, also one that had nothing to do and so has not stopped yet."""
    try:
        wake(session)
    except Error:
        session.send("Debugger.disable")
        session.detach()


SEED = int(os.environ.get("SEED") or random.randrange(10**9))


def test_a_random_afternoon_of_tabs(tabs: Tabs) -> None:
    """Tabs open, close, reload, hide and hang while numbers come: in the end each shows what a fresh render shows."""
    print(f"SEED={SEED}")
    dice = random.Random(SEED)
    tabs.open(2)
    asleep: dict[Page, CDPSession] = {}
    for _ in range(30):
        page = dice.choice(tabs.pages)
        act = dice.choice(["say", "say", "say", "open", "close", "reload", "hide", "show", "hang", "freeze"])
        if act == "say":
            tabs.say()
        elif act == "open" and len(tabs.pages) < 6:
            tabs.open()
        elif page in asleep:
            rouse(asleep.pop(page))
        elif act == "close" and len(tabs.pages) > 1:
            tabs.pages.remove(page)
            page.close(run_before_unload=dice.random() < 0.5)
        elif act == "reload":
            page.reload()
        elif act in ("hide", "show"):
            hide(page, act == "hide")
        elif act == "freeze":
            page.evaluate(LIFE, "freeze")
            page.evaluate(LIFE, "resume")
        elif act == "hang" and len(asleep) < len(tabs.pages) - 1:
            asleep[page] = sleep(page)
    for session in asleep.values():
        rouse(session)
    tabs.say()
    tabs.shown(timeout=20_000)
    [fresh] = tabs.open()
    tabs.shown(fresh)
    tabs.streams(len(tabs.pages))


WINDOW = """<figure><figcaption>Tab {number} · {protocol}{leads}</figcaption>
<img src="data:image/png;base64,{image}"></figure>"""
SHEET = """<!doctype html><style>
body {{ margin: 0; padding: 12px; display: grid; grid-template-columns: repeat(3, 384px); gap: 12px; background: #d7dce2; width: max-content }}
figure {{ margin: 0; border: 1px solid #9aa4b0; border-radius: 8px; overflow: hidden; background: #fff }}
figcaption {{ font: 13px/26px system-ui, sans-serif; padding: 0 10px; background: #eef1f4; border-bottom: 1px solid #c9d0d8 }}
img {{ display: block; width: 384px }}
</style>{windows}"""


@pytest.mark.skipif(not PICTURES, reason="PICTURES=folder takes the picture of the documentation")
def test_a_picture_of_nine_tabs(board: Board, person: Arrive, htmx: Htmx) -> None:
    ada = person(board.address, htmx, viewport={"width": 640, "height": 400}).sign_in("ada")
    asked: list[Page] = []
    ada.context.on(
        "request", lambda request: asked.append(request.frame.page) if request.url.endswith("/_rt/stream") else None
    )
    pages = [ada.open() for _ in range(9)]
    pages[4].locator("#title").fill("Order brake pads")
    pages[4].keyboard.press("Enter")
    windows = []
    for number, page in enumerate(pages, 1):
        row = page.locator("#tasks").get_by_text("Order brake pads", exact=True).first
        row.scroll_into_view_if_needed()
        protocol = page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol")
        image = base64.b64encode(page.screenshot()).decode()
        leads = " · holds the stream" if page is asked[-1] else ""
        windows.append(WINDOW.format(number=number, protocol=protocol.upper(), leads=leads, image=image))
    sheet = ada.context.new_page()
    sheet.set_viewport_size({"width": 1200, "height": 880})
    sheet.set_content(SHEET.format(windows="".join(windows)))
    sheet.screenshot(path=f"{PICTURES}/nine-tabs.png", full_page=True)
