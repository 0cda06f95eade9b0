"""An office with forms to fill in: a long application with a draft on the server, plain forms, and pages to go to."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from typing import Any

import jinja2
import uvicorn
from markupsafe import escape
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from htmx_rt import Realtime, RealtimeMiddleware, User

HEAD = """<!doctype html><html lang="{{ lang }}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Bureau</title><link rel="icon" href="data:,">{{ rt.head(htmx=htmx, lang=lang) }}</head><body>{{ rt.banner() }}<main>
<h1>{{ who or "Nobody" }}</h1><nav><a href="/other" hx-boost="true">Boosted</a> <a href="/plain" hx-boost="true">Form</a> <a href="/other">Plain link</a>
<button hx-get="/part" hx-target="main" hx-push-url="/other">Pushed</button></nav>
<p id="live" {{ rt.stream("bureau") }}>open</p>"""
TAIL = """</main>{{ rt.toasts() }}</body></html>"""
CONTROLS = """
<p><label>Name <input name="name" value="{{ saved.get('name', '') }}"></label></p>
<p><label>About <textarea name="about">
{{ saved.get('about', '') }}</textarea></label></p>
<p><label>Town <select name="town"><option>Bonn</option><option>Jena</option><option>Kiel</option></select></label></p>
<p><label>Skills <select name="skills" multiple><option>sewing</option><option>baking</option><option>singing</option></select></label></p>
<p><label><input type="checkbox" name="days" value="mon"> Mon</label> <label><input type="checkbox" name="days" value="tue" checked> Tue</label>
<label><input type="checkbox" name="agree"> Agree</label></p>
<p><label><input type="radio" name="size" value="s" checked> Small</label> <label><input type="radio" name="size" value="l"> Large</label></p>
<p><label>From <input type="date" name="from"></label> <label>Level <input type="range" name="level" min="0" max="10"></label></p>
<div id="rich" contenteditable rt-recover aria-label="Rich" role="textbox">Text</div>
<p><label>Password <input type="password" name="password"></label> <label>Code <input name="code" autocomplete="one-time-code"></label>
<label>Card <input name="number" autocomplete="cc-number"></label> <label>Diary <input name="diary" rt-private></label>
<label>Scratch <input name="scratch" rt-no-draft></label></p><input type="hidden" name="token" value="{{ token }}">"""
PAGES = {
    "plain": f'<form id="f" method="post" action="/plain">{CONTROLS}<button>Save</button></form>',
    "hx": f'<form id="f" hx-post="/plain" hx-target="#f" hx-swap="outerHTML" rt-recover>{CONTROLS}<button>Save</button></form>',
    "bare": '<form method="post" action="/bare"><input name="note" aria-label="One"></form>'
    '<form method="post" action="/bare"><input name="note" aria-label="Two"></form>'
    '<form name="named" method="post"><input name="note" aria-label="Three"></form>'
    '<form role="search"><input name="q" aria-label="Search"></form>'
    '<form id="left" method="post" rt-recover="ignore" rt-unsaved="ignore"><input name="note" aria-label="Left"></form>',
    "steps": '<form id="steps" method="post" rt-recover="/rebuild"><input name="note" aria-label="Note"></form>',
    "other": "<h2>Other</h2>",
    "draft": '<form id="d" hx-post="/send" hx-target="#d" hx-swap="outerHTML">{{ rt.draft("app", draft) }}'
    '<p><label>Title <input name="title" value="{{ draft.get(\'title\') }}"></label></p>'
    '<p><label>Story <textarea name="story" rows="6">\n{{ draft.get(\'story\') }}</textarea></label></p>'
    '<p><label><input type="checkbox" name="agree" value="yes"{{ " checked" if draft.get("agree") }}> Agree</label></p>'
    '<button>Send</button></form>',
    "asked": '<form id="d" method="post" action="/send">{{ rt.draft("app") }}<label>Title <input name="title"></label>'
    '<label>Story <textarea name="story" rows="6"></textarea></label><button>Send</button></form>',
}  # fmt: skip
_numbers = itertools.count()


class Bureau:
    """Who asks is whoever the cookie `who` names. `status` is what a save is answered with."""

    def __init__(self, *, htmx: int, name: str = "", store: str = "memory://", **options: Any) -> None:
        self.htmx = htmx
        self.address = ""
        self.saved: dict[str, str] = {}
        self.sent: list[dict[str, list[str]]] = []
        self.drafts: list[tuple[str, int]] = []  # method and status of each call for a draft
        self.status = 200
        self.refuse: int | None = None  # what calls for drafts are answered with instead
        self.wait: asyncio.Event | None = None
        self.rt = Realtime(
            secret="a secret of thirty-two bytes or more", name=name or f"bureau{next(_numbers)}", debug=True,
            identify=_identify, store=store, **options,
        )  # fmt: skip
        self.environment = jinja2.Environment(autoescape=True)
        self.rt.install(self.environment)
        self._app = Starlette(
            routes=[
                Route("/as/{who}", self._sign_in),
                Route("/out", self._sign_out),
                Route("/part", self._part),
                Route("/{page}", self._page),
                Route("/{page}", self._act, methods=["POST"]),
            ],
            middleware=[Middleware(RealtimeMiddleware, rt=self.rt)],
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or "/drafts/" not in scope["path"]:
            await self._app(scope, receive, send)
            return
        if self.refuse:
            self.drafts.append((scope["method"], self.refuse))
            await Response(status_code=self.refuse)(scope, receive, send)
            return

        async def noting(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.drafts.append((scope["method"], message["status"]))
            await send(message)

        await self._app(scope, receive, noting)

    @property
    def puts(self) -> int:
        return sum(method == "PUT" for method, _ in self.drafts)

    async def _page(self, request: Request) -> Response:
        page = request.path_params["page"]
        if page not in PAGES:
            return Response(status_code=404)
        return await self._html(request, HEAD + PAGES[page] + TAIL)

    async def _part(self, request: Request) -> Response:
        return HTMLResponse("<h2>Other</h2>")

    async def _html(self, request: Request, source: str, status: int = 200) -> Response:
        draft = await self.rt.drafts.get("app") if "draft" in source else None
        html = self.environment.from_string(source).render(
            htmx=self.htmx, who=request.cookies.get("who"), saved=self.saved, token="t", draft=draft,
            lang=request.query_params.get("lang", "en"),
        )  # fmt: skip
        return HTMLResponse(html, status)

    async def _act(self, request: Request) -> Response:
        form = await request.form()
        page = request.path_params["page"]
        self.sent.append({name: [str(one) for one in form.getlist(name)] for name in form})
        if page == "rebuild":
            value = escape(str(form["note"]))
            return HTMLResponse(
                f'<form id="steps" method="post" rt-recover="/rebuild"><input name="note" aria-label="Note" value="{value}"><b>Rebuilt</b></form>'
            )
        if self.status >= 400:
            return HTMLResponse("<p>Refused</p>", self.status)
        if page == "send" and not request.headers.get("HX-Request"):
            await self.rt.drafts.done("app")
            return RedirectResponse("/asked", 303)
        if page == "send":
            return await self._html(request, "<p id='d'>Thank you</p>")
        if request.headers.get("HX-Request"):
            return await self._html(request, PAGES["hx"])
        return RedirectResponse(f"/{page}", 303)

    async def _sign_in(self, request: Request) -> Response:
        who = request.path_params["who"]
        self.rt.set_user(User(who, who.title()))
        answer = RedirectResponse("/other", status_code=303)
        answer.set_cookie("who", who)
        return answer

    async def _sign_out(self, request: Request) -> Response:
        self.rt.sign_out()
        answer = RedirectResponse("/other", status_code=303)
        answer.delete_cookie("who")
        return answer


def _identify(request: Request) -> User | None:
    who = request.cookies.get("who")
    return User(who, who.title()) if who else None


if __name__ == "__main__":
    port, folder, htmx = sys.argv[1:]
    bureau = Bureau(htmx=int(htmx), name="killed", store=f"sqlite:///{folder}/rt.db")
    uvicorn.run(bureau, port=int(port), log_level="error", ws="none")
    os._exit(0)
