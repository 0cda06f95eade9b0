"""Files in a plain function, where they are apart from the form. Used by docs/howto/uploads.md."""

import os
from pathlib import Path

from a2wsgi import WSGIMiddleware
from flask import Flask, jsonify, render_template_string, request

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.exceptions import BadUpload

rt = Realtime(secret=os.environ["RT_SECRET"], uploads=os.environ.get("RT_UPLOADS", "uploads"))
flask_app = Flask(__name__)
rt.install(flask_app.jinja_env)
pictures = Path(os.environ.get("PICTURES", "pictures"))
pictures.mkdir(exist_ok=True)
PAGE = """<!doctype html><title>Pictures</title>{{ rt.head(htmx=4) }}
<form method="post" enctype="multipart/form-data">{{ rt.file_input("photos", accept="image/*") }}<button>Send</button></form>"""


@flask_app.get("/")
def show():
    return render_template_string(PAGE)


@flask_app.post("/")
def send():
    try:
        files = rt.uploads.consume(request.form, "photos", files=request.files).result(timeout=60)
    except BadUpload as error:
        return str(error), error.status
    return jsonify([[file.name, file.type, file.size, file.save(pictures).result().name] for file in files])


app = RealtimeMiddleware(WSGIMiddleware(flask_app), rt=rt)
