"""The example of who is here, run over HTTP."""

from __future__ import annotations

import pytest

from htmx_rt.testing import Browser, Page, running

from .doc_kit import Load

pytestmark = pytest.mark.anyio


def names(page: Page) -> list[str]:
    return [one.get_text() for one in page.select(".rt-avatars .rt-visually-hidden")]


async def test_who_reads_the_document(load: Load) -> None:
    app = load("presence/app.py").app
    async with running(app), Browser(app) as ada, Browser(app) as stranger:
        await ada.post("/sign-in", {"person": "ada"})
        page = await ada.get("/docs/1")
        (html,) = page.select("html")
        assert html["rt-idle-after"] == "120"
        assert page.select("[rt-typing='doc:1'] [rt-private] input")
        assert page.select("[rt-typing-line]")
        async with ada.stream(page):
            assert names(await stranger.get("/docs/1")) == ["Ada Okafor, active"]
            async with stranger.stream(await stranger.get("/docs/1")):
                assert names(await ada.get("/docs/1")) == ["Ada Okafor, active", "Visitor, active"]


async def test_seeing_without_being_seen_and_people_without_a_page(load: Load) -> None:
    app = load("presence/app.py").app
    async with running(app), Browser(app) as ada:
        await ada.post("/sign-in", {"person": "ada"})
        async with ada.stream(await ada.get("/docs/1/watch")):
            assert names(await ada.get("/docs/1")) == []
        assert (await ada.post("/docs/1/check")).status == 200
        assert names(await ada.get("/docs/1")) == ["Spelling, active"]
        assert "1 person here" in (await ada.get("/docs/1/watch")).select(".rt-count")[0].get_text()
        board = await ada.get("/docs/1/board")
        assert board.select("main[rt-cursors='here:doc:1']")
