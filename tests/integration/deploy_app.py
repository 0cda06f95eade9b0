"""A board to be deployed: its build and its bus come from the environment."""

import json
import os

from fastapi import FastAPI, Form
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from jinja2 import DictLoader, Environment
from markupsafe import Markup

from htmx_rt import Realtime, RealtimeMiddleware

PAGE = """<!doctype html><html lang="en" {{ rt.theme() }}><head><meta charset="utf-8"><title>{{ build }}</title>
{{ rt.head(htmx=4) }}</head><body>{{ rt.banner() }}
<ul id="rows" {{ rt.stream("board:1") }}></ul>
<form><button id="go" type="button" rt-requires-connection>Go</button></form>{% if draft is defined %}
<form id="form" method="post" action="/send">{{ rt.draft("application", draft) }}
<p><label>Title <input name="title" value="{{ draft.get("title") }}"></label></p>
<p><label>Story <textarea name="story">
{{ draft.get("story") }}</textarea></label></p></form>{% endif %}{{ rt.toasts() }}</body></html>"""

BUILD = os.environ["BUILD"]
rt = Realtime(
    secret="a secret of thirty-two bytes or more",
    name="deploy",
    bus=os.environ["RT_BUS"],
    store=os.environ["RT_STORE"],
    build=BUILD,
    identify=lambda request: request.cookies.get("who"),
    limits=json.loads(os.environ.get("RT_LIMITS", "{}")),
)
templates = Environment(autoescape=True, loader=DictLoader({"page.html": PAGE}))
rt.install(templates)
app = FastAPI()


@app.get("/")
async def page() -> HTMLResponse:
    return HTMLResponse(templates.get_template("page.html").render(build=BUILD))


@app.get("/form")
async def form() -> HTMLResponse:
    draft = await rt.drafts.get("application")
    return HTMLResponse(templates.get_template("page.html").render(build=BUILD, draft=draft))


@app.get("/favicon.ico")
async def icon() -> Response:
    return Response(status_code=204)


@app.post("/publish/{number}")
async def publish(number: int) -> PlainTextResponse:
    row = Markup('<li id="row-{}">{}</li>').format(number, number)
    offset = await rt.topic("board:1").append("#rows", row)
    return PlainTextResponse(str(offset))


@app.post("/sign-in")
async def sign_in(name: str = Form()) -> PlainTextResponse:
    response = PlainTextResponse("in")
    response.set_cookie("who", name)
    return response


@app.post("/sign-out")
async def sign_out() -> PlainTextResponse:
    rt.sign_out()
    response = PlainTextResponse("out")
    response.delete_cookie("who")
    return response


@app.post("/revoke/{user}")
async def revoke(user: str) -> PlainTextResponse:
    rt.revoke("board:1", user=None if user == "everybody" else user)
    return PlainTextResponse("revoked")


app.add_middleware(RealtimeMiddleware, rt=rt)
