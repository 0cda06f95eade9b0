import os

from quart import Quart, redirect, render_template, request

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(secret=os.environ["RT_SECRET"])
quart = Quart(__name__, template_folder="../hello/templates")
rt.install(quart.jinja_env)
notes: list[str] = []


@quart.get("/")
async def index():
    return await render_template("index.html", notes=notes)


@quart.post("/notes")
async def add():
    notes.append((await request.form)["text"])
    rt.topic("notes").append("#notes", rt.render("note.html", number=len(notes), text=notes[-1]))
    if rt.is_htmx(request):
        return rt.render("index.html", block="form")
    return redirect("/", 303)


app = RealtimeMiddleware(quart, rt=rt)  # uvicorn quart_app:app
