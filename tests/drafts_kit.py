"""A site with a form that keeps drafts, and what its page does."""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from htmx_rt.stores import Store
from htmx_rt.testing import Browser, Page

from .desk import Desk

FORM = """<!doctype html><html><head>{{ rt.head() }}</head><body><form>
{% for name in names %}{{ rt.draft(name, drafts[name]) if drafts else rt.draft(name) }}{% endfor %}</form></body></html>"""


class Office(Desk):
    """`/form?n=…` is a page with forms that are kept as drafts of these names; `/done/{name}` takes one in."""

    def __init__(self, store: str | Store = "memory://", **options: Any) -> None:
        routes = [
            Route("/form", self.form),
            Route("/kept", self.kept),
            Route("/done/{name}", self.done, methods=["POST"]),
            Route("/send", self.send, methods=["POST"]),
        ]
        super().__init__(store, routes=routes, templates={"form.html": FORM}, **options)
        self.sends: list[Response] = []

    async def form(self, request: Request) -> Response:
        names = request.query_params.getlist("n") or ["application"]
        drafts = {name: await self.rt.drafts.get(name) for name in names} if "look" in request.query_params else None
        return self.html("form.html", names=names, drafts=drafts)

    async def kept(self, request: Request) -> Response:
        drafts = await self.rt.drafts.all()
        return JSONResponse([[draft.name, draft.rev, draft.fields, draft.at] for draft in drafts])

    async def done(self, request: Request) -> Response:
        await self.rt.drafts.done(request.path_params["name"])
        return PlainTextResponse("taken in")

    async def send(self, request: Request) -> Response:
        self.ran["send"] += 1
        return self.sends.pop(0) if self.sends else RedirectResponse("/form?look=1", 303)


class Form:
    """The page of one tab with one form in it."""

    def __init__(self, browser: Browser, page: Page, name: str, tab: str) -> None:
        self.browser = browser
        self.page = page
        self.tab = tab
        found = re.findall(r'<div class="rt-draft" id="([^"]*)" rt-draft="([^"]*)"([^>]*)>', page.text)
        ids = [each[0] for each in found]
        _, self.key, self.rest = found[ids.index("rt-draft-" + name.replace(":", "-"))]
        rev = re.search(r'data-rev="(\d+)"', self.rest)
        self.rev = int(rev[1]) if rev else 0

    @property
    def path(self) -> str:
        return f"/_rt/drafts/{self.key}"

    async def put(self, fields: Any = None, *, rev: int | None = None, **values: str) -> Page:
        """Keep it, as made on the revision that this page knows."""
        body = {"fields": {name: [value] for name, value in values.items()} if fields is None else fields}
        answer = await self.call("PUT", json.dumps(body).encode(), rev=rev)
        if answer.status == 200:
            self.rev = json.loads(answer.text)["rev"]
        return answer

    async def call(self, method: str, body: bytes = b"", *, rev: int | str | None = None, **headers: str) -> Page:
        own = {
            "content-type": "application/json",
            "rt-tab": self.tab,
            "rt-draft-rev": str(self.rev if rev is None else rev),
        }
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.browser.request(
            method, self.path, body, headers={k: v for k, v in (own | given).items() if v}
        )

    async def look(self) -> dict[str, Any]:
        answer = await self.browser.get(self.path)
        assert answer.status == 200, answer.text
        return data(answer)

    async def send(self, action: str = "", path: str = "/send", **headers: str) -> Page:
        """Send the form, as the extension does."""
        own = {"rt-draft": self.key, "rt-tab": self.tab, "hx-request": "true"} | (
            {"idempotency-key": action} if action else {}
        )
        return await self.browser.request("POST", path, b"title=x", headers=own | headers)


async def opened_form(
    office: Office,
    who: str | None = "ada",
    *,
    name: str = "application",
    tab: str = "one",
    browser: Browser | None = None,
) -> Form:
    """Return the form as somebody has just opened it."""
    browser = browser or office.browser(who)
    page = await browser.get(f"/form?look=1&n={name}")
    return Form(browser, page, name, tab)


def data(page: Page) -> dict[str, Any]:
    value = json.loads(page.text)
    assert isinstance(value, dict)
    return value
