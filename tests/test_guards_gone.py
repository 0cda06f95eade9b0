"""A save of what is gone: the panel says who took it away, and how, as far as that was told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from htmx_rt.exceptions import StoreUnavailable

from .edit_kit import Papers
from .kit import problem, running

pytestmark = pytest.mark.anyio


@pytest.fixture
async def site() -> AsyncIterator[Papers]:
    async def away(request: Request) -> PlainTextResponse:
        papers.docs.gone(papers.rows.pop(7), request.path_params["why"])
        return PlainTextResponse("gone")

    papers = Papers(guard={"to": "/docs", "create": "/docs"}, routes=[Route("/away/{why}", away, methods=["POST"])])
    async with running(papers.app):
        yield papers


@pytest.mark.parametrize(("why", "words"), [("deleted", "Grace deleted this"), ("archived", "Grace archived this")])
async def test_the_panel_says_who_took_it_away(site: Papers, why: str, words: str) -> None:
    ada, grace = await site.person("Ada"), await site.person("Grace")
    assert (await grace.browser.post(f"/away/{why}", headers={"sec-fetch-site": "same-origin"})).status == 200
    answer = await ada.save(title="Mine")
    assert problem(answer) == (410, "gone")
    assert words in answer.select("h2")[0].get_text()
    assert "Mine" in answer.text


async def test_a_first_request_that_takes_it_away_is_told_by_name(site: Papers) -> None:
    ada, grace = await site.person("Ada"), site.browser()
    grace.cookies["who"] = "Grace"
    async with ada.browser.stream(ada.page) as stream:
        await grace.post("/away/deleted")
        while (call := (await stream.event("rt:call")).data)["name"] != "gone":
            pass
    assert call["args"]["who"]["n"] == "Grace"
    assert "Grace deleted this" in (await ada.save(title="Mine")).select("h2")[0].get_text()


async def test_who_is_not_known_is_somebody(site: Papers) -> None:
    ada = await site.person("Ada")
    site.rows.pop(7)
    assert "This was deleted" in (await ada.save(title="Mine")).select("h2")[0].get_text()
    # Whoever makes a base up is told nothing of other records.
    forged = await ada.save(title="Mine", **{"rt-base": "made-up"})
    assert problem(forged) == (410, "gone")
    assert "This was deleted" in forged.select("h2")[0].get_text()


async def test_what_came_back_and_went_again_was_taken_by_the_second(site: Papers) -> None:
    ada, grace, mei = [await site.person(name) for name in ("Ada", "Grace", "Mei")]
    row = site.doc
    await grace.browser.post("/away/archived")
    site.rows[7] = row
    assert (await ada.save(title="Again")).status == 200
    await mei.browser.post("/away/deleted")
    assert "Mei deleted this" in (await ada.save(title="Mine")).select("h2")[0].get_text()


async def test_who_saved_a_moment_ago_is_known_before_the_store_knows(
    site: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, grace = await site.person("Ada"), await site.person("Grace")
    put, puts = site.rt.store.put, list[str]()

    async def never(key: str, *args: Any, **kwargs: Any) -> Any:
        puts.append(key)
        if key.startswith("saved:"):
            raise StoreUnavailable("full")
        return await put(key, *args, **kwargs)

    monkeypatch.setattr(site.rt.store, "put", never)
    await grace.save(title="Hers")
    answer = await ada.save(title="Mine")
    assert problem(answer) == (409, "stale")
    assert "Grace changed this" in answer.select("h2")[0].get_text()
    assert "saved:doc:7" in puts
