from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from htmx_rt.testing import Page

from .kit import Site

pytestmark = pytest.mark.anyio


def toasting(**options: object) -> Site:
    async def save(request: Request) -> Response:
        site.rt.toast("Saved", level="success")
        if "HX-Request" in request.headers:
            return PlainTextResponse("ok", int(request.query_params.get("status", 200)))
        return RedirectResponse("/show", 303)

    async def away(request: Request) -> Response:
        site.rt.toast("Saved")
        return PlainTextResponse("", headers={"HX-Redirect": "/show"})

    async def show(request: Request) -> Response:
        return site.html("toasts.html")

    async def public(request: Request) -> Response:
        site.rt.toast("Saved")
        return PlainTextResponse("x", headers={"cache-control": "public, max-age=60"})

    site = Site(
        routes=[
            Route("/save", save, methods=["POST"]),
            Route("/away", away),
            Route("/show", show),
            Route("/public", public),
        ],
        templates={"toasts.html": "<body>{{ rt.toasts() }}</body>"},
        **options,  # type: ignore[arg-type]
    )
    return site


def shown(page: Page) -> list[str]:
    return [toast.get_text() for toast in page.select("#rt-toasts > .rt-toast [rt-toast-text]")]


async def test_a_toast_over_a_redirect_is_shown_once() -> None:
    site = toasting()
    ada = site.browser("ada")
    await ada.post("/save")
    assert "rt-app-toasts" in ada.cookies
    await ada.get("/plain")
    assert shown(await ada.get("/show")) == ["Saved"]
    assert "rt-app-toasts" not in ada.cookies
    assert shown(await ada.get("/show")) == []


@pytest.mark.parametrize("status", [200, 204, 422, 500])
async def test_a_toast_for_a_page_rides_in_a_header(status: int) -> None:
    site = toasting()
    ada = site.browser("ada")
    page = await ada.get("/")
    answer = await ada.post(f"/save?status={status}", page=page)
    assert answer.header("rt-toast") == '[{"text":"Saved","level":"success"}]'
    assert "rt-app-toasts" not in ada.cookies
    assert shown(await ada.get("/show")) == []


async def test_a_toast_over_a_redirect_of_htmx_waits_for_the_next_page() -> None:
    site = toasting()
    ada = site.browser("ada")
    page = await ada.get("/")
    answer = await ada.get("/away", page=page)
    assert answer.header("rt-toast") is None
    assert shown(await ada.get("/show")) == ["Saved"]


async def test_a_response_with_a_toast_is_kept_from_shared_caches() -> None:
    site = toasting()
    ada = site.browser("ada")
    page = await ada.get("/")
    for asked_by in (None, page):
        answer = await ada.get("/public", page=asked_by)
        assert answer.header("cache-control") == "private, max-age=60"


async def test_toasts_in_a_cookie_or_header_are_bounded_and_the_newest_stay() -> None:
    site = toasting()

    async def many(request: Request) -> Response:
        for number in range(9):
            site.rt.toast(f"{number} " + "語" * 600)
        return PlainTextResponse("ok")

    site.inner.router.routes.insert(0, Route("/many", many))
    ada = site.browser("ada")
    page = await ada.get("/")
    header = (await ada.get("/many", page=page)).header("rt-toast")
    assert header is not None
    assert len(header) <= 4096
    assert '"8 ' in header
    for _ in range(9):
        await ada.get("/many")
    assert len(ada.cookies["rt-app-toasts"]) <= 2048
    assert shown(await ada.get("/show"))[-1].startswith("8 ")


async def test_a_toast_that_no_page_could_show_raises_at_the_call() -> None:
    async def save(request: Request) -> Response:
        with pytest.raises(ValueError, match="lone surrogate"):
            site.rt.toast("\ud800")
        with pytest.raises(ValueError, match="level"):
            site.rt.toast("x", level="loud")  # type: ignore[arg-type]
        return PlainTextResponse("ok")

    site = Site(routes=[Route("/save", save)])
    assert (await site.browser().get("/save")).header("set-cookie") is None
