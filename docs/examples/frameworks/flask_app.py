import os

from a2wsgi import WSGIMiddleware
from flask import Flask, redirect, render_template, request

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(secret=os.environ["RT_SECRET"])
flask = Flask(__name__, template_folder="../hello/templates")
rt.install(flask.jinja_env)
notes: list[str] = []


@flask.get("/")
def index():
    return render_template("index.html", notes=notes)


@flask.post("/notes")
def add():
    notes.append(request.form["text"])
    rt.topic("notes").append("#notes", rt.render("note.html", number=len(notes), text=notes[-1]))
    if rt.is_htmx(request):
        return rt.render("index.html", block="form")
    return redirect("/", 303)


app = RealtimeMiddleware(WSGIMiddleware(flask), rt=rt)  # uvicorn flask_app:app
