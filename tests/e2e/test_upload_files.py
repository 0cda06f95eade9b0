"""Files in a browser: seen, stopped, gone on with, whatever the line, the server and the person do."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from .conftest import Htmx
from .test_show_access import AXE
from .upload_kit import FORM, HTMX, KB, PLAIN, Post, Slow, choose, chosen, item, png
from .upload_kit import post as post
from .upload_kit import told as told


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
    assert len({slow.waiting[0].request.url for slow in slows}) == 2  # neither goes on with the other's
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


@pytest.mark.parametrize("ground", ["white", "#202327"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_can_be_read_on_any_ground(post: Post, page: Page, scheme: str, ground: str) -> None:
    """The page's ground is its own: where the system is dark, it may be white."""
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    post.open(page, ', accept=".csv"')
    # With a property of its own, as a theme has them: for a colour alone Chromium does not mix colours again.
    page.evaluate(
        """([background, color]) => {
          Object.assign(document.documentElement.style, { background, color });
          document.documentElement.style.setProperty("--ground", background);
        }""",
        [ground, "#111" if ground == "white" else "#eee"],
    )
    choose(page, chosen("a.csv", 10, "text/csv"), chosen("b.exe"))
    expect(page.locator(".rt-upload-file[data-state=done]")).to_have_count(1)
    expect(item(page, "b.exe")).to_contain_text("not a kind of file")
    page.evaluate(AXE)
    found = page.evaluate(
        "axe.run('.rt-upload').then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes.map((n) => n.html)]))"
    )
    assert found == []


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


def test_a_file_that_is_chosen_before_this_part_has_come_goes_by_it(post: Post, page: Page) -> None:
    held: list[Route] = []
    page.route("**/htmx-rt-upload.mjs*", lambda route: held.append(route))
    post.lab.page("/form", FORM.format(how=HTMX, options=""))
    with page.expect_request("**/htmx-rt-upload.mjs*"):
        page.goto(post.address + "/form")
    choose(page, chosen("early.txt", KB))
    [route] = held
    route.continue_()
    expect(item(page, "early.txt")).to_be_visible()
    assert page.locator("input[rt-upload]").input_value() == ""
