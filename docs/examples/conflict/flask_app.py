"""A guarded form on Flask. Used by docs/howto/conflicts.md."""

import os
import sqlite3

from a2wsgi import WSGIMiddleware
from flask import Flask, Response, g, redirect, render_template, request

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.merge import text, whole, words

rt = Realtime(secret=os.environ["RT_SECRET"], identify=lambda request: request.cookies.get("person"))
flask = Flask(__name__)
rt.install(flask.jinja_env)
docs = rt.guard("doc:{id}", {"title": whole, "body": text, "tags": words}, preset="live", to="/")
DATABASE = os.environ.get("DATABASE", "docs.db")

UPDATE = """
    UPDATE docs SET title = :title, body = :body, tags = :tags, lock_version = lock_version + 1
    WHERE id = :id AND lock_version = :version RETURNING *"""


def database() -> sqlite3.Connection:
    if "db" not in g:
        g.db = sqlite3.connect(DATABASE, isolation_level=None)
        g.db.row_factory = sqlite3.Row
    return g.db


@flask.teardown_appcontext
def close(error):
    if "db" in g:
        g.pop("db").close()


def find(id: int):
    return database().execute("SELECT * FROM docs WHERE id = ?", [id]).fetchone()


@flask.get("/docs/<int:id>")
def edit(id: int):
    return render_template("doc.html", doc=find(id))


@flask.post("/docs/<int:id>")
@docs.answers(Response)
def save(id: int):
    saved = None
    while saved is None:  # where somebody is faster, it is looked at again
        saving = docs.check(find(id), request.form).result()
        values = {**saving.values, "id": id, "version": saving.version}
        saved = database().execute(UPDATE, values).fetchone()
    saving.done(saved)
    if rt.is_htmx(request):
        return render_template("doc_form.html", doc=saved)
    return redirect(f"/docs/{id}", 303)


with flask.app_context():
    database().execute("""CREATE TABLE IF NOT EXISTS docs (
        id INTEGER PRIMARY KEY, title TEXT, body TEXT, tags TEXT, lock_version INTEGER DEFAULT 1)""")
    database().execute(
        "INSERT OR IGNORE INTO docs (id, title, body, tags) VALUES (7, 'Plan', 'One.\nTwo.\nThree.\n', 'draft')"
    )

app = RealtimeMiddleware(WSGIMiddleware(flask), rt=rt)
