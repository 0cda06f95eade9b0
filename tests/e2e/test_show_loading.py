"""The dashboard, the import and the chat as visitors see them: what is coming, what went wrong, what is new."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from .boardpage import PICTURES, STILL
from .boardserver import Board
from .conftest import Htmx
from .people import Person, until

Arrive = Callable[..., Person]

EXPECTED = (422, 502, "Response Status Error Code", "htmx:error: 422")
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


AT_THE_END = """() => {
  const el = document.getElementById("scroll");
  return el.scrollHeight - el.clientHeight - el.scrollTop < 40;
}"""


@pytest.fixture
def word(htmx: Htmx) -> str:
    """Something that nobody has said before, also when a test is tried again."""
    return f"{secrets.token_hex(3)} {htmx.major}"


@pytest.fixture(scope="module")
def slow_board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """One whose imports can be watched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMPORT_PAUSE", "0.3")
        board = Board(tmp_path_factory.mktemp("slow"))
    with board:
        yield board


@pytest.fixture
def come(person: Arrive, htmx: Htmx, board: Board) -> Callable[..., Person]:
    def come(who: str, at: Board = board, **options: object) -> Person:
        return person(at.address, htmx, **{"expected": EXPECTED} | options).sign_in(who)

    return come


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.evaluate(STILL)
        page.screenshot(path=str(Path(PICTURES) / f"loading-{name}.png"), full_page=True, caret="initial")


def csv(rows: int, *, wrong: int = 0) -> dict[str, object]:
    lines = [
        f"X-{number},Spoke 260 mm,Solin,{'dear' if number < wrong else '0.40'},{number % 90}" for number in range(rows)
    ]
    text = "sku,name,brand,price,stock\n" + "\n".join(lines)
    return {"name": "spokes.csv", "mimeType": "text/csv", "buffer": text.encode()}


# The dashboard


def test_parts_come_when_they_can_and_one_that_fails_says_so(come: Callable[..., Person], htmx: Htmx) -> None:
    page = come("ada").open("/dashboard")
    expect(page.locator("#sales dd")).to_have_count(4)
    expect(page.locator("#stock tbody tr")).to_have_count(5)
    expect(page.locator("#repairs .line")).to_have_count(5)
    retry = page.locator("#suppliers").get_by_role("button", name="Retry")
    expect(page.locator("#roads .sky")).to_be_visible()
    tries = 0
    while not page.locator("#suppliers .line").count() and tries < 3:
        expect(page.locator("#suppliers")).to_contain_text("Supplier prices could not be loaded.")
        picture(page, f"failed-{htmx.major}")
        with page.expect_response("**/dashboard/suppliers"):
            retry.press("Enter")
        expect(page.locator("#suppliers")).not_to_have_attribute("aria-busy", "true")
        tries += 1
    expect(page.locator("#suppliers .line")).to_have_count(3)
    picture(page, f"dashboard-{htmx.major}")


def test_what_takes_too_long_says_so_and_leaves_the_page_alone(come: Callable[..., Person]) -> None:
    page = come("grace").open("/lobby", clock=True)
    held: list[Route] = []
    page.route("**/dashboard/roads", lambda route: held.append(route))
    page.goto(urlsplit(page.url)._replace(path="/dashboard").geturl())
    expect(page.locator("#repairs .line")).to_have_count(5)
    expect(page.locator("#roads")).to_have_attribute("aria-busy", "true")
    page.clock.run_for(10_500)
    expect(page.locator("#roads")).to_contain_text("The answer took too long.")
    page.unroute("**/dashboard/roads")
    page.get_by_role("link", name="Whiteboard").click()  # and nothing holds it up
    expect(page.get_by_role("heading", name="Whiteboard")).to_be_visible()


def test_what_was_there_last_is_there_at_once(come: Callable[..., Person]) -> None:
    page = come("priya").open("/dashboard")
    expect(page.locator("#sales dd")).to_have_count(4)
    expect(page.locator("#stock tbody tr")).to_have_count(5)
    page.route("**/dashboard/s*", lambda route: None)
    page.reload()
    for name in ("sales", "stock"):
        expect(page.locator(f"#{name}")).to_have_attribute("data-updating", "Updating…")  # drawn by the style sheet
    expect(page.locator("#sales dd")).to_have_count(4)


def test_a_price_that_moves_lights_up(come: Callable[..., Person]) -> None:
    page = come("mei").open("/dashboard")
    expect(page.locator(".quote.rt-highlight").first).to_be_visible()
    before = page.locator(".quote").all_text_contents()
    page.wait_for_function(
        "(before) => [...document.querySelectorAll('.quote')].filter((el, at) => el.textContent !== before[at]).length >= 3",
        arg=before,
    )
    expect(page.locator(".quote")).to_have_count(8)


def test_open_orders_are_counted_in_the_page_and_its_title_for_everybody(come: Callable[..., Person]) -> None:
    mine, hers = come("ada").open("/dashboard"), come("grace").open("/dashboard")
    count = mine.locator(".order").count()
    hers.get_by_role("button", name="Take an order").click()
    for page in (mine, hers):
        expect(page.locator(".order")).to_have_count(count + 1)
        expect(page).to_have_title(f"({count + 1}) Dashboard · Kestrel Cycles")
        expect(page.locator("#rt-badge-orders")).to_contain_text(str(count + 1))
    mine.locator(".order button").first.click()
    for page in (mine, hers):
        expect(page.locator(".order")).to_have_count(count)
        expect(page).to_have_title(f"({count}) Dashboard · Kestrel Cycles" if count else "Dashboard · Kestrel Cycles")


def test_the_form_of_a_test_ride_says_at_once_what_does_not_go(come: Callable[..., Person], htmx: Htmx) -> None:
    page = come("jonas").open("/dashboard/rides")
    taken = page.locator("#rides .line", has_text="Heron").locator("time").first.get_attribute("datetime") or ""
    page.fill("#email", "nora@")
    page.press("#email", "Tab")
    expect(page.locator("#rt-error-email")).to_have_text("An address such as nora@example.org.")
    expect(page.locator("#rt-error-name")).to_be_empty()  # nobody has been there yet
    page.fill("#email", f"nora{htmx.major}@example.org")
    expect(page.locator("#rt-error-email")).to_be_empty()
    page.select_option("#bike", "Heron")
    page.fill("#height", "171")
    page.fill("#day", taken[:10])
    page.select_option("#time", taken[11:])
    expect(page.locator("#rt-error-time")).to_contain_text(f"The Heron is out at {taken[11:]}.")
    page.get_by_role("button", name="Book").click()
    expect(page.locator("#rt-error-name")).to_have_text("Who is going to ride?")
    expect(page.locator("#name")).to_be_focused()
    picture(page, f"ride-{htmx.major}")
    page.fill("#name", f"Nora {htmx.major}")
    page.select_option("#time", "16:00" if htmx.major == 4 else "16:30")
    expect(page.locator("#rt-error-time")).to_be_empty()
    page.get_by_role("button", name="Book").click()
    expect(page.locator("#rides")).to_contain_text(f"Nora {htmx.major}")
    expect(page.locator(".rt-toast")).to_contain_text(f"Nora {htmx.major} rides the Heron")


# The import


def test_an_import_is_seen_by_a_colleague_and_its_end_on_any_page(
    come: Callable[..., Person], slow_board: Board, htmx: Htmx
) -> None:
    ada = come("ada", slow_board)
    page, elsewhere = ada.open("/import"), ada.open("/")
    hers = come("grace", slow_board, viewport={"width": 375, "height": 800}, color_scheme="dark").open("/import")
    page.set_input_files("[rt-upload]", csv(15_000, wrong=3))
    page.get_by_role("button", name="Look at it").click()
    page.get_by_role("button", name="Import 15,000 rows").click()
    mine = page.locator(".rt-task[data-state=running]")
    theirs = hers.locator(".rt-task[data-state=running]")
    expect(theirs).to_contain_text("Importing spokes.csv")
    expect(theirs).to_contain_text("by Ada Okafor")
    expect(theirs.get_by_role("button", name="Cancel")).to_be_hidden()
    expect(theirs).to_contain_text(re.compile(r"[1-9],?000 of 15,000"))
    expect(mine.get_by_role("button", name="Cancel")).to_be_visible()
    picture(page, f"import-{htmx.major}")
    picture(hers, f"import-colleague-{htmx.major}")
    page.reload()
    expect(mine.locator(".rt-task-percent")).to_have_text(re.compile(r"[1-9]\d%"))  # the first paint knows
    expect(elsewhere.locator(".rt-toast")).to_contain_text("Importing spokes.csv", timeout=20_000)
    expect(page.locator(".import-totals .is-late dd")).to_have_text("3")
    expect(page.locator("#import")).to_contain_text("“dear” is no price.")
    expect(hers.locator(".list-row").first).to_contain_text("Imported")
    picture(page, f"imported-{htmx.major}")


def test_an_import_is_cancelled_by_keyboard_and_begun_again(
    come: Callable[..., Person], slow_board: Board, htmx: Htmx
) -> None:
    page = come("mateo", slow_board).open("/import")
    page.set_input_files("[rt-upload]", csv(20_000))
    page.get_by_role("button", name="Look at it").press("Enter")
    page.get_by_role("button", name="Import 20,000 rows").press("Enter")
    running = page.locator(".rt-task[data-state=running]")
    expect(running).to_contain_text(re.compile(r"[1-9],?000 of 20,000"))
    running.get_by_role("button", name="Cancel").press("Enter")
    expect(page.locator("#import")).to_contain_text("of 20,000 rows are in")
    expect(page.locator(".rt-task[data-state=cancelled]")).not_to_have_count(0)
    picture(page, f"import-cancelled-{htmx.major}")
    page.get_by_role("button", name="Start again").press("Enter")
    expect(running).to_be_visible()
    expect(page.locator(".import-totals")).to_be_visible(timeout=30_000)
    new, again = (int(text.replace(",", "")) for text in page.locator(".import-totals dd").all_text_contents()[:2])
    assert new + again == 20_000


def test_an_import_whose_server_is_killed_is_interrupted(
    person: Arrive, htmx: Htmx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPORT_PAUSE", "0.3")
    with Board(tmp_path) as board:
        ada = person(board.address, htmx, expected=EXPECTED).sign_in("ada")
        page = ada.open("/import")
        page.set_input_files("[rt-upload]", csv(40_000))
        page.get_by_role("button", name="Look at it").click()
        page.get_by_role("button", name="Import 40,000 rows").click()
        expect(page.locator(".rt-task[data-state=running]")).to_contain_text(re.compile(r"[1-9],?000 of 40,000"))
        board.kill()
        board.start()
        until(page, "connected")
        expect(page.locator(".rt-task")).to_have_attribute("data-state", "interrupted", timeout=40_000)
        expect(page.locator("#import")).to_contain_text("Interrupted", timeout=20_000)
        picture(page, f"import-interrupted-{htmx.major}")
        expect(page.get_by_role("button", name="Start again")).to_be_visible()


# The chat


def say(page: Page, text: str) -> None:
    page.fill("#text", text)
    page.press("#text", "Enter")


def message(page: Page, text: str) -> Locator:
    return page.locator(".message[id]", has_text=text)


def test_two_people_talk(come: Callable[..., Person], htmx: Htmx, word: str) -> None:
    mine, hers = come("ada").open("/chat/shop"), come("grace").open("/chat/shop")
    mine.wait_for_function(AT_THE_END)
    hers.locator("#text").press_sequentially("Nearly ther")
    expect(mine.locator(".rt-typing")).to_contain_text("Grace")
    say(hers, f"Nearly there {word}")
    for page in (mine, hers):
        expect(message(page, f"Nearly there {word}")).to_have_count(1)
        expect(page.locator(".rt-avatar")).to_have_count(2)
    expect(hers.locator("#text")).to_have_value("")
    mine.wait_for_function(AT_THE_END)
    picture(mine, f"chat-{htmx.major}")


def test_a_message_is_there_before_the_server_has_answered(come: Callable[..., Person], htmx: Htmx, word: str) -> None:
    page = come("ada").open("/chat/workshop")
    held: list[Route] = []
    page.route(
        "**/chat/workshop", lambda route: held.append(route) if route.request.method == "POST" else route.continue_()
    )
    say(page, f"At once {word}")
    expect(page.locator(".message", has_text=f"At once {word}")).to_contain_text("Sending…")
    expect(page.locator("#text")).to_have_value("")
    held[0].continue_()
    expect(message(page, f"At once {word}")).to_have_count(1)
    expect(page.locator(".message", has_text=f"At once {word}")).to_have_count(1)


def test_what_was_said_before_is_read_upwards_and_what_is_new_is_counted(
    come: Callable[..., Person], htmx: Htmx, word: str
) -> None:
    mine, hers = come("mei").open("/chat/shop"), come("grace").open("/chat/shop")
    before = mine.locator(".message").count()
    mine.locator("#scroll").hover()
    mine.mouse.wheel(0, -5000)
    expect(mine.locator(".message").nth(before)).to_be_attached()
    mine.evaluate("document.getElementById('scroll').scrollTop = 300")
    place = "() => [...document.querySelectorAll('.message')].find((el) => el.getBoundingClientRect().top > 250).id"
    reading = mine.evaluate(place)
    for number in range(3):
        say(hers, f"New {word} {number}")
        expect(message(hers, f"New {word} {number}")).to_be_visible()
    chip = mine.get_by_role("button", name="3 new")
    expect(chip).to_be_visible()
    assert mine.evaluate(place) == reading
    picture(mine, f"chat-new-{htmx.major}")
    chip.press("Enter")
    mine.wait_for_function(AT_THE_END)
    expect(message(mine, f"New {word} 2")).to_be_visible()


def test_a_mention_finds_whoever_is_meant_on_any_page(come: Callable[..., Person], htmx: Htmx, word: str) -> None:
    priya = come("priya", viewport={"width": 375, "height": 800})
    board = priya.open("/")
    unread = int(board.locator("#pages .rt-badge").get_attribute("rt-badge") or 0)
    mine = come("ada").open("/chat/workshop")
    say(mine, f"@Priya, the invoice {word}?")
    expect(board.locator("#pages .rt-badge")).to_contain_text("9+" if unread > 8 else str(unread + 1))
    expect(board.locator("#rt-badge-bell")).to_contain_text("1")
    board.locator(".rt-bell-button").click()
    note = board.locator(".rt-bell-note", has_text=f"the invoice {word}?")
    expect(note).to_contain_text("Ada mentioned you in Workshop")
    picture(board, f"bell-{htmx.major}")
    note.click()
    expect(message(board, f"the invoice {word}?")).to_be_in_viewport()
    expect(board.locator("#rt-badge-bell")).to_be_hidden()
    expect(board.locator("#rt-badge-room-workshop")).to_be_hidden()


def test_files_are_seen_before_they_are_sent_and_then_by_everybody(
    come: Callable[..., Person], htmx: Htmx, word: str
) -> None:
    mine, hers = come("ada").open("/chat/shop"), come("grace").open("/chat/shop")
    files = [
        {"name": f"bell {htmx.major}.png", "mimeType": "image/png", "buffer": PIXEL},
        {"name": "prices.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"},
    ]
    mine.set_input_files("#say [rt-upload]", files)
    expect(mine.locator(".rt-upload-file")).to_have_count(2)
    expect(mine.locator("canvas.rt-upload-thumb").first).to_be_visible()
    picture(mine, f"chat-files-{htmx.major}")
    say(mine, f"Two files {word}")
    for page in (mine, hers):
        here = message(page, f"Two files {word}")
        expect(here.locator("img")).to_have_attribute("alt", f"bell {htmx.major}.png")
        expect(here).to_contain_text("prices.csv")
        page.wait_for_function("() => [...document.querySelectorAll('.message-files img')].at(-1).naturalWidth === 1")
    expect(mine.locator(".rt-upload-file")).to_have_count(0)


def test_what_is_said_without_a_line_arrives_once_when_it_is_back(
    come: Callable[..., Person], htmx: Htmx, word: str
) -> None:
    ada = come(
        "ada",
        expected=(
            *EXPECTED,
            "net::ERR_INTERNET_DISCONNECTED",
            "Failed to fetch",
            "htmx:sendError",
            "htmx:afterRequest",
        ),
    )
    mine, hers = ada.open("/chat/shop"), come("grace").open("/chat/shop")
    ada.context.set_offline(True)
    mine.locator("#cut").click()
    for number in range(2):
        say(mine, f"From the cellar {word} {number}")
        expect(mine.locator(".message", has_text=f"From the cellar {word} {number}")).to_contain_text("Waiting…")
    picture(mine, f"chat-waiting-{htmx.major}")
    ada.context.set_offline(False)
    mine.locator("#cut").click()
    for page in (mine, hers):
        expect(message(page, f"From the cellar {word}")).to_have_count(2, timeout=30_000)
        assert [
            text[-1] for text in message(page, f"From the cellar {word}").locator(".message-text").all_text_contents()
        ] == ["0", "1"]


# Everywhere


def test_it_all_works_without_scripts(come: Callable[..., Person], slow_board: Board, htmx: Htmx) -> None:
    page = come("jonas", slow_board, java_script_enabled=False).context.new_page()
    page.goto(f"{slow_board.address}/dashboard")
    picture(page, f"plain-dashboard-{htmx.major}")
    page.get_by_role("link", name="Repair queue").click()
    expect(page.locator(".lines .line")).to_have_count(5)
    page.get_by_role("link", name="Dashboard").first.click()
    orders = page.locator(".order").count()
    page.get_by_role("button", name="Take an order").click()
    expect(page.locator(".order")).to_have_count(orders + 1)
    page.get_by_role("link", name="Book a test ride").click()
    page.get_by_role("button", name="Book").click()
    expect(page.get_by_text("Who is going to ride?")).to_be_visible()

    page.get_by_role("link", name="Import").click()
    page.set_input_files("input[type=file]", csv(12_000))
    page.get_by_role("button", name="Look at it").click()
    page.get_by_role("button", name="Import 12,000 rows").click()
    page.reload()
    page.get_by_role("link", name=re.compile("Importing spokes.csv")).first.click()
    expect(page.get_by_role("heading", name="Importing spokes.csv")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()

    page.goto(f"{slow_board.address}/chat/shop")
    picture(page, f"plain-chat-{htmx.major}")
    expect(page.locator(".message").last).to_be_in_viewport()
    page.get_by_role("link", name=re.compile("[Ee]arlier|[Oo]lder")).click()
    expect(page.get_by_role("link", name="Newest messages")).to_be_visible()
    page.get_by_role("link", name="Newest messages").click()
    page.fill("#text", f"Without scripts {htmx.major}")
    page.set_input_files("#say input[type=file]", {"name": "note.txt", "mimeType": "text/plain", "buffer": b"hello"})
    page.get_by_role("button", name="Send").click()
    expect(message(page, f"Without scripts {htmx.major}")).to_contain_text("note.txt")


@pytest.mark.parametrize("width", [1280, 860, 375])
def test_pages_fit_the_screen_and_the_navigation_shows_where_one_is(come: Callable[..., Person], width: int) -> None:
    somebody = come("grace", viewport={"width": width, "height": 800}, reduced_motion="reduce")
    page = somebody.open("/")
    for path in ("/dashboard", "/dashboard/rides", "/import", "/chat/shop", "/whiteboard", "/lobby", "/"):
        page.goto(somebody.address + path)
        until(page, "connected")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            expect(page.locator(".pages a")).to_have_count(8)
            expect(page.locator(".pages [aria-current]")).to_be_in_viewport(ratio=1)
            boxes = [box for one in page.locator(".top > *").all() if (box := one.bounding_box())]
            assert all(box["x"] >= -8 and box["x"] + box["width"] <= width + 8 for box in boxes), path
            picture(page, f"{path.strip('/').replace('/', '-') or 'board'}-{width}-{scheme}")
