"""A document that several people have open, of which one may write: its page, its server, and what each of them sees."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from playwright.sync_api import Locator, Page, expect
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from htmx_rt.answering import answers
from htmx_rt.guards import Guard, Preset
from htmx_rt.merge import flag, text, whole

from .lab import Lab
from .people import Person
from .presence_kit import identify

AXE = (Path(__file__).parents[2] / "js/node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
PAGE = """<h1>Handbook</h1>
<form id="doc" method="post" action="/save" hx-post="/save" hx-swap="none">
{{ rt.guard("doc", doc) }}
<p><label for="title">Title</label> <input id="title" name="title" value="{{ doc.title }}"></p>
<p><label for="body">Text</label> <textarea id="body" name="body" rows="4" cols="40">{{ doc.body }}</textarea></p>
<p><label for="kind">Kind</label> <select id="kind" name="kind">{% for kind in ("guide", "note") %}
<option{{ " selected" if kind == doc.kind }}>{{ kind }}</option>{% endfor %}</select>
<label><input type="checkbox" id="public" name="public"{{ " checked" if doc.public }}> Public</label></p>
<button id="save">Save</button> <button id="save-leave" rt-release>Save and let go</button>
<button id="done" type="button" rt-release>Done</button>
</form>
<button id="again" hx-get="/doc" hx-select="#doc" hx-target="#doc" hx-swap="outerHTML">Fetch again</button>
<button id="ask" rt-ask="doc:7">May I?</button>"""


@dataclass
class Doc:
    """The record."""

    id: int = 7
    title: str = "Handbook"
    body: str = "One\nTwo\nThree"
    kind: str = "guide"
    public: bool = False
    lock_version: int = 1


@dataclass
class Room:
    """Where the document is edited: `enter` opens it as somebody."""

    lab: Lab
    address: str
    guard: Guard
    doc: Doc
    person: Callable[..., Person]
    people: dict[str, Person] = field(default_factory=dict)
    expected: tuple[int | str, ...] = (409, 423, "htmx:error", "Response Status Error Code", "htmx:responseError")

    def enter(self, name: str, *, clock: bool = False, state: str | None = "connected", **options: Any) -> Page:
        """Open it in the browser of `name`; the second time in another tab of it."""
        if name not in self.people:
            self.people[name] = self.person(self.address, expected=self.expected, **options)
            self.people[name].context.add_cookies([{"name": "who", "value": name, "url": self.address}])
        return self.people[name].open("/doc", clock=clock, state=state)


def room(lab: Callable[..., tuple[Lab, str]], person: Callable[..., Person], preset: Preset, **options: Any) -> Room:
    """Declare the guard, its page and its save, and start the server."""
    started, address = lab(identify=identify)
    fields = {"title": whole, "body": text, "kind": whole, "public": flag}
    guard = started.rt.guard("doc:{id}", fields, preset=preset, **options)
    doc = Doc()

    @answers
    async def save(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        saving = await guard.check(doc, form)
        saving.apply(doc, parse={"public": lambda value: value not in ("", "0", "false")})
        doc.lock_version += 1
        saving.done(doc)
        if request.headers.get("hx-request"):
            return Response(status_code=204)
        return RedirectResponse("/doc", 303)

    started.page("/doc", PAGE, doc=lambda: doc)
    started.post("/save", save)
    return Room(started, address, guard, doc, person)


def line(page: Page) -> Locator:
    """Return the line of who is editing."""
    return page.locator(".rt-lease")


def expect_role(page: Page, role: str, *, timeout: float = 10_000) -> None:
    """Wait until this page edits ("mine"), looks on ("theirs"), or nobody edits ("free")."""
    page.wait_for_selector(f'form[data-lease="{role}"]', timeout=timeout)


def expect_version(page: Page, version: int) -> None:
    """Wait until the page has what was saved as `version`."""
    expect(page.locator("input[name=lock_version]")).to_have_value(str(version))


def took(page: Page, since: float, role: str, timeout: float) -> float:
    """Wait for a role and return how many milliseconds that took."""
    expect_role(page, role, timeout=timeout)
    return round((time.monotonic() - since) * 1000)


def violations(page: Page) -> list[str]:
    """Return what axe-core objects to in the form."""
    page.evaluate(AXE)
    found = page.evaluate("() => axe.run('#doc').then(({ violations }) => violations.map(({ id }) => id))")
    return list(found)
