"""Plain Flask behind a2wsgi: publishing from a sync view (a thread) and from an async one (another loop)."""

from a2wsgi import WSGIMiddleware
from flask import Flask, redirect, render_template_string, request, session
from markupsafe import Markup

from htmx_rt import Realtime, RealtimeMiddleware

ROW = Markup('<li id="{}">{}</li>')
flask_app = Flask(__name__)
flask_app.config["SECRET_KEY"] = "flask signs its own session cookie with this"
rt = Realtime(secret="a secret of thirty-two bytes or more", name="flask")
rt.install(flask_app.jinja_env)
flask_app.before_request(lambda: rt.set_user(session.get("user")))


@flask_app.get("/")
def board():
    return render_template_string('{{ rt.head(htmx=4) }}<ul id="rows" {{ rt.stream("board:1") }}></ul>')


@flask_app.post("/sign-in")
def sign_in():
    session["user"] = request.form["name"]
    return redirect("/", 303)


@flask_app.post("/sync")
def from_a_thread():
    rt.topic("board:1").append("#rows", ROW.format("sync", request.form["text"])).result(timeout=1)
    return "from a thread"


@flask_app.post("/async")
async def from_another_loop():
    await rt.topic("board:1").append("#rows", ROW.format("async", request.form["text"]))
    return "from another loop"


app = RealtimeMiddleware(WSGIMiddleware(flask_app), rt=rt)
