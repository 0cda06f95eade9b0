"""Who gets onto the task board."""

from typing import Any

import pytest
from board_page import GOOD, titles

from htmx_rt import protocol
from htmx_rt.testing import Browser

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["/", "/tasks", "/tasks/new", "/tasks/1"])
async def test_pages_need_somebody(app: Any, path: str) -> None:
    browser = Browser(app)
    plain = await browser.get(path)
    assert (plain.status, plain.header("location")) == (303, "/sign-in")
    by_htmx = await browser.get(path, page=plain)
    assert (by_htmx.status, by_htmx.header("hx-redirect")) == (401, "/sign-in")
    assert by_htmx.header(protocol.PROBLEM) == "signed-out"


@pytest.mark.parametrize("path", ["/tasks", "/tasks/1", "/tasks/1/done", "/tasks/1/delete"])
async def test_changes_need_somebody(app: Any, ada: Browser, path: str) -> None:
    before = titles(await ada.get("/"))
    plain = await Browser(app).post(path, GOOD | {"done": "true"})
    assert (plain.status, plain.header("location")) == (303, "/sign-in")
    by_htmx = await Browser(app).post(path, GOOD | {"done": "true"}, page=plain)
    assert (by_htmx.status, by_htmx.header("hx-redirect")) == (401, "/sign-in")
    assert titles(await ada.get("/")) == before


async def test_sign_in_lets_you_choose_a_name(app: Any) -> None:
    browser = Browser(app)
    names = [str(button["value"]) for button in (await browser.get("/sign-in")).select("button[name=person]")]
    assert len(names) == 6
    chosen = await browser.post("/sign-in", {"person": names[3]})
    assert (chosen.status, chosen.header("location")) == (303, "/")
    assert "Mateo Ruiz" in (await browser.get("/")).text


@pytest.mark.parametrize("form", [{}, {"person": ""}, {"person": "root"}])
async def test_an_unknown_name_is_refused(app: Any, form: dict[str, str]) -> None:
    browser = Browser(app)
    refused = await browser.post("/sign-in", form)
    assert refused.status == 422
    assert refused.select("[role=alert]")
    assert (await browser.get("/")).status == 303


async def test_signing_out_ends_the_streams_of_this_browser(ada: Browser) -> None:
    async with ada.stream(await ada.get("/")) as stream:
        assert (await ada.post("/sign-out")).header("location") == "/sign-in"
        assert (await stream.event(protocol.STOP)).data["why"] == "signed-out"
    assert (await ada.get("/")).status == 303
