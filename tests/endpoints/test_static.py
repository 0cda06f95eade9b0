from __future__ import annotations

import pytest

from ..kit import Site

pytestmark = pytest.mark.anyio


@pytest.fixture
def site() -> Site:
    return Site()


async def test_a_file_of_this_build_is_kept_for_ever(site: Site) -> None:
    page = await site.browser().get("/_rt" + site.rt.assets.path("htmx-rt.js"))
    assert page.status == 200
    assert page.header("cache-control") == "public, max-age=31536000, immutable"
    assert page.header("content-type") == "text/javascript; charset=utf-8"
    assert page.text.encode() == site.rt.assets.files["htmx-rt.js"].body


async def test_a_file_of_another_build_is_answered_but_not_kept(site: Site) -> None:
    page = await site.browser().get("/_rt/static/0123456789abcdef/htmx-rt.js")
    assert (page.status, page.header("cache-control")) == (200, "no-cache")


async def test_head_sends_no_body(site: Site) -> None:
    page = await site.browser().request("HEAD", "/_rt" + site.rt.assets.path("htmx-rt.css"))
    assert page.text == ""
    assert page.header("content-length") == str(len(site.rt.assets.files["htmx-rt.css"].body))


@pytest.mark.parametrize(
    "file",
    [
        "nothing.js",
        "../protocol.py",
        "..%2fprotocol.py",
        "vendor/../../protocol.py",
        "/etc/passwd",
        "VERSIONS",
        "vendor/VERSIONS",
        "",
    ],
)
async def test_nothing_else_is_served(site: Site, file: str) -> None:
    assert (await site.browser().get(f"/_rt/static/{site.rt.assets.digest}/{file}")).status == 404


async def test_a_file_is_the_same_for_everybody_and_carries_no_cookie(site: Site) -> None:
    """A shared cache keeps it, so nothing personal may ride along: no toast that waits, no identity."""
    ada = site.browser("ada")
    page = await ada.get("/")
    path = "/_rt" + site.rt.assets.path("htmx-rt.js")
    ada.cookies["rt-app-toasts"] = site.rt.signer.dumps("toasts", [{"text": "secret", "level": "info"}])
    answer = await ada.get(path)
    assert answer.header("set-cookie") is None
    assert answer.headers == (await site.browser().get(path)).headers
    assert "secret" not in str((await ada.get(path, page=page)).headers)
