"""Files and the form around them, on both versions of htmx."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from .conftest import Htmx
from .upload_kit import FORM, HTMX, KB, PLAIN, Post, Slow, choose, chosen, item
from .upload_kit import post as post
from .upload_kit import told as told


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
