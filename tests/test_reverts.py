"""A save that was put together with somebody else's is taken back: the form of before, through the app's own route."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.responses import Response
from starlette.routing import request_response

from htmx_rt.exceptions import StoreUnavailable
from htmx_rt.testing import Page

from .edit_kit import Papers, Person
from .kit import problem, running

pytestmark = pytest.mark.anyio


@pytest.fixture
async def site() -> AsyncIterator[Papers]:
    papers = Papers()
    async with running(papers.app):
        yield papers


async def merged(site: Papers, **headers: str) -> tuple[Person, str]:
    """Return somebody whose tags were saved together with another one's title, and the id to take that back by."""
    ada, grace = await site.person("Ada"), await site.person("Grace")
    assert (await grace.save(title="Grace's")).status == 200
    answer = await ada.save(tags="a, b, c", headers=headers)
    assert answer.status == 200
    [toast] = json.loads(dict(answer.headers)["rt-toast"])
    assert "Grace" in toast["text"]
    assert "Title" in toast["text"]
    assert (site.doc.title, site.doc.tags) == ("Grace's", "a, b, c")
    return ada, toast["undo"]["id"]


async def undo(person: Person, id: str, accept: str = "application/json") -> Page:
    headers = {"accept": accept, "sec-fetch-site": "same-origin"}
    return await person.browser.request("POST", f"/_rt/undo/{id}", headers=headers)


async def test_it_is_as_the_other_has_left_it(site: Papers) -> None:
    ada, id = await merged(site)
    answer = await undo(ada, id)
    assert (answer.status, json.loads(answer.text)) == (200, {"state": "undone"})
    assert (site.doc.title, site.doc.tags, site.doc.lock_version) == ("Grace's", "a, b", 4)
    # Once, however often it is pressed.
    assert problem(await undo(ada, id)) == (404, "gone")
    assert site.doc.lock_version == 4


async def test_what_others_have_changed_since_stays(site: Papers) -> None:
    ada, id = await merged(site)
    assert (await (await site.person("Mei")).save(price="12")).status == 200
    assert (await undo(ada, id)).status == 200
    assert (site.doc.tags, site.doc.price) == ("a, b", "12")


async def test_where_that_would_overwrite_it_is_not_done(site: Papers) -> None:
    ada, grace = await site.person("Ada"), await site.person("Grace")
    await grace.save(tags="a, b, z")
    answer = await ada.save(title="Ada's")
    id = json.loads(dict(answer.headers)["rt-toast"])[0]["undo"]["id"]
    assert (await (await site.person("Mei")).save(title="Mei's")).status == 200
    assert problem(await undo(ada, id)) == (409, "already-done")
    assert site.doc.title == "Mei's"


async def test_it_is_nobody_elses(site: Papers) -> None:
    _, id = await merged(site)
    mei = await site.person("Mei")
    assert problem(await undo(mei, id)) == (404, "gone")
    assert site.doc.tags == "a, b, c"


async def test_without_scripts_the_reader_goes_back(site: Papers) -> None:
    ada, id = await merged(site)
    assert (await undo(ada, id, "text/html")).status == 303
    assert site.doc.tags == "a, b"


async def test_an_app_that_fails_may_be_asked_again(site: Papers, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, id = await merged(site)
    take = site.take

    async def fails(id: int, form: Any) -> Response:
        raise RuntimeError("the database is away")

    monkeypatch.setattr(site, "take", fails)
    assert (await undo(ada, id)).status == 503
    monkeypatch.setattr(site, "take", take)
    assert (await undo(ada, id)).status == 200
    assert site.doc.tags == "a, b"


async def test_a_store_that_is_away_may_be_asked_again(site: Papers, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, id = await merged(site)
    get = site.rt.store.get

    async def away(key: str) -> Any:
        raise StoreUnavailable("away")

    monkeypatch.setattr(site.rt.store, "get", away)
    assert (await undo(ada, id)).status == 503
    monkeypatch.setattr(site.rt.store, "get", get)
    assert (await undo(ada, id)).status == 200


async def test_the_app_gets_its_tokens_again(site: Papers, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, id = await merged(site, **{"x-csrftoken": "t-1"})
    seen: list[tuple[str | None, str | None]] = []
    save = site.save

    async def looks(request: Any) -> Response:
        async with request.form() as form:
            seen.append((request.headers.get("x-csrftoken"), form.get("csrf")))
        return await save(request)

    for route in site.app.app.routes:
        if getattr(route, "endpoint", None) == site.save:
            monkeypatch.setattr(route, "app", request_response(looks))
    assert (await undo(ada, id)).status == 200
    assert seen == [("t-1", "a-token")]
