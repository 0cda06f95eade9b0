"""A document in a table that several workers write to; each accepted save is noted in the same transaction."""

import os
import sqlite3
from typing import Any

from jinja2 import Environment
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.merge import number, text, whole, words

rt = Realtime(
    secret="a secret of thirty-two bytes or more",
    identify=lambda request: request.cookies.get("who"),
    bus=os.environ["RT_BUS"],
    store=os.environ["RT_BUS"],
    name=os.environ.get("RT_NAME", "edit"),
)
environment = Environment(autoescape=True)
rt.install(environment)
page = environment.from_string("""<html><head>{{ rt.head() }}</head><body><form>{{ rt.guard("doc", doc) }}
<input name="title" value="{{ doc.title }}"><input name="tags" value="{{ doc.tags }}"><input name="stock" value="{{ doc.stock }}">
</form></body></html>""")
docs = rt.guard(
    "doc:{id}",
    {"title": whole, "body": text, "tags": words, "stock": number},
    preset=os.environ.get("PRESET", "merge"),  # type: ignore[arg-type]
)
UPDATE = "UPDATE docs SET title=?, body=?, tags=?, stock=?, lock_version=lock_version+1 WHERE id=1 AND lock_version=?"


def connect() -> sqlite3.Connection:
    db = sqlite3.connect(os.environ["DB"], timeout=20, isolation_level=None)
    db.row_factory = sqlite3.Row
    return db


def read(db: sqlite3.Connection) -> dict[str, Any]:
    return dict(db.execute("SELECT * FROM docs WHERE id=1").fetchone())


async def show(_: Request) -> Response:
    db = connect()
    try:
        return HTMLResponse(page.render(doc=read(db)))
    finally:
        db.close()


@docs.answers
async def save(request: Request) -> Response:
    form = await request.form()
    db = connect()
    try:
        for _attempt in range(100):
            row = read(db)
            saving = await docs.check(row, form)
            values = [saving[name] for name in ("title", "body", "tags", "stock")]
            db.execute("BEGIN IMMEDIATE")
            done = db.execute(UPDATE, (*values, saving.version)).rowcount
            if done:
                note = (saving.version, saving.version + 1, request.cookies["who"], *values, form["lock_version"])
                db.execute("INSERT INTO accepted VALUES (?, ?, ?, ?, ?, ?, ?, ?)", note)
            db.execute("COMMIT")
            if done:
                saving.done(read(db))
                return JSONResponse({"v": saving.version + 1, "merged": saving.merged})
        return Response(status_code=503)
    finally:
        db.close()


app = RealtimeMiddleware(Starlette(routes=[Route("/", show), Route("/", save, methods=["POST"])]), rt=rt)
