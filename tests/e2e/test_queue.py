"""Actions kept on the device: what is kept, in which order it is sent, and that each is done once."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from .conftest import CHROMIUM_FLAGS, Htmx
from .desk import Desk, Sent, add, bar, entries, offline, open_desk, refusal, send_now, sign_in, sign_out
from .people import Person

# What the browser and htmx themselves say of requests that fail.
EXPECTED = (
    401, 403, 409, 422, 500, 503, "net::ERR_FAILED", "htmx:sendError", "htmx:responseError", "htmx:error: Failed to fetch",
    "htmx:afterRequest,", "Response Status Error Code",
)  # fmt: skip


@pytest.fixture
def desk(live: Callable[..., str], htmx: Htmx) -> Iterator[Desk]:
    desk = Desk(htmx=htmx.major)
    desk.address = live(desk.app)
    yield desk


@pytest.fixture
def ada(person: Callable[..., Person], desk: Desk) -> Person:
    """Somebody signed in as Ada."""
    ada = person(desk.address, expected=EXPECTED)
    sign_in(ada, "ada")
    return ada


def test_offline_then_the_bar_then_online_then_applied_once_and_swapped(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    add(page, "zero")
    expect(page.locator("#notes li")).to_have_text(["zero"])
    offline(ada.context)
    add(page, "one", "two", "three")
    expect(bar(page)).to_have_text("3 changes waiting")
    expect(page.locator("html")).to_have_attribute("data-rt-queue", "3")
    assert desk.values() == ["zero"]
    offline(ada.context, False)
    expect(page.locator("#notes li")).to_have_text(["zero", "one", "two", "three"])
    expect(bar(page)).to_have_text("All changes are sent")
    expect(page.locator("#rt-queue")).to_be_hidden()
    assert desk.values() == ["zero", "one", "two", "three"]
    assert len({sent.key for sent in desk.sent}) == 4
    assert entries(page) == []
    assert page.locator("html").get_attribute("data-rt-queue") is None


def test_what_fails_on_the_way_is_kept_with_its_id(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    keys: list[str] = []

    def lose(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        route.abort()

    page.route("**/notes", lose)
    add(page, "one")
    expect(bar(page)).to_have_text("1 change waiting")
    page.unroute("**/notes")
    send_now(page)
    expect(page.locator("#notes li")).to_have_text(["one"])
    assert [sent.key for sent in desk.sent] == [keys[0]]


def test_done_by_the_server_and_the_answer_lost(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)

    def answer_lost(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/notes", answer_lost, times=1)
    with page.expect_response(lambda response: response.url.endswith("/notes")) as answer:
        add(page, "one")
    assert answer.value.headers["idempotency-replayed"] == "true"
    assert answer.value.request.headers["idempotency-key"] == desk.sent[0].key
    expect(page.locator("#notes li")).to_have_text(["one"])
    assert desk.values() == ["one"]


def test_a_server_that_is_away_is_asked_again_when_it_says(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    answers = iter([refusal(503, "limited", **{"Retry-After": "1"})])
    desk.fault = lambda sent: next(answers, None)
    add(page, "one")
    expect(bar(page)).to_have_text("1 change waiting")
    expect(page.locator("#notes li")).to_have_text(["one"])
    assert len({sent.key for sent in desk.sent}) == 1 and len(desk.sent) == 2


def test_in_order_within_a_resource_and_past_a_conflict_in_another(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    panel = '<section id="task-1"><p>Grace saved this meanwhile</p></section>'
    desk.fault = lambda sent: refusal(409, "stale", panel) if sent.value == "mine" else None
    offline(ada.context)
    page.get_by_label("Name 1").fill("mine")
    page.get_by_role("button", name="Save 1").click()
    page.get_by_label("Name 1").fill("mine again")
    page.get_by_role("button", name="Save 1").click()
    page.get_by_label("Name 2").fill("other")
    page.get_by_role("button", name="Save 2").click()
    add(page, "note")
    expect(bar(page)).to_have_text("4 changes waiting")
    offline(ada.context, False)
    expect(page.locator("#task-2.saved")).to_have_text("other")
    expect(page.locator("#notes li")).to_have_text(["note"])
    expect(bar(page)).to_have_text("1 change waiting · 1 needs you")
    # Online by now: what comes after it waits behind it all the same.
    page.get_by_label("Name 1").fill("third")
    page.get_by_role("button", name="Save 1").click()
    expect(bar(page)).to_have_text("2 changes waiting · 1 needs you")
    assert desk.values("/tasks/1") == ["mine"]
    page.get_by_role("button", name="Details").click()
    page.get_by_role("button", name="Discard").first.click()
    expect(page.locator("#task-1.saved")).to_have_text("third")
    assert desk.values("/tasks/1") == ["mine", "mine again", "third"]


def test_the_conflict_of_a_kept_action_is_settled_on_the_page(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    panel = (
        '<form id="task-1" hx-post="/tasks/1" hx-target="this" hx-swap="outerHTML" rt-queue><label>Theirs '
        '<input name="name" value="theirs"></label><button>Save the merge</button></form>'
    )
    desk.fault = lambda sent: refusal(409, "stale", panel) if sent.value == "mine" else None
    offline(ada.context)
    page.get_by_label("Name 1").fill("mine")
    page.get_by_role("button", name="Save 1").click()
    expect(bar(page)).to_have_text("1 change waiting")
    offline(ada.context, False)
    expect(bar(page)).to_have_text("1 needs you")
    page.get_by_role("button", name="Details").click()
    expect(page.locator(".rt-queue-reason")).to_have_text("Somebody else changed this while you were away.")
    page.get_by_role("button", name="Review").click()
    expect(page.get_by_label("Theirs")).to_be_focused()
    page.get_by_label("Theirs").fill("merged")
    page.get_by_role("button", name="Save the merge").click()
    expect(page.locator("#task-1.saved")).to_have_text("merged")
    expect(page.locator("#rt-queue")).to_be_hidden()
    assert entries(page) == []


def test_fifty_with_a_conflict_a_sign_out_a_closed_tab_and_a_second_one(desk: Desk, ada: Person) -> None:
    page, second = open_desk(ada), open_desk(ada)
    offline(ada.context)
    for number in range(1, 51):
        if number % 5 == 2:
            page.get_by_label("Name 1").fill(f"{number}")
            page.get_by_role("button", name="Save 1").click()
        else:
            add(page, f"{number}")
    expect(bar(page)).to_have_text("50 changes waiting")
    expect(bar(second)).to_have_text("50 changes waiting")
    assert desk.sent == []
    at_ten, go_on = threading.Event(), threading.Event()
    signed_out = [True]

    def fault(sent: Sent) -> object:
        if sent.value == "7":
            return refusal(409, "stale", "<p>theirs</p>")
        if sent.value == "20" and signed_out[0]:
            return refusal(401, "signed-out")
        if sent.value == "10" and not at_ten.is_set():
            at_ten.set()
            assert go_on.wait(10)
        return None

    desk.fault = fault  # type: ignore[assignment]
    offline(ada.context, False)
    assert at_ten.wait(10)
    page.close()
    go_on.set()
    expect(bar(second)).to_have_text(re.compile("Sign in again to send them"))
    signed_out[0] = False
    second.evaluate("htmxRt.rt.events.emit('stream:state', {state: 'disconnected', why: ''})")
    second.evaluate("htmxRt.rt.connection.tell()")
    expect(bar(second)).to_have_text("8 changes waiting · 1 needs you")
    second.get_by_role("button", name="Details").click()
    second.get_by_role("button", name="Discard").first.click()
    expect(second.locator(".rt-queue-item")).to_have_count(1)  # the discarded one, which can be brought back
    first = list(dict.fromkeys(sent.value for sent in desk.sent))
    notes = [n for n in first if int(n) % 5 != 2]
    tasks = [n for n in first if int(n) % 5 == 2]
    assert notes == [str(n) for n in range(1, 51) if n % 5 != 2]
    assert tasks == [str(n) for n in range(2, 51, 5)]
    assert desk.notes == notes  # each applied once
    assert entries(second) == []


def test_a_reload_keeps_them_and_their_answers_are_swapped_in(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    page.route("**/notes", lambda route: route.abort())
    add(page, "one", "two")
    expect(bar(page)).to_have_text("2 changes waiting")
    page.reload()
    expect(bar(page)).to_have_text("2 changes waiting")
    page.unroute("**/notes")
    send_now(page)
    expect(page.locator("#notes li")).to_have_text(["one", "two"])
    assert desk.values() == ["one", "two"]


def test_another_tab_sends_and_the_first_one_shows(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    page.route("**/notes", lambda route: route.abort())
    add(page, "one")
    expect(bar(page)).to_have_text("1 change waiting")
    second = open_desk(ada, "/elsewhere")
    expect(page.locator("#notes li")).to_have_text(["one"])
    expect(page.locator("#rt-queue")).to_be_hidden()
    expect(second.locator("#notes li")).to_have_count(0)
    assert desk.values() == ["one"]


def test_a_restart_of_the_browser(desk: Desk, browser: Browser, tmp_path: Path, errors: list[str]) -> None:
    def start() -> BrowserContext:
        return browser.browser_type.launch_persistent_context(
            tmp_path, executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS, headless=True
        )

    with start() as context:
        ada = Person(context, desk.address, errors, version=str(desk.htmx))
        sign_in(ada, "ada")
        cookies = context.cookies()
        page = open_desk(ada)
        offline(context)
        add(page, "one", "two")
        expect(bar(page)).to_have_text("2 changes waiting")
    assert desk.sent == []
    with start() as context:
        context.add_cookies(cookies)  # of the session, which a browser may restore
        ada = Person(context, desk.address, errors, version=str(desk.htmx))
        page = ada.open("/")
        expect(page.locator("#notes li")).to_have_text(["one", "two"])
    assert desk.values() == ["one", "two"]


def test_nothing_of_one_person_is_sent_for_another(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    offline(ada.context)
    add(page, "of ada", "more of ada")
    expect(bar(page)).to_have_text("2 changes waiting")
    offline(ada.context, False)
    page.wait_for_function("() => document.documentElement.dataset.rtQueue === undefined")
    page.route("**/notes", lambda route: route.abort())
    add(page, "last of ada")
    expect(bar(page)).to_have_text("1 change waiting")
    sign_out(ada)
    page.close()
    before = len(desk.sent)
    page = open_desk(ada, state=None)  # nobody listens to anything
    expect(bar(page)).to_have_text("1 change is kept for Ada.")
    sign_in(ada, "bob")
    page.reload()
    expect(bar(page)).to_have_text("1 change is kept for Ada.")
    page.get_by_role("button", name="Details").click()
    expect(page.locator("#rt-queue-panel")).to_contain_text("They are sent when Ada signs in here again.")
    expect(page.locator("#rt-queue-panel")).not_to_contain_text("last of ada")
    add(page, "of bob")
    expect(page.locator("#notes li")).to_have_text(["of ada", "more of ada", "of bob"])
    assert [sent.value for sent in desk.sent[before:]] == ["of bob"]
    sign_in(ada, "ada")
    page.reload()
    expect(page.locator("#notes li").last).to_have_text("last of ada")
    assert [(sent.value, sent.who) for sent in desk.sent[before:]] == [("of bob", "bob"), ("last of ada", "ada")]


def test_a_page_of_somebody_who_signed_out_sends_nothing(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    offline(ada.context)
    add(page, "one")
    expect(bar(page)).to_have_text("1 change waiting")
    sign_in(ada, "bob")  # in another tab
    offline(ada.context, False)
    expect(bar(page)).to_have_text("1 change waiting. Sign in again to send them.")
    assert desk.sent == []
    sign_in(ada, "ada")
    page.reload()
    expect(page.locator("#notes li")).to_have_text(["one"])


def test_an_action_refused_for_want_of_a_sign_in_is_kept(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    sign_out(ada)
    add(page, "one")
    expect(bar(page)).to_have_text("1 change waiting. Sign in again to send them.")
    sign_in(ada, "ada")
    page.reload()
    expect(page.locator("#notes li")).to_have_text(["one"])


def test_a_fresh_csrf_token_is_read_when_it_is_sent(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    page.route("**/notes", lambda route: route.abort())
    add(page, "one")
    expect(bar(page)).to_have_text("1 change waiting")
    assert '"one"]' in str(entries(page)).replace("'", '"') and ["csrf_token", "one"] not in entries(page)[0]["pairs"]
    desk.token = "two"
    page.reload()
    expect(bar(page)).to_have_text("1 change waiting")
    desk.token = "three"
    desk.fault = lambda sent: refusal(403) if sent.token != "three" else None
    page.unroute("**/notes")
    send_now(page)
    expect(page.locator("#notes li")).to_have_text(["one"])
    assert [sent.token for sent in desk.sent] == ["two", "three"]
    assert len({sent.key for sent in desk.sent}) == 1


def test_a_page_to_sign_in_is_no_answer(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    page.route("**/notes", lambda route: route.abort())
    add(page, "one")
    expect(bar(page)).to_have_text("1 change waiting")
    page.unroute("**/notes")
    login = "<!doctype html><html><head><title>Sign in</title></head><body><form></form></body></html>"
    page.route("**/notes", lambda route: route.fulfill(body=login, content_type="text/html"))
    send_now(page)
    expect(bar(page)).to_have_text("1 change waiting. Sign in again to send them.")
    assert len(entries(page)) == 1


@pytest.mark.parametrize(
    ("form", "word"), [("upload", "files cannot be kept"), ("secret", "a password, which is not kept")]
)
def test_what_is_not_kept_fails_plainly_and_says_why(desk: Desk, ada: Person, form: str, word: str) -> None:
    page = open_desk(ada)
    offline(ada.context)
    if form == "upload":
        page.get_by_label("File").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"a"})
        page.get_by_role("button", name="Upload").click()
    else:
        page.get_by_label("Password").fill("hunter2")
        page.get_by_role("button", name="Set").click()
    expect(page.locator(".rt-toast")).to_contain_text(word)
    assert entries(page) == []
    expect(page.locator("#rt-queue")).to_be_hidden()


def test_an_irreversible_action_is_never_kept(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    offline(ada.context)
    page.get_by_role("button", name="Pay").click()
    page.wait_for_function("() => true")
    assert entries(page) == []
    assert any("never kept for later" in error for error in ada.errors)
    ada.errors[:] = [error for error in ada.errors if "never kept for later" not in error]


def test_a_full_queue_says_so(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    offline(ada.context)
    add(page, "one")
    expect(bar(page)).to_have_text("1 change waiting")
    page.evaluate(
        """async () => {
          const open = indexedDB.open(`rt-${htmxRt.rt.config.name}`);
          await new Promise((done) => (open.onsuccess = done));
          const store = open.result.transaction("queue", "readwrite").objectStore("queue");
          const [entry] = await new Promise((done) => (store.getAll().onsuccess = (event) => done(event.target.result)));
          for (let n = 2; n <= 200; n += 1) store.put({ ...entry, seq: n, action: `copy-${n}` });
          await new Promise((done) => (store.transaction.oncomplete = done));
        }"""
    )
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")  # looks again
    expect(bar(page)).to_have_text("200 changes waiting")
    add(page, "too many")
    expect(page.locator(".rt-toast")).to_contain_text("too many changes are waiting")
    assert len(entries(page)) == 200


def test_an_action_of_an_element_without_the_attribute_is_not_kept(desk: Desk, ada: Person) -> None:
    page = open_desk(ada)
    page.route("**/plain", lambda route: route.abort())
    page.get_by_role("button", name="Plain").click()
    add(page, "one")
    expect(page.locator("#notes li")).to_have_text(["one"])
    assert entries(page) == []
