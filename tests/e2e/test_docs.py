"""The examples of the documentation in a browser, on both versions of htmx: what their pages say happens, happens."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Page, Route, expect

from .conftest import ROOT, Htmx
from .people import Person

EXAMPLES = ROOT / "docs" / "examples"


class Example(NamedTuple):
    app: ModuleType
    url: str


Start = Callable[..., Example]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, live: Callable[..., str], htmx: Htmx) -> Start:
    """`start("undo")` starts one as its reader would, in a folder of its own, with the htmx of the test."""

    def begin(name: str, file: str = "app.py", **server: Any) -> Example:
        folder = shutil.copytree(EXAMPLES / name, tmp_path / name)
        for template in folder.rglob("*.html"):
            text = template.read_text("utf-8")
            template.write_text(text.replace("rt.head(htmx=4)", f"rt.head(htmx={htmx.major})"), "utf-8")
        monkeypatch.chdir(folder)
        monkeypatch.setenv("RT_SECRET", "a-secret-of-32-bytes-or-more-for-tests")
        monkeypatch.setenv("RT_STORE", f"sqlite:///{folder}/rt.db")
        monkeypatch.setenv("DATABASE", f"{folder}/docs.db")
        module = f"docs_in_browser_{name}"
        spec = importlib.util.spec_from_file_location(module, folder / file)
        assert spec is not None
        assert spec.loader is not None
        app = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, module, app)
        spec.loader.exec_module(app)
        return Example(app, live(app.app, **server))

    return begin


@pytest.fixture(autouse=True)
def told(open_page: Callable[..., Page], errors: list[str]) -> Iterator[None]:
    """The browser and htmx 2 write every failure into the console, and here many are meant."""
    yield
    errors[:] = [error for error in errors if not re.match("Failed to load|Response Status|htmx", error)]


def slow(page: Page, ms: int = 2000) -> None:
    """Be far away, as the pages advise."""
    page.wait_for_function("!!window.htmxRt?.simulateLatency")
    page.evaluate(f"htmxRt.simulateLatency({ms})")


def there(page: Page, name: str) -> None:
    """Wait until a file that the page fetches by need has come, and has run."""
    page.wait_for_function(
        "(name) => performance.getEntriesByType('resource').some((one) => one.name.includes(name))", arg=name
    )
    page.evaluate(
        """async (name) => {
          await import(performance.getEntriesByType("resource").find((one) => one.name.includes(name)).name);
          await new Promise((done) => setTimeout(done)); // whoever asked for it goes on first
        }""",
        name,
    )


def test_a_tick_shows_before_the_server_has_answered(start: Start, page: Page) -> None:
    app, url = start("optimistic")
    page.goto(url)
    slow(page)
    row = page.locator("#task-1")
    row.get_by_role("button", name="Done").click()
    expect(row).to_contain_class("done rt-pending")
    assert not app.tasks[1].done
    expect(row).to_have_class("done")
    assert app.tasks[1].done


def test_five_likes_are_five(start: Start, page: Page) -> None:
    app, url = start("optimistic")
    page.goto(url)
    slow(page, 300)
    for _ in range(5):
        page.locator("#task-2").get_by_role("button", name="Like").click()
    expect(page.locator("#task-2 output")).to_have_text("5")
    expect(page.locator("#task-2 .rt-pending")).to_have_count(0)
    expect(page.locator("#task-2 output")).to_have_text("5")
    assert app.tasks[2].likes == 5


def test_what_was_refused_comes_back_with_the_reason(start: Start, page: Page) -> None:
    app, url = start("optimistic")
    app.tasks[2].likes = 1
    page.goto(url)
    slow(page, 500)
    page.locator("#task-2").get_by_role("button", name="Delete").click()
    expect(page.locator("#task-2")).to_have_count(0)
    expect(page.locator("#task-1 + #task-2 + #task-3")).to_be_visible()
    expect(page.locator(".rt-toast")).to_contain_text("Somebody likes this one.")


def test_what_was_written_is_never_lost(start: Start, page: Page) -> None:
    _, url = start("optimistic")
    page.goto(url)
    slow(page, 500)
    page.get_by_label("Task").fill("Water <plants>")
    page.get_by_role("button", name="Add").click()
    expect(page.locator("[rt-tmp]")).to_have_text("Water <plants>Sending…")
    expect(page.locator("#task-4")).to_contain_text("Water <plants>")
    expect(page.locator("#tasks > li")).to_have_count(4)
    expect(page.get_by_label("Task")).to_have_value("")
    page.get_by_label("Task").fill("x" * 41)
    page.get_by_role("button", name="Add").click()
    item = page.locator("[rt-tmp].rt-failed")
    expect(item).to_contain_text("At most 40 characters, please.")
    item.get_by_role("button", name="Discard").click()
    expect(page.locator("#tasks > li")).to_have_count(4)


def test_a_row_is_moved_by_the_keyboard(start: Start, page: Page) -> None:
    app, url = start("optimistic")
    page.goto(url)
    slow(page, 500)
    there(page, "move.mjs")
    page.locator("#task-1 [rt-handle]").focus()
    for key in ("Space", "ArrowDown", "ArrowDown", "Space"):
        page.keyboard.press(key)
    expect(page.locator("#tasks > li:nth-child(3)")).to_have_id("task-1")
    expect(page.locator("#tasks > .rt-pending")).to_have_count(0)
    expect(page.locator("#tasks > li:nth-child(3)")).to_have_id("task-1")
    assert app.tasks[1].place == 4


def test_undo_takes_it_back(start: Start, page: Page, open_page: Callable[..., Page]) -> None:
    app, url = start("undo")
    page.goto(url)
    stranger = page.context.browser.new_page()  # type: ignore[union-attr]
    stranger.goto(url)
    page.locator("#task-1").get_by_role("button", name="Delete").click()
    expect(page.locator("#task-1")).to_have_count(0)
    expect(stranger.locator("#task-1")).to_contain_text("is being deleted")
    page.reload()
    expect(page.locator("#task-1")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    for one in (page, stranger):
        expect(one.locator("#task-1").get_by_role("button", name="Delete")).to_be_visible()
    assert 1 in app.tasks
    stranger.close()


def test_undo_without_javascript(start: Start, page: Page) -> None:
    app, url = start("undo")
    plain = page.context.browser.new_page(java_script_enabled=False)  # type: ignore[union-attr]
    plain.goto(url)
    plain.locator("#task-1").get_by_role("button", name="Delete").click()
    expect(plain.locator("#task-1")).to_have_count(0)
    plain.get_by_role("button", name="Undo").click()
    expect(plain.locator("#task-1")).to_be_visible()
    assert 1 in app.tasks
    plain.close()


def test_what_is_saved_offline_waits_and_is_sent(start: Start, page: Page) -> None:
    app, url = start("offline")
    page.goto(url)
    page.wait_for_function("document.documentElement.dataset.rt === 'connected'")
    page.context.set_offline(True)
    for room, reading in (1, "12"), (2, "7"):
        page.locator(f"#read-{room} input").fill(reading)
        page.locator(f"#read-{room} button").click()
        expect(page.locator(f"#room-{room} output")).to_have_text(reading)
    expect(page.locator("#rt-queue")).to_contain_text("2 changes waiting")
    page.get_by_role("button", name="Details").click()
    expect(page.locator("#rt-queue-panel")).to_contain_text("Save the reading of Cellar")
    assert app.rooms[1].reading == 0
    page.context.set_offline(False)
    expect(page.locator("#rt-queue")).to_contain_text("All changes are sent")
    expect(page.locator("html")).not_to_have_attribute("data-rt-queue", "2")
    assert (app.rooms[1].reading, app.rooms[2].reading, app.rooms[1].version) == (12, 7, 2)


def test_what_was_refused_when_it_was_sent_is_listed(start: Start, page: Page) -> None:
    app, url = start("offline")
    app.rooms[1].reading = 50
    page.goto(url)
    page.wait_for_function("document.documentElement.dataset.rt === 'connected'")
    page.context.set_offline(True)
    page.locator("#read-1 input").fill("12")
    page.locator("#read-1 button").click()
    expect(page.locator("#rt-queue")).to_contain_text("1 change waiting")
    page.context.set_offline(False)
    expect(page.locator("#rt-queue")).to_contain_text("1 needs you")
    expect(page.locator("#room-1 output")).to_have_text("50")
    page.get_by_role("button", name="Details").click()
    expect(page.locator("#rt-queue-panel")).to_contain_text("A meter does not run backwards.")


def test_a_button_says_what_it_does(start: Start, page: Page) -> None:
    app, url = start("errors")
    page.goto(url)
    slow(page, 800)
    page.get_by_label("Customer").fill("Initech")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="Saving…")).to_have_attribute("aria-disabled", "true")
    expect(page.locator("aside")).to_contain_class("rt-loading rt-submit-loading")
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_visible()
    expect(page.locator("aside")).not_to_have_attribute("class", "rt-loading")
    assert app.invoices[7].customer == "Initech"
    page.get_by_label("Customer").fill(" ")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#rename [role=alert]")).to_have_text("Whose invoice is it?")


def test_a_spinner_alone_where_something_small_is_fetched(start: Start, page: Page) -> None:
    _, url = start("errors")
    page.goto(url)
    slow(page, 800)
    page.get_by_label("Currency").select_option("CHF")
    expect(page.locator("span[rt-loading-for]")).to_be_visible()
    expect(page.locator("output")).to_have_text("112.80 Fr.")
    expect(page.locator("span[rt-loading-for]")).to_be_hidden()


def test_what_must_not_happen_twice_is_asked_first(start: Start, page: Page) -> None:
    app, url = start("errors")
    page.goto(url)
    slow(page, 800)
    send = page.locator("#send button")
    send.click()
    question = page.get_by_role("alertdialog")
    expect(question).to_contain_text("Send invoice 7 to Acme?")
    expect(question.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(question).to_have_count(0)
    send.click()
    question.get_by_role("button", name="Continue").click()
    expect(page.locator("#send .rt-spinner")).to_be_visible()
    expect(page.locator("#send")).to_have_text("Sent")
    assert app.invoices[7].sent


def test_a_time_out_says_so_and_retry_is_safe(start: Start, page: Page) -> None:
    app, url = start("exactly_once")
    page.goto(url)
    page.wait_for_function("document.documentElement.dataset.rtLatency")
    lost: list[str] = []

    def lose(route: Route) -> None:
        """The server does it, and its answer never comes."""
        lost.append(route.request.headers["idempotency-key"])
        route.fetch() if len(lost) == 1 else None
        route.abort() if len(lost) == 1 else route.continue_()

    page.route("**/orders", lose)
    page.get_by_role("button", name="Order").click()
    expect(page.get_by_text("The server could not be reached.")).to_be_visible()
    page.get_by_role("button", name="Retry").click()
    expect(page.locator("#orders > li")).to_have_text(["Paper"])
    assert (app.orders, lost[0]) == (["Paper"], lost[1])


def test_a_page_knows_how_far_away_it_is(start: Start, page: Page) -> None:
    _, url = start("latency")
    page.goto(url)
    slow(page, 400)
    page.get_by_role("button", name="Show the report").click()
    expect(page.locator("html")).to_have_attribute("data-rt-latency", "high")
    expect(page.locator(".patience")).to_be_visible()


def test_a_section_shows_its_readers_and_the_site_counts_them(start: Start, person: Callable[..., Person]) -> None:
    _, url = start("sections")
    ada = person(url).open("/handbook/till?as=ada")
    expect(ada.locator(".rt-avatars li")).to_have_count(1)
    guard = person(url).open("/visitors")
    rows = guard.locator(".rt-stats-people tbody tr")
    expect(rows).to_contain_text(["/handbook/till", "/visitors"])
    ada.goto(f"{url}/handbook/bikes?as=ada")
    expect(rows.filter(has_text="ada")).to_contain_text("/handbook/bikes")
    ada.close(run_before_unload=True)
    expect(rows).to_have_count(1)


@pytest.fixture
def beside(page: Page) -> Iterator[Callable[..., Page]]:
    """`beside("Grace")` is the page of somebody else, who has another browser."""
    others: list[Page] = []

    def beside(person: str, **options: bool) -> Page:
        other = page.context.browser.new_page(**options)  # type: ignore[union-attr]
        others.append(other)
        return sign_in(other, person)

    yield beside
    for other in others:
        other.context.close()


def sign_in(page: Page, person: str) -> Page:
    page.context.add_cookies([{"name": "person", "value": person, "url": "http://127.0.0.1"}])
    return page


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()


def test_two_people_save_the_same_field(start: Start, page: Page, beside: Callable[..., Page]) -> None:
    _, url = start("conflict")
    ada, grace = sign_in(page, "Ada"), beside("Grace")
    for one in (ada, grace):
        one.goto(url + "/docs/7/edit")
        one.wait_for_function("document.documentElement.dataset.rt === 'connected'")
    grace.route("**/_rt/stream", lambda route: route.abort())
    grace.reload()  # what Ada does is not told here
    ada.get_by_label("Title").fill("Ada’s plan")
    save(ada)
    expect(ada.locator("[name=lock_version]")).to_have_value("2")
    grace.get_by_label("Title").fill("Grace’s plan")
    grace.get_by_label("Stock").fill("4")
    save(grace)
    panel = grace.get_by_role("alertdialog")
    expect(panel).to_contain_text("Ada changed this while you were writing")
    expect(panel.get_by_role("group")).to_have_count(1)
    panel.get_by_label("Keep mine").check()
    save(grace)
    expect(panel).to_have_count(0)
    expect(grace.get_by_label("Title")).to_have_value("Grace’s plan")
    expect(ada.get_by_label("Title")).to_have_value("Grace’s plan")
    expect(ada.get_by_label("Stock")).to_have_value("4")


def test_what_somebody_saves_comes_into_open_forms(start: Start, page: Page, beside: Callable[..., Page]) -> None:
    _, url = start("conflict")
    ada, grace = sign_in(page, "Ada"), beside("Grace")
    for one in (ada, grace):
        one.goto(url + "/docs/7/edit")
        one.wait_for_function("document.documentElement.dataset.rt === 'connected'")
    ada.get_by_label("Title").fill("Ada’s plan")
    grace.get_by_label("Title").fill("Grace’s plan")
    grace.get_by_label("Tags").fill("shop")
    save(grace)
    expect(ada.get_by_label("Tags")).to_have_value("shop")
    expect(ada.locator("[name=title]")).to_have_value("Ada’s plan")
    expect(ada.locator("form")).to_contain_text("Grace changed this to")


def test_a_form_saves_field_by_field(start: Start, page: Page) -> None:
    _, url = start("conflict")
    page.goto(url + "/docs/7/fields")
    page.wait_for_function("document.documentElement.dataset.rt === 'connected'")
    page.get_by_label("Title").fill("New plan")
    page.get_by_label("Tags").focus()
    expect(page.locator("form")).to_contain_text("Saved")
    page.goto(url + "/docs/7")
    expect(page.locator("h1")).to_have_text("New plan")


def test_what_is_deleted_elsewhere_is_not_lost(start: Start, page: Page, beside: Callable[..., Page]) -> None:
    _, url = start("conflict")
    reader, writer = beside("Grace"), beside("Ada")
    for one, path in ((page, "/docs/7"), (reader, "/docs/7/edit"), (writer, "/docs/7/edit")):
        one.goto(url + path)
        one.wait_for_function("document.documentElement.dataset.rt === 'connected'")
    writer.get_by_label("Title").fill("Ada’s plan")
    page.get_by_role("button", name="Delete").click()
    expect(writer.locator("form")).to_contain_text("deleted this while you were writing")
    reader.wait_for_url(url + "/")
    writer.get_by_role("button", name="Restore as new").click()
    expect(writer.get_by_role("link", name="Ada’s plan")).to_be_visible()


def test_two_people_without_javascript(start: Start, page: Page, beside: Callable[..., Page]) -> None:
    _, url = start("conflict")
    ada, grace = (beside(name, java_script_enabled=False) for name in ("Ada", "Grace"))
    for one in (ada, grace):
        one.goto(url + "/docs/7/edit")
        one.get_by_label("Title").fill(f"Plan of {one.context.cookies()[0]['value']}")
    save(ada)
    save(grace)
    expect(grace.get_by_role("heading")).to_contain_text("Ada changed this")
    grace.get_by_label("Keep mine").check()
    save(grace)
    expect(grace.locator("h1")).to_contain_text("Plan of Grace")


def test_one_writes_and_the_other_reads_until_the_lock_is_free(
    start: Start, page: Page, beside: Callable[..., Page]
) -> None:
    _, url = start("conflict", "raw_sql.py")
    ada, grace = sign_in(page, "Ada"), beside("Grace")
    for one in (ada, grace):
        one.goto(url + "/docs/7")
        one.wait_for_function("document.documentElement.dataset.rt === 'connected'")
    ada.get_by_label("Title").fill("Ada’s plan")
    expect(grace.locator(".rt-lease")).to_contain_text("Ada is editing")
    expect(grace.get_by_label("Title")).not_to_be_editable()
    ada.get_by_role("button", name="Save and let others edit").click()
    expect(grace.get_by_label("Title")).to_be_editable()
    expect(grace.get_by_label("Title")).to_have_value("Ada’s plan")


def test_a_page_keeps_its_place(start: Start, page: Page) -> None:
    _, url = start("place")
    page.goto(url)
    there(page, "htmx-rt-place.mjs")
    page.get_by_label("Status").select_option("ordered")
    expect(page.locator("#parts li")).to_have_text(["Inner tube", "Spoke"])
    expect(page).to_have_url(re.compile("status=ordered$"))  # after the list is there
    page.get_by_role("tab", name="Returns").click()
    page.locator("#shelf-a summary").click()
    expect(page).to_have_url(re.compile("status=ordered&tab=returns$"))
    page.reload()
    expect(page.locator("#parts li")).to_have_text(["Inner tube", "Spoke"])
    expect(page.locator("#returns")).to_be_visible()
    expect(page.locator("#terms")).to_be_hidden()
    expect(page.locator("#shelf-a")).to_have_attribute("open", "")


def test_a_form_that_loses_nothing(start: Start, page: Page) -> None:
    _, url = start("drafts")
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"{url}/apply")
    page.get_by_label("Name").press_sequentially("Ada")
    page.get_by_label("Tuesday").check()
    expect(page.locator(".rt-draft")).to_contain_text("Draft saved")
    page.get_by_label("Reason").press_sequentially("Rain")
    page.reload()
    expect(page.get_by_label("Name")).to_have_value("Ada")
    expect(page.get_by_label("Reason")).to_have_value("Rain")
    expect(page.get_by_label("Tuesday")).to_be_checked()
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("heading")).to_have_text("Thank you")
    page.goto(f"{url}/apply")
    expect(page.get_by_label("Reason")).to_have_value("")
    page.goto(f"{url}/parcel")
    page.get_by_label("Country").press_sequentially("Norway")
    page.wait_for_function("() => Object.values(localStorage).some((value) => value.includes('Norway'))")
    page.reload()
    expect(page.get_by_text("customs")).to_be_visible()
    expect(page.get_by_label("Country")).to_have_value("Norway")


def test_a_claim_with_photographs(start: Start, page: Page) -> None:
    app, url = start("uploads")
    page.goto(url)
    field, send = page.locator("input[rt-upload]"), page.get_by_role("button", name="Send")
    field.set_input_files(
        [{"name": "roof.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 " + b"x" * 3_000_000}]
    )
    send.click()
    expect(page.get_by_role("alert").filter(has_text="Please say")).to_be_visible()
    expect(page.locator(".rt-upload-file")).to_contain_text("Ready")
    page.get_by_label("What happened?").fill("Hail")
    send.click()
    expect(page.get_by_role("listitem").filter(has_text="Hail")).to_have_text("Hail: roof.pdf")
    expect(page.locator(".rt-upload-file")).to_have_count(0)
    assert [path.stat().st_size for path in app.pictures.iterdir()] == [3_000_009]
    page.goto(f"{url}/avatar")
    field.set_input_files([{"name": "me.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n" + bytes(92)}])
    expect(page.locator("#said")).to_have_text("1 picture of 100 bytes")


def test_a_long_list_and_what_is_new_in_it(start: Start, page: Page, beside: Callable[..., Page]) -> None:
    _, url = start("lists")
    page.goto(url)
    page.wait_for_function("document.documentElement.dataset.rt === 'connected'")
    expect(page.locator("#rt-more-orders button")).to_have_text("Load more")
    while page.locator("#rt-more-orders button").count():
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.evaluate("new Promise((done) => requestAnimationFrame(done))")
    expect(page.locator("#orders > li")).to_have_count(50)
    page.evaluate("scrollTo(0, 500)")
    other = beside("Grace")
    other.goto(url)
    other.get_by_label("Bicycle").fill("Tandem")
    other.get_by_role("button", name="Order").click()
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    expect(page.locator("#rt-badge-orders")).to_contain_text("51")
    page.get_by_role("button", name="1 new").click()
    expect(page.get_by_text("Tandem")).to_be_in_viewport()
    other.locator("#order-50 button").click()
    expect(page.locator("#order-50")).to_have_class("rt-highlight")
    expect(page.locator("#order-50 em")).to_have_text("done")


def test_a_room_and_what_is_unread_in_it(start: Start, page: Page, beside: Callable[..., Page]) -> None:
    _, url = start("lists")
    page.goto(url + "/room")
    page.wait_for_function("document.documentElement.dataset.rt === 'connected'")
    expect(page.get_by_text("Message 60")).to_be_in_viewport()
    page.locator(".room").evaluate("(room) => (room.scrollTop = 0)")
    expect(page.get_by_text("Message 21", exact=True)).to_be_attached()
    expect(page.get_by_text("Message 41", exact=True)).to_be_in_viewport()


def test_whoever_is_mentioned_sees_it_behind_the_bell(start: Start, person: Callable[..., Person]) -> None:
    _, url = start("notifications")
    ada, grace = person(url, expected=(404,)), person(url, expected=(404,))
    for one, name in ((ada, "ada"), (grace, "grace")):
        one.context.add_cookies([{"name": "who", "value": name, "url": url}])
    hers, mine = grace.open("/"), ada.open("/tasks/7")
    mine.get_by_label("Comment").fill("Ask @grace")
    mine.get_by_role("button", name="Add").click()
    expect(hers.locator("#rt-badge-bell")).to_have_attribute("rt-badge", "2")
    hers.locator("summary").click()
    hers.get_by_role("link", name="ada mentioned you").click()
    expect(hers.get_by_role("heading", name="Call the printer")).to_be_visible()
    expect(hers.locator("#rt-badge-bell")).to_have_attribute("rt-badge", "1")


def test_a_form_is_checked_while_it_is_filled_in(start: Start, page: Page) -> None:
    _, url = start("validation")
    page.goto(f"{url}/signup")
    there(page, "htmx-rt-validate.mjs")
    page.get_by_label("Email", exact=True).press_sequentially("ada@example.org", delay=20)
    expect(page.locator("[rt-field-error=email]")).to_have_text("Somebody has signed up with this address.")
    expect(page.locator("[rt-field-error=name]")).to_have_text("")
    page.get_by_role("button", name="Sign up").click()
    expect(page.locator("[rt-field-error=plan]")).to_have_text("Choose a plan.")
    expect(page.get_by_label("Name")).to_be_focused()
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Email", exact=True).fill("new@example.org")
    page.get_by_label("Email, once more").fill("new@example.org")
    page.get_by_label("gold").check()
    expect(page.locator("[rt-field-error=plan]")).to_have_text("")
    page.get_by_role("button", name="Sign up").click()
    expect(page.locator("#form")).to_have_text("Welcome.")


def test_what_takes_time_comes_by_itself(start: Start, open_page: Callable[..., Page]) -> None:
    """docs/howto/loading.md"""
    app, url = start("loading")
    page = open_page(url)
    expect(page.locator("#sales b")).to_have_text("42")
    expect(page.locator("#repairs li b")).to_have_text(["Kestrel Tour", "Kestrel Cargo"])
    expect(page.locator("#suppliers p")).to_have_text("Supplier prices could not be loaded. The server had a problem.")
    page.click("#suppliers button")
    expect(page.locator("#suppliers td").first).to_have_text("Chain")
    app.REPAIRS.pop()
    app.rt.changed("repair", 2, "deleted")
    expect(page.locator("#repairs li b")).to_have_text(["Kestrel Tour"])
    app.slow = 60
    page.reload()
    expect(page.locator("#sales")).to_have_class(re.compile("rt-region-updating"))
    expect(page.locator("#sales b")).to_have_text("42")  # what was there last


def test_how_far_an_import_is_and_how_it_ends(
    start: Start, person: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/howto/progress.md"""
    monkeypatch.setenv("PAUSE", "0.1")
    app, url = start("progress")
    ada, grace = person(url, expected=(404,)), person(url, expected=(404,))
    for one, name in ((ada, "ada"), (grace, "grace")):
        one.context.add_cookies([{"name": "who", "value": name, "url": url}])
    hers, others = ada.open("/imports"), grace.open("/imports")
    hers.get_by_label("Rows").fill("\n".join(f"Part {n}, 1.50" for n in range(200)))
    hers.get_by_role("button", name="Import", exact=True).click()
    bar = others.get_by_role("progressbar", name="Importing prices")
    expect(bar).to_have_attribute("aria-valuetext", re.compile("[1-9]"))
    expect(others.get_by_role("button", name="Cancel")).to_have_count(0)  # it is not hers
    hers.get_by_role("button", name="Cancel").click()
    for page in (hers, others):
        expect(page.locator(".rt-task-note")).to_contain_text("Cancelled")
    assert len(app.prices) < 200
    hers.get_by_label("Rows").fill("Bell, 9\nChain, dear")
    hers.get_by_role("button", name="Import", exact=True).click()
    expect(others.locator(".rt-task-note").filter(has_text="Failed: Row 2 has no price.")).to_be_visible()


def test_people_in_a_room_wave_to_each_other_from_a_script(
    start: Start, page: Page, beside: Callable[..., Page]
) -> None:
    _, url = start("room", ws="websockets-sansio")
    people = sign_in(page, "Ada"), beside("Grace")
    for one in people:
        one.goto(url)
        expect(one.locator("html")).to_have_attribute("data-rt-line", "socket")
        expect(one.locator("html")).to_have_attribute("data-rt", "connected")
    page.get_by_role("button", name="Wave").click()
    expect(people[1].locator("output")).to_have_text("Ada: left")
    people[1].get_by_role("button", name="bell").click()
    for one in people:
        expect(one.locator("output")).to_have_text("The server: bell")
