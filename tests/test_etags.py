from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from htmx_rt.etags import answers, etag_of
from htmx_rt.testing import Browser

from .kit import Site

pytestmark = pytest.mark.anyio
ASK = {"RT-Region": "1", "RT-Tab": "tab-1"}


def site(answer: Callable[[Request], Any], templates: dict[str, str] | None = None, **options: Any) -> Site:
    async def show(request: Request) -> Response:
        found = answer(request)
        return found if isinstance(found, Response) else HTMLResponse(found)

    return Site(routes=[Route("/it", show, methods=["GET", "POST"])], templates=templates, **options)


async def ask(site: Site, browser: Browser | None = None, **headers: str) -> Any:
    return await (browser or site.browser()).get("/it", headers={**ASK, **headers})


async def test_what_has_not_changed_is_not_sent_again() -> None:
    text = "<p>One</p>"
    here = site(lambda request: text)
    first = await ask(here)
    etag = first.header("etag")
    assert (first.status, first.text) == (200, "<p>One</p>")
    assert etag.startswith('W/"')
    again = await ask(here, **{"If-None-Match": etag})
    assert (again.status, again.text, again.header("etag")) == (304, "", etag)
    assert again.header("content-length") is None
    assert again.header("content-type") is None
    assert again.header("rt-at").startswith("1~")  # the log has moved on, though the page has not
    text = "<p>Two</p>"
    changed = await ask(here, **{"If-None-Match": etag})
    assert (changed.status, changed.text) == (200, "<p>Two</p>")
    assert changed.header("etag") != etag


async def test_grants_and_nonces_do_not_count() -> None:
    here: Site
    here = site(
        lambda request: here.html("it.html", n=request.query_params.get("n")),
        {"it.html": "<ul {{ rt.stream('a') }}></ul><script nonce='{{ n }}'></script>"},
    )
    browser = here.browser("ada")
    first = await browser.get("/it?n=1", headers=ASK)
    here.rt.topic("a").text("#x", "1")
    here.clock.advance(60)
    second = await browser.get("/it?n=2", headers={**ASK, "If-None-Match": first.header("etag")})
    assert "rt-grant" in first.text
    assert second.status == 304


def test_only_what_varies_by_itself_is_left_out() -> None:
    base = b'<p rt-grant="a b" rt-at="1" class="x" nonce="n">hi</p>'
    assert etag_of(base) == etag_of(base.replace(b'"a b"', b'"c"').replace(b'"1"', b'"2"').replace(b'"n"', b"'m'"))
    for old, new in ((b"hi", b"ho"), (b'"x"', b'"y"'), (b"rt-grant", b"rt-giant"), (b"<p", b"<b")):
        assert etag_of(base) != etag_of(base.replace(old, new))


@pytest.mark.parametrize(
    ("asked", "yes"),
    [
        ('W/"a"', True), ('"a"', True), ('"b", W/"a"', True), ('"b"', False), ("", False), (None, False), ("a", False),
        ('W/"a', False), ("*", False),
    ],
)  # fmt: skip
def test_if_none_match(asked: str | None, yes: bool) -> None:
    assert answers(asked, b'W/"a"') is yes


async def chunks(count: int, size: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * size


OTHERS: dict[str, Callable[[Request], Response]] = {
    "of the app's own": lambda request: HTMLResponse("x", headers={"ETag": '"mine"'}),
    "no HTML": lambda request: JSONResponse({}),
    "an error": lambda request: HTMLResponse("x", 500),
    "created": lambda request: HTMLResponse("x", 201),
    "a redirect": lambda request: RedirectResponse("/plain"),
    "compressed": lambda request: HTMLResponse(b"x", headers={"Content-Encoding": "gzip"}),
    "a file": lambda request: FileResponse(__file__, media_type="text/html", filename="x.html"),
}


@pytest.mark.parametrize("answer", OTHERS.values(), ids=OTHERS)
async def test_other_answers_pass_as_they_are(answer: Callable[[Request], Response]) -> None:
    mine = answer(Request({"type": "http", "headers": []})).headers.get("etag")
    found = await ask(site(answer), **{"If-None-Match": etag_of(b"x").decode()})
    assert found.status != 304
    assert found.header("etag") == mine or answer is OTHERS["a file"]
    assert not (found.header("etag") or "").startswith("W/")


async def test_only_regions_are_asked_this_way() -> None:
    here = site(lambda request: "<p>One</p>")
    etag = (await ask(here)).header("etag")
    browser = here.browser()
    plain = await browser.get("/it", headers={"If-None-Match": etag})
    assert (plain.status, plain.header("etag")) == (200, None)
    posted = await browser.post("/it", {}, headers={**ASK, "If-None-Match": etag})
    assert (posted.status, posted.header("etag")) == (200, None)


@pytest.mark.parametrize(
    ("count", "size", "tagged"), [(4, 256, True), (5, 205, False), (1, 1025, False), (100, 1000, False), (0, 1, True)]
)
async def test_long_answers_are_sent_as_they_come(count: int, size: int, tagged: bool) -> None:
    here = site(lambda request: StreamingResponse(chunks(count, size), media_type="text/html"), limits={"region": 1024})
    found = await ask(here)
    assert found.text == "x" * count * size
    assert (found.header("etag") is not None) is tagged


async def test_cookies_and_toasts_come_with_a_304() -> None:
    here: Site

    def answer(request: Request) -> Response:
        here.rt.toast("Hello")
        response = HTMLResponse("<p>One</p>")
        response.set_cookie("seen", "1")
        return response

    here = site(answer)
    etag = (await ask(here)).header("etag")
    again = await ask(here, **{"If-None-Match": etag})
    assert again.status == 304
    assert "Hello" in again.header("rt-toast")
    assert "seen=1" in again.header("set-cookie")


async def test_an_app_that_fails_half_way_still_fails() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("broken")

    here = site(lambda request: StreamingResponse(broken(), media_type="text/html"))
    with pytest.raises(RuntimeError, match="broken"):
        await ask(here)
