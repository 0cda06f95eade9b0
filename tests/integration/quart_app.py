"""Quart: async views, and an async Jinja environment."""

from markupsafe import Markup
from quart import Quart, redirect, render_template_string, request, session

from htmx_rt import Realtime, RealtimeMiddleware

PAGE = """<!doctype html><html {{ rt.theme() }}><head>{{ rt.head(htmx=4) }}</head><body>
<ul id="rows" {{ rt.stream("board:1") }}></ul>{{ rt.banner() }}{{ rt.toasts() }}</body></html>"""
IMPORTED = (
    '{% import "htmx_rt/macros.html" as live %}<ul id="rows" {{ live.stream("board:1") }}></ul>{{ live.banner() }}'
)

app = Quart(__name__)
app.secret_key = "quart signs its own session cookie with this"
rt = Realtime(secret="a secret of thirty-two bytes or more", name="quart", identify=lambda _: session.get("user"))
rt.install(app.jinja_env)
app.asgi_app = RealtimeMiddleware(app.asgi_app, rt=rt)


@app.get("/")
async def board():
    return await render_template_string(PAGE)


@app.get("/imported")
async def imported():
    return await render_template_string(IMPORTED)


@app.post("/sign-in")
async def sign_in():
    session["user"] = (await request.form)["name"]
    return redirect("/", 303)


@app.post("/async")
async def add():
    text = (await request.form)["text"]
    row = rt.render("row.html", id="async", text=text)
    await rt.topic("board:1").append("#rows", row)
    return row


@app.post("/sync")
def add_in_a_thread():
    rt.topic("board:1").append("#rows", Markup('<li id="sync">sync</li>')).result(timeout=1)
    return "from a thread"
