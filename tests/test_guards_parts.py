"""Forms of some fields of a record, and parts of it that are held by themselves."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from .edit_kit import Papers, Person
from .kit import problem, running

pytestmark = pytest.mark.anyio

TITLE = """<form method="post" action="/title">{{ rt.guard("doc", doc, fields=("title", "public"), part="title") }}
<input name="title" value="{{ doc.title }}"><input type="checkbox" name="public" value="on"{{ " checked" if doc.public }}></form>"""
PRICE = """<form method="post" action="/price">{{ rt.guard("doc", doc, fields=("price", "teams"), part="price") }}
<input name="price" value="{{ doc.price }}"></form>"""


class Sections(Papers):
    """`/title` and `/price` show a form of their own for the same document, each with a lock of its own."""

    def __init__(self) -> None:
        pages = {
            f"{name}.html": f"<html><head>{{{{ rt.head() }}}}</head><body>{form}</body></html>"
            for name, form in (("title", TITLE), ("price", PRICE))
        }
        routes = [
            Route("/{part}", self.show_part, methods=["GET"]),
            Route("/{part}", self.save_part, methods=["POST"]),
        ]
        super().__init__("lock", routes=routes, templates=pages)
        self.change(public=True)

    async def show_part(self, request: Request) -> Response:
        return self.html(f"{request.path_params['part']}.html", doc=self.doc)

    async def save_part(self, request: Request) -> Response:
        async with request.form() as form:
            return await self.docs.answers(self.take_part)(request.path_params["part"], form)

    async def take_part(self, part: str, form: FormData) -> Response:
        saving = await self.docs.check(replace(self.doc), form, part=part)
        self.rows[7] = new = replace(self.doc, lock_version=saving.version + 1)
        saving.apply(new, parse={"public": bool})
        saving.done(new)
        return PlainTextResponse("saved")

    async def part_of(self, who: str, part: str) -> Person:
        person = Person(self.browser(who), f"/{part}")
        await person.open()
        return person


@pytest.fixture
async def site() -> AsyncIterator[Sections]:
    sections = Sections()
    async with running(sections.app):
        yield sections


async def test_a_form_of_some_fields_leaves_the_others_as_they_are(site: Sections) -> None:
    ada = await site.part_of("Ada", "price")
    assert (await ada.save(price="20")).status == 200
    # A checkbox that this form does not show is not off because it does not send it.
    assert (site.doc.price, site.doc.public, site.doc.teams) == ("20", True, [])


async def test_a_form_with_the_values_of_all_fields_speaks_for_those_it_shows(site: Sections) -> None:
    """The page takes the base of every save that it hears of, and that holds all fields."""
    ada, grace = await site.part_of("Ada", "title"), await site.part_of("Grace", "price")
    async with ada.browser.stream(ada.page) as stream:
        assert (await grace.save(price="20", teams=["red"])).status == 200
        while (call := (await stream.event("rt:call")).data)["name"] != "saved":
            pass
    assert call["t"] == "edit:doc:7"
    args = call["args"]
    answer = await ada.save(title="Mine", lock_version=str(args["v"]), **{"rt-base": args["base"]})
    assert answer.status == 200
    assert (site.doc.title, site.doc.price, site.doc.teams) == ("Mine", "20", ["red"])


async def test_two_parts_are_held_by_two_people(site: Sections) -> None:
    ada, grace = await site.part_of("Ada", "title"), await site.part_of("Grace", "price")
    fences: dict[str, int] = {}
    for person, part in ((ada, "title"), (grace, "price")):
        line = person.page.select("[rt-edit]")[0]
        assert (line["rt-edit"], line["data-record"]) == (f"doc:7:{part}", "doc:7")
        topics, grants = str(line["rt-stream"]).split(), str(line["rt-grant"]).split()
        assert topics == [f"edit:doc:7:{part}", "edit:doc:7"]
        body = {"tab": person.tab, "gen": 1, "grant": grants[0], "act": "take"}
        headers = {"content-type": "application/json", "sec-fetch-site": "same-origin"}
        answer = await person.browser.request(
            "POST", f"/_rt/locks/doc:7:{part}", json.dumps(body).encode(), headers=headers
        )
        fences[part] = json.loads(answer.text)["fence"]
        assert json.loads(answer.text)["mine"] is True
    mei = await site.part_of("Mei", "price")
    assert problem(await mei.save(price="40")) == (423, "locked")
    assert (await grace.save([("rt-fence", str(fences["price"]))], price="30")).status == 200
    assert (await ada.save([("rt-fence", str(fences["title"]))], title="Mine")).status == 200
    assert (site.doc.title, site.doc.price) == ("Mine", "30")


async def test_a_form_that_is_shown_again_says_what_is_the_records_and_what_was_typed() -> None:
    again = """<form method="post">{{ rt.guard("doc", doc, typed=typed) }}<input name="title" value="{{ typed.title }}"></form>"""
    papers = Papers(templates={"again.html": f"<html><head>{{{{ rt.head() }}}}</head><body>{again}</body></html>"})

    async def show(request: Request) -> Response:
        return papers.html("again.html", doc=papers.doc, typed={"title": "Mine", "price": "10.0"})

    papers.app.app.routes.append(Route("/again", show))
    async with running(papers.app):
        page = await papers.browser("Ada").get("/again")
    assert json.loads(str(page.select("[rt-edit]")[0]["data-base"])) == {"title": "Plan"}


async def test_who_changed_it_in_another_window_is_told_so(site: Sections) -> None:
    ada = await site.person("Ada")
    other = Person(ada.browser, "/docs/7")
    await other.open()
    assert (await other.save(title="First")).status == 200
    answer = await ada.save(title="Second")
    assert problem(answer) == (409, "stale")
    assert "You did so yourself, in another window." in answer.select(".rt-conflict-note")[0].get_text()
    assert "Ada" not in answer.select("h2")[0].get_text()
