"""A site with documents that several people edit, and people who edit them as a browser without scripts would."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from bs4 import BeautifulSoup
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from htmx_rt.guards import Guard
from htmx_rt.merge import Merger, flag, members, number, text, whole, words
from htmx_rt.testing import Browser, Page

from .kit import Site

FIELDS: dict[str, Merger] = {
    "title": whole, "body": text, "tags": words, "price": number, "public": flag, "teams": members,
}  # fmt: skip
FORM = """<form method="post" action="/docs/{{ doc.id }}">{{ rt.guard("doc", doc) }}
<input name="title" value="{{ doc.title }}"><textarea name="body">
{{ doc.body }}</textarea><input name="tags" value="{{ doc.tags }}"><input name="price" value="{{ doc.price }}">
<input type="checkbox" name="public" value="on"{{ " checked" if doc.public }}>
{% for team in ("red", "green", "blue") %}<input type="checkbox" name="teams" value="{{ team }}"{{ " checked" if team in doc.teams }}>{% endfor %}
<input type="hidden" name="csrf" value="a-token"></form>"""
PAGE = f"<html><head>{{{{ rt.head() }}}}</head><body>{FORM}</body></html>"

Pairs = list[tuple[str, str]]


@dataclass
class Doc:
    """The record."""

    id: int = 7
    title: str = "Plan"
    body: str = "one\ntwo\nthree\n"
    tags: str = "a, b"
    price: str = "10"
    public: bool = False
    teams: list[str] = field(default_factory=lambda: ["red"])
    lock_version: int = 1
    fence: int = 0


class Papers(Site):
    """`/docs/7` shows the form of a document and takes it; every row that was accepted is kept in `accepted`."""

    def __init__(
        self, preset: Any = "merge", *, guard: dict[str, Any] | None = None, page: str = PAGE, **options: Any
    ) -> None:
        routes = [
            Route("/docs/{id:int}", self.show),
            Route("/docs/{id:int}", self.save, methods=["POST", "PUT", "PATCH"]),
            *options.pop("routes", ()),
        ]
        options["templates"] = {"doc.html": page} | options.pop("templates", {})
        super().__init__(routes=routes, **options)
        self.rt.store.clock = self.clock
        self.rows: dict[int, Doc] = {7: Doc()}
        self.accepted: list[Doc] = []
        given = {"pattern": "doc:{id}", "fields": FIELDS, "preset": preset} | (guard or {})
        self.docs: Guard = self.rt.guard(given.pop("pattern"), given.pop("fields"), **given)

    @property
    def doc(self) -> Doc:
        return self.rows[7]

    async def show(self, request: Request) -> Response:
        return self.html("doc.html", doc=self.rows[request.path_params["id"]])

    async def save(self, request: Request) -> Response:
        kind = request.headers.get("content-type", "")
        if kind.startswith("application/json"):
            return await self.docs.answers(self.take)(request.path_params["id"], await request.json())
        async with request.form() as form:
            return await self.docs.answers(self.take)(request.path_params["id"], form)

    async def take(self, id: int, form: Any) -> Response:
        """Save as an app does: check, then an UPDATE that compares the version, again where another was faster."""
        while True:
            row = self.rows.get(id)
            saving = await self.docs.check(replace(row) if row else None, form)
            if self.rows[id].lock_version == saving.version:
                break
        new = replace(self.rows[id], lock_version=saving.version + 1)
        saving.apply(new, parse={"public": bool})
        self.rows[id] = new
        self.accepted.append(new)
        saving.done(new)
        return JSONResponse({"merged": saving.merged, "by": saving.by, "v": new.lock_version})

    def change(self, **values: Any) -> Doc:
        """Somebody else changes the document."""
        self.rows[7] = new = replace(self.doc, lock_version=self.doc.lock_version + 1, **values)
        return new

    async def person(self, who: str | None = "ada", id: int = 7) -> Person:
        """Return somebody who has just opened the form."""
        person = Person(self.browser(who), f"/docs/{id}")
        await person.open()
        return person


class Person:
    """Somebody with a form before them."""

    def __init__(self, browser: Browser, path: str) -> None:
        self.browser = browser
        self.path = path
        self.page: Page
        self.form: Pairs = []
        self.tab = secrets.token_hex(16)

    async def open(self) -> Person:
        """Open the form, or anew."""
        self.page = await self.browser.get(self.path)
        assert self.page.status == 200, self.page.text
        self.form = controls(self.page.text)
        return self

    def value(self, name: str) -> str:
        """Return the first value of a field."""
        return next(value for key, value in self.form if key == name)

    def typed(self, **values: Any) -> Pairs:
        """Return the form with these values; None takes a field out, a list gives several."""
        form = [(name, value) for name, value in self.form if name not in values]
        for name, value in values.items():
            form += [(name, one) for one in ([value] if isinstance(value, str) else value or ())]
        return form

    async def save(
        self, extra: Iterable[tuple[str, str]] = (), *, headers: Mapping[str, str] | None = None, **values: Any
    ) -> Page:
        """Send the form; fields of `extra` come at its end."""
        return await self.send([*self.typed(**values), *extra], headers=headers)

    async def send(self, form: Pairs, *, headers: Mapping[str, str] | None = None, method: str = "POST") -> Page:
        """Send these fields, as htmx does where `headers` do not say otherwise."""
        own = {"content-type": "application/x-www-form-urlencoded", "hx-request": "true", "rt-tab": self.tab}
        own |= {"idempotency-key": secrets.token_hex(16)} | dict(headers or {})
        own = {name: value for name, value in own.items() if value}
        body = urlencode(form, errors="surrogatepass").encode()
        return await self.browser.request(method, self.path, body, headers=own)

    async def send_json(self, body: object, *, headers: Mapping[str, str] | None = None, method: str = "PATCH") -> Page:
        """Send JSON, as a program does."""
        own = {"content-type": "application/json", "accept": "application/json"} | dict(headers or {})
        return await self.browser.request(method, self.path, json.dumps(body).encode(), headers=own)

    def take(self, page: Page) -> None:
        """Put a panel in place of the form's fields."""
        self.form = controls(page.text)


def controls(html: str) -> Pairs:
    """Return what a browser would send of the first form, or of a fragment, in `html`."""
    soup = BeautifulSoup(html, "html.parser")
    found: Pairs = []
    for element in (soup.find("form") or soup).select("input[name], textarea[name]"):
        if element.name == "textarea":
            found.append(
                (str(element["name"]), element.text.removeprefix("\n").replace("\r\n", "\n").replace("\n", "\r\n"))
            )
        elif element.get("type") not in ("checkbox", "radio") or element.has_attr("checked"):
            found.append((str(element["name"]), str(element.get("value", "on"))))
    return found


def asked(page: Page) -> list[str]:
    """Return the fields that a panel asks about."""
    return [str(element["data-field"]) for element in page.select(".rt-conflict-field")]


def of(**values: Any) -> FormData:
    """Return a form as Starlette has it."""
    return FormData(
        [
            (name, value)
            for name, several in values.items()
            for value in (several if isinstance(several, list) else [several])
        ]
    )


__all__ = ["FIELDS", "FORM", "PAGE", "Doc", "Pairs", "Papers", "Person", "PlainTextResponse", "asked", "controls", "of"]
