"""axe-core has nothing to say against any page of the examples, or against what opens on them, in light and dark.

Pages are found by following links, so that a new one is looked at as soon as something leads to it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.cluster import board as framework_board

from .boardserver import Board
from .desk import offline
from .people import Person, until
from .test_show_access import findings
from .test_show_documents import REFUSED, panel, save, write
from .test_show_frameworks import address_of

Arrive = Callable[..., Person]

LOOKS = [pytest.param("light", 1280, id="light"), pytest.param("dark", 375, id="dark-phone")]
# What no link leads to, or only from where scripts do not run.
SIGNED_IN = (
    "/", "/tasks", "/tasks/4", "/documents/1/merge", "/documents/1/live", "/documents/1/lock", "/documents/1/owner",
    "/_rt/undo", "/_rt/notifications", "/dashboard/sales", "/dashboard/stock", "/dashboard/repairs", "/dashboard/here",
    "/sign-in", "/nowhere",
)  # fmt: skip
SIGNED_OUT = ("/", "/sign-in", "/lobby", "/permit", "/nowhere", "/_rt/undo", "/_rt/notifications")
EXPECTED = (*REFUSED, 401, 403, 404, 500, 502)
MOST = 60  # pages, of one kind once
LINKS = "() => [...document.querySelectorAll('a[href]:not([download])')].map((a) => a.href)"


def kind(path: str) -> str:
    """Pages that differ in a number, or in what they are asked for, are one."""
    return re.sub(r"[0-9a-f]{8,}|\d+", "#", path)


def look(scheme: str, width: int) -> dict[str, object]:
    return {"color_scheme": scheme, "reduced_motion": "reduce", "viewport": {"width": width, "height": 800}}


def at_rest(page: Page) -> None:
    """Wait for the line, where the page has one, and for whatever loads by itself."""
    if page.locator("[rt-stream]").count():
        until(page, "connected")
    expect(page.locator("[rt-load][aria-busy=true]")).to_have_count(0, timeout=20_000)


def examine(page: Page, address: str, begin: tuple[str, ...]) -> dict[str, list[str]]:
    """What axe-core objects to, by path, on all pages that can be reached from these."""
    waiting = [urljoin(address, path) for path in begin]
    seen: set[str] = set()
    found: dict[str, list[str]] = {}
    while waiting:
        url = waiting.pop(0)
        path = urlsplit(url).path
        if not url.startswith(address + "/") or kind(path) in seen or path.startswith(("/static/", "/_rt/static/")):
            continue
        if re.search(r"\.\w+$|/beside", path):
            continue  # a file; and two pages in frames, which are looked at by themselves
        seen.add(kind(path))
        assert len(seen) <= MOST, sorted(seen)
        answer = page.goto(url)
        if answer is None or "text/html" not in answer.headers.get("content-type", ""):
            continue
        at_rest(page)
        if objections := findings(page):
            found[path] = objections
        waiting += page.evaluate(LINKS)
    assert len(seen) >= len(set(map(kind, begin)))
    return found


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_every_page_for_somebody_signed_in(board: Board, person: Arrive, scheme: str, width: int) -> None:
    ada = person(board.address, expected=EXPECTED, **look(scheme, width)).sign_in("ada")
    assert examine(ada.context.new_page(), board.address, SIGNED_IN) == {}


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_every_page_for_nobody(board: Board, person: Arrive, scheme: str, width: int) -> None:
    nobody = person(board.address, expected=EXPECTED, **look(scheme, width))
    assert examine(nobody.context.new_page(), board.address, SIGNED_OUT) == {}


# Their templates are the same ones: what differs is the code around them.
@pytest.mark.parametrize(("framework", "scheme", "width"), [("quart", "light", 1280), ("flask", "dark", 375)])
def test_every_page_on_other_frameworks(
    person: Arrive, framework: str, scheme: str, width: int, tmp_path: Path
) -> None:
    with framework_board(framework, env={"BOARD_DB": str(tmp_path / "board.db")}) as server:
        address = address_of(server)
        somebody = person(address, expected=EXPECTED, **look(scheme, width))
        assert examine(somebody.context.new_page(), address, ("/", "/sign-in")) == {}
        somebody.sign_in("ada")
        assert examine(somebody.context.new_page(), address, ("/", "/documents/1/merge", "/nowhere")) == {}


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_what_opens_on_the_board(board: Board, person: Arrive, scheme: str, width: int) -> None:
    ada = person(board.address, expected=EXPECTED, **look(scheme, width)).sign_in("ada")
    page = ada.open(clock=True)
    # A question, and the toasts of what others and oneself did, one with Undo in it.
    page.get_by_role("button", name="Send invoice 2042").click()
    expect(page.get_by_role("alertdialog")).to_be_visible()
    assert findings(page) == []
    page.keyboard.press("Escape")
    title = f"Seen by axe, {secrets.token_hex(4)}"
    with board.curl("mei") as mei:
        mei.post("/tasks", data={"title": title, "priority": "high"})
    row = page.locator(".task", has_text=title)
    expect(row).to_be_visible()
    row.get_by_role("button", name=re.compile("Delete")).click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    assert findings(page) == []
    # Without a line: the bar, what waits, and its list.
    page.locator("#cut").click()
    until(page, "disconnected")
    page.clock.fast_forward(3_000)
    expect(page.locator("#rt-banner")).to_be_visible()
    assert findings(page) == []
    offline(ada.context)
    page.get_by_role("checkbox").first.click()
    page.get_by_role("button", name="Details").click()
    expect(page.get_by_role("region", name="Waiting to be sent", exact=True)).to_be_visible()
    assert findings(page) == []


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_two_people_on_one_document(board: Board, person: Arrive, scheme: str, width: int) -> None:
    ada = person(board.address, expected=EXPECTED, **look(scheme, width)).sign_in("ada")
    grace = person(board.address, expected=EXPECTED).sign_in("grace")
    path = write(ada)
    mine, hers = ada.open(f"{path}/merge"), grace.open(f"{path}/merge")
    mine.fill("#title", "What Ada calls it")
    hers.fill("#title", "What Grace calls it")
    save(hers)
    mine.click("#save")
    panel(mine)
    assert findings(mine) == []


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_what_loads_and_what_failed_on_the_dashboard(board: Board, person: Arrive, scheme: str, width: int) -> None:
    who = {"light": "priya", "dark": "mateo"}[scheme]  # whose first visit it is: the suppliers do not answer
    somebody = person(board.address, expected=EXPECTED, **look(scheme, width)).sign_in(who)
    page = somebody.context.new_page()
    held: list[Route] = []
    page.route("**/dashboard/roads", lambda route: held.append(route))
    page.goto(f"{board.address}/dashboard")
    until(page, "connected")
    expect(page.locator("#roads > .rt-skeletons")).to_be_visible()
    expect(page.locator("#suppliers").get_by_role("button", name="Retry")).to_be_visible()
    assert findings(page) == []
    held[0].continue_()
    page.goto(f"{board.address}/dashboard/rides")
    page.get_by_label("E-mail").fill("nobody")
    page.get_by_label("Height").fill("tall")
    page.get_by_role("button", name="Book").click()
    expect(page.locator("[aria-invalid=true]").first).to_be_visible()
    assert findings(page) == []


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_what_opens_in_the_chat(board: Board, person: Arrive, scheme: str, width: int) -> None:
    page = person(board.address, expected=EXPECTED, **look(scheme, width)).sign_in("priya").open("/chat")
    room = page.locator(".room").first.get_attribute("href")
    with board.curl("mei") as mei:
        mei.post(str(room), data={"text": f"@Priya have a look, {secrets.token_hex(4)}"})
    bell = page.locator(".rt-bell > summary")
    expect(bell.locator(".rt-badge")).to_be_visible()
    bell.click()
    expect(page.locator(".rt-bell a").first).to_be_visible()
    assert findings(page) == []
    page.keyboard.press("Escape")
    files = [
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"Two brake pads, one chain."},
        {"name": "tool.exe", "mimeType": "application/octet-stream", "buffer": b"MZ"},
    ]
    page.set_input_files("input[type=file]", files)  # type: ignore[arg-type]
    expect(page.get_by_text("notes.txt").first).to_be_visible()
    expect(page.get_by_text("tool.exe").first).to_be_visible()
    assert findings(page) == []


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_an_import_before_while_and_after(board: Board, person: Arrive, scheme: str, width: int) -> None:
    page = person(board.address, expected=EXPECTED, **look(scheme, width)).sign_in("grace").open("/import")
    page.get_by_role("button", name="Use the sample file").click()
    start = page.get_by_role("button", name=re.compile("Import .* rows"))
    expect(start).to_be_visible()
    assert findings(page) == []
    start.click()
    expect(page.locator("progress").first).to_be_visible()
    assert findings(page) == []
    page.get_by_role("button", name="Cancel").first.click()
    expect(page.get_by_role("button", name="Start again")).to_be_visible(timeout=20_000)
    assert findings(page) == []
