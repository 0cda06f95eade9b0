"""A document that two people have open in a form each: its page, its server, and what others do to it meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from playwright.sync_api import Page
from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from htmx_rt.answering import answers
from htmx_rt.guards import Guard, Preset
from htmx_rt.merge import flag, members, number, text, whole, words

from .lab import Gate, Lab
from .people import Person
from .presence_kit import identify

FIELDS = {
    "title": whole, "body": text, "tags": words, "price": number, "kind": whole, "mood": whole, "public": flag,
    "teams": members, "langs": members,
}  # fmt: skip
INPUTS = """
<p><label for="title">Title</label> <input id="title" name="title" value="{{ doc.title }}" required></p>
<p><label for="body">Text</label> <textarea id="body" name="body" rows="5" cols="40">{{ doc.body }}</textarea></p>
<p><label>Tags <input id="tags" name="tags" value="{{ doc.tags }}"></label></p>
<p><label for="price">Price</label> <input id="price" name="price" inputmode="decimal" value="{{ doc.price }}"></p>
<p><label for="kind">Kind</label> <select id="kind" name="kind">{% for one, label in (("guide", "A guide"), ("note", "A note")) %}
<option value="{{ one }}"{{ " selected" if one == doc.kind }}>{{ label }}</option>{% endfor %}</select></p>
<fieldset><legend>Mood</legend>{% for one in ("calm", "bold") %}
<label><input type="radio" id="{{ one }}" name="mood" value="{{ one }}"{{ " checked" if one == doc.mood }}> {{ one }}</label>{% endfor %}</fieldset>
<p><label><input type="checkbox" id="public" name="public"{{ " checked" if doc.public }}> Public</label></p>
<fieldset><legend>Teams</legend>{% for one in ("red", "green", "blue") %}
<label><input type="checkbox" id="{{ one }}" name="teams" value="{{ one }}"{{ " checked" if one in doc.teams }}> {{ one }}</label>{% endfor %}</fieldset>
<p><label for="langs">Languages</label> <select id="langs" name="langs" multiple>{% for one in ("en", "de", "es") %}
<option{{ " selected" if one in doc.langs }}>{{ one }}</option>{% endfor %}</select></p>
"""
INSIDE = f"""{{{{ rt.guard("doc", doc) }}}}{INPUTS}<button id="save">Save</button>"""
FORM = f"""<form id="doc" method="post" action="/save" hx-post="/save" ATTRS>{INSIDE}</form>"""
PAGE = "<h1>Handbook</h1>FORM<p id='list'></p><p><input id='elsewhere' aria-label='Elsewhere'></p>"


@dataclass
class Doc:
    """The record."""

    id: int = 7
    title: str = "Handbook"
    body: str = "One\nTwo\nThree"
    tags: str = "red, green"
    price: str = "10"
    kind: str = "guide"
    mood: str = "calm"
    public: bool = False
    teams: list[str] = field(default_factory=lambda: ["red"])
    langs: list[str] = field(default_factory=lambda: ["en"])
    lock_version: int = 1


@dataclass
class Room:
    """Where the document is edited: `enter` opens it as somebody, `save_as` saves it from somewhere else."""

    lab: Lab
    address: str
    guard: Guard
    doc: Doc
    person: Callable[..., Person]
    people: dict[str, Person] = field(default_factory=dict)
    saves: list[dict[str, Any]] = field(default_factory=list)
    fault: Callable[[dict[str, Any]], Response | None] = lambda form: None
    tell: bool = True  # whether a save is told to others
    expected: tuple[int | str, ...] = (409, 410, 412, 422, 423, 428, 500, 503, "net::ERR_FAILED", "htmx:error: Failed to fetch",
                                       "htmx:sendError", "htmx:afterRequest,", "htmx:responseError", "Response Status Error Code", "Loading the image 'data:,'")  # fmt: skip

    def enter(self, name: str, *, path: str = "/doc", state: str | None = "connected", **options: Any) -> Page:
        """Open it in the browser of `name`; the second time in another tab of it."""
        page = self._person(name, **options).open(path, state=state)
        if state:
            page.wait_for_function("() => htmxRt.rt?.edit?.forms().length")
        return page

    def save_as(self, name: str, **changes: Any) -> None:
        """Save changes to what is there now, from a page that has just been opened."""
        form: dict[str, Any] = {"lock_version": str(self.doc.lock_version)}
        for one in FIELDS:
            value = changes.get(one, getattr(self.doc, one))
            form[one] = ("on" if value else "") if isinstance(value, bool) else value
        body = urlencode(form, doseq=True)
        answer = self._person(name).context.request.post(
            f"{self.address}/save", data=body, headers=FROM | {"HX-Request": "true"}
        )
        assert answer.status < 400, answer.text()

    def delete_as(self, name: str, why: str = "deleted") -> None:
        """Delete, or archive, the record."""
        assert self._person(name).context.request.post(f"{self.address}/{why}", headers=FROM).ok

    def hold(self) -> Gate:
        """Hold the next save until the test lets it through."""
        gate = Gate()

        def wait(form: dict[str, Any]) -> None:
            self.fault = lambda form: None
            asyncio.run(gate.wait())

        self.fault = wait
        return gate

    def _person(self, name: str, **options: Any) -> Person:
        if name not in self.people:
            self.people[name] = self.person(self.address, expected=self.expected, **options)
            self.people[name].context.add_cookies([{"name": "who", "value": name, "url": self.address}])
            self.people[name].context.request.get(f"{self.address}/docs")  # known from then on
        return self.people[name]


FROM = {"Content-Type": "application/x-www-form-urlencoded"}


def room(
    lab: Callable[..., tuple[Lab, str]],
    person: Callable[..., Person],
    preset: Preset,
    *,
    attrs: str = 'hx-swap="none"',
    page: str = PAGE,
    **options: Any,
) -> Room:
    """Declare the guard, its page and its save, and start the server."""
    started, address = lab(identify=identify, debug=True)
    guard = started.rt.guard("doc:{id}", FIELDS, preset=preset, **{"to": "/docs", "create": "/docs", **options})
    doc = Doc()
    body = page.replace("FORM", FORM).replace("ATTRS", attrs)
    here = Room(started, address, guard, doc, person)

    async def posted(request: Request) -> ImmutableMultiDict[str, str]:
        return ImmutableMultiDict(parse_qsl((await request.body()).decode(), keep_blank_values=True))

    @answers
    async def save(request: Request) -> Response:
        form = await posted(request)
        here.saves.append({name: form.getlist(name) for name in form})
        fault = await asyncio.to_thread(here.fault, here.saves[-1])
        if fault is not None:
            return fault
        saving = await guard.check(None if doc.id < 0 else doc, form)
        saving.apply(doc, parse={"public": lambda value: value not in ("", "0", "false")})
        doc.lock_version += 1
        if here.tell:
            saving.done(doc)
        if not request.headers.get("hx-request"):
            return RedirectResponse("/doc", 303)
        if 'hx-swap="none"' in body:
            return Response(status_code=204)
        form_again = FORM if "outerHTML" in attrs else INSIDE if 'target="this"' in attrs else "<p>Saved</p>"
        return HTMLResponse(started.fill(form_again.replace("ATTRS", attrs), doc=doc))

    async def gone(request: Request) -> Response:
        guard.gone(doc, "archived" if request.url.path == "/archived" else "deleted")
        doc.id = -7
        return Response(status_code=204)

    async def create(request: Request) -> Response:
        form = await posted(request)
        here.saves.append({"created": form["title"], **{name: form.getlist(name) for name in form}})
        fault = await asyncio.to_thread(here.fault, here.saves[-1])
        return fault or RedirectResponse("/docs?made", 303)

    started.page("/doc", body, doc=lambda: doc)
    started.page("/show", '<h1>{{ doc.title }}</h1>{{ rt.guard("doc", doc, form=False) }}', doc=lambda: doc)
    started.page("/docs", "<h1>All documents</h1>")
    started.post("/save", save)
    started.post("/deleted", gone)
    started.post("/archived", gone)
    started.post("/docs", create)
    return here
