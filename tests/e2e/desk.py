"""An app whose actions may be kept for later: it writes down each one that reaches it, and plays faults."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jinja2
from playwright.sync_api import BrowserContext, Locator, Page
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from htmx_rt import Realtime, RealtimeMiddleware, User

from .people import Person

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'"
)
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Desk</title><meta name="csrf-token" content="{{ token }}">{{ rt.head(htmx=htmx) }}</head><body>{{ rt.banner() }}<main>
<h1>Desk of {{ who or "nobody" }}</h1>
<ul id="notes">{% for note in notes %}<li>{{ note }}</li>{% endfor %}</ul>
<form id="add" hx-post="/notes" hx-target="#notes" hx-swap="beforeend" rt-queue="notes" aria-label="Add note">
<input name="title" aria-label="Title"> <input type="hidden" name="csrf_token" value="{{ token }}"> <button>Add</button></form>
{% for number in (1, 2) %}<form id="task-{{ number }}" hx-post="/tasks/{{ number }}" hx-target="this" hx-swap="outerHTML"
rt-queue aria-label="Save task {{ number }}"><input name="name" aria-label="Name {{ number }}">
<input type="hidden" name="lock_version" value="3"><button>Save {{ number }}</button></form>{% endfor %}
<form id="upload" hx-post="/files" hx-encoding="multipart/form-data" hx-target="#notes" rt-queue><input type="file" name="file"
aria-label="File"><button>Upload</button></form>
<form id="secret" hx-post="/secret" hx-swap="none" rt-queue><input type="password" name="password" aria-label="Password"><button>Set</button></form>
<form id="plain" hx-post="/plain" hx-swap="none"><button>Plain</button></form>
<form id="pay" hx-post="/pay/7/send" hx-swap="none" rt-queue><button>Pay</button></form>
{{ extra }}</main>{% if bar %}{{ rt.queue() }}{% endif %}{{ rt.toasts() }}</body></html>"""

_numbers = itertools.count()


@dataclass(frozen=True)
class Sent:
    """An action as it reached the app."""

    path: str
    value: str
    key: str
    who: str
    token: str


class Desk:
    """Who asks is whoever the cookie `who` names. `fault` may answer in place of the app."""

    def __init__(self, *, htmx: int) -> None:
        self.htmx = htmx
        self.address = ""
        self.bar = True
        self.token = "one"
        self.sent: list[Sent] = []
        self.notes: list[str] = []
        self.fault: Callable[[Sent], Response | None] = lambda sent: None
        self.rt = Realtime(
            secret="a secret of thirty-two bytes or more", name=f"desk{next(_numbers)}", debug=True, identify=_identify
        )
        self.rt.irreversible("/pay/{id}/send")
        self.environment = jinja2.Environment(autoescape=True)
        self.rt.install(self.environment)
        self.app = Starlette(
            routes=[
                Route("/as/{who}", self._sign_in),
                Route("/out", self._sign_out),
                Route("/{path:path}", self._page, methods=["GET"]),
                Route("/{path:path}", self._act, methods=["POST"]),
            ],
            middleware=[Middleware(RealtimeMiddleware, rt=self.rt)],
        )

    def values(self, path: str = "/notes") -> list[str]:
        """Return what was sent to `path`, in order."""
        return [sent.value for sent in self.sent if sent.path == path]

    async def _page(self, request: Request) -> Response:
        html = self.environment.from_string(PAGE).render(
            htmx=self.htmx, who=request.cookies.get("who"), notes=self.notes, token=self.token, bar=self.bar, extra=""
        )
        return HTMLResponse(html, headers={"Content-Security-Policy": POLICY})

    async def _sign_in(self, request: Request) -> Response:
        who = request.path_params["who"]
        self.rt.set_user(User(who, who.title()))
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie("who", who)
        return answer

    async def _sign_out(self, request: Request) -> Response:
        self.rt.set_user(None)
        answer = RedirectResponse("/", status_code=303)
        answer.delete_cookie("who")
        return answer

    async def _act(self, request: Request) -> Response:
        form = await request.form()
        path = request.url.path
        value = str(form.get("title") or form.get("name") or "")
        headers = request.headers
        sent = Sent(
            path, value, headers["Idempotency-Key"], request.cookies.get("who", ""), str(form.get("csrf_token", ""))
        )
        self.sent.append(sent)
        fault = await asyncio.to_thread(self.fault, sent)
        if fault is not None:
            return fault
        if path == "/notes":
            self.notes.append(value)
            return self._html('<li id="note-{{ n }}">{{ value }}</li>', n=len(self.notes), value=value)
        if path.startswith("/tasks/"):
            return self._html(
                '<p id="task-{{ n }}" class="saved">{{ value }}</p>', n=path.rpartition("/")[2], value=value
            )
        return Response(status_code=204)

    def _html(self, template: str, **values: Any) -> Response:
        return HTMLResponse(self.environment.from_string(template).render(values))


def _identify(request: Request) -> User | None:
    who = request.cookies.get("who")
    return User(who, who.title()) if who else None


def refusal(status: int, problem: str = "", html: str = "", **headers: str) -> Response:
    """Return an answer such as the app would give that does not accept an action."""
    return HTMLResponse(html, status_code=status, headers={**({"RT-Problem": problem} if problem else {}), **headers})


def entries(page: Page) -> list[dict[str, Any]]:
    """Return what is kept on the device."""
    found = page.evaluate(
        """() => new Promise((resolve) => {
          const open = indexedDB.open(`rt-${JSON.parse(document.querySelector('meta[name="htmx-rt"]').content).name}`);
          open.onsuccess = () => {
            const all = open.result.transaction("queue").objectStore("queue").getAll();
            all.onsuccess = () => (open.result.close(), resolve(JSON.stringify(all.result)));
          };
        })"""
    )
    return list(json.loads(found))


LISTENING = """() => {
  const { events } = htmxRt.rt;
  let heard = false;
  const off = events.on("queue:entries", () => (heard = true));
  events.emit("queue:ask");
  off();
  return heard;
}"""


def open_desk(person: Person, path: str = "/", *, state: str | None = "connected") -> Page:
    """Open a page and wait until its queue listens."""
    page = person.open(path, state=state)
    page.wait_for_function(LISTENING)
    return page


def sign_in(person: Person, name: str) -> None:
    """Become somebody, in another tab as it were."""
    person.context.request.get(f"{person.address}/as/{name}")


def sign_out(person: Person) -> None:
    """Become nobody."""
    person.context.request.get(f"{person.address}/out")


def add(page: Page, *titles: str) -> None:
    """Add notes."""
    for title in titles:
        page.get_by_label("Title").fill(title)
        page.get_by_role("button", name="Add", exact=True).click()


def send_now(page: Page) -> None:
    """Say that the line is back, however long the queue would have waited by itself."""
    page.evaluate("dispatchEvent(new Event('online'))")


def bar(page: Page) -> Locator:
    """Return the sentence of the bar."""
    return page.locator("#rt-queue [rt-queue-text]")


def offline(context: BrowserContext, off: bool = True) -> None:
    """Take the network away, or give it back."""
    context.set_offline(off)
