"""The documents of the example, with two people on them: the same field, other fields, gone, locked, handed on."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from .boardpage import picture
from .boardserver import Board
from .conftest import Htmx
from .people import Person
from .test_show_access import findings

Arrive = Callable[..., Person]
Meet = Callable[..., tuple[Person, Person]]

REFUSED = (409, 410, 423, 422, "Response Status Error Code 4", "htmx:error: 4")
TEXT = "Brakes adjusted.\nGears set.\nChain oiled.\n\nDone by noon.\n"
SHORT = "from htmx_rt.lock_record import TIMES; TIMES['lock'] = (3.0, 1.0)"  # a lock is lost after three seconds


@pytest.fixture
def meet(board: Board, person: Arrive, htmx: Htmx) -> Meet:
    """Ada and Grace."""

    def come(**options: Any) -> tuple[Person, Person]:
        options = {"expected": REFUSED} | options
        return (
            person(board.address, htmx, **options).sign_in("ada"),
            person(board.address, htmx, **options).sign_in("grace"),
        )

    return come


def write(somebody: Person, **values: str) -> str:
    """Make a document of one's own, and return its path."""
    form = {"title": "The small service", "text": TEXT, "kind": "Offer", "price": "49", "tags": "workshop"} | values
    answer = somebody.context.request.post(f"{somebody.address}/documents", form=form, max_redirects=0)
    assert answer.status == 303, answer.text()
    return answer.headers["location"]


def save(page: Page) -> None:
    """Press "Save" and wait until it is saved."""
    before = page.locator(".rt-edit").get_attribute("data-version")
    page.click("#save")
    expect(page.locator(".rt-edit")).not_to_have_attribute("data-version", str(before))
    expect(page.locator(".saved")).to_contain_text("Saved as version")


def saved(somebody: Person, path: str) -> dict[str, str]:
    """What a fresh page of a document says."""
    page = somebody.open(f"{path}/merge")
    values = {name: page.input_value(f"#{name}") for name in ("title", "text", "price", "tags")}
    page.close()
    return values


def panel(page: Page) -> Locator:
    box = page.locator(".rt-conflict")
    expect(box).to_be_visible()
    return box


def role(page: Page, name: str, *, timeout: float = 10_000) -> None:
    page.wait_for_selector(f'form[data-lease="{name}"]', timeout=timeout)


def test_the_same_field_is_asked_about_beside_both(meet: Meet) -> None:
    ada, grace = meet()
    path = write(ada)
    mine, hers = ada.open(f"{path}/merge"), grace.open(f"{path}/merge")
    hers.fill("#title", "The small service, from May")
    hers.fill("#tags", "workshop, spring")
    save(hers)
    expect(mine.locator("#head h1")).to_have_text("The small service, from May")
    mine.fill("#title", "A small service")
    mine.fill("#text", TEXT + "Coffee is free.\n")
    mine.locator("#save").focus()
    mine.keyboard.press("Enter")
    box = panel(mine)
    expect(box.locator("h2")).to_be_focused()
    expect(box).to_contain_text("Grace Lindqvist changed this while you were writing")
    expect(box.locator(".rt-conflict-field")).to_have_count(1)
    picture(mine, "documents-same-field")
    box.get_by_label("Take Grace Lindqvist’s").check()
    expect(box.locator("input[name=title].rt-conflict-editor")).to_have_value("The small service, from May")
    box.get_by_role("button", name="Save").click()
    expect(mine.locator(".rt-conflict")).to_have_count(0)
    expect(mine.locator("#title")).to_have_value("The small service, from May")
    now = saved(ada, path)
    assert now["title"] == "The small service, from May"
    assert now["text"].endswith("Coffee is free.\n")
    assert now["tags"] == "workshop, spring"


def test_different_fields_go_together_and_can_be_taken_back(meet: Meet) -> None:
    ada, grace = meet()
    path = write(ada)
    mine, hers = ada.open(f"{path}/merge"), grace.open(f"{path}/merge")
    hers.fill("#price", "52.50")
    save(hers)
    mine.fill("#title", "A small service")
    mine.click("#save")
    toast = mine.locator(".rt-toast", has_text="Saved together with what Grace Lindqvist changed: Price")
    expect(toast).to_be_visible()
    expect(mine.locator("#price")).to_have_value("52.50")
    picture(mine, "documents-merged")
    assert saved(ada, path) == {"title": "A small service", "text": TEXT, "price": "52.50", "tags": "workshop"}
    toast.get_by_role("button", name="Undo").click()
    expect(hers.locator("#head h1")).to_have_text("The small service")
    assert saved(ada, path) == {"title": "The small service", "text": TEXT, "price": "52.50", "tags": "workshop"}


def test_detect_asks_though_nothing_overlaps(meet: Meet) -> None:
    ada, grace = meet()
    path = write(ada)
    mine, hers = ada.open(f"{path}/detect"), grace.open(f"{path}/detect")
    hers.fill("#price", "52.50")
    save(hers)
    mine.fill("#title", "A small service")
    mine.click("#save")
    expect(panel(mine)).to_contain_text("Price")
    panel(mine).get_by_role("button", name="Save").click()
    expect(mine.locator(".rt-conflict")).to_have_count(0)
    assert saved(ada, path) == {"title": "A small service", "text": TEXT, "price": "52.50", "tags": "workshop"}


def test_what_is_saved_arrives_in_the_open_form(meet: Meet) -> None:
    ada, grace = meet()
    path = write(ada)
    mine, hers = ada.open(f"{path}/live"), grace.open(f"{path}/live")
    mine.fill("#title", "A small service")
    hers.fill("#title", "The small service, from May")
    hers.fill("#tags", "workshop, spring")
    hers.uncheck("#published") if hers.is_checked("#published") else hers.check("#published")
    hers.select_option("#kind", "Letter")
    save(hers)
    expect(mine.locator("#tags")).to_have_value("workshop, spring")
    expect(mine.locator("#kind")).to_have_value("Letter")
    expect(mine.locator("#published")).to_be_checked()
    expect(mine.locator("#title")).to_have_value("A small service")
    chip = mine.locator(".rt-change")
    expect(chip).to_contain_text("Grace Lindqvist changed this to The small service, from May")
    picture(mine, "documents-live")
    chip.get_by_role("button", name="Keep mine").click()
    expect(chip).to_have_count(0)
    save(mine)
    expect(hers.locator("#title")).to_have_value("A small service")
    assert saved(ada, path)["title"] == "A small service"


@pytest.mark.parametrize("why", ["Archive", "Delete"])
def test_what_is_gone_is_told_and_nothing_typed_is_taken_away(meet: Meet, why: str) -> None:
    ada, grace = meet()
    path = write(ada, title=f"Opening hours {why}")
    dirty, clean, reads = ada.open(f"{path}/merge"), ada.open(f"{path}/live"), ada.open(path)
    dirty.fill("#title", f"Opening hours in May {why}")
    hers = grace.open(path)
    hers.once("dialog", lambda dialog: dialog.accept())
    hers.get_by_role("button", name=why).click()
    if why == "Delete" and hers.locator(".rt-dialog").count():
        hers.locator(".rt-dialog").get_by_role("button", name="Continue").click()
    hers.wait_for_url("**/documents")
    for page in (clean, reads):
        expect(page.locator(".rt-toast")).to_contain_text(f"Grace Lindqvist {why.lower()}d this")
    for page in (clean, reads):  # a moment later
        page.wait_for_url("**/documents")
    box = dirty.locator(".rt-gone")
    expect(box).to_contain_text(f"Grace Lindqvist {why.lower()}d this while you were writing")
    expect(dirty.locator("#title")).to_have_value(f"Opening hours in May {why}")
    picture(dirty, f"documents-gone-{why.lower()}")
    dirty.click("#save")
    expect(panel(dirty)).to_contain_text(f"Grace Lindqvist {why.lower()}d this while you were writing")
    panel(dirty).get_by_role("button", name="Save as new").click()
    dirty.wait_for_url(re.compile(r"/documents/\d+$"))
    expect(dirty.locator("h1")).to_have_text(f"Opening hours in May {why}")
    expect(hers.locator(".paper-title", has_text=f"Opening hours in May {why}")).to_have_count(1)


def test_the_list_follows_and_shows_who_has_which_one_open(meet: Meet) -> None:
    ada, grace = meet()
    drawer = grace.open("/documents")
    path = write(ada, title="A list of its own")
    row = drawer.locator(f"#document-{path.rpartition('/')[2]}")
    expect(row).to_contain_text("A list of its own")
    mine = ada.open(f"{path}/owner")
    expect(row.locator(".rt-avatar[data-key]")).to_have_count(1)
    mine.fill("#title", "A list, renamed")
    save(mine)
    expect(row).to_contain_text("A list, renamed")
    mine.close(run_before_unload=True)
    expect(row.locator(".rt-avatar[data-key]")).to_have_count(0)
    ada.context.request.post(f"{ada.address}{path}/archive", max_redirects=0)
    expect(drawer.locator(f"#archive #document-{path.rpartition('/')[2]}")).to_have_count(1)
    ada.context.request.post(f"{ada.address}{path}/delete", max_redirects=0)
    expect(row).to_have_count(0)


def test_a_lock_is_let_go_with_the_save(meet: Meet) -> None:
    ada, grace = meet()
    path = write(ada)
    mine, hers = ada.open(f"{path}/lock"), grace.open(f"{path}/lock")
    mine.focus("#title")
    mine.keyboard.type("x")
    role(hers, "theirs")
    expect(hers.locator(".rt-lease")).to_contain_text("Ada is editing")
    assert hers.locator("#title").evaluate("(el) => el.readOnly")
    picture(hers, "documents-locked")
    mine.fill("#title", "A small service")
    mine.click("#save-and-let-go")
    role(hers, "free")
    expect(hers.locator("#title")).to_have_value("A small service")
    hers.fill("#price", "55")
    role(hers, "mine")
    save(hers)
    assert saved(ada, path) == {"title": "A small service", "text": TEXT, "price": "55.00", "tags": "workshop"}


def test_the_owner_leaves_and_who_looked_on_goes_on_with_the_text(meet: Meet) -> None:
    ada, grace = meet()
    path = write(ada)
    mine = ada.open(f"{path}/owner")
    role(mine, "mine")
    hers = grace.open(f"{path}/owner")
    role(hers, "theirs")
    mine.locator("#text").press("ControlOrMeta+End")
    mine.keyboard.type("Coffee is free.")
    mine.fill("#price", "45")
    expect(hers.locator("#text")).to_have_value(TEXT + "Coffee is free.")
    expect(hers.locator("#price")).to_have_value("45")
    picture(hers, "documents-reads-along")
    late = ada.context.request.post(f"{ada.address}{path}/owner", form={"title": "x"}, max_redirects=0)
    assert late.status == 428  # of no version: nobody saves by the way
    mine.close(run_before_unload=True)
    role(hers, "mine")
    expect(hers.locator("#text")).to_have_value(TEXT + "Coffee is free.")
    picture(hers, "documents-handed-on")
    hers.fill("#title", "With coffee")
    save(hers)
    assert saved(grace, path) == {
        "title": "With coffee", "text": TEXT + "Coffee is free.", "price": "45.00", "tags": "workshop",
    }  # fmt: skip


def test_who_slept_over_their_lock_and_saves_is_asked(person: Arrive, htmx: Htmx, tmp_path: Path) -> None:
    with Board(tmp_path, SHORT) as board:
        ada, grace = (person(board.address, htmx, expected=REFUSED).sign_in(name) for name in ("ada", "grace"))
        path = write(ada)
        mine, hers = ada.open(f"{path}/lock"), grace.open(f"{path}/lock")
        mine.fill("#title", "Half of a title")
        role(mine, "mine")
        role(hers, "theirs")
        asleep = ada.context.new_cdp_session(mine)
        asleep.send("Debugger.enable")
        asleep.send("Debugger.pause")  # as a laptop that is closed: no word, and no hint that there will be none
        role(hers, "free", timeout=20_000)  # by time alone
        hers.fill("#title", "Hers in the meantime")
        role(hers, "mine")
        save(hers)
        asleep.send("Debugger.resume")
        asleep.send("Debugger.disable")
        mine.click("#save")
        box = panel(mine)
        expect(box.locator("h2")).to_contain_text("Grace Lindqvist")
        picture(mine, "documents-slept")
        assert saved(ada, path)["title"] == "Hers in the meantime"
        hers.fill("#price", "55")
        hers.click("#save-and-let-go")
        role(hers, "free")
        again = box.get_by_role("button", name="Try again")
        if again.count():  # the page had heard before that somebody else has it
            again.click()
        box.get_by_label("Keep mine").check()
        box.get_by_role("button", name="Save").click()
        expect(mine.locator(".rt-conflict")).to_have_count(0)
        assert saved(ada, path) == {"title": "Half of a title", "text": TEXT, "price": "55.00", "tags": "workshop"}


# Without a script


def test_conflict_lock_and_end_are_pages_where_no_script_runs(board: Board, person: Arrive) -> None:
    plain = person(board.address, java_script_enabled=False, expected=(*REFUSED, "data:,")).sign_in("mei")
    grace = person(board.address).sign_in("grace")
    path = write(grace)
    mine, hers = plain.open(f"{path}/merge", state=None), grace.open(f"{path}/merge")
    hers.fill("#title", "Hers")
    hers.fill("#price", "55")
    save(hers)
    mine.fill("#title", "Mine")
    mine.click("#save")
    expect(mine.get_by_role("heading", name="Grace Lindqvist changed this while you were writing")).to_be_visible()
    picture(mine, "documents-plain-conflict")
    mine.get_by_label("Keep mine").check()
    mine.get_by_role("button", name="Save").click()
    expect(mine.locator("h1")).to_have_text("Mine")
    assert saved(grace, path)["price"] == "55.00"

    hers.goto(f"{board.address}{path}/lock")
    hers.wait_for_selector('html[data-rt="connected"]', state="attached")
    hers.fill("#title", "Held")
    role(hers, "mine")
    mine.goto(f"{board.address}{path}/lock")
    expect(mine.locator(".rt-edit")).to_contain_text("Grace Lindqvist is editing")
    mine.fill("#title", "Not now")
    mine.click("#save")
    expect(mine.get_by_role("heading", name="Grace Lindqvist is editing this now")).to_be_visible()
    picture(mine, "documents-plain-locked")
    hers.click("#save-and-let-go")
    role(hers, "free")
    mine.get_by_role("button", name="Try again").click()
    expect(mine.get_by_role("heading", name="Grace Lindqvist changed this while you were writing")).to_be_visible()

    mine.goto(f"{board.address}{path}/merge")
    mine.fill("#title", "Kept all the same")
    grace.context.request.post(f"{board.address}{path}/delete", max_redirects=0)
    mine.click("#save")
    expect(mine.get_by_role("heading", name="Grace Lindqvist deleted this while you were writing")).to_be_visible()
    picture(mine, "documents-plain-gone")
    mine.get_by_role("button", name="Save as new").click()
    expect(mine.locator("h1")).to_have_text("Kept all the same")


# For everybody


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 375)])
def test_axe_finds_nothing_and_nothing_is_cut_off(board: Board, person: Arrive, scheme: str, width: int) -> None:
    look = {"color_scheme": scheme, "reduced_motion": "reduce", "viewport": {"width": width, "height": 900}}
    ada = person(board.address, expected=REFUSED, **look).sign_in("ada")
    grace = person(board.address).sign_in("grace")
    path = write(ada, title=f"{scheme} and {width} wide: " + "everything that may be long is long " * 2)
    for way in ("", "/merge", "/owner"):
        page = ada.open(path + way)
        assert findings(page) == [], way
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), way
        page.close()
    page = ada.open("/documents")
    assert findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page, hers = ada.open(f"{path}/live"), grace.open(f"{path}/live")
    page.fill("#title", "Mine")
    hers.fill("#title", "Hers")
    save(hers)
    expect(page.locator(".rt-change")).to_be_visible()
    assert findings(page) == []
    page.click("#save")
    panel(page)
    assert findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
