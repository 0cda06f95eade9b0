"""Files in a browser: seen, stopped, gone on with, and handed over with their form, on both versions of htmx."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from htmx_rt.exceptions import BadUpload

from .conftest import Htmx
from .lab import Lab


def png() -> bytes:
    """A picture of one grey pixel."""
    parts = {b"IHDR": struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0), b"IDAT": zlib.compress(b"\0\x80"), b"IEND": b""}
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts.items()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


KB = 1024
FORM = """<form id="post" {how}><label>Text <input name="text"></label>{{{{ rt.file_input("files"{options}) }}}}
<button id="send">Send</button><button type="reset">Clear</button></form><div id="out"></div>"""
HTMX = 'hx-post="/send" hx-target="#out"'
PLAIN = 'method="post" action="/send" enctype="multipart/form-data"'


class Post:
    """A form with files, and what its handler got."""

    def __init__(self, lab: Lab, address: str) -> None:
        self.lab = lab
        self.address = address
        self.got: list[tuple[str, str, int]] = []
        self.contents: list[bytes] = []
        self.texts: list[object] = []
        self.types: list[str] = []
        self.refuse = 0  # of the next forms, after their files were taken
        lab.post("/send", self.send)

    async def send(self, request: Request) -> Response:
        self.types.append(request.headers["content-type"].partition(";")[0])
        async with request.form() as form:
            self.texts.append(form.get("text"))
            assert not form.getlist("files") or not self.types[-1].endswith("urlencoded")
            try:
                files = await self.lab.rt.uploads.consume(form, "files")
            except BadUpload as error:
                return HTMLResponse(f"Refused: {error}", error.status)
            if self.refuse:
                self.refuse -= 1
                return HTMLResponse("Say more.", 422)
            for one in files:
                self.got.append((one.name, one.type, one.size))
                self.contents.append(one.path.read_bytes())
        return HTMLResponse(f"<p>Got {', '.join(name for name, *_ in self.got)}</p>")

    def open(self, page: Page, options: str = "", how: str = HTMX, path: str = "/form") -> None:
        self.lab.page(path, FORM.format(how=how, options=options))
        page.goto(self.address + path)
        expect(page.locator(".rt-upload-live")).to_be_visible()


@pytest.fixture
def post(htmx: Htmx, live: Callable[..., str], tmp_path: Path) -> Post:
    lab = Lab(htmx=htmx.major, uploads=tmp_path / "uploads", limits={"upload_chunk": 64 * KB, "upload_reserve": 1})
    return Post(lab, live(lab.app))


@pytest.fixture(autouse=True)
def told(open_page: Callable[..., Page], errors: list[str]) -> Iterator[None]:
    """The browser writes every failed request into the console, and here they are meant."""
    yield
    errors[:] = [error for error in errors if not re.match("Failed to load|Response Status|htmx:", error)]


def chosen(name: str = "a.txt", size: int = 10, kind: str = "text/plain", body: bytes | None = None) -> dict[str, Any]:
    return {"name": name, "mimeType": kind, "buffer": body if body is not None else b"x" * size}


def choose(page: Page, *files: dict[str, Any]) -> None:
    page.locator("input[rt-upload]").set_input_files(list(files))


def item(page: Page, name: str) -> Any:
    return page.locator(".rt-upload-file", has_text=name)


class Slow:
    """A line on which pieces wait until the test lets them through."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.waiting: list[Route] = []
        self.holding = True
        page.route(re.compile(re.escape(address) + "/_rt/uploads/.*"), self._handle)

    def _handle(self, route: Route) -> None:
        if self.holding and route.request.method == "PATCH":
            self.waiting.append(route)
        else:
            route.continue_()

    def arrive(self, count: int = 1) -> None:
        """Wait until so many pieces are on their way."""
        for _ in range(500):
            if len(self.waiting) >= count:
                return
            self.page.wait_for_timeout(20)
        raise AssertionError("no piece came")

    def one(self) -> None:
        self.arrive()
        self.waiting.pop(0).continue_()

    def open(self) -> None:
        self.holding = False
        while self.waiting:
            self.waiting.pop(0).continue_()


@pytest.mark.parametrize(
    "how", [HTMX, PLAIN, PLAIN.replace(' enctype="multipart/form-data"', "")], ids=["htmx", "plain", "plain-urlencoded"]
)
def test_files_are_there_before_the_form_and_go_with_it_once(post: Post, page: Page, how: str) -> None:
    post.open(page, how=how)
    choose(page, chosen("a.txt", 200 * KB), chosen("a.txt", 5), chosen("empty.txt", 0))
    expect(page.locator(".rt-upload-file[data-state=done]")).to_have_count(3)
    assert post.got == []
    page.get_by_label("Text").fill("hello")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("p", has_text="Got")).to_have_text("Got a.txt, a (2).txt, empty.txt")
    assert [size for *_, size in post.got] == [200 * KB, 5, 0]
    assert post.texts == ["hello"]
    if how == HTMX:
        expect(page.locator(".rt-upload-file")).to_have_count(0)
        page.get_by_role("button", name="Send").click()
        expect(page.locator("#out")).to_contain_text("Got")
        assert len(post.got) == 3


def test_the_form_waits_for_its_files_and_need_not(post: Post, page: Page) -> None:
    post.open(page)
    slow = Slow(page, post.address)
    choose(page, chosen("a.txt", 256 * KB))
    slow.one()
    slow.arrive()
    send = page.locator("#send")
    send.click()
    expect(send).to_have_text("Uploading… 25 %")
    expect(send).to_have_attribute("aria-busy", "true")
    send.click()  # again changes nothing
    page.get_by_role("button", name="Do not send the form").click()
    expect(send).to_have_text("Send")
    expect(send).to_be_focused()
    send.press("Enter")
    slow.one()
    expect(send).to_have_text("Uploading… 50 %")
    assert post.types == []
    slow.open()
    expect(page.locator("#out")).to_have_text("Got a.txt")
    expect(send).to_have_text("Send")
    assert len(post.types) == 1


def test_a_button_that_sends_by_itself_waits_too(post: Post, page: Page) -> None:
    body = FORM.replace(
        '<button id="send">',
        '<button id="send" type="button" hx-post="/send" hx-target="#out" hx-include="closest form">',
    )
    post.lab.page("/button", body.format(how="", options=""))
    page.goto(post.address + "/button")
    slow = Slow(page, post.address)
    choose(page, chosen("a.txt", 128 * KB))
    slow.arrive()
    page.locator("#send").click()
    expect(page.locator("#send")).to_have_text("Uploading… 0 %")
    slow.open()
    expect(page.locator("#out")).to_have_text("Got a.txt")


def test_a_form_that_goes_by_itself_goes_when_its_files_are_there(post: Post, page: Page) -> None:
    post.open(page, how=HTMX + ' hx-trigger="change"')
    slow = Slow(page, post.address)
    choose(page, chosen("a.txt", 128 * KB), chosen("b.txt"))
    slow.arrive(2)
    assert post.types == []
    slow.open()
    expect(page.locator("#out")).to_have_text("Got a.txt, b.txt")
    assert len(post.types) == 1


def test_a_file_is_taken_back_by_keyboard_and_nothing_of_it_stays(post: Post, page: Page, tmp_path: Path) -> None:
    post.open(page)
    slow = Slow(page, post.address)
    choose(page, chosen("a.txt", 256 * KB), chosen("b.txt", 256 * KB), chosen("c.txt"))
    slow.arrive(2)
    cancel = page.get_by_role("button", name="Cancel: a.txt")
    cancel.focus()
    with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        cancel.press("Enter")
    expect(page.get_by_role("button", name="Cancel: b.txt")).to_be_focused()
    expect(page.locator(".rt-upload-file")).to_have_count(2)
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator(".rt-upload-file")).to_have_count(0)
    expect(page.locator("input[rt-upload]")).to_be_focused()
    slow.open()
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#out")).to_contain_text("Got")
    assert post.got == []


def test_a_line_that_drops_costs_one_piece(post: Post, page: Page) -> None:
    post.open(page)
    offsets: list[int] = []
    dropped: list[int] = []

    def unreliable(route: Route) -> None:
        offset = int(route.request.headers.get("upload-offset", "-1"))
        if route.request.method == "PATCH" and offset >= 128 * KB and len(dropped) < 3:
            dropped.append(offset)
            return route.abort("connectionreset")
        offsets.append(offset)
        return route.continue_()

    page.route(re.compile(r".*/_rt/uploads/.*"), unreliable)
    choose(page, chosen("a.txt", 256 * KB))
    expect(item(page, "a.txt")).to_contain_text("Waiting for the connection…")
    expect(item(page, "a.txt")).to_have_attribute("data-state", "done", timeout=20_000)
    assert [offset // KB for offset in offsets if offset >= 0] == [0, 64, 128, 192]
    assert dropped == [128 * KB] * 3


def test_whoever_comes_back_goes_on_where_they_were(post: Post, page: Page, tmp_path: Path) -> None:
    file = tmp_path / "film.bin"
    file.write_bytes(bytes(range(256)) * 1024)
    post.open(page)
    slow = Slow(page, post.address)
    page.locator("input[rt-upload]").set_input_files(file)
    slow.one()
    slow.arrive()
    page.reload()
    slow.waiting.clear()
    page.locator("input[rt-upload]").set_input_files(file)
    expect(item(page, "film.bin")).to_contain_text("Continues at 25 %")
    slow.arrive()
    assert slow.waiting[0].request.headers["upload-offset"] == str(64 * KB)
    slow.open()
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#out")).to_have_text("Got film.bin")
    assert post.contents == [file.read_bytes()]


def test_the_same_file_in_two_tabs_is_two_files(post: Post, open_page: Callable[..., Page], tmp_path: Path) -> None:
    file = tmp_path / "film.bin"
    file.write_bytes(b"x" * 128 * KB)
    pages = [open_page(), open_page()]
    slows = []
    for page in pages:
        post.open(page)
        slows.append(Slow(page, post.address))
        page.locator("input[rt-upload]").set_input_files(file)
        slows[-1].arrive()
    for page, slow in zip(pages, slows, strict=True):
        slow.open()
        page.get_by_role("button", name="Send").click()
        expect(page.locator("#out")).to_contain_text("Got film.bin")
    assert [size for *_, size in post.got] == [128 * KB] * 2


def test_what_does_not_fit_is_said_before_a_byte_is_sent(post: Post, page: Page) -> None:
    post.open(page, ', accept=".csv,image/*", max_size="1 kB", max_files=4')
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/_rt/uploads" in request.url else None)
    choose(page, chosen("a.exe"), chosen("b.csv", 1001, "text/csv"))
    expect(item(page, "a.exe")).to_contain_text("not a kind of file that is taken here")
    expect(item(page, "b.csv")).to_contain_text("larger than 1 kB")
    expect(page.locator("#rt-live")).to_contain_text("a.exe: not a kind of file")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".rt-upload-line")).to_have_text("Remove what cannot be sent, or try it again.")
    expect(page.get_by_role("button", name="Remove: a.exe")).to_be_focused()
    assert asked == post.types == []
    # Choosing better ones takes the place of those.
    choose(page, *(chosen(f"{n}.csv", 10, "text/csv") for n in range(6)))
    expect(page.locator(".rt-upload-file[data-state=done]")).to_have_count(4)
    expect(page.locator(".rt-upload-line")).to_have_text("2 more were not taken. 4 files are the most.")


DROP = """([selector, count, name, kind]) => {
  const data = new DataTransfer();
  for (let n = 0; n < count; n++) data.items.add(new File(["x".repeat(20)], name.replace("#", n), {type: kind}));
  const begun = performance.now();
  for (const type of ["dragover", "drop"]) {
    document.querySelector(selector).dispatchEvent(new DragEvent(type, {bubbles: true, cancelable: true, dataTransfer: data}));
  }
  return performance.now() - begun;
}"""


def test_ten_thousand_files_dropped_at_once_do_not_hold_the_page(post: Post, page: Page) -> None:
    post.open(page, ", max_files=20")
    took = page.evaluate(DROP, [".rt-upload", 10_000, "#.txt", "text/plain"])
    assert took < 500
    expect(page.locator(".rt-upload-file[data-state=done]")).to_have_count(20)
    expect(page.locator(".rt-upload-line")).to_have_text("9980 more were not taken. 20 files are the most.")


def test_files_dropped_beside_the_field_do_not_take_the_page_away(post: Post, page: Page) -> None:
    post.open(page)
    page.evaluate(DROP, ["#out", 1, "a.txt", "text/plain"])
    prevented = page.evaluate("""() => {
      const data = new DataTransfer();
      data.items.add(new File(["x"], "a.txt"));
      const event = new DragEvent("dragover", {bubbles: true, cancelable: true, dataTransfer: data});
      document.body.dispatchEvent(event);
      return event.defaultPrevented;
    }""")
    assert prevented
    expect(page.locator(".rt-upload-file")).to_have_count(0)


PASTE = """([selector, text]) => {
  const data = new DataTransfer();
  data.items.add(new File(["x"], "image.png", {type: "image/png"}));
  if (text) data.setData("text/plain", text);
  const event = new ClipboardEvent("paste", {bubbles: true, cancelable: true, clipboardData: data});
  document.querySelector(selector).dispatchEvent(event);
  return event.defaultPrevented;
}"""


def test_a_picture_is_pasted_but_text_goes_where_it_belongs(post: Post, page: Page) -> None:
    post.open(page)
    assert not page.evaluate(PASTE, ["[name=text]", "words"])
    assert page.evaluate(PASTE, ["[name=text]", ""])
    expect(item(page, "image.png")).to_have_attribute("data-state", "done")
    expect(page.locator(".rt-upload-file")).to_have_count(1)


def test_pictures_are_seen_under_a_strict_policy(post: Post, page: Page) -> None:
    post.open(page)
    choose(page, chosen("a.png", kind="image/png", body=png()), chosen("broken.png", kind="image/png", body=b"no"))
    expect(item(page, "a.png").locator("canvas[data-drawn]")).to_be_visible()
    expect(item(page, "broken.png").locator("canvas:not([data-drawn])")).to_be_visible()


def test_reset_lets_go_of_everything(post: Post, page: Page) -> None:
    post.open(page, ", required=True")
    field = page.locator("input[rt-upload]")
    assert field.evaluate("field => field.required")
    choose(page, chosen("a.txt"), chosen("b.txt"))
    expect(page.locator(".rt-upload-file[data-state=done]")).to_have_count(2)
    assert not field.evaluate("field => field.required")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".rt-upload-file")).to_have_count(0)
    assert field.evaluate("field => field.required")


def test_a_refused_form_keeps_its_files(post: Post, page: Page) -> None:
    """They were taken from the disk already: they are sent once more, and nobody has to choose them again."""
    post.refuse = 1
    post.open(page)
    choose(page, chosen("a.txt", 100 * KB))
    page.get_by_role("button", name="Send").click()
    for _ in range(500):
        if post.types:
            break
        page.wait_for_timeout(20)
    expect(item(page, "a.txt")).to_have_attribute("data-state", "done")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#out")).to_have_text("Got a.txt")
    assert post.got == [("a.txt", "text/plain", 100 * KB)]


@pytest.mark.parametrize("swap", ["outerHTML", "outerMorph"])
def test_a_form_that_is_rendered_again_keeps_its_files(post: Post, page: Page, htmx: Htmx, swap: str) -> None:
    if swap == "outerMorph" and htmx.major == 2:
        pytest.skip("htmx 2 has no morph of its own")
    form = FORM.format(how=HTMX, options="")
    post.lab.page(
        "/again", form + f'<button id="again" hx-get="/fresh" hx-target="#post" hx-swap="{swap}">Again</button>'
    )
    post.lab.get("/fresh", lambda request: post.lab.fill(form.partition('<div id="out">')[0]))
    page.goto(post.address + "/again")
    slow = Slow(page, post.address)
    choose(page, chosen("a.txt", 128 * KB), chosen("b.txt"))
    slow.one()
    slow.arrive()
    page.locator("#again").click()
    page.wait_for_function("() => !document.querySelector('.htmx-request')")
    expect(page.locator(".rt-upload-file")).to_have_count(2)
    slow.open()
    expect(page.locator(".rt-upload-file[data-state=done]")).to_have_count(2)
    assert page.locator("input[rt-upload]").get_attribute("name") is None
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#out")).to_have_text("Got a.txt, b.txt")


def test_a_form_that_is_gone_stops_sending(post: Post, page: Page) -> None:
    post.lab.page(
        "/gone",
        FORM.format(how=HTMX, options="")
        + '<button id="go" hx-get="/empty" hx-target="#post" hx-swap="outerHTML">Go</button>',
    )
    post.lab.get("/empty", lambda request: "<p id=gone>Gone</p>")
    page.goto(post.address + "/gone")
    slow = Slow(page, post.address)
    choose(page, chosen("a.txt", 128 * KB))
    slow.arrive()
    with page.expect_event("requestfailed", lambda request: request.method == "PATCH"):
        page.locator("#go").click()
    slow.holding = False


def test_a_wrong_kind_behind_a_right_name_is_said_at_its_file(post: Post, page: Page) -> None:
    post.open(page, ', accept="image/*"')
    choose(page, chosen("a.png", 2000, "image/png", body=b"<script>" * 250))
    row = item(page, "a.png")
    expect(row).to_have_attribute("data-state", "failed")
    expect(row).to_contain_text("not a kind of file that is taken here")
    expect(page.locator("#rt-live")).to_contain_text("a.png: not a kind")


def test_what_the_server_has_forgotten_is_sent_anew(post: Post, page: Page, tmp_path: Path) -> None:
    post.open(page)
    slow = Slow(page, post.address)
    choose(page, chosen("a.txt", 128 * KB))
    slow.one()
    slow.arrive()
    for path in [*(tmp_path / "uploads").rglob("*.part"), *(tmp_path / "uploads").rglob("*.json")]:
        path.unlink()
    slow.open()
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#out")).to_have_text("Got a.txt")


def test_after_an_outage_it_can_be_tried_again(post: Post, page: Page) -> None:
    post.open(page)
    page.route(re.compile(r".*/_rt/uploads$"), lambda route: route.fulfill(status=400))
    choose(page, chosen("a.txt"))
    row = item(page, "a.txt")
    expect(row).to_contain_text("Could not be sent")
    page.unroute_all()
    row.get_by_role("button", name="Retry").press("Enter")
    expect(row).to_have_attribute("data-state", "done")
    expect(row.get_by_role("button")).to_be_focused()


def test_without_scripts_it_is_a_plain_field(post: Post, browser: Any, htmx: Htmx) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    post.lab.page("/form", FORM.format(how=PLAIN, options=', accept=".txt", max_size="1 kB", max_files=2'))
    page.goto(post.address + "/form")
    page.get_by_label("Choose files or drop them here").set_input_files([chosen("a.txt", 10), chosen("a.txt", 20)])  # type: ignore[list-item]
    page.get_by_role("button", name="Send").click()
    expect(page.locator("p")).to_have_text("Got a.txt, a (2).txt")
    page.goto(post.address + "/form")
    page.get_by_label("Choose files or drop them here").set_input_files([chosen("a.txt", 1001)])  # type: ignore[list-item]
    page.get_by_role("button", name="Send").click()
    expect(page.locator("body")).to_have_text("Refused: a.txt: larger than 1 kB")
    context.close()


def test_drafts_and_files_in_one_form(post: Post, page: Page) -> None:
    body = FORM.replace("<button", '{{{{ rt.draft("post") }}}}<button', 1)
    post.lab.page("/draft", body.format(how=HTMX, options=""))
    page.goto(post.address + "/draft")
    page.get_by_label("Text").press_sequentially("hello")
    choose(page, chosen("a.txt"))
    expect(page.locator(".rt-draft")).to_contain_text("Draft saved")
    expect(item(page, "a.txt")).to_have_attribute("data-state", "done")
    page.reload()
    expect(page.get_by_label("Text")).to_have_value("hello")
    expect(page.locator(".rt-upload-file")).to_have_count(0)
