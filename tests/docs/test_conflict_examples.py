"""The examples of guarded forms: each framework and each way to a database, saved by two people at the same time."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from htmx_rt.merge import merge_fields
from htmx_rt.testing import Browser, Page, running

from .doc_kit import Load

pytestmark = pytest.mark.anyio
HTMX = {"hx-request": "true"}
OLD = {"title": "Plan", "body": "One.\nTwo.\nThree.\n", "tags": "draft", "stock": "10"}


class Recipe(NamedTuple):
    path: str
    url: str = "/docs/7"
    table: str = "docs"
    needs: str = "sqlalchemy"


RECIPES = [
    Recipe("conflict/app.py", "/docs/7/edit"),
    Recipe("conflict/raw_sql.py"),
    Recipe("conflict/flask_app.py", needs="flask"),
    Recipe("conflict/quart_app.py", needs="quart"),
    Recipe("conflict/litestar_app.py", needs="litestar"),
    Recipe("conflict/django_app.py", table="docs_doc", needs="django"),
]
DJANGO: list[ModuleType] = []  # its settings are made once in a process


@pytest.fixture(params=RECIPES, ids=lambda recipe: recipe.path)
def recipe(request: pytest.FixtureRequest) -> Recipe:
    pytest.importorskip(request.param.needs, reason=f"WITHOUT {request.param.needs} ITS EXAMPLE IS NOT RUN.")
    return request.param  # type: ignore[no-any-return]


def elsewhere(recipe: Recipe, change: str) -> None:
    """Change document 7 as another worker would."""
    with contextlib.closing(sqlite3.connect(os.environ["DATABASE"])) as db:
        db.execute(f"UPDATE {recipe.table} SET {change}, lock_version = lock_version + 1 WHERE id = 7")
        db.commit()


def row(recipe: Recipe) -> dict[str, Any]:
    with contextlib.closing(sqlite3.connect(os.environ["DATABASE"])) as db:
        db.row_factory = sqlite3.Row
        return dict(db.execute(f"SELECT * FROM {recipe.table} WHERE id = 7").fetchone())


def form(page: Page, **changes: str) -> dict[str, str]:
    hidden = {str(one["name"]): str(one.get("value", "")) for one in page.select("form input[type=hidden]")}
    shown = {str(one["name"]) for one in page.select("form [name]")}
    return {name: value for name, value in OLD.items() if name in shown} | hidden | changes


@contextlib.contextmanager
def racing(example: ModuleType, recipe: Recipe, *changes: str) -> Iterator[None]:
    """Let others be faster: each of `changes` is done after one check and before what follows it."""
    check, left = example.docs.check, list(changes)

    def check_and_lose(*args: Any, **kwargs: Any) -> Any:
        found = check(*args, **kwargs)
        if left:
            elsewhere(recipe, left.pop(0))
        return found

    example.docs.check = check_and_lose
    yield
    del example.docs.check
    assert left == []


async def test_two_people_save_one_document(load: Load, recipe: Recipe) -> None:
    if recipe.needs == "django" and DJANGO:
        pytest.skip("Django was set up once already.")
    example = load(recipe.path)
    if recipe.needs == "django":
        DJANGO.append(example)
    async with running(example.app), Browser(example.app) as ada, Browser(example.app) as grace:
        ada.cookies["person"], grace.cookies["person"] = "Ada", "Grace"
        hers, theirs = await ada.get(recipe.url), await grace.get(recipe.url)

        saved = await ada.post(recipe.url, form(hers, title="New plan"), page=hers, headers=HTMX)
        assert (saved.status, saved.header("RT-Lock-Version")) == (200, "2")
        assert [one["value"] for one in saved.select("form input[name=lock_version]")] == ["2"]

        merged = await grace.post(recipe.url, form(theirs, tags="draft, shop"), page=theirs, headers=HTMX)
        assert merged.status == 200
        assert "Ada" in (merged.header("RT-Toast") or "")
        now = row(recipe)
        assert (now["title"], now["tags"], now["lock_version"]) == ("New plan", "draft, shop", 3)

        # Without JavaScript: a page of its own, and back.
        panel = await grace.post(recipe.url, form(theirs, title="Old plan"))
        assert (panel.status, panel.header("RT-Problem")) == (409, "stale")
        assert panel.select("html form .rt-conflict [name=rt-take-title]")
        decided = await grace.post(recipe.url, form(panel, **{"rt-take-title": "mine"}))
        assert decided.status in (302, 303)
        assert (row(recipe)["title"], row(recipe)["tags"]) == ("Old plan", "draft, shop")

        # Somebody is faster, twice.
        page = await ada.get(recipe.url)
        values = form(page, title="Old plan", tags="draft, shop", body="One.\nTwo.\nThree.\nFour.\n")
        with racing(example, recipe, "tags = 'shop'", "title = 'Their plan'"):
            assert (await ada.post(recipe.url, values, page=page, headers=HTMX)).status == 200
        now = row(recipe)
        assert (now["title"], now["tags"]) == ("Their plan", "shop")
        assert now["body"].splitlines() == ["One.", "Two.", "Three.", "Four."]

        page = await ada.get(recipe.url)
        values = form(page, title="My plan", tags="shop", body=now["body"])
        with racing(example, recipe, "title = 'Faster plan'"):
            refused = await ada.post(recipe.url, values, page=page, headers=HTMX)
        assert (refused.status, row(recipe)["title"]) == (409, "Faster plan")
        with contextlib.closing(sqlite3.connect(os.environ["DATABASE"])) as db:
            db.execute(f"DELETE FROM {recipe.table}")
            db.commit()
        gone = await ada.post(recipe.url, values, page=page, headers=HTMX)
        assert (gone.status, gone.header("RT-Problem")) == (410, "gone")
        assert "My plan" in gone.text


async def test_programs_send_etags(load: Load) -> None:
    pytest.importorskip("sqlalchemy")
    app = load("conflict/app.py").app
    async with running(app), Browser(app) as ada:

        async def put(**headers: str) -> Page:
            kind = {"content-type": "application/json"}
            return await ada.request("PUT", "/api/docs/7", b'{"title": "New plan"}', headers=kind | headers)

        found = await ada.get("/api/docs/7")
        assert (json.loads(found.text)["title"], found.header("ETag")) == ("Plan", '"1"')
        without = await put()
        assert (without.status, without.header("RT-Problem")) == (428, "version-required")
        saved = await put(**{"if-match": '"1"'})
        assert (saved.status, saved.header("ETag"), json.loads(saved.text)["title"]) == (200, '"2"', "New plan")
        late = await put(**{"if-match": '"1"'})
        assert (late.status, late.header("Content-Type")) == (412, "application/problem+json")
        assert json.loads(late.text)["fields"].keys() == {"title", "body", "tags", "stock"}


async def test_what_would_be_saved_is_checked_first(load: Load) -> None:
    pytest.importorskip("sqlalchemy")
    app = load("conflict/app.py").app
    async with running(app), Browser(app) as ada:
        page = await ada.get("/docs/7/edit")
        refused = await ada.post("/docs/7/edit", form(page, title="New plan", stock="a lot"), page=page, headers=HTMX)
        assert (refused.status, refused.header("RT-Problem")) == (422, "validation")
        assert refused.text == "Stock is a whole number."
        assert row(RECIPES[0])["title"] == "Plan"


async def test_an_endpoint_of_its_own_loses_a_race(load: Load) -> None:
    pytest.importorskip("sqlalchemy")
    example = load("conflict/app.py")
    async with running(example.app), Browser(example.app) as ada:
        page = await ada.get("/docs/7/edit")
        with racing(example, RECIPES[0], "tags = 'shop'"):
            asked = await ada.post("/docs/7/copy", form(page, title="New plan"))
        assert (asked.status, row(RECIPES[0])["title"]) == (409, "Plan")
        assert "Copy of" not in (await ada.get("/")).text
        saved = await ada.post("/docs/7/copy", form(asked))
        assert saved.status == 303
        assert (row(RECIPES[0])["title"], row(RECIPES[0])["tags"]) == ("New plan", "shop")
        assert "Copy of New plan" in (await ada.get("/")).text


async def test_mergers_of_your_own(load: Load) -> None:
    example = load("conflict/mergers.py")
    base = {"due": datetime(2026, 5, 1, 10), "progress": 20}
    mine = {"due": "2026-05-01T10:00", "progress": "40"}
    merge = merge_fields(base, mine, base | {"progress": 60}, {"due": example.moment, "progress": example.progress})
    assert {name: one.decision for name, one in merge.fields.items()} == {"due": "same", "progress": "merged"}
    assert merge.values == {"due": "2026-05-01T10:00", "progress": "60"}


async def test_a_document_is_deleted_and_made_again(load: Load) -> None:
    pytest.importorskip("sqlalchemy")
    app = load("conflict/app.py").app
    async with running(app), Browser(app) as ada, Browser(app) as grace:
        page = await ada.get("/docs/7/edit")
        assert (await ada.get("/docs/7/fields")).select("form[rt-save=field] [rt-edit]")
        async with ada.stream(page) as stream:
            await grace.get("/docs/7")
            await grace.post("/docs/7/delete")
            assert (await stream.event("rt:call")).data["name"] == "gone"
        late = await ada.post("/docs/7/edit", form(page, title="My plan"))
        assert late.status == 410
        (button,) = late.select("button[formaction]")
        again = await ada.post(str(button["formaction"]), form(late))
        assert again.status == 303
        assert "My plan" in (await ada.get("/")).text


async def test_whoever_holds_the_lock_saves(load: Load) -> None:
    app = load("conflict/raw_sql.py").app
    async with running(app), Browser(app) as ada, Browser(app) as grace:
        ada.cookies["person"], grace.cookies["person"] = "Ada", "Grace"
        hers, theirs = await ada.get("/docs/7"), await grace.get("/docs/7")
        assert hers.select("button[rt-release]")
        (element,) = hers.select("[rt-edit]")
        call = json.dumps({"tab": hers.tab, "gen": 1, "grant": element["rt-grant"], "act": "take"}).encode()
        headers = {"content-type": "application/json", "sec-fetch-site": "same-origin"}
        lock = json.loads((await ada.request("POST", "/_rt/locks/doc:7", call, page=hers, headers=headers)).text)
        refused = await grace.post("/docs/7", form(theirs, title="Their plan"), page=theirs, headers=HTMX)
        assert (refused.status, "Ada" in refused.text, "Their plan" in refused.text) == (423, True, True)
        fence = {"rt-fence": str(lock["fence"])}
        saved = await ada.post("/docs/7", form(hers, title="My plan", **fence), page=hers, headers=HTMX)
        assert saved.status == 200
        now = row(Recipe("conflict/raw_sql.py"))
        assert (now["title"], now["fence"]) == ("My plan", lock["fence"])
