"""Files in a plain function, where they are apart from the form. Used by docs/howto/uploads.md."""

import os

from a2wsgi import WSGIMiddleware
from flask import Flask, jsonify, render_template_string, request

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(secret=os.environ["RT_SECRET"], uploads=os.environ.get("RT_UPLOADS", "uploads"))
flask_app = Flask(__name__)
rt.install(flask_app.jinja_env)
PAGE = """<!doctype html><title>Pictures</title>{{ rt.head(htmx=4) }}
<form method="post" enctype="multipart/form-data">{{ rt.file_input("photos", accept="image/*") }}<button>Send</button></form>"""


@flask_app.get("/")
def show():
    return render_template_string(PAGE)


@flask_app.post("/")
def send():
    files = rt.uploads.consume(request.form, "photos", files=request.files).result(timeout=60)
    return jsonify([[file.name, file.type, file.size] for file in files])


app = RealtimeMiddleware(WSGIMiddleware(flask_app), rt=rt)
