from __future__ import annotations

import logging

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from htmx_rt import User
from htmx_rt.testing import Browser, Page, Refusal

from .kit import Site, texts

pytestmark = pytest.mark.anyio


def cookies(page: Page) -> dict[str, str]:
    return {value.partition("=")[0]: value for name, value in page.headers if name == "set-cookie"}


def user_of(site: Site, browser: Browser, cookie: str = "rt-app") -> str | None:
    value = site.rt.signer.loads("identity", browser.cookies[cookie])
    assert isinstance(value, list)
    return value[1]


# Sealing


async def test_a_page_with_macros_seals_who_reads_it() -> None:
    site = Site(identify=lambda request: User("ada", "Ada"))
    ada = site.browser()
    page = await ada.get("/")
    header = cookies(page)["rt-app"]
    assert "; Path=/; " in header
    assert "; HttpOnly; SameSite=Lax" in header
    assert f"; Max-Age={400 * 24 * 3600};" in header
    assert "Secure" not in header
    assert user_of(site, ada) == "ada"
    assert set(page.grants) == {"user:ada", "board:1"}


async def test_on_https_the_cookie_belongs_to_this_host_alone() -> None:
    site = Site()
    ada = Browser(site.app, scheme="https")
    header = cookies(await ada.get("/"))["__Host-rt-app"]
    assert header.endswith("; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax; Secure")


async def test_nobody_is_somebody_to_their_browser_only() -> None:
    site = Site()
    one, other = site.browser(), site.browser()
    mine, theirs = await one.get("/"), await other.get("/")
    assert user_of(site, one) is None
    assert "user:" not in "".join(mine.grants)
    async with one.stream(mine):
        pass
    async with one.stream(theirs) as stream:
        assert (await stream.event("rt:resync")).data["why"] == "grant"


@pytest.mark.parametrize("path", ["/plain", "/nothing", "/say/board:1"])
async def test_a_foreign_response_is_the_same_byte_for_byte(path: str) -> None:
    site = Site()
    ada = site.browser("ada")
    await ada.get("/")
    bare = Browser(site.inner)
    for browser in (ada, site.browser()):
        assert (await browser.request("GET", path)).headers == (await bare.request("GET", path)).headers


async def test_the_browser_stays_the_same_from_page_to_page() -> None:
    site = Site()
    ada = site.browser("ada")
    first = await ada.get("/")
    site.clock.advance(1000)
    second = await ada.get("/")
    grants = [site.rt.signer.read_grant(page.grants["board:1"]) for page in (first, second)]
    assert grants[0] is not None
    assert grants[1] is not None
    assert grants[0].browser == grants[1].browser


@pytest.mark.parametrize("forged", ["", "x", "x.y", "." * 5000, "W10.AAAA", "\u00ff"])
async def test_a_forged_cookie_is_replaced_and_breaks_nothing(forged: str) -> None:
    site = Site()
    ada = site.browser("ada")
    ada.cookies["rt-app"] = ada.cookies["rt-app-toasts"] = forged
    assert (await ada.get("/")).status == 200
    assert user_of(site, ada) == "ada"


# Caches


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ([], ["private"]),
        (["public, max-age=60"], ["private, max-age=60"]),
        (["s-maxage=10, max-age=5"], ["private, max-age=5"]),
        (["private, max-age=5"], ["private, max-age=5"]),
        (["no-store"], ["no-store"]),
        (["Public", "S-MaxAge=3"], ["private", "private"]),
        (["no-cache"], ["private, no-cache"]),
    ],
)
async def test_a_page_with_grants_is_kept_from_shared_caches(given: list[str], sent: list[str]) -> None:
    async def cached(request: Request) -> Response:
        response = site.html(topics=["board:1"])
        for value in given:
            response.headers.append("cache-control", value)
        for name in ("surrogate-control", "cdn-cache-control"):
            response.headers[name] = "max-age=60"
        return response

    site = Site(routes=[Route("/cached", cached)])
    page = await site.browser().get("/cached")
    assert [value for name, value in page.headers if name == "cache-control"] == sent
    assert page.header("surrogate-control") is None
    assert page.header("cdn-cache-control") is None


async def test_a_public_page_with_grants_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async def cached(request: Request) -> Response:
        response = site.html(topics=["board:1"])
        response.headers["cache-control"] = "public, max-age=60"
        return response

    site = Site(routes=[Route("/cached", cached)])
    with caplog.at_level(logging.WARNING, "htmx_rt"):
        for _ in range(3):
            await site.browser().get("/cached")
    assert caplog.text.count("sent as private") == 1


# Silence


def silent_site() -> Site:
    return Site(identify=None)


async def test_silence_keeps_the_sealed_user_for_an_hour_and_then_says_why(caplog: pytest.LogCaptureFixture) -> None:
    site = silent_site()
    ada = site.browser()
    await ada.get("/in/ada")
    assert "user:ada" in (await ada.get("/")).grants
    site.clock.advance(3599)
    assert "user:ada" in (await ada.get("/")).grants
    site.clock.advance(2)
    with caplog.at_level(logging.WARNING, "htmx_rt"):
        for _ in range(3):
            assert "user:ada" not in (await ada.get("/")).grants
    assert caplog.text.count("Pass identify=") == 1


async def test_a_public_page_without_an_identity_signs_nobody_out() -> None:
    async def public(request: Request) -> Response:
        return site.html(topics=["news"])

    site = Site(identify=None, routes=[Route("/public", public)])
    ada = site.browser()
    await ada.get("/in/ada")
    page = await ada.get("/")
    async with ada.stream(page) as stream:
        await stream.checkpoint()
        await ada.get("/public")
        await ada.get("/plain")
        site.rt.user("ada").text("#x", "still ada")
        assert await texts(stream, 1) == ["still ada"]


# Signing in and out


async def test_signing_out_in_one_tab_ends_the_streams_of_the_browser_and_no_others() -> None:
    site = Site()
    ada, elsewhere, bob = site.browser("ada"), site.browser("ada"), site.browser("bob")
    pages = [await browser.get("/") for browser in (ada, elsewhere, bob)]
    async with (
        ada.stream(pages[0]) as one,
        ada.stream(pages[0]) as twin,
        elsewhere.stream(pages[1]) as other,
        bob.stream(pages[2]) as his,
    ):
        site.clock.advance(1)
        await ada.get("/out")
        for stream in (one, twin):
            events = await stream.ended()
            assert (events[-1].name, events[-1].data) == ("rt:stop", {"why": "signed-out"})
        site.rt.topic("board:1").text("#x", "others")
        for stream in (other, his):
            assert await texts(stream, 1) == ["others"]


async def test_after_signing_out_an_older_cookie_is_worth_nothing() -> None:
    site = Site(identify=None)
    ada = site.browser()
    await ada.get("/in/ada")
    page = await ada.get("/")
    stolen = dict(ada.cookies)
    site.clock.advance(1)
    await ada.get("/out")
    thief = site.browser()
    thief.cookies = {"rt-app": stolen["rt-app"]}
    assert "user:ada" not in (await thief.get("/")).grants
    thief.cookies = {"rt-app": stolen["rt-app"]}
    with pytest.raises(Refusal) as caught:
        await thief.stream(page).__aenter__()
    assert caught.value.status in (401, 403)


async def test_a_page_rendered_while_somebody_signed_out_brings_nobody_back() -> None:
    """It was asked before the sign-out was answered, and is answered after it: its cookie must not count."""
    site = Site(identify=None)
    ada = site.browser()
    await ada.get("/in/ada")
    slow = site.browser()
    slow.cookies = dict(ada.cookies)

    async def sign_out_meanwhile(request: Request) -> Response:
        site.rt.set_user("ada")
        response = site.html(topics=["board:1"])
        site.clock.advance(1)
        await ada.get("/out")
        return response

    site.inner.router.routes.insert(0, Route("/slow", sign_out_meanwhile))
    site.clock.advance(1)
    page = await slow.get("/slow")
    with pytest.raises(Refusal):
        await slow.stream(page).__aenter__()


async def test_signing_in_as_somebody_else_ends_the_streams_of_the_one_before() -> None:
    site = Site()
    ada = site.browser("ada")
    page = await ada.get("/")
    async with ada.stream(page) as stream:
        site.clock.advance(1)
        await ada.get("/in/bob")
        events = await stream.ended()
        assert (events[-1].name, events[-1].data) == ("rt:stop", {"why": "user-changed"})
    with pytest.raises(Refusal) as caught:
        await ada.stream(page).__aenter__()
    assert (caught.value.status, caught.value.problem) == (403, "user-changed")


async def test_an_app_that_names_the_same_user_on_every_request_makes_no_response_personal() -> None:
    async def image(request: Request) -> Response:
        site.rt.set_user("ada")
        return PlainTextResponse("image", headers={"cache-control": "public, max-age=60"})

    site = Site(routes=[Route("/image", image)])
    ada = site.browser("ada")
    await ada.get("/")
    for _ in range(2):
        page = await ada.get("/image")
        assert page.header("cache-control") == "public, max-age=60"
        assert page.header("set-cookie") is None


async def test_an_async_identify_is_refused_with_the_cure() -> None:
    async def identify(request: Request) -> str | None:
        return "ada"

    site = Site(identify=identify)
    with pytest.raises(Exception, match="async"):
        await site.browser().get("/")
