"""Nothing typed is lost: forms over reloads, crashes and swaps (D5), leaving (D6), drafts on the server (D7)."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from playwright.sync_api import Error, Page, Route, expect

from .bureau import Bureau
from .conftest import Htmx
from .people import Person

TOLD = (
    401,
    403,
    404,
    409,
    413,
    422,
    500,
    503,
    "net::ERR_FAILED",
    "net::ERR_ABORTED",
    "htmx:",
    "Response Status Error Code",
)
LINE = ".rt-draft"


@pytest.fixture
def bureau(live: Callable[..., str], htmx: Htmx) -> Bureau:
    bureau = Bureau(htmx=htmx.major)
    bureau.address = live(bureau)
    return bureau


@pytest.fixture
def ada(bureau: Bureau, person: Callable[..., Person]) -> Person:
    return signed_in(person, bureau)


def signed_in(person: Callable[..., Person], bureau: Bureau, who: str = "ada", **options: object) -> Person:
    ada = person(bureau.address, expected=TOLD, **options)
    ada.context.add_cookies([{"name": "who", "value": who, "url": bureau.address}])
    return ada


def ready(page: Page) -> Page:
    """The part is there and has looked at the page."""
    page.wait_for_function("() => !!htmxRt.saved && !document.querySelector('form:not([id]) [rt-draft]')")
    return page


def kept(page: Page, text: str, where: str = "sessionStorage") -> None:
    """Wait until the copy of this browser has a text."""
    page.wait_for_function(
        "([where, text]) => Object.entries(window[where]).some(([key, value]) => key.startsWith('rt-drafts:') && value.includes(text))",
        arg=[where, text],
    )


def forgotten(page: Page) -> None:
    page.wait_for_function(
        "() => ![...Object.keys(sessionStorage), ...Object.keys(localStorage)].some((key) => key.startsWith('rt-drafts:'))"
    )


def fill_all(page: Page) -> None:
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("About").fill("Two\nlines <b>")
    page.get_by_label("Town").select_option("Kiel")
    page.get_by_label("Skills").select_option(["baking", "singing"])
    page.get_by_label("Mon").check()
    page.get_by_label("Tue").uncheck()
    page.get_by_label("Agree").check()
    page.get_by_label("Large").check()
    page.get_by_label("From").fill("2026-03-01")
    page.get_by_label("Level").fill("7")
    page.locator("#rich").fill("Rich words")
    for secret in ("Password", "Code", "Card", "Diary", "Scratch"):
        page.get_by_label(secret).fill(f"secret-{secret}")


STATE = """() => {
  const f = document.querySelector("#f");
  const all = {};
  for (const [name, value] of new FormData(f)) all[name] = [...(all[name] ?? []), value];
  all.rich = document.querySelector("#rich").textContent;
  return all;
}"""
FILLED = {
    "name": ["Ada"], "about": ["Two\nlines <b>"], "town": ["Kiel"], "skills": ["baking", "singing"], "days": ["mon"],
    "agree": ["on"], "size": ["l"], "from": ["2026-03-01"], "level": ["7"], "rich": "Rich words",
}  # fmt: skip
SECRETS = ("password", "code", "number", "diary", "scratch")


def held(page: Page) -> None:
    """Every control has what was typed, and no secret was kept."""
    page.wait_for_function(
        "() => document.querySelector('#rich').textContent === 'Rich words' && document.querySelector('[name=name]').value === 'Ada'"
    )
    state = page.evaluate(STATE)
    assert {name: state[name] for name in FILLED} == FILLED
    stored = page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])")
    assert "secret-" not in stored


@pytest.mark.parametrize("path", ["plain", "hx"])
def test_every_control_is_held_over_a_reload(ada: Person, path: str) -> None:
    page = ready(ada.open(f"/{path}"))
    fill_all(page)
    kept(page, "Rich words")
    page.on("dialog", lambda dialog: dialog.accept())
    page.evaluate("document.querySelectorAll('input').forEach((one) => one.setAttribute('autocomplete', 'off'))")
    page.reload()
    held(page)
    expect(page.locator(LINE)).to_have_text("Your unsaved text was restoredDiscard")
    expect(page.locator("#rt-live")).to_have_text("Your unsaved text was restored")


def test_what_was_restored_can_be_discarded_and_brought_back(ada: Person) -> None:
    page = ready(ada.open("/plain"))
    page.get_by_label("Name").fill("Ada")
    kept(page, "Ada")
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    page.get_by_role("button", name="Discard").press("Enter")
    expect(page.get_by_label("Name")).to_have_value("")
    expect(page.get_by_role("button", name="Undo")).to_be_focused()
    forgotten(page)
    page.get_by_role("button", name="Undo").press("Enter")
    expect(page.get_by_label("Name")).to_have_value("Ada")
    kept(page, "Ada")


def leave_quietly(page: Page) -> list[str]:
    """Agree to every question of the browser, and keep what kind it was."""
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    return asked


def let_go(page: Page, routes: list[Route]) -> None:
    """Let what is held up go on, once it is there."""
    while not routes:
        page.evaluate("new Promise(requestAnimationFrame)")  # lets the driver hear of it
    routes[0].continue_()


def crash(page: Page) -> None:
    with page.expect_event("crash"), contextlib.suppress(Error):  # nobody is left to answer
        page.goto("chrome://crash")


def test_a_tab_that_crashed_gives_its_text_to_the_next(ada: Person) -> None:
    page = ready(ada.open("/plain"))
    page.get_by_label("Name").fill("Ada")
    kept(page, "Ada", "localStorage")
    crash(page)
    page = ada.open("/plain")
    expect(page.get_by_label("Name")).to_have_value("Ada")
    expect(page.locator(LINE)).to_contain_text("restored")


def test_a_browser_that_was_closed_gives_the_text_back(
    ada: Person, bureau: Bureau, person: Callable[..., Person]
) -> None:
    page = ready(ada.open("/plain"))
    page.get_by_label("About").fill("Once")
    kept(page, "Once", "localStorage")
    page.get_by_label("About").fill("Once upon a time")
    kept(page, "upon", "localStorage")
    state = ada.context.storage_state()
    ada.context.close()
    page = signed_in(person, bureau, storage_state=state).open("/plain")
    expect(page.get_by_label("About")).to_have_value("Once upon a time")


def test_the_text_of_a_tab_that_is_open_stays_there(ada: Person) -> None:
    page = ready(ada.open("/plain"))
    page.get_by_label("Name").fill("Ada")
    kept(page, "Ada", "localStorage")
    other = ready(ada.open("/plain"))
    other.get_by_label("About").fill("x")
    kept(other, '"x"', "localStorage")
    expect(other.get_by_label("Name")).to_have_value("")
    assert other.locator(LINE).count() == 0


def test_what_is_typed_already_wins(ada: Person) -> None:
    page = ready(ada.open("/bare"))
    page.get_by_label("One").fill("first")
    page.get_by_label("Three").fill("third")
    kept(page, "third")
    leave_quietly(page)
    waiting: list[object] = []
    page.route("**/htmx-rt-drafts.mjs*", lambda route: waiting.append(route))
    with page.expect_request("**/htmx-rt-drafts.mjs*"):
        page.reload()
    page.get_by_label("One").fill("second")
    waiting[0].continue_()  # type: ignore[attr-defined]
    expect(page.get_by_label("Three")).to_have_value("third")
    expect(page.get_by_label("One")).to_have_value("second")


def test_what_is_typed_before_the_parts_are_there_is_kept(ada: Person, bureau: Bureau) -> None:
    page = ada.context.new_page()
    files: list[Route] = []
    page.route(re.compile(r"/htmx-rt-more\."), lambda route: files.append(route))
    with page.expect_request(re.compile(r"/htmx-rt-more\.")):
        page.goto(f"{bureau.address}/plain")
    page.get_by_label("Name").fill("Ada")
    let_go(page, files)
    kept(page, "Ada")


def test_forms_without_an_id_are_known_by_name_or_place(ada: Person) -> None:
    page = ada.open("/bare")
    for label in ("One", "Two", "Three", "Search", "Left"):
        page.get_by_label(label).fill(f"in {label}")
    kept(page, "in Three")
    kept(page, "in Two")
    leave_quietly(page)
    page.evaluate("document.querySelectorAll('input').forEach((one) => one.setAttribute('autocomplete', 'off'))")
    page.reload()
    for label in ("One", "Two", "Three"):
        expect(page.get_by_label(label)).to_have_value(f"in {label}")
    assert not page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])").count("in Left")
    assert not page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])").count("in Search")


@pytest.mark.parametrize("answer", ["Use it", "Discard"])
def test_a_newer_value_of_the_server_is_not_written_over(ada: Person, bureau: Bureau, answer: str) -> None:
    page = ready(ada.open("/plain"))
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("About").fill("mine")
    kept(page, "mine")
    leave_quietly(page)
    bureau.saved = {"name": "Grace"}
    page.goto(f"{bureau.address}/other")
    page.goto(f"{bureau.address}/plain")
    expect(page.get_by_label("About")).to_have_value("mine")
    expect(page.get_by_label("Name")).to_have_value("Grace")
    expect(page.locator(LINE)).to_contain_text("differs from what is here now")
    page.get_by_role("button", name=answer).click()
    expect(page.get_by_label("Name")).to_have_value("Ada" if answer == "Use it" else "Grace")
    expect(page.get_by_label("About")).to_have_value("mine")
    page.reload()
    expect(page.get_by_label("About")).to_have_value("mine")
    expect(page.get_by_label("Name")).to_have_value("Ada" if answer == "Use it" else "Grace")


def test_nobody_else_gets_it(ada: Person, bureau: Bureau) -> None:
    page = ready(ada.open("/plain"))
    page.get_by_label("Name").fill("Ada")
    kept(page, "Ada", "localStorage")
    leave_quietly(page)
    page.goto(f"{bureau.address}/out")
    page.goto(f"{bureau.address}/plain")
    ready(page)
    expect(page.get_by_label("Name")).to_have_value("")
    page.goto(f"{bureau.address}/as/ada")
    page.goto(f"{bureau.address}/plain")
    expect(page.get_by_label("Name")).to_have_value("Ada")
    page.goto(f"{bureau.address}/as/grace")
    page.goto(f"{bureau.address}/plain")
    ready(page)
    expect(page.get_by_label("Name")).to_have_value("")
    forgotten(page)


def test_saved_is_forgotten(ada: Person, bureau: Bureau) -> None:
    page = ready(ada.open("/hx"))
    page.get_by_label("Name").fill("Ada")
    kept(page, "Ada")
    bureau.status = 500
    with page.expect_response("**/plain"):
        page.get_by_role("button", name="Save").click()
    kept(page, "Ada")
    bureau.status = 200
    with page.expect_response("**/plain"):
        page.get_by_role("button", name="Save").click()
    forgotten(page)
    expect(page.get_by_label("Name")).to_have_value("")
    asked = leave_quietly(page)
    page.reload()
    ready(page)
    expect(page.get_by_label("Name")).to_have_value("")
    assert asked == []


@pytest.mark.parametrize("part", ["drafts", "more"])
@pytest.mark.parametrize("comes", ["under way", "answered", "refused"])
def test_what_was_sent_before_this_part_was_here_is_no_text_to_keep(
    ada: Person, bureau: Bureau, comes: str, part: str
) -> None:
    """On a slow line somebody types a word and presses Save before the file is there that keeps what is typed."""
    page = ada.context.new_page()
    files: list[Route] = []
    page.route(re.compile(rf"/htmx-rt-{part}\."), lambda route: files.append(route))
    page.goto(f"{bureau.address}/hx")
    page.wait_for_function(f"() => !!window.htmxRt?.rt?.{'sent' if part == 'drafts' else 'typed'}")
    if comes == "answered":  # and the form stays as it is
        page.locator("#f").evaluate("(form) => form.setAttribute('hx-swap', 'none')")
    bureau.status = 500 if comes == "refused" else 200
    answers: list[Route] = []
    page.route("**/plain", lambda route: answers.append(route))
    page.get_by_label("Name").fill("Ada")
    with page.expect_request("**/plain"):
        page.get_by_role("button", name="Save").click()
    if comes == "under way":
        let_go(page, files)
        ready(page)
        page.get_by_label("About").fill("And")  # typed since: that stays
        kept(page, "And")
    with page.expect_response("**/plain") as answer:
        let_go(page, answers)
    answer.value.finished()
    if comes == "under way":
        expect(page.get_by_label("Name")).to_have_value("")
        expect(page.get_by_label("About")).to_have_value("And")
        assert "Ada" not in page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])")
        return
    let_go(page, files)
    ready(page)
    if comes == "refused":
        return kept(page, "Ada")
    asked = leave_quietly(page)
    page.reload()
    assert asked == []
    expect(page.get_by_label("Name")).to_have_value("")


@pytest.mark.parametrize("status", [200, 500])
def test_what_the_browser_itself_sent_is_forgotten_when_taken(ada: Person, bureau: Bureau, status: int) -> None:
    page = ready(ada.open("/plain"))
    page.get_by_label("Name").fill("Ada")
    kept(page, "Ada")
    asked = leave_quietly(page)
    bureau.status = status
    with page.expect_navigation():
        page.get_by_role("button", name="Save").click()
    assert asked == []
    if status == 500:
        page.go_back()
        expect(page.get_by_label("Name")).to_have_value("Ada")
    else:
        ready(page)
        forgotten(page)
        expect(page.get_by_label("Name")).to_have_value("")


def test_the_server_rebuilds_what_it_needs(ada: Person, bureau: Bureau) -> None:
    page = ready(ada.open("/steps"))
    page.get_by_label("Note").fill("half")
    kept(page, "half")
    leave_quietly(page)
    for _ in range(2):  # what is rebuilt is no more saved than before
        page.reload()
        expect(page.get_by_text("Rebuilt")).to_be_visible()
        expect(page.get_by_label("Note")).to_have_value("half")
    assert bureau.sent == [{"note": ["half"]}] * 2
    page.evaluate("htmxRt.simulateDisconnect()")
    page.wait_for_selector("html[data-rt=disconnected]", state="attached")
    page.get_by_label("Note").fill("half done")
    with page.expect_response("**/rebuild"):
        page.evaluate("htmxRt.simulateDisconnect(false)")
    assert bureau.sent[-1] == {"note": ["half done"]}


def test_leaving_is_asked_about_only_while_there_is_something_to_lose(ada: Person, bureau: Bureau) -> None:
    page = ready(ada.open("/plain"))
    asked = leave_quietly(page)
    page.reload()
    ready(page)
    page.get_by_label("Name").click()  # browsers ask only people who were active
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Name").fill("")
    page.reload()
    ready(page)
    assert asked == []
    page.get_by_label("Name").click()
    page.get_by_label("Name").fill("Ada")
    page.get_by_role("link", name="Plain link").click()
    expect(page.get_by_role("heading", name="Other")).to_be_visible()
    assert asked == ["beforeunload"]
    page.goto(f"{bureau.address}/bare")
    for label in ("Search", "Left"):
        page.get_by_label(label).click()
        page.get_by_label(label).fill("x")
    page.reload()
    assert asked == ["beforeunload"]


@pytest.mark.parametrize(("role", "name"), [("link", "Boosted"), ("button", "Pushed")])
def test_htmx_asks_before_it_replaces_the_page(ada: Person, bureau: Bureau, role: str, name: str) -> None:
    page = ready(ada.open("/plain"))
    page.get_by_label("Name").fill("Ada")
    page.get_by_role(role, name=name).click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("not saved yet")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_label("Name")).to_have_value("Ada")
    page.get_by_role(role, name=name).click()
    dialog.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Other")).to_be_visible()
    page.go_back()
    expect(page.get_by_label("Name")).to_have_value("Ada")


@pytest.mark.parametrize(("role", "name"), [("link", "Boosted"), ("button", "Pushed")])
def test_nothing_is_asked_where_nothing_is_lost(ada: Person, bureau: Bureau, role: str, name: str) -> None:
    page = ready(ada.open("/plain"))
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Name").fill("")
    page.get_by_role(role, name=name).click()
    expect(page.get_by_role("heading", name="Other")).to_be_visible()


def test_going_back_asks_too(ada: Person, bureau: Bureau) -> None:
    page = ada.open("/other")
    page.get_by_role("link", name="Form").click()
    page.get_by_label("Name").fill("Ada")
    kept(page, "Ada")
    page.evaluate("history.back()")
    dialog = page.get_by_role("alertdialog")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    assert page.url.endswith("/plain")
    expect(page.get_by_label("Name")).to_have_value("Ada")
    page.evaluate("history.back()")
    dialog.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Other")).to_be_visible()
    assert page.url.endswith("/other")
    page.evaluate("history.forward()")
    expect(page.get_by_label("Name")).to_have_value("Ada")


SAVED = re.compile(r"Draft saved .*\d.*Discard")


def type_in(page: Page, label: str, text: str) -> None:
    page.get_by_label(label).press_sequentially(text)


def saved(page: Page) -> None:
    expect(page.locator(LINE)).to_have_text(SAVED)


def draft_of(bureau: Bureau) -> dict[str, list[str]]:
    """What the store holds of the one draft."""
    found = [json.loads(item.value) for key, item in bureau.rt.store._items.items() if key.startswith("draft:")]
    return found[0]["fields"] if found and not found[0]["ended"] else {}


def eventually(page: Page, check: Callable[[], bool]) -> None:
    """Wait, letting the browser go on, until the server is where it should be."""
    for _ in range(200):
        if check():
            return
        page.evaluate("new Promise((done) => setTimeout(done, 25))")
    raise AssertionError("not within 5 s")


@pytest.mark.parametrize("path", ["draft", "asked"])
def test_a_draft_is_saved_and_goes_to_another_device(
    ada: Person, bureau: Bureau, person: Callable[..., Person], path: str
) -> None:
    page = ready(ada.open(f"/{path}"))
    type_in(page, "Title", "Plan")
    type_in(page, "Story", "Once")
    saved(page)
    eventually(page, lambda: draft_of(bureau).get("story") == ["Once"])
    phone = ready(signed_in(person, bureau, viewport={"width": 375, "height": 700}).open(f"/{path}"))
    expect(phone.get_by_label("Title")).to_have_value("Plan")
    expect(phone.get_by_label("Story")).to_have_value("Once")
    saved(phone)
    other = ready(signed_in(person, bureau, "grace").open(f"/{path}"))
    expect(other.get_by_label("Title")).to_have_value("")


def test_typing_costs_two_requests_in_five_seconds(ada: Person, bureau: Bureau) -> None:
    page = ready(ada.open("/draft"))
    started = time.monotonic()
    times: list[float] = []
    page.on("request", lambda request: request.method == "PUT" and times.append(time.monotonic() - started))
    while time.monotonic() < started + 11:
        page.get_by_label("Story").press_sequentially("word ", delay=60)
        page.evaluate("new Promise((done) => setTimeout(done, 700))")  # somebody who thinks after each word
    assert 3 <= len(times) <= 5
    assert all(later - earlier > 2.4 for earlier, later in pairwise(times))


def test_a_page_that_goes_sends_what_is_not_saved_yet(ada: Person, bureau: Bureau) -> None:
    page = ready(ada.open("/draft"))
    page.get_by_label("Story").fill("the last words")
    page.goto(f"{bureau.address}/other")
    eventually(page, lambda: draft_of(bureau).get("story") == ["the last words"])
    page.goto(f"{bureau.address}/draft")
    expect(page.get_by_label("Story")).to_have_value("the last words")


@pytest.mark.parametrize("choice", ["Use it", "Keep mine"])
def test_a_newer_draft_is_never_overwritten_by_an_older_tab(ada: Person, bureau: Bureau, choice: str) -> None:
    old, new = ready(ada.open("/draft")), ready(ada.open("/draft"))
    type_in(new, "Story", "new")
    saved(new)
    type_in(old, "Story", "old")
    expect(old.locator(LINE)).to_contain_text("A newer draft from another window or device")
    assert draft_of(bureau)["story"] == ["new"]
    expect(old.get_by_label("Story")).to_have_value("old")
    old.get_by_role("button", name=choice).click()
    if choice == "Use it":
        expect(old.get_by_label("Story")).to_have_value("new")
        old.get_by_role("button", name="Undo").click()
        expect(old.get_by_label("Story")).to_have_value("old")
    saved(old)
    eventually(old, lambda: draft_of(bureau)["story"] == ["old"])


def test_after_a_submit_nothing_comes_late(ada: Person, bureau: Bureau) -> None:
    other = ready(ada.open("/draft"))
    page = ready(ada.open("/draft"))
    type_in(page, "Story", "done")
    saved(page)
    type_in(page, "Story", "!")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Thank you")).to_be_visible()
    eventually(page, lambda: draft_of(bureau) == {})
    forgotten(page)
    type_in(other, "Story", "late")
    expect(other.locator(LINE)).to_contain_text("Sent or discarded in another window")
    expect(other.get_by_label("Story")).to_have_value("late")
    assert draft_of(bureau) == {}
    other.get_by_role("button", name="Save as draft").click()
    saved(other)
    assert draft_of(bureau)["story"] == ["late"]
    page.reload()
    expect(page.get_by_label("Story")).to_have_value("late")


def test_what_the_browser_sends_itself_ends_the_draft(ada: Person, bureau: Bureau) -> None:
    page = ready(ada.open("/asked"))
    type_in(page, "Story", "done")
    saved(page)
    with page.expect_navigation():
        page.get_by_role("button", name="Send").click()
    ready(page)
    expect(page.get_by_label("Story")).to_have_value("")
    assert draft_of(bureau) == {}
    type_in(page, "Story", "next")
    saved(page)


def test_discard_can_be_taken_back(ada: Person, bureau: Bureau) -> None:
    page = ready(ada.open("/draft"))
    type_in(page, "Story", "dear")
    page.get_by_label("Agree").check()
    saved(page)
    page.reload()
    page.get_by_role("button", name="Discard").press("Enter")
    expect(page.locator(LINE)).to_contain_text("Draft discarded")
    expect(page.get_by_label("Story")).to_have_value("")
    expect(page.get_by_label("Agree")).not_to_be_checked()
    assert draft_of(bureau) == {}
    expect(page.get_by_role("button", name="Undo")).to_be_focused()
    page.get_by_role("button", name="Undo").press("Enter")
    expect(page.get_by_label("Story")).to_have_value("dear")
    saved(page)
    assert draft_of(bureau)["agree"] == ["yes"]


def test_the_line_tells_the_truth_when_the_store_fails(ada: Person, bureau: Bureau) -> None:
    page = ready(ada.open("/draft"))
    bureau.refuse = 503
    type_in(page, "Story", "kept")
    expect(page.locator(LINE)).to_have_text("Not saved, kept in this browser")
    kept(page, "kept", "localStorage")
    asked = leave_quietly(page)
    page.reload()
    assert asked == ["beforeunload"]
    expect(page.get_by_label("Story")).to_have_value("kept")
    bureau.refuse = None
    type_in(page, "Story", "!")
    saved(page)
    assert draft_of(bureau)["story"] == ["kept!"]


def test_the_line_tells_the_truth_when_nobody_keeps_it(ada: Person, bureau: Bureau) -> None:
    ada.context.add_init_script(
        "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }"
    )
    page = ready(ada.open("/draft"))
    bureau.refuse = 503
    type_in(page, "Story", "x")
    expect(page.locator(LINE)).to_contain_text("this browser cannot keep it")


def test_too_long_is_said_and_kept_here(ada: Person, bureau: Bureau) -> None:
    page = ready(ada.open("/draft"))
    page.get_by_label("Story").fill("x" * 300_000)
    expect(page.locator(LINE)).to_contain_text("Too long for a draft")
    kept(page, "x" * 300_000, "localStorage")
    page.get_by_label("Story").fill("short")
    saved(page)


def test_an_answer_that_was_lost_is_no_newer_draft(ada: Person, bureau: Bureau) -> None:
    page = ready(ada.open("/draft"))
    lost: list[int] = []

    def lose(route: Route) -> None:
        if route.request.method == "PUT" and not lost:
            lost.append(1)
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/drafts/*", lose)
    type_in(page, "Story", "one")
    expect(page.locator(LINE)).to_have_text("Not saved, kept in this browser")
    type_in(page, "Story", " two")
    saved(page)
    assert draft_of(bureau)["story"] == ["one two"]


def test_the_words_are_those_of_the_page(ada: Person, bureau: Bureau) -> None:
    page = ready(ada.open("/draft?lang=de"))
    type_in(page, "Story", "x")
    expect(page.locator(LINE)).to_contain_text("Entwurf gesichert")


@pytest.mark.parametrize("days", [1, -1], ids=["ahead", "behind"])
def test_a_clock_that_is_set_in_mid_page_holds_nothing_up(ada: Person, bureau: Bureau, days: int) -> None:
    ada.context.add_init_script("const now = Date.now; window.wrong = 0; Date.now = () => now() + window.wrong;")
    page = ready(ada.open("/draft"))
    type_in(page, "Story", "one")
    saved(page)
    page.evaluate("(days) => { window.wrong = days * 86_400_000; }", days)
    type_in(page, "Story", " two")
    kept(page, "one two")
    eventually(page, lambda: draft_of(bureau).get("story") == ["one two"])
    saved(page)
