"""The same for Flask: the session is inside, so the app says who is asking."""

import os

from a2wsgi import WSGIMiddleware
from flask import Flask, redirect, render_template, request, session

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(secret=os.environ["RT_SECRET"])
flask = Flask(__name__)
flask.secret_key = os.environ["SESSION_SECRET"]
rt.install(flask.jinja_env)


@flask.before_request
def who():
    rt.set_user(session.get("person"))


@flask.get("/")
def index():
    return render_template("home.html", me=session.get("person"), names={"ada": "Ada Okafor"})


@flask.post("/sign-in")
def sign_in():
    session["person"] = request.form["person"]
    return redirect("/", 303)


@flask.post("/sign-out")
def sign_out():
    session.clear()
    rt.sign_out()
    return redirect("/", 303)


app = RealtimeMiddleware(WSGIMiddleware(flask), rt=rt)
