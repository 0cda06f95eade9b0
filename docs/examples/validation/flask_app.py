"""The same with Flask. Used by docs/howto/validation.md."""

import os

from a2wsgi import WSGIMiddleware
from flask import Flask, redirect, render_template, request

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(secret=os.environ["RT_SECRET"], debug=True)
flask = Flask(__name__)
rt.install(flask.jinja_env)


def problems(form) -> dict[str, str]:
    return {} if "@" in form.get("email", "") else {"email": "This is no address, such as you@example.org."}


@flask.post("/signup")
def signup():
    errors = problems(request.form)
    answer = rt.validation(request, errors)
    if answer is not None:
        return answer
    if errors:  # sent without JavaScript
        return render_template("signup.html", values=request.form, errors=errors), 422
    return redirect("/welcome", 303)


app = RealtimeMiddleware(WSGIMiddleware(flask), rt=rt)
